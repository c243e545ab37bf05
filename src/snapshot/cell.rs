//! The only place a snapshot is replaced.

use super::Snapshot;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Readers never wait, the trainer never blocks them.
#[derive(Debug, Default)]
pub struct SnapshotCell(ArcSwap<Snapshot>);

impl SnapshotCell {
    /// The snapshot to use for one whole request; take it once and pass it down.
    pub fn current(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Serves another snapshot from now on; who publishes holds the folder's lock
    /// ([`locked`](super::file::SnapshotFolder::locked)).
    pub fn publish(&self, next: Arc<Snapshot>) {
        self.0.store(next);
    }
}
