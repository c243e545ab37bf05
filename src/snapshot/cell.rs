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

    /// Serves another snapshot unless something else than version `expected` is served by now; whether
    /// it does.
    pub fn publish_over(&self, expected: u64, next: Arc<Snapshot>) -> bool {
        let before = self.0.load();
        if before.version != expected {
            return false;
        }
        let replaced = self.0.compare_and_swap(&*before, next);
        Arc::ptr_eq(&before, &replaced)
    }

    /// Serves another snapshot from now on.
    pub fn publish(&self, next: Arc<Snapshot>) {
        self.0.store(next);
    }
}
