//! Opens files whatever their compression, and shows how far reading has come.

use super::{ImportError, lines::Lines};
use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// First bytes of a gzip member (RFC 1952, 2.3.1) and of a zstd frame (RFC 8878, 3.1.1).
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

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

/// Goes by the first bytes, since a name may lie.
fn decompressed(raw: impl Read + 'static) -> io::Result<Box<dyn BufRead>> {
    let mut raw = BufReader::with_capacity(1 << 16, raw);
    let first = raw.fill_buf()?;
    if first.starts_with(GZIP_MAGIC) {
        return Ok(Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(raw))));
    }
    if first.starts_with(ZSTD_MAGIC) {
        let decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
        return Ok(Box::new(BufReader::with_capacity(1 << 16, decoder)));
    }
    Ok(Box::new(raw))
}

fn visible_bar(n_bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:40} {percent:>3} %  {bytes} of {total_bytes}  {elapsed}, {eta} to go",
    );
    let bar = ProgressBar::with_draw_target(Some(n_bytes), ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    fn text_of(bytes: Vec<u8>) -> String {
        let mut text = String::new();
        decompressed(Cursor::new(bytes)).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn compression_is_told_by_the_first_bytes() {
        let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        gzip.write_all(b"one\n").unwrap();
        let mut gzip = gzip.finish().unwrap();
        // Two members one after another are one file, as `cat a.gz b.gz` makes it.
        gzip.extend(gzip.clone());
        assert_eq!(text_of(gzip), "one\none\n");
        assert_eq!(text_of(zstd::encode_all(&b"two\n"[..], 1).unwrap()), "two\n");
        assert_eq!(text_of(b"three\n".to_vec()), "three\n");
        assert_eq!(text_of(vec![]), "");
    }
}
