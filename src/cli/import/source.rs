//! Opens files, and shows how far reading has come.

use super::ImportError;
use crate::cli::input::{Lines, decompressed};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// All files of an import, and the bar that counts their bytes as they lie on the disk.
pub(super) struct Sources {
    bar: ProgressBar,
}

/// One open file.
pub(super) struct Source {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// Its name without folders.
    pub(super) name: String,
    /// Its lines, decompressed.
    pub(super) lines: Lines,
}

impl Sources {
    /// Looks at the sizes of `paths`; a path that cannot be read fails before anything is stored.
    pub(super) fn new(paths: &[PathBuf], progress: bool) -> Result<Self, ImportError> {
        let mut n_bytes = 0;
        for path in paths {
            let metadata = File::open(path).and_then(|file| file.metadata());
            n_bytes += metadata.map_err(|source| open_error(path, source))?.len();
        }
        let bar = if progress { visible_bar(n_bytes) } else { ProgressBar::hidden() };
        Ok(Self { bar })
    }

    /// Opens one file.
    pub(super) fn open(&self, path: &Path) -> Result<Source, ImportError> {
        let file = File::open(path).map_err(|source| open_error(path, source))?;
        let reader = decompressed(self.bar.wrap_read(file))
            .map_err(|source| ImportError::Read { path: path.to_owned(), source })?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Source { path: path.to_owned(), name, lines: Lines::new(reader) })
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Source {
    /// For `map_err`: reading this file failed.
    pub(super) fn read_error(path: &Path) -> impl Fn(io::Error) -> ImportError + use<> {
        let path = path.to_owned();
        move |source| ImportError::Read { path: path.clone(), source }
    }

    /// This file is not of the format that was named.
    pub(super) fn layout_error(&self, detail: impl Into<String>) -> ImportError {
        ImportError::Layout { path: self.path.clone(), detail: detail.into() }
    }
}

fn open_error(path: &Path, source: io::Error) -> ImportError {
    ImportError::Open { path: path.to_owned(), source }
}

fn visible_bar(n_bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:40} {percent:>3} %  {bytes} of {total_bytes}  {elapsed}, {eta} to go",
    );
    let bar = ProgressBar::with_draw_target(Some(n_bytes), ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
