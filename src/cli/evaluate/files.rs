//! Reads the files that are measured on: lists, ratings, events, folds.
//!
//! Ids are any text; positions follow the order in which ids appear, so that the same files always give
//! the same positions. What a file says twice is counted and left to whoever reads it; a line that cannot
//! be understood is an error with its number, because a measurement on part of a file is none.

use super::{
    fields::{Columns, Separator, is_header},
    text_file::{FileError, FileFacts, TextFile},
};
use crate::domain::Timestamp;
use rustc_hash::FxHashMap;
use std::path::Path;

/// Ids by position, in the order in which they appeared.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    positions: FxHashMap<Box<str>, u32>,
}

impl Ids {
    /// The position of an id, a new one if it is new.
    pub(super) fn position(&mut self, id: &str) -> u32 {
        if let Some(&position) = self.positions.get(id) {
            return position;
        }
        let position = self.positions.len() as u32;
        self.positions.insert(id.into(), position);
        position
    }

    /// The position of an id that has one.
    pub(super) fn find(&self, id: &str) -> Option<u32> {
        self.positions.get(id).copied()
    }

    /// Number of ids.
    pub(super) fn len(&self) -> usize {
        self.positions.len()
    }
}

/// Users and items of all files of a measurement.
#[derive(Clone, Debug, Default)]
pub(super) struct People {
    /// Users.
    pub(super) users: Ids,
    /// Items.
    pub(super) items: Ids,
}

/// A file of lines `user item item …`.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    /// The user and the items of each line, in order.
    pub(super) rows: Vec<(u32, Vec<u32>)>,
    /// What was read.
    pub(super) facts: FileFacts,
}

/// One event or rating.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// Who.
    pub(super) user: u32,
    /// What.
    pub(super) item: u32,
    /// The weight or the rating; 1 if the file has none. May be no finite number.
    pub(super) value: f32,
    /// When, only to be compared.
    pub(super) time: Option<i64>,
}

/// A file of events or ratings.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// In order, one for each line.
    pub(super) rows: Vec<Row>,
    /// What was read.
    pub(super) facts: FileFacts,
}

/// What the third column of rows is, where no header says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Third {
    /// `user item rating [time]`; a rating must be there.
    Rating,
    /// `user item [weight [time]]`.
    Weight,
}

/// Reads lines `user item item …`, separated by white space or commas. A user may have several lines,
/// and may have no items.
pub(super) fn read_lists(path: &Path, people: &mut People) -> Result<Lists, FileError> {
    let mut file = TextFile::open(path)?;
    let mut rows = Vec::new();
    let mut separator = None;
    while let Some((_, line)) = file.next()? {
        let separator = *separator.get_or_insert_with(|| Separator::of(&line));
        let fields = separator.split(&line);
        let mut fields = fields.iter().filter(|field| !field.is_empty());
        let Some(user) = fields.next() else { continue };
        let user = people.users.position(user);
        rows.push((user, fields.map(|item| people.items.position(item)).collect()));
    }
    Ok(Lists { facts: file.finish(rows.len())?, rows })
}

/// Reads lines `item category category …`: categories by item position; items that are not in `people`
/// are left out, and counted.
pub(super) fn read_categories(
    path: &Path,
    people: &People,
) -> Result<(Vec<Vec<u32>>, usize, FileFacts), FileError> {
    let mut named = People::default();
    let lists = read_lists(path, &mut named)?;
    let mut of_items = vec![Vec::new(); people.items.len()];
    let mut known: Vec<(u32, u32)> = named
        .users
        .positions
        .iter()
        .filter_map(|(name, &row)| Some((row, people.items.find(name)?)))
        .collect();
    known.sort_unstable();
    let mut n_unknown = 0;
    for (row, categories) in &lists.rows {
        match known.binary_search_by_key(row, |pair| pair.0) {
            Ok(at) => of_items[known[at].1 as usize].extend(categories),
            Err(_) => n_unknown += 1,
        }
    }
    Ok((of_items, n_unknown, lists.facts))
}

