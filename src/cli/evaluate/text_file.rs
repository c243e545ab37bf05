//! One text file: its lines with their numbers, and the hash of what was read.

use crate::cli::input::{Lines, decompressed};
use serde::Serialize;
use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    rc::Rc,
};

/// Why a file cannot be measured on.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file is not there or may not be read.
    #[error("cannot open {}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file broke off or is not compressed as its first bytes say.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system or the decompressor said.
        #[source]
        source: io::Error,
    },
    /// A line is not of the form that was expected.
    #[error("{}, line {line}: {detail}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Its number, from 1.
        line: u64,
        /// What is wrong and what to change.
        detail: String,
    },
    /// The file as a whole cannot be used.
    #[error("{}: {detail}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong and what to change.
        detail: String,
    },
}

/// What was read, so that others can tell whether they have the same.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FileFacts {
    /// As it was given.
    pub(super) path: PathBuf,
    /// BLAKE3 of the content, decompressed: what `zstd -dc FILE | b3sum` prints.
    pub(super) blake3: String,
    /// Lines that say something, the header aside.
    pub(super) rows: usize,
}

/// One open file and the hash of what was read of it.
pub(super) struct TextFile {
    path: PathBuf,
    lines: Lines,
    hasher: Rc<RefCell<blake3::Hasher>>,
}

/// Hashes what passes.
struct Hashed<R> {
    inner: R,
    hasher: Rc<RefCell<blake3::Hasher>>,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.borrow_mut().update(&buffer[..n]);
        Ok(n)
    }
}

impl TextFile {
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let file =
            File::open(path).map_err(|source| FileError::Open { path: path.to_owned(), source })?;
        let inner = decompressed(file)
            .map_err(|source| FileError::Read { path: path.to_owned(), source })?;
        let hasher = Rc::new(RefCell::new(blake3::Hasher::new()));
        let hashed = Hashed { inner, hasher: Rc::clone(&hasher) };
        let reader = BufReader::with_capacity(1 << 16, hashed);
        Ok(Self { path: path.to_owned(), lines: Lines::new(Box::new(reader)), hasher })
    }

    /// Takes lines that are not UTF-8 for ISO 8859-1, as older data sets are written.
    pub(super) fn or_latin_1(&mut self) {
        self.lines.or_latin_1();
    }

    /// The next line that is not blank, with its number.
    pub(super) fn next(&mut self) -> Result<Option<(u64, String)>, FileError> {
        loop {
            let line = self.lines.next();
            let line =
                line.map_err(|source| FileError::Read { path: self.path.clone(), source })?;
            let Some(line) = line else { return Ok(None) };
            if let Some(problem) = line.problem {
                return Err(self.line_error(line.number, problem.into()));
            }
            if !line.text.trim().is_empty() {
                return Ok(Some((line.number, line.text)));
            }
        }
    }

    pub(super) fn line_error(&self, line: u64, detail: String) -> FileError {
        FileError::Line { path: self.path.clone(), line, detail }
    }

    /// What was read; a file without a row is an error.
    pub(super) fn finish(self, rows: usize) -> Result<FileFacts, FileError> {
        if rows == 0 {
            let detail = "there is nothing in the file".to_owned();
            return Err(FileError::Content { path: self.path, detail });
        }
        let blake3 = self.hasher.borrow().finalize().to_hex().to_string();
        Ok(FileFacts { path: self.path, blake3, rows })
    }
}
