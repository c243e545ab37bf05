//! Snapshots on disk: one checksummed file a version, and a pointer to the served one.
//!
//! A file is written beside its final name, flushed, and moved, so that a reader sees all of it or
//! none. Layout: the line `SHOPKEEPER SNAPSHOT <format> <version> <BLAKE3 of the rest>\n`, then the
//! [`Contents`] in postcard's encoding.

use super::{Contents, Snapshot};
use crate::learn::search::SearchState;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Rises when the layout of [`Contents`] changes; a file of another format is not read.
const FORMAT: u32 = 8;
const MAGIC: &str = "SHOPKEEPER SNAPSHOT";
/// Where a search for parameters is kept.
const SEARCH: &str = "SEARCH";

/// Why a snapshot could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk did not do what it was asked.
    #[error("cannot {doing} {path}")]
    Io {
        /// Finishes the sentence "cannot …".
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is of a program that writes another layout: an older or a newer one.
    #[error(
        "the snapshot file {path} has format {format}, and this version reads {FORMAT}; what it holds is learned anew"
    )]
    OtherFormat {
        /// Which file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The file is not what was written.
    #[error("the snapshot file {path} is damaged: {detail}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

/// The folder of saved snapshots.
#[derive(Clone, Debug)]
pub struct SnapshotFolder(PathBuf);

impl SnapshotFolder {
    /// Opens the folder, creating it if need be.
    pub fn open(path: PathBuf) -> Result<Self, SnapshotError> {
        fs::create_dir_all(&path).map_err(io_error("create", &path))?;
        Ok(Self(path))
    }

    fn path_of(&self, version: u64) -> PathBuf {
        self.0.join(format!("v{version:010}.snapshot"))
    }

    /// Writes a snapshot under its version; it is not served before [`point_to`](Self::point_to).
    pub fn save(&self, snapshot: &Snapshot) -> Result<u64, SnapshotError> {
        self.write_body(&self.path_of(snapshot.version), snapshot.version, &**snapshot)
    }

    fn write_body<T: Serialize>(
        &self,
        path: &Path,
        version: u64,
        contents: &T,
    ) -> Result<u64, SnapshotError> {
        let body = postcard::to_stdvec(contents).map_err(|error| SnapshotError::Damaged {
            path: path.to_owned(),
            detail: error.to_string(),
        })?;
        let hash = blake3::hash(&body).to_hex();
        let head = format!("{MAGIC} {FORMAT} {version} {hash}\n");
        self.write_whole(path, &[head.as_bytes(), &body])?;
        Ok((head.len() + body.len()) as u64)
    }

    fn write_whole(&self, path: &Path, parts: &[&[u8]]) -> Result<(), SnapshotError> {
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
            for part in parts {
                file.write_all(part)?;
            }
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            fs::File::open(&self.0)?.sync_all()
        };
        write().map_err(io_error("write", path))
    }

    /// Makes `version` the served one, also after a restart.
    pub fn point_to(&self, version: u64) -> Result<(), SnapshotError> {
        self.write_whole(&self.0.join("SERVED"), &[format!("{version}\n").as_bytes()])
    }

    /// Does some work while nobody else who locks, in this process or another, changes which version is
    /// served. Waits for its turn, and must not be nested.
    pub fn locked<T>(&self, work: impl FnOnce() -> T) -> Result<T, SnapshotError> {
        let path = self.0.join("LOCK");
        let file = fs::File::create(&path).map_err(io_error("create", &path))?;
        file.lock().map_err(io_error("lock", &path))?;
        let done = work();
        // Closing the file would do it too.
        file.unlock().map_err(io_error("unlock", &path))?;
        Ok(done)
    }

    /// Keeps training that was not asked for since from replacing what an operator went back to, also
    /// after a restart.
    pub fn hold(&self) -> Result<(), SnapshotError> {
        let name = format!("{}\n", uuid::Uuid::now_v7());
        self.write_whole(&self.0.join("HELD"), &[name.as_bytes()])
    }

    /// Names the hold, if an operator went back and has not trained since; each has another name.
    pub fn held(&self) -> Option<String> {
        fs::read_to_string(self.0.join("HELD")).ok()
    }

    /// Lets periodic training publish again.
    pub fn release(&self) {
        // It is seldom there.
        let _absent = fs::remove_file(self.0.join("HELD"));
    }

    /// The version that is to be served.
    pub fn served(&self) -> Option<u64> {
        fs::read_to_string(self.0.join("SERVED")).ok()?.trim().parse().ok()
    }

    /// Saved versions, rising.
    pub fn versions(&self) -> Vec<u64> {
        let files = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut versions: Vec<u64> = files
            .filter_map(|file| {
                let name = file.file_name().into_string().ok()?;
                name.strip_prefix('v')?.strip_suffix(".snapshot")?.parse().ok()
            })
            .collect();
        versions.sort_unstable();
        versions
    }

    /// Keeps how far a search for parameters has come.
    pub fn save_search(&self, search: &SearchState) -> Result<(), SnapshotError> {
        self.write_body(&self.0.join(SEARCH), 0, search).map(|_n_bytes| ())
    }

    /// How far a search has come, if there is one that can be read; the log says if it cannot.
    pub fn load_search(&self) -> Option<SearchState> {
        let path = self.0.join(SEARCH);
        if !path.exists() {
            return None;
        }
        read_body(&path, 0)
            .inspect_err(|error| {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, "a saved search is refused; it begins anew");
            })
            .ok()
    }

    /// Reads one version.
    pub fn load(&self, version: u64) -> Result<Snapshot, SnapshotError> {
        read_body::<Contents>(&self.path_of(version), version).map(Into::into)
    }

    /// The snapshot to serve at start: the one pointed to, or, if that is damaged or gone, the
    /// newest readable one before it; each that could not be read is named in the log.
    pub fn load_served(&self) -> Option<Snapshot> {
        self.load_newest(self.served().unwrap_or(u64::MAX))
    }

    /// The newest readable snapshot whose version is not above `newest`; each that could not be read
    /// is named in the log.
    pub fn load_newest(&self, newest: u64) -> Option<Snapshot> {
        self.versions().into_iter().rev().filter(|&version| version <= newest).find_map(|version| {
            self.load(version)
                .inspect_err(|error| {
                    let cause = error as &dyn std::error::Error;
                    // After an upgrade nothing is broken.
                    if matches!(error, SnapshotError::OtherFormat { .. }) {
                        tracing::warn!(
                            snapshot.version = version,
                            error = cause,
                            "a saved snapshot is passed over"
                        );
                    } else {
                        tracing::error!(
                            snapshot.version = version,
                            error = cause,
                            "a saved snapshot is refused; the one before it is taken"
                        );
                    }
                })
                .ok()
        })
    }

    /// Deletes one version that is not served.
    pub fn drop_version(&self, version: u64) {
        if let Err(error) = fs::remove_file(self.path_of(version)) {
            tracing::warn!(snapshot.version = version, %error, "an old snapshot could not be deleted");
        }
    }

    /// Deletes all but the newest `keep` versions and the served one.
    pub fn prune(&self, keep: usize) {
        let (versions, served) = (self.versions(), self.served());
        let surplus = versions.len().saturating_sub(keep);
        for &version in versions[..surplus].iter().filter(|&&version| Some(version) != served) {
            self.drop_version(version);
        }
    }
}

