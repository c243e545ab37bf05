//! Reads the rows under a header of comma-separated names.

use super::super::{
    fields::Separator,
    text_file::{FileError, FileFacts, TextFile},
};
use std::{borrow::Cow, path::Path};

/// Most names of a header that an error repeats.
const NAMES_MAX: usize = 24;

/// A file whose header was read.
pub(super) struct DataFile {
    file: TextFile,
    columns: Vec<String>,
    n_rows: usize,
}

/// The cells of one row, in the order that was asked for.
pub(super) struct Row<'a> {
    number: u64,
    cells: Vec<Cow<'a, str>>,
    names: &'a [&'a str],
    file: &'a TextFile,
}

impl DataFile {
    /// Opens a file and reads its header; one that is empty is an error.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let mut file = TextFile::open(path)?;
        file.or_latin_1();
        let Some((_, header)) = file.next()? else {
            return Err(file.finish(0).expect_err("a file without a row is an error"));
        };
        let columns = Separator::Comma.split(&header).into_iter().map(Cow::into_owned).collect();
        Ok(Self { file, columns, n_rows: 0 })
    }

    /// Whether the header names all of these columns, in any order and any case.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.position(name).is_some())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))
    }

    /// The names of the header, as far as they are few.
    pub(super) fn named(&self) -> String {
        let names: Vec<&str> = self
            .columns
            .iter()
            .take(NAMES_MAX)
            .map(|name| name.get(..40).unwrap_or(name))
            .collect();
        format!("`{}`", names.join(","))
    }

    /// Reads all rows, with the columns of these names, which the header [`has`](Self::has), in this order.
    pub(super) fn read(
        mut self,
        names: &[&str],
        mut take: impl FnMut(&Row<'_>) -> Result<(), FileError>,
    ) -> Result<FileFacts, FileError> {
        let positions: Vec<usize> = names.iter().filter_map(|name| self.position(name)).collect();
        while let Some((number, line)) = self.file.next()? {
            let fields = Separator::Comma.split(&line);
            if fields.len() != self.columns.len() {
                let detail = format!(
                    "there are {} cells under a header of {}",
                    fields.len(),
                    self.columns.len()
                );
                return Err(self.file.line_error(number, detail));
            }
            let cells = positions.iter().map(|&at| fields[at].clone()).collect();
            take(&Row { number, cells, names, file: &self.file })?;
            self.n_rows += 1;
        }
        self.file.finish(self.n_rows)
    }
}

impl Row<'_> {
    /// The text of a cell.
    pub(super) fn text(&self, at: usize) -> &str {
        &self.cells[at]
    }

    /// A cell that must be a finite number.
    pub(super) fn number(&self, at: usize) -> Result<f64, FileError> {
        let number = self.cells[at].parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| self.wrong(at, "is not a number"))
    }

    /// A cell that must be a number above 0.
    pub(super) fn positive(&self, at: usize) -> Result<f64, FileError> {
        let number = self.number(at)?;
        if number > 0.0 { Ok(number) } else { Err(self.wrong(at, "is not above 0")) }
    }

    /// A cell that must be a whole number within a range.
    pub(super) fn whole(
        &self,
        at: usize,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, FileError> {
        let number = self.number(at)?;
        let whole = number as u32;
        if (f64::from(whole) - number).abs() < f64::EPSILON && range.contains(&whole) {
            Ok(whole)
        } else {
            let [low, high] = [range.start(), range.end()];
            Err(self.wrong(at, &format!("is no whole number from {low} to {high}")))
        }
    }

    /// Says of a cell what is wrong with it.
    pub(super) fn wrong(&self, at: usize, what: &str) -> FileError {
        self.file
            .line_error(self.number, format!("the {} `{}` {what}", self.names[at], self.cells[at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(text: &str) -> Result<(Vec<(f64, u32)>, usize), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        fs::write(&path, text).unwrap();
        let mut rows = vec![];
        let facts = DataFile::open(&path).and_then(|file| {
            assert!(file.has(&["PRICE", "n"]) && !file.has(&["cost"]), "{}", file.named());
            file.read(&["price", "n"], |row| {
                rows.push((row.positive(0)?, row.whole(1, 1..=9)?));
                Ok(())
            })
        });
        let folder = format!("{}/", folder.path().display());
        facts
            .map(|facts| (rows, facts.rows))
            .map_err(|error| error.to_string().replace(&folder, ""))
    }

    #[test]
    fn cells_are_found_by_the_names_of_the_header() {
        let (rows, n) = read("N,name,Price\n2,\"a, b\",1.5\n3,c,2\n").unwrap();
        assert_eq!((rows, n), (vec![(1.5, 2), (2.0, 3)], 2));
    }

    #[test]
    fn a_bad_cell_is_named_with_its_line() {
        let error = |row: &str| read(&format!("n,price\n1,1\n{row}\n")).unwrap_err();
        assert_eq!(error("1,x"), "data.csv, line 3: the price `x` is not a number");
        assert_eq!(error("1,-2"), "data.csv, line 3: the price `-2` is not above 0");
        assert_eq!(error("1,nan"), "data.csv, line 3: the price `nan` is not a number");
        assert_eq!(error("1.5,1"), "data.csv, line 3: the n `1.5` is no whole number from 1 to 9");
        assert_eq!(error("1"), "data.csv, line 3: there are 1 cells under a header of 2");
        assert_eq!(read("n,price\n").unwrap_err(), "data.csv: there is nothing in the file");
    }
}
