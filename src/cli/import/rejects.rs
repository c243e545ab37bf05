//! Keeps the rows that could not be stored, for somebody to mend.

use super::ImportError;
use std::{
    fs::{self, File},
    io,
    path::PathBuf,
};

/// Most characters of a row that are kept.
const ROW_CHARS_MAX: usize = 4_096;

/// A CSV file with the columns `file,line,reason,row`, begun with the first reject.
pub(super) struct Rejects {
    path: PathBuf,
    writer: Option<csv::Writer<File>>,
    /// How many rows it holds.
    pub(super) n_rows: u64,
}

impl Rejects {
    /// Takes away what an earlier run left at `path`: it would be mistaken for this one's.
    pub(super) fn new(path: PathBuf) -> Result<Self, ImportError> {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(ImportError::Rejects { path, source })
            }
            _ => Ok(Self { path, writer: None, n_rows: 0 }),
        }
    }

    /// Writes one row down.
    pub(super) fn push(
        &mut self,
        file: &str,
        line: u64,
        reason: &str,
        row: &str,
    ) -> Result<(), ImportError> {
        self.n_rows += 1;
        self.try_push(file, line, reason, row)
            .map_err(|error| ImportError::Rejects { path: self.path.clone(), source: error.into() })
    }

    fn try_push(&mut self, file: &str, line: u64, reason: &str, row: &str) -> csv::Result<()> {
        if self.writer.is_none() {
            let mut writer = csv::Writer::from_path(&self.path)?;
            writer.write_record(["file", "line", "reason", "row"])?;
            self.writer = Some(writer);
        }
        let row: String = row.chars().take(ROW_CHARS_MAX).collect();
        let record = [file, &line.to_string(), reason, &row];
        self.writer.as_mut().map_or(Ok(()), |writer| writer.write_record(record))
    }

    /// Where the rows are, if there are any.
    pub(super) fn finish(self) -> Result<Option<PathBuf>, ImportError> {
        let Some(mut writer) = self.writer else { return Ok(None) };
        match writer.flush() {
            Ok(()) => Ok(Some(self.path)),
            Err(source) => Err(ImportError::Rejects { path: self.path, source }),
        }
    }
}
