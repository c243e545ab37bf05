//! CSV row by row, with damage kept to the row that has it.
//!
//! Not the `csv` crate's reader: it cannot bound a row, and a quote that is opened and never closed
//! would take the rest of the file into memory and into one rejected row. Here such a row gives its
//! further lines back. What the cells of a sound row are is the same, which a test holds on to.

use crate::cli::input::{LINE_BYTES_MAX, Line, Lines};
use std::{io, mem};

/// A row with as many cells as the header has.
#[derive(Debug, PartialEq)]
pub(super) struct CsvRow {
    /// The line it begins on, from 1.
    pub(super) line: u64,
    /// The row as it is written.
    pub(super) text: String,
    /// What it says.
    pub(super) cells: Vec<String>,
}

/// A row that cannot be read.
#[derive(Debug, PartialEq)]
pub(super) struct BadRow {
    /// The line it begins on, from 1.
    pub(super) line: u64,
    /// That line.
    pub(super) text: String,
    /// What is wrong.
    pub(super) reason: String,
}

/// The rows under a header.
pub(super) struct CsvRows {
    lines: Lines,
    columns: Vec<String>,
}

impl CsvRows {
    /// Reads the header; a file without one has no columns and no rows.
    pub(super) fn new(lines: Lines) -> io::Result<Self> {
        let mut rows = Self { lines, columns: vec![] };
        if let Some(line) = rows.next_line()? {
            let mut splitter = Splitter::default();
            splitter.push(&line.text);
            let cells = splitter.finish().unwrap_or_default();
            rows.columns = cells.into_iter().map(|name| name.trim().to_owned()).collect();
        }
        Ok(rows)
    }

    /// The names in the header.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Where the column of this name is, whatever its case.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))
    }

    /// The next row, if there is one.
    pub(super) fn next(&mut self) -> io::Result<Option<Result<CsvRow, BadRow>>> {
        let Some(first) = self.next_line()? else { return Ok(None) };
        if let Some(problem) = first.problem {
            return Ok(Some(Err(bad(first, problem))));
        }
        let mut splitter = Splitter::default();
        splitter.push(&first.text);
        let further = self.lines_until_closed(&mut splitter, first.text.len())?;
        let reason = match splitter.finish() {
            Some(cells) if cells.len() == self.columns.len() => {
                let mut text = first.text;
                for line in &further {
                    text.push('\n');
                    text.push_str(&line.text);
                }
                return Ok(Some(Ok(CsvRow { line: first.number, text, cells })));
            }
            Some(cells) => {
                format!("has {} cells, the header has {}", cells.len(), self.columns.len())
            }
            None => "a quote is opened and not closed".to_owned(),
        };
        self.lines.put_back(further);
        Ok(Some(Err(bad(first, reason))))
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            match self.lines.next()? {
                Some(line) if line.problem.is_none() && line.text.is_empty() => {}
                other => return Ok(other),
            }
        }
    }

    fn lines_until_closed(
        &mut self,
        splitter: &mut Splitter,
        n_bytes: usize,
    ) -> io::Result<Vec<Line>> {
        let mut n_bytes = n_bytes;
        let mut further = vec![];
        while splitter.is_open() && n_bytes <= LINE_BYTES_MAX {
            match self.lines.next()? {
                Some(line) if line.problem.is_none() => {
                    n_bytes += line.text.len() + 1;
                    splitter.push("\n");
                    splitter.push(&line.text);
                    further.push(line);
                }
                Some(line) => {
                    self.lines.put_back(vec![line]);
                    break;
                }
                None => break,
            }
        }
        Ok(further)
    }
}

fn bad(line: Line, reason: impl Into<String>) -> BadRow {
    BadRow { line: line.number, text: line.text, reason: reason.into() }
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    StartOfCell,
    Plain,
    Quoted,
    /// After a quote in a quoted cell: its end, or the first half of a doubled quote.
    QuoteInQuoted,
}

/// Takes a row's text piece by piece and cuts it into cells (RFC 4180, 2).
#[derive(Default)]
struct Splitter {
    cells: Vec<String>,
    cell: String,
    state: State,
}

impl Splitter {
    fn push(&mut self, text: &str) {
        for c in text.chars() {
            self.state = match (self.state, c) {
                (State::StartOfCell, '"') => State::Quoted,
                (State::Quoted, '"') => State::QuoteInQuoted,
                (State::StartOfCell | State::Plain | State::QuoteInQuoted, ',') => {
                    self.cells.push(mem::take(&mut self.cell));
                    State::StartOfCell
                }
                (State::Quoted, c) => {
                    self.cell.push(c);
                    State::Quoted
                }
                (State::QuoteInQuoted, '"') => {
                    self.cell.push('"');
                    State::Quoted
                }
                (State::StartOfCell | State::Plain | State::QuoteInQuoted, c) => {
                    self.cell.push(c);
                    State::Plain
                }
            };
        }
    }

    fn is_open(&self) -> bool {
        self.state == State::Quoted
    }

    /// The cells, unless the last one is still open.
    fn finish(mut self) -> Option<Vec<String>> {
        if self.is_open() {
            return None;
        }
        self.cells.push(self.cell);
        Some(self.cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    /// Where each row is and what it says; nothing if it is bad.
    fn rows(text: &str) -> Vec<(u64, Vec<String>)> {
        let lines = Lines::new(Box::new(Cursor::new(text.as_bytes().to_vec())));
        let mut rows = CsvRows::new(lines).unwrap();
        let next = || rows.next().unwrap();
        let seen = |row: Result<CsvRow, BadRow>| match row {
            Ok(row) => (row.line, row.cells),
            Err(bad) => (bad.line, vec![]),
        };
        std::iter::from_fn(next).map(seen).collect()
    }

    fn row(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (line, cells.iter().map(|&cell| cell.to_owned()).collect())
    }

    #[test]
    fn a_quoted_cell_may_hold_commas_quotes_and_ends_of_line() {
        let read = rows("a,b\n\"x, y\",\"12\"\"\n\nwide\"\n5\" nail,\n");
        assert_eq!(read, [row(2, &["x, y", "12\"\n\nwide"]), row(5, &["5\" nail", ""])]);
    }

    #[test]
    fn a_stray_quote_costs_one_row_and_no_more() {
        let never_closed = rows("a,b\n\"x,1\ny,2\nz,3\n");
        assert_eq!(never_closed, [row(2, &[]), row(3, &["y", "2"]), row(4, &["z", "3"])]);
        let closed_by_the_wrong_one = rows("a,b\n\"x,1\ny,2\n\"q, r\",3\n");
        assert_eq!(
            closed_by_the_wrong_one,
            [row(2, &[]), row(3, &["y", "2"]), row(4, &["q, r", "3"])]
        );
        assert_eq!(rows("a,b\n1\n1,2,3\n1,2\n"), [row(2, &[]), row(3, &[]), row(4, &["1", "2"])]);
        assert_eq!(rows(""), []);
    }

    proptest! {
        #[test]
        fn cells_are_those_of_the_csv_crate(text in "[a-b,\" ]{1,12}") {
            let mut splitter = Splitter::default();
            splitter.push(&text);
            if let Some(cells) = splitter.finish() {
                let mut reader =
                    csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
                let record = reader.records().next().unwrap().unwrap();
                prop_assert_eq!(cells, record.iter().collect::<Vec<_>>());
            }
        }
    }
}
