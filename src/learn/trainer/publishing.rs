//! Saves and serves a snapshot, unless an operator or another process was faster.

use crate::snapshot::{
    Snapshot, SnapshotCell,
    file::{SnapshotError, SnapshotFolder},
};
use std::sync::Arc;

/// What stood when a run began.
pub(super) struct Over {
    /// The version that the folder pointed to.
    pub(super) served: Option<u64>,
    /// The hold of an operator who had gone back.
    pub(super) hold: Option<String>,
}

/// On which terms a snapshot is published.
pub(super) struct Publishing {
    /// The version that must still be served.
    pub(super) served: Option<u64>,
    /// The hold that is no obstacle.
    pub(super) allowed: Option<String>,
    /// The hold that ends with it.
    pub(super) lifted: Option<String>,
    /// Versions to keep.
    pub(super) keep: usize,
}

impl Publishing {
    /// Saves and serves a snapshot; or says why not, if an operator or another process was faster.
    pub(super) fn publish(
        self,
        folder: &SnapshotFolder,
        cell: &SnapshotCell,
        snapshot: Arc<Snapshot>,
    ) -> Result<Option<String>, SnapshotError> {
        let publish = || {
            let (served, hold) = (folder.served(), folder.held());
            if hold.is_some() && hold != self.allowed {
                let version = served.unwrap_or_default();
                return Ok(Some(format!(
                    "an operator went back to version {version} after this run had been asked for; \
                     POST /models/train goes on from here"
                )));
            }
            if served != self.served {
                let version = served.unwrap_or_default();
                return Ok(Some(format!(
                    "version {version} was published while this run was learning"
                )));
            }
            folder.save(&snapshot)?;
            folder.point_to(snapshot.version)?;
            if hold == self.lifted {
                folder.release();
            }
            folder.prune(self.keep);
            cell.publish(snapshot);
            Ok(None)
        };
        folder.locked(publish)?
    }
}
