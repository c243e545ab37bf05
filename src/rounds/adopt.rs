//! Takes up a snapshot that another process published into the shared folder.

use super::Rounds;

/// Serves the version that the folder points to, if it is another one; a file that cannot be read is
/// named in the log, and what is served stays.
pub async fn adopt(rounds: &Rounds) {
    let served = rounds.snapshots.current().version;
    let (folder, cell) = (rounds.folder.clone(), rounds.snapshots.clone());
    let read = tokio::task::spawn_blocking(move || {
        folder.served().filter(|&version| version != served)?;
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
            let at = rounds.snapshots.current().trained_at;
            rounds.metrics.snapshot_version.set(version as i64);
            rounds.metrics.snapshot_timestamp.set(at.0 as f64 / 1e3);
            tracing::info!(snapshot.version = version, "another process's snapshot is served");
        }
        Err(error) => tracing::warn!(
            snapshot.version = version,
            error = &error as &dyn std::error::Error,
            "a snapshot of another process cannot be read; the served one stays"
        ),
    }
}
