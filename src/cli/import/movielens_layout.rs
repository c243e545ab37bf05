//! How the files of MovieLens are laid out, told by their first line.

/// What the flags at the end of a line of `u.item` stand for (`u.genre` of the 100K release).
const GENRES: [&str; 19] = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

/// How the lines of a file are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Layout {
    /// Ratings cut by this.
    Ratings(&'static str),
    /// Titles with genres in words, cut by this.
    Titles(&'static str),
    /// Titles with genres as flags.
    Flags,
    /// Ratings under a header.
    RatingsCsv,
    /// Titles under a header.
    TitlesCsv,
}

impl Layout {
    /// What the first line of a file tells.
    pub(super) fn of(line: &str) -> Option<Self> {
        let is_number = |text: &str| text.trim().parse::<f64>().is_ok();
        if line.starts_with("userId,") {
            return Some(Self::RatingsCsv);
        }
        if line.starts_with("movieId,title,") {
            return Some(Self::TitlesCsv);
        }
        for cut in ["::", "\t"] {
            let fields: Vec<&str> = line.split(cut).collect();
            match fields.len() {
                3 | 4 if is_number(fields[2]) => return Some(Self::Ratings(cut)),
                3 => return Some(Self::Titles(cut)),
                _ => {}
            }
        }
        (line.split('|').count() == 5 + GENRES.len()).then_some(Self::Flags)
    }
}

/// The id and the title of a line of `u.item`, and its genres; no title if it is cut otherwise.
pub(super) fn flagged(line: &str) -> (Vec<&str>, Vec<&'static str>) {
    let fields: Vec<&str> = line.split('|').collect();
    if fields.len() != 5 + GENRES.len() {
        return (vec![], vec![]);
    }
    let set = GENRES.into_iter().zip(&fields[5..]).filter(|(_, flag)| flag.trim() == "1");
    (fields[..2].to_vec(), set.map(|(genre, _)| genre).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_the_layout() {
        let flags = "1|A Film (1990)|01-Jan-1990||http://x|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0";
        let expected = [
            ("1\t2\t3\t874965758", Some(Layout::Ratings("\t"))),
            ("1\t2\t3", Some(Layout::Ratings("\t"))),
            ("1::2::3.5::874965758", Some(Layout::Ratings("::"))),
            ("1::A Film (1990)::Drama|War", Some(Layout::Titles("::"))),
            ("userId,movieId,rating,timestamp", Some(Layout::RatingsCsv)),
            ("movieId,title,genres", Some(Layout::TitlesCsv)),
            (flags, Some(Layout::Flags)),
            ("InvoiceNo,StockCode", None),
        ];
        for (line, layout) in expected {
            assert_eq!(Layout::of(line), layout, "{line}");
        }
        assert_eq!(flagged(flags), (vec!["1", "A Film (1990)"], vec!["Action"]));
    }
}
