//! The lines of a file, none longer than memory can bear.

use std::{
    collections::VecDeque,
    io::{self, BufRead, Read},
};

/// Longest line, and longest CSV row over several lines, in bytes.
pub(in crate::cli) const LINE_BYTES_MAX: usize = 1 << 20;

/// One line without its end.
pub(in crate::cli) struct Line {
    /// Its number in the file, from 1.
    pub(in crate::cli) number: u64,
    /// What it says; cut if it is too long, approximate if it is not UTF-8.
    pub(in crate::cli) text: String,
    /// Why it cannot be used.
    pub(in crate::cli) problem: Option<&'static str>,
}

/// Hands out one line after another.
pub(in crate::cli) struct Lines {
    reader: Box<dyn BufRead>,
    n_read: u64,
    latin_1: bool,
    put_back: VecDeque<Line>,
}

impl Lines {
    /// Lines of UTF-8.
    pub(in crate::cli) fn new(reader: Box<dyn BufRead>) -> Self {
        Self { reader, n_read: 0, latin_1: false, put_back: VecDeque::new() }
    }

    /// Takes lines that are not UTF-8 for ISO 8859-1, as older data sets are written.
    pub(in crate::cli) fn or_latin_1(&mut self) {
        self.latin_1 = true;
    }

    /// The next line, if there is one.
    pub(in crate::cli) fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.put_back.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::with_capacity(160);
        let limit = LINE_BYTES_MAX as u64 + 1;
        if (&mut self.reader).take(limit).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.n_read += 1;
        let mut problem = None;
        if bytes.pop_if(|last| *last == b'\n').is_some() {
            bytes.pop_if(|last| *last == b'\r');
        } else if bytes.len() > LINE_BYTES_MAX {
            self.reader.skip_until(b'\n')?;
            problem = Some("the line is longer than 1 MiB");
        }
        if self.n_read == 1 && bytes.starts_with(b"\xEF\xBB\xBF") {
            bytes.drain(..3);
        }
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            if self.latin_1 {
                // The code points of ISO 8859-1 are the first 256 of Unicode.
                return error.as_bytes().iter().map(|byte| char::from(*byte)).collect();
            }
            problem = problem.or(Some("the line is not UTF-8"));
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        });
        Ok(Some(Line { number: self.n_read, text, problem }))
    }

    /// Makes [`Self::next`] hand out `lines` again, first things first.
    pub(in crate::cli) fn put_back(&mut self, lines: Vec<Line>) {
        for line in lines.into_iter().rev() {
            self.put_back.push_front(line);
        }
    }

    /// The next line that is not blank, which stays the next.
    pub(in crate::cli) fn peek(&mut self) -> io::Result<Option<&Line>> {
        while let Some(line) = self.next()? {
            if !line.text.trim().is_empty() {
                self.put_back(vec![line]);
                break;
            }
        }
        Ok(self.put_back.front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn lines(bytes: &[u8]) -> Lines {
        Lines::new(Box::new(Cursor::new(bytes.to_vec())))
    }

    fn all(lines: &mut Lines) -> Vec<(u64, String, bool)> {
        let next = || lines.next().unwrap();
        let seen = |line: Line| (line.number, line.text, line.problem.is_none());
        std::iter::from_fn(next).map(seen).collect()
    }

    #[test]
    fn ends_of_line_and_the_byte_order_mark_are_no_text() {
        let read = all(&mut lines(b"\xEF\xBB\xBFa\r\n\nb"));
        let expected = [(1, "a", true), (2, "", true), (3, "b", true)];
        assert_eq!(read, expected.map(|(number, text, ok)| (number, text.to_owned(), ok)));
    }

    #[test]
    fn an_endless_line_is_cut_and_the_next_one_is_whole() {
        let mut bytes = vec![b'x'; 3 * LINE_BYTES_MAX];
        bytes.extend(b"\nb\n");
        let read = all(&mut lines(&bytes));
        assert_eq!((read[0].0, read[0].2), (1, false));
        assert_eq!(read[1], (2, "b".to_owned(), true));
        let longest = [&vec![b'x'; LINE_BYTES_MAX][..], b"\n"].concat();
        assert!(all(&mut lines(&longest))[0].2);
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_latin_1_only_where_that_is_expected() {
        assert!(!all(&mut lines(b"caf\xe9"))[0].2);
        let mut latin_1 = lines(b"caf\xe9");
        latin_1.or_latin_1();
        assert_eq!(all(&mut latin_1)[0].1, "café");
    }
}
