//! Saves and serves a snapshot, unless an operator or another process was faster.

use super::{
    Ask, LEASE_MS, TrainError, Trainer, blocking,
    contents::{contents, is_worse, priced_anew},
};
use crate::{
    domain::{RunOutcome, Sequence, Timestamp},
    learn::{
        pipeline::{Fitted, Report},
        recommenders::{FitError, ModelKind},
    },
    snapshot::{
        PricedAnew, Snapshot, SnapshotCell,
        file::{SnapshotError, SnapshotFolder},
    },
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a run has read.
pub(super) struct Read {
    /// The settings that it learned by, as text.
    pub(super) settings: String,
    /// The last event.
    pub(super) last: Sequence,
    /// The last merge of people.
    pub(super) merge: i64,
    /// Whether somebody was erased since the last run.
    pub(super) erased: bool,
    /// When it began.
    pub(super) now: Timestamp,
    /// The time of the last event.
    pub(super) as_of: Timestamp,
}

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
    /// A version with the same lists and an older price response than the one before: not worth going back to.
    pub(super) outdone: Option<u64>,
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
            if let Some(version) = self.outdone {
                folder.drop_version(version);
            }
            folder.prune(self.keep);
            cell.publish(snapshot);
            Ok(None)
        };
        folder.locked(publish)?
    }
}

impl Trainer {
    /// Publishes what was fitted, or of it how demand answers to price if the lists are worse than those served.
    pub(super) async fn conclude(
        &mut self,
        ask: &Ask,
        (served, over): (&Snapshot, Over),
        (fitted, read): (Fitted, Read),
        stop: &CancellationToken,
    ) -> Result<(RunOutcome, String, Option<u64>, Report), TrainError> {
        let Read { settings, last: read_to, merge, erased, now, as_of } = read;
        let (kinds, report) =
            (fitted.seconds.iter().map(|fit| fit.0).collect::<Vec<_>>(), fitted.report.clone());
        // Who was erased must not live on in a snapshot because it was a good one.
        let worse = is_worse(served, &report, now, self.params.tolerance).filter(|_| !erased);
        if let Some(why) = &worse {
            tracing::warn!(reason = why, "new lists are refused");
            if fitted.price_response.is_none() {
                self.refused_at = Some((read_to, merge));
                self.count_models(&kinds, &report, RunOutcome::Refused);
                return Ok((RunOutcome::Refused, why.clone(), None, report));
            }
        }
        // Lists that this process has not seen the last of must not come back.
        if worse.is_some() && over.served.is_some_and(|version| version != served.version) {
            let why = "another version is served by now".to_owned();
            self.count_models(&kinds, &report, RunOutcome::Refused);
            return Ok((RunOutcome::Refused, why, None, report));
        }
        let newest = self.folder.versions().last().copied().unwrap_or(0);
        let version = newest.max(served.version) + 1;
        let snapshot: Arc<Snapshot> = {
            let memory = self.memory();
            let contents = if worse.is_some() {
                let items = memory.log.items().to_vec();
                let before = served.priced_anew.as_ref().map(|_| served.version);
                let read_to = (read_to, merge);
                let learned = PricedAnew { items, trained_at: now, as_of, read_to, before };
                priced_anew(served, fitted, version, learned)
            } else {
                let fitted = (fitted, settings);
                contents(&memory.log, fitted, version, (now, as_of), (read_to, merge))
            };
            Arc::new(contents.into())
        };
        // A lease that the clock has taken away while the database was away.
        let until = self.clock.now().plus_ms(LEASE_MS);
        let renewed =
            self.store.take_lease("training", &self.holder, self.clock.now(), until).await;
        if stop.is_cancelled() {
            return Err(FitError::Stopped.into());
        }
        if let Ok(false) = renewed {
            return Err(TrainError::LeaseLost);
        }
        let publishing = Publishing {
            // Whom an erasure forgets must go, whoever went back to them; the hold stays.
            allowed: if erased { over.hold.clone() } else { ask.hold.clone() },
            lifted: ask.hold.clone(),
            keep: if erased { 1 } else { self.params.keep_versions },
            served: over.served,
            outdone: worse.as_ref().and(served.priced_anew.as_ref()).and_then(|anew| anew.before),
        };
        let trained_at = snapshot.trained_at;
        let (folder, cell) = (self.folder.clone(), self.snapshots.clone());
        if let Some(why) = blocking(move || publishing.publish(&folder, &cell, snapshot)).await?? {
            tracing::warn!(reason = why, "a new snapshot is refused");
            self.count_models(&kinds, &report, RunOutcome::Refused);
            return Ok((RunOutcome::Refused, why, None, report));
        }
        self.metrics.snapshot_version.set(version as i64);
        self.metrics.snapshot_timestamp.set(trained_at.0 as f64 / 1e3);
        let (lists, reason) = match worse {
            Some(why) => {
                self.refused_at = Some((read_to, merge));
                let reason =
                    format!("how demand answers to price; the lists stay as they are: {why}");
                (RunOutcome::Refused, reason)
            }
            None => (RunOutcome::Published, report.choice.clone()),
        };
        self.count_models(&kinds, &report, lists);
        Ok((RunOutcome::Published, reason, Some(version), report))
    }

    /// Counts a run for every model: those of the blend end as the whole run does, those that were
    /// measured and left out are refused.
    fn count_models(&self, blended: &[ModelKind], report: &Report, outcome: RunOutcome) {
        for kind in blended {
            self.metrics.count_run(kind.name(), outcome);
        }
        let measured = report
            .models
            .iter()
            .filter(|line| ModelKind::ALL.iter().any(|kind| kind.name() == line.model));
        for line in measured.filter(|line| !blended.iter().any(|kind| kind.name() == line.model)) {
            self.metrics.count_run(line.model, RunOutcome::Refused);
        }
    }
}