/// Reads rows separated by tabs, commas, `::` or spaces; a first line that names columns is a header.
pub(super) fn read_rows(path: &Path, third: Third, people: &mut People) -> Result<Rows, FileError> {
    let mut file = TextFile::open(path)?;
    let mut rows = Vec::new();
    let mut layout: Option<(Separator, Columns)> = None;
    while let Some((number, line)) = file.next()? {
        let bad = |detail: String| file.line_error(number, detail);
        let (separator, columns) = if let Some(layout) = layout {
            layout
        } else {
            let separator = Separator::of(&line);
            let fields = separator.split(&line);
            let has_header = is_header(&fields);
            let columns = if has_header {
                Columns::named(&fields, third).map_err(bad)?
            } else {
                Columns::in_order(fields.len(), third)
            };
            layout = Some((separator, columns));
            if has_header {
                continue;
            }
            (separator, columns)
        };
        let fields = separator.split(&line);
        let id = |at: usize, name: &str| {
            let field = fields.get(at).map(|field| &**field).filter(|field| !field.is_empty());
            field.ok_or_else(|| bad(format!("there is no {name} in column {}", at + 1)))
        };
        let user = id(columns.user, "user")?;
        let item = id(columns.item, "item")?;
        let text = columns.value.and_then(|at| fields.get(at)).map_or("", |text| &**text);
        let value = match text.parse() {
            Ok(value) => value,
            Err(_) if text.is_empty() && third == Third::Weight => 1.0,
            Err(_) => {
                let what = if text.is_empty() {
                    "there is no rating".to_owned()
                } else {
                    format!("the {} `{text}` is not a number", third.name())
                };
                return Err(bad(format!("{what}; a row is `user item {}`", third.form())));
            }
        };
        let time = match columns.time.and_then(|at| fields.get(at)) {
            None => None,
            Some(text) if text.is_empty() => None,
            Some(text) => Some(time(text).ok_or_else(|| {
                bad(format!("the time `{text}` is neither a number nor RFC 3339"))
            })?),
        };
        let (user, item) = (people.users.position(user), people.items.position(item));
        rows.push(Row { user, item, value, time });
    }
    Ok(Rows { facts: file.finish(rows.len())?, rows })
}

impl Third {
    fn name(self) -> &'static str {
        match self {
            Self::Rating => "rating",
            Self::Weight => "weight",
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::Rating => "rating [time]",
            Self::Weight => "[weight [time]]",
        }
    }
}

/// Seconds, milliseconds or any other count, or an instant; only to be compared within one file.
pub(super) fn time(text: &str) -> Option<i64> {
    let number = match text.parse::<f64>() {
        Ok(number) => number.is_finite().then_some(number)?,
        Err(_) => Timestamp::parse(text)?.0 as f64,
    };
    // The bits of a float, read as a whole number with the magnitude turned round below 0, are in its
    // order (IEEE 754-2008, 5.10); 0 is added so that −0 is 0.
    let bits = (number + 0.0).to_bits().cast_signed();
    Some(bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed())
}

