//! Takes up a snapshot that another process published into the shared folder.

use super::Rounds;

/// Serves the version that the folder points to, if it is another one; a file that cannot be read is
/// named in the log, and what is served stays.
pub async fn adopt(rounds: &Rounds) {
    let served = rounds.snapshots.current().version;
    let folder = rounds.folder.clone();
    let read = tokio::task::spawn_blocking(move || {
        let pointed = folder.served().filter(|&version| version != served)?;
        Some((pointed, folder.load(pointed)))
    });
    let Ok(Some((version, loaded))) = read.await else { return };
    match loaded {
        Ok(snapshot) => {
            // Our own trainer moves the pointer before it publishes: then there is nothing to do.
            if rounds.snapshots.publish_over(served, snapshot.into()) {
                let at = rounds.snapshots.current().trained_at;
                rounds.metrics.snapshot_version.set(version as i64);
                rounds.metrics.snapshot_timestamp.set(at.0 as f64 / 1e3);
                tracing::info!(snapshot.version = version, "another process's snapshot is served");
            }
        }
        Err(error) => tracing::warn!(
            snapshot.version = version,
            error = &error as &dyn std::error::Error,
            "a snapshot of another process cannot be read; the served one stays"
        ),
    }
}
