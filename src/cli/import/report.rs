//! How an import ends.

use crate::record::store::StoreError;
use serde::Serialize;
use std::{fmt, io, path::PathBuf};

/// What an import did: `rows` = `stored` + `duplicates` + `rejected`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ImportReport {
    /// Rows read, headers and blank lines not counted.
    pub rows: u64,
    /// Rows that brought something new.
    pub stored: u64,
    /// Rows that said what was there already.
    pub duplicates: u64,
    /// Rows that could not be stored.
    pub rejected: u64,
    /// Items whose catalogue entry was created or changed.
    pub items: u64,
    /// Entries written to the price ledger.
    pub prices: u64,
    /// How long it took.
    pub seconds: f64,
    /// Where the rejected rows are, if there are any.
    pub rejects_file: Option<PathBuf>,
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, stored, duplicates, rejected, items, prices, seconds, .. } = self;
        write!(
            f,
            "{rows} rows in {seconds:.1} s: {stored} stored, {duplicates} duplicates, {rejected} \
             rejected; {items} items and {prices} prices written"
        )?;
        match &self.rejects_file {
            Some(path) => write!(f, "\nrejected rows are in {}", path.display()),
            None => Ok(()),
        }
    }
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
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
    /// The file is not of the format that was named.
    #[error("{} is not in the format expected: {detail}", path.display())]
    Layout {
        /// Which file.
        path: PathBuf,
        /// What is missing or wrong.
        detail: String,
    },
    /// The rejects file cannot be written.
    #[error("cannot write rejected rows to {}", path.display())]
    Rejects {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The rejects file would overwrite the data.
    #[error("rejected rows cannot go to {}, which is to be imported", path.display())]
    RejectsAreInput {
        /// Which file.
        path: PathBuf,
    },
    /// The store failed.
    #[error("cannot store what was read")]
    Store(#[source] StoreError),
    /// The reading thread died.
    #[error("the reading thread did not finish")]
    Reader(#[source] tokio::task::JoinError),
    /// Nobody takes what is read any more.
    #[error("the import was stopped")]
    Stopped,
}
