//! Takes up a snapshot that another process published into the shared folder.

use super::Rounds;
use crate::domain::{Timestamp, time::MINUTE_MS};
use std::sync::{Mutex, PoisonError};

/// A file that cannot be read is tried again after this: not in every round, each of which would read all of it in
/// vain and say so.
const RETRY_MS: i64 = MINUTE_MS;

/// The version that could not be read last, and when it is tried again.
#[derive(Debug, Default)]
pub struct Unreadable(Mutex<Option<(u64, Timestamp)>>);

impl Unreadable {
    fn set(&self, to: Option<(u64, Timestamp)>) {
        // A pair is not left half-written.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    fn holds(&self, version: u64, now: Timestamp) -> bool {
        let held = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.is_some_and(|(unreadable, until)| unreadable == version && now < until)
    }
}

/// Serves the version that the folder points to, if it is another one; a file that cannot be read is
/// named in the log, and what is served stays.
pub async fn adopt(rounds: &Rounds) {
    let (served, now) = (rounds.snapshots.current().version, rounds.clock.now());
    let (folder, cell) = (rounds.folder.clone(), rounds.snapshots.clone());
    let unreadable = rounds.unreadable.clone();
    let read = tokio::task::spawn_blocking(move || {
        let is_new = |version: &u64| *version != served && !unreadable.holds(*version, now);
        folder.served().filter(is_new)?;
        // Our own trainer, or an operator, may be about to serve another one.
        let load = || {
            let pointed = folder.served().filter(|&version| version != cell.current().version)?;
            let loaded = folder.load(pointed).map(|snapshot| cell.publish(snapshot.into()));
            Some((pointed, loaded))
        };
        folder.locked(load).ok()?
    });
    let Ok(Some((version, loaded))) = read.await else { return };
    match loaded {
        Ok(()) => {
            rounds.unreadable.set(None);
            let at = rounds.snapshots.current().trained_at;
            rounds.metrics.snapshot_version.set(version as i64);
            rounds.metrics.snapshot_timestamp.set(at.0 as f64 / 1e3);
            tracing::info!(snapshot.version = version, "another process's snapshot is served");
        }
        Err(error) => {
            rounds.unreadable.set(Some((version, now.plus_ms(RETRY_MS))));
            tracing::warn!(
                snapshot.version = version,
                error = &error as &dyn std::error::Error,
                "a snapshot of another process cannot be read; the served one stays, and it is tried again in a minute"
            );
        }
    }
}
