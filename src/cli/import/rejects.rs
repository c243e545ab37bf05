//! Keeps the rows that could not be stored, for somebody to mend.

use super::ImportError;
use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Most characters of a row that are kept.
const ROW_CHARS_MAX: usize = 4_096;

/// A CSV file with the columns `file,line,reason,row`, begun with the first reject. Clones write to the same file: who
/// reads the rows finds some of them bad, and the store refuses others.
#[derive(Clone)]
pub(super) struct Rejects {
    kept: Arc<Mutex<Kept>>,
}

struct Kept {
    path: PathBuf,
    writer: Option<csv::Writer<File>>,
    n_rows: u64,
}

/// Where a row stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RowPlace {
    file: Arc<str>,
    line: u64,
    /// The row as it is written, or as much of it as is kept.
    text: String,
}

impl RowPlace {
    /// The row `text` on a line of a file.
    pub(super) fn new(file: &Arc<str>, line: u64, text: &str) -> Self {
        let text = text.chars().take(ROW_CHARS_MAX).collect();
        Self { file: file.clone(), line, text }
    }
}

impl Rejects {
    /// Takes away what an earlier run left at `path`: it would be mistaken for this one's.
    pub(super) fn new(path: PathBuf) -> Result<Self, ImportError> {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(ImportError::Rejects { path, source })
            }
            _ => {
                let kept = Kept { path, writer: None, n_rows: 0 };
                Ok(Self { kept: Arc::new(Mutex::new(kept)) })
            }
        }
    }

    /// Writes one row down.
    pub(super) fn push(&self, place: &RowPlace, reason: &str) -> Result<(), ImportError> {
        let mut kept = self.kept();
        kept.n_rows += 1;
        let written = kept.push(place, reason);
        written
            .map_err(|error| ImportError::Rejects { path: kept.path.clone(), source: error.into() })
    }

    /// How many rows there are, and where, if there are any.
    pub(super) fn finish(&self) -> Result<(u64, Option<PathBuf>), ImportError> {
        let mut kept = self.kept();
        let (path, n_rows) = (kept.path.clone(), kept.n_rows);
        let Some(writer) = kept.writer.as_mut() else { return Ok((n_rows, None)) };
        match writer.flush() {
            Ok(()) => Ok((n_rows, Some(path))),
            Err(source) => Err(ImportError::Rejects { path, source }),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A count and a file: whoever panicked left nothing half done that the next row would be wrong beside.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, place: &RowPlace, reason: &str) -> csv::Result<()> {
        if self.writer.is_none() {
            let mut writer = csv::Writer::from_path(&self.path)?;
            writer.write_record(["file", "line", "reason", "row"])?;
            self.writer = Some(writer);
        }
        let line = place.line.to_string();
        let record = [&*place.file, &line, reason, &place.text];
        self.writer.as_mut().map_or(Ok(()), |writer| writer.write_record(record))
    }
}