/// Reads a fold number from each line.
pub(super) fn read_folds(path: &Path) -> Result<(Vec<u32>, FileFacts), FileError> {
    let mut file = TextFile::open(path)?;
    let mut folds = Vec::new();
    while let Some((number, line)) = file.next()? {
        let fold = line.trim().parse().map_err(|_| {
            file.line_error(number, format!("`{}` is not the number of a fold", line.trim()))
        })?;
        folds.push(fold);
    }
    let facts = file.finish(folds.len())?;
    Ok((folds, facts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write, path::PathBuf};

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
            let path = self.0.path().join(name);
            fs::write(&path, content).unwrap();
            path
        }
    }

    fn rows(content: &str, third: Third) -> Result<Vec<Row>, String> {
        let path = Folder::new();
        let path = (path.file("rows", content), path);
        let read = read_rows(&path.0, third, &mut People::default());
        let no_folder = |error: FileError| {
            let folder = format!("{}/", path.1.0.path().display());
            error.to_string().replace(&folder, "")
        };
        read.map(|read| read.rows).map_err(no_folder)
    }

    #[test]
    fn lists_are_the_same_however_they_are_packed() {
        let folder = Folder::new();
        let text = "ann 3 1 2\n\nbob\nann 4 1\n";
        let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        let packed = [
            folder.file("plain", text),
            folder.file("zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
            folder.file("gz", gzip.finish().unwrap()),
        ];
        for path in packed {
            let mut people = People::default();
            let lists = read_lists(&path, &mut people).unwrap();
            assert_eq!(lists.rows, [(0, vec![0, 1, 2]), (1, vec![]), (0, vec![3, 1])]);
            assert_eq!((people.users.len(), people.items.len()), (2, 4));
            assert_eq!(people.items.find("2"), Some(2));
            assert_eq!(lists.facts.rows, 3);
            assert_eq!(lists.facts.blake3, blake3::hash(text.as_bytes()).to_hex().to_string());
        }
    }

    #[test]
    fn rows_are_read_with_any_separator_with_or_without_a_header() {
        let expected = [(0, 0, 4.0), (1, 0, 3.5)].map(|(user, item, value)| (user, item, value));
        for text in [
            "7\t9\t4\t100\n8\t9\t3.5\t200\n",
            "7::9::4::100\n8::9::3.5::200\n",
            "7,9,4,100\r\n8,9,3.5,200\r\n",
            "7 9 4 100\n8 9 3.5 200\n",
            "time,rating,item,user\n100,4,9,7\n200,3.5,9,8\n",
        ] {
            let rows = rows(text, Third::Rating).unwrap();
            let read: Vec<_> = rows.iter().map(|row| (row.user, row.item, row.value)).collect();
            assert_eq!(read, expected, "{text}");
            assert!(rows[0].time < rows[1].time && rows[0].time.is_some());
        }
        let events = rows("user,item,weight\na,b,\na,c,2\n", Third::Weight).unwrap();
        assert_eq!(events.iter().map(|row| row.value).collect::<Vec<_>>(), [1.0, 2.0]);
        assert!(rows("a b nan\n", Third::Rating).unwrap()[0].value.is_nan());
    }

    #[test]
    fn times_of_any_form_keep_their_order() {
        let rising = ["-5", "-0.5", "0", "0.5", "7", "1e3", "2001-01-01T00:00:00Z"];
        let times: Vec<i64> = rising.iter().map(|text| time(text).unwrap()).collect();
        assert!(times.is_sorted_by(|a, b| a < b));
        assert_eq!(time("-0"), time("0"));
        assert_eq!((time("soon"), time("nan")), (None, None));
    }

    #[test]
    fn a_bad_line_is_named_with_what_to_change() {
        let error = |text, third| rows(text, third).unwrap_err();
        assert_eq!(
            error("1 2 3\n\n1 2 good\n", Third::Rating),
            "rows, line 3: the rating `good` is not a number; a row is `user item rating [time]`"
        );
        assert_eq!(
            error("1 2\n", Third::Rating),
            "rows, line 1: there is no rating; a row is `user item rating [time]`"
        );
        assert_eq!(error("1,2\n1\n", Third::Weight), "rows, line 2: there is no item in column 2");
        assert_eq!(
            error("1,2,3,4\n1,2,3,noon\n", Third::Weight),
            "rows, line 2: the time `noon` is neither a number nor RFC 3339"
        );
        assert_eq!(
            error("user,item\n1,2\n", Third::Rating),
            "rows, line 1: the header names no column `rating`"
        );
        assert_eq!(error("\n \n", Third::Rating), "rows: there is nothing in the file");
        let folder = Folder::new();
        let folds = read_folds(&folder.file("folds", "0\n1\n-2\n")).unwrap_err();
        assert!(folds.to_string().ends_with("line 3: `-2` is not the number of a fold"));
        let (folds, facts) = read_folds(&folder.file("folds", "0\n1\n\n0")).unwrap();
        assert_eq!((folds, facts.rows), (vec![0, 1, 0], 3));
        let missing = read_folds(Path::new("/nowhere")).unwrap_err();
        assert_eq!(missing.to_string(), "cannot open /nowhere");
    }

    #[test]
    fn categories_are_joined_by_the_names_of_items() {
        let folder = Folder::new();
        let mut people = People::default();
        read_lists(&folder.file("train", "u b a\n"), &mut people).unwrap();
        let categories = folder.file("categories", "a,red,big\nz,red\nb,big\n");
        let (of_items, n_unknown, _) = read_categories(&categories, &people).unwrap();
        assert_eq!((of_items, n_unknown), (vec![vec![1], vec![0, 1]], 1));
    }
}