/// The contents of a file whose head fits its body and names `version`.
fn read_body<T: DeserializeOwned>(path: &Path, version: u64) -> Result<T, SnapshotError> {
    let bytes = fs::read(path).map_err(io_error("read", path))?;
    let damaged = |detail: String| SnapshotError::Damaged { path: path.to_owned(), detail };
    let end = bytes
        .iter()
        .take(256)
        .position(|&byte| byte == b'\n')
        .ok_or_else(|| damaged("it has no head".into()))?;
    let (head, body) = (&bytes[..end], &bytes[end + 1..]);
    let expected = format!("{MAGIC} {FORMAT} {version} {}", blake3::hash(body).to_hex());
    if head != expected.as_bytes() {
        return Err(match format_of(head) {
            Some(format) if format != FORMAT => {
                SnapshotError::OtherFormat { path: path.to_owned(), format }
            }
            _ => damaged("its head does not match its body".into()),
        });
    }
    postcard::from_bytes(body).map_err(|error| damaged(error.to_string()))
}

/// The format that a head names.
fn format_of(head: &[u8]) -> Option<u32> {
    let rest = std::str::from_utf8(head).ok()?.strip_prefix(MAGIC)?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SnapshotError {
    let path = path.to_owned();
    move |source| SnapshotError::Io { doing, path, source }
}
