//! When training happens, and what becomes of it.
//!
//! Runs periodically and on request, one at a time in this process and, by a lease in the store,
//! among all processes. It takes no input and does not retry: the next period is the retry.

mod contents;
mod fitting;
mod publishing;
mod reading;
mod runs;
mod searching;

pub use runs::RecentRuns;
pub use searching::SearchParams;

use super::{
    pipeline::{PipelineParams, Report},
    recommenders::FitError,
};
use crate::{
    domain::{Clock, ModelRun, RunOutcome, Sequence, Timestamp},
    live::Live,
    record::store::{Store, StoreError},
    snapshot::{
        Snapshot, SnapshotCell,
        file::{SnapshotError, SnapshotFolder},
    },
    telemetry::{Metrics, ModelLabel},
};
use publishing::{Over, Read};
use reading::Memory;
use serde_json::json;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Events read at a time.
const PAGE: u32 = 20_000;
/// How long a lease holds without renewal: so long must a run wait after a process was killed in one.
const LEASE_MS: i64 = 60_000;
/// How often a lease is renewed.
const RENEWAL: Duration = Duration::from_secs(20);
/// How often a shop without a snapshot looks for its first events.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// Requests for training that may wait.
const REQUESTS_MAX: usize = 16;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The store did not give its events.
    #[error("cannot read what to learn from")]
    Store(#[from] StoreError),
    /// A model could not be fitted.
    #[error("cannot fit")]
    Fit(#[from] FitError),
    /// The snapshot could not be saved.
    #[error("cannot save the snapshot")]
    Snapshot(#[from] SnapshotError),
    /// The run took longer than its lease, and another process trains.
    #[error("another process has taken over the training")]
    LeaseLost,
    /// The thread of the fit died.
    #[error("the fit died: {0}")]
    Died(String),
}

/// When to train and how much to keep.
#[derive(Clone, Debug)]
pub struct TrainerParams {
    /// Between two periodic runs; `None` = only on request.
    pub period: Option<Duration>,
    /// New events that a periodic run needs.
    pub new_events_min: u64,
    /// How far back to learn, in days.
    pub window_days: u32,
    /// Most events to keep.
    pub events_max: usize,
    /// Most of them of one shopper.
    pub events_per_shopper_max: usize,
    /// How much worse the lift over popularity may be, as a share.
    pub tolerance: f64,
    /// Snapshots to keep.
    pub keep_versions: usize,
    /// What a run does.
    pub pipeline: PipelineParams,
    /// The search for parameters; `None` = they stay as they are set.
    pub search: Option<SearchParams>,
}

impl TrainerParams {
    /// All that decides what is learned, as text, to tell whether two runs are done in the same way.
    fn text(&self) -> String {
        let read = (self.window_days, self.events_max, self.events_per_shopper_max);
        format!("{read:?} {:?}", self.pipeline)
    }
}

/// Why a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The period is over. The search for parameters goes on for a while.
    Periodic,
    /// Somebody asked for it, and waits: no search.
    Asked,
    /// Somebody asked for the search to be brought to its end first.
    AskedToSearch,
}

/// Where a caller asks for a run, and waits for it.
#[derive(Clone)]
pub struct TrainRequests {
    requests: mpsc::Sender<Request>,
    folder: SnapshotFolder,
}

/// A run that somebody waits for.
struct Request {
    ask: Ask,
    reply: oneshot::Sender<ModelRun>,
}

/// Why a run begins, and what its asker knew.
struct Ask {
    occasion: Occasion,
    /// The hold that was in place when it was asked for: who asks after a rollback lifts it.
    hold: Option<String>,
}

impl Ask {
    /// The timer knows of no hold, so that it lifts none.
    fn of(occasion: Occasion, folder: &SnapshotFolder) -> Self {
        let hold = (occasion != Occasion::Periodic).then(|| folder.held()).flatten();
        Self { occasion, hold }
    }

    fn is_asked(&self) -> bool {
        self.occasion != Occasion::Periodic
    }
}

impl TrainRequests {
    /// Asks for a run and waits until it has ended; `None` if too many wait or the service stops.
    pub async fn train(&self, occasion: Occasion) -> Option<ModelRun> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask::of(occasion, &self.folder);
        self.requests.try_send(Request { ask, reply }).ok()?;
        answer.await.ok()
    }
}

/// The trainer.
pub struct Trainer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    live: Arc<Live>,
    snapshots: Arc<SnapshotCell>,
    folder: SnapshotFolder,
    pool: Arc<rayon::ThreadPool>,
    metrics: Arc<Metrics>,
    runs: Arc<RecentRuns>,
    params: TrainerParams,
    requests: mpsc::Receiver<Request>,
    memory: Arc<Mutex<Memory>>,
    /// Whether a run by these settings has come to its end in this process.
    is_settings_tried: bool,
    /// How far the last run had read whose lists were refused: the same events would teach the same.
    refused_at: Option<(Sequence, i64)>,
    holder: String,
}

/// What a trainer works with.
pub struct TrainerParts {
    /// Where events are.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The catalogue, for categories.
    pub live: Arc<Live>,
    /// Where to publish.
    pub snapshots: Arc<SnapshotCell>,
    /// Where to save.
    pub folder: SnapshotFolder,
    /// Threads to fit on.
    pub pool: Arc<rayon::ThreadPool>,
    /// What to report to.
    pub metrics: Arc<Metrics>,
    /// Where runs are remembered.
    pub runs: Arc<RecentRuns>,
}

impl Trainer {
    /// A trainer and the door to ask it.
    pub fn new(parts: TrainerParts, params: TrainerParams) -> (Self, TrainRequests) {
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        let TrainerParts { store, clock, live, snapshots, folder, pool, metrics, runs } = parts;
        let door = TrainRequests { requests: sender, folder: folder.clone() };
        let trainer = Self {
            store,
            clock,
            live,
            snapshots,
            folder,
            pool,
            metrics,
            runs,
            params,
            requests,
            memory: Arc::default(),
            is_settings_tried: false,
            refused_at: None,
            holder: uuid::Uuid::now_v7().to_string(),
        };
        (trainer, door)
    }

    /// Trains at start, every period, and whenever asked, until `stop`. A shop without a snapshot is
    /// looked at more often, so that its first events soon count.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut wait = Duration::ZERO;
        loop {
            let period = async {
                match self.params.period {
                    Some(_) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            let asked = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                asked = self.requests.recv() => match asked {
                    Some(asked) => Some(asked),
                    None => return,
                },
                () = period => None,
            };
            match asked {
                Some(Request { ask, reply }) => {
                    let run = self.train_as_asked(ask, &stop).await;
                    // Whoever asked may have gone.
                    let _gone = reply.send(run);
                }
                None => {
                    self.train_once(Occasion::Periodic, &stop).await;
                }
            }
            let period = self.params.period.unwrap_or_default();
            let is_first = self.snapshots.current().version == 0;
            wait = if is_first { period.min(FIRST_LOOK) } else { period };
        }
    }

    /// One whole run, from reading to publishing; remembers how it ended.
    pub async fn train_once(&mut self, occasion: Occasion, stop: &CancellationToken) -> ModelRun {
        let ask = Ask::of(occasion, &self.folder);
        self.train_as_asked(ask, stop).await
    }

    async fn train_as_asked(&mut self, ask: Ask, stop: &CancellationToken) -> ModelRun {
        let (started_at, begun) = (self.clock.now(), Instant::now());
        let (outcome, reason, version, report) = match self.attempt(&ask, stop).await {
            Ok(done) => done,
            Err(TrainError::Fit(FitError::Stopped)) => {
                (RunOutcome::Skipped, "the service is stopping".into(), None, Report::default())
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "training failed; the old snapshot stays"
                );
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let reason = cause.map_or(error.to_string(), |cause| format!("{error}: {cause}"));
                (RunOutcome::Failed, reason, None, Report::default())
            }
        };
        let seconds = begun.elapsed().as_secs_f64();
        self.metrics.count_run("all", outcome);
        if outcome != RunOutcome::Skipped {
            self.metrics
                .training_duration
                .get_or_create(&ModelLabel { model: "all" })
                .observe(seconds);
        }
        let run = ModelRun {
            started_at,
            finished_at: self.clock.now(),
            outcome,
            reason,
            version,
            report: serde_json::to_value(report).unwrap_or(json!({})),
        };
        tracing::info!(
            outcome = outcome.name(),
            reason = run.reason,
            duration_seconds = seconds,
            "training run ended"
        );
        let is_worth_a_row = outcome != RunOutcome::Skipped || ask.is_asked();
        let recorded = if is_worth_a_row {
            self.store.record_run(&run).await.map(|()| true)
        } else {
            Ok(false)
        };
        if let Err(error) = &recorded {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "the run could not be written down");
        }
        self.runs.push(run.clone(), recorded.unwrap_or(false));
        run
    }

    async fn attempt(
        &mut self,
        ask: &Ask,
        stop: &CancellationToken,
    ) -> Result<(RunOutcome, String, Option<u64>, Report), TrainError> {
        let skipped = |why: String| Ok((RunOutcome::Skipped, why, None, Report::default()));
        let now = self.clock.now();
        let last = self.store.last_sequence().await?;
        let over = Over { served: self.folder.served(), hold: self.folder.held() };
        let served = self.snapshots.current();
        // A snapshot that is served may hold the last shopper, who was erased.
        if last == Sequence(0) && served.version == 0 {
            return skipped("there are no events to learn from".into());
        }
        if !self.store.take_lease("training", &self.holder, now, now.plus_ms(LEASE_MS)).await? {
            return skipped("another process is training".into());
        }
        let (store, clock, holder) = (self.store.clone(), self.clock.clone(), self.holder.clone());
        // Ends when another process has the lease.
        let renewing = async move {
            loop {
                tokio::time::sleep(RENEWAL).await;
                let now = clock.now();
                let renewed = store.take_lease("training", &holder, now, now.plus_ms(LEASE_MS));
                match renewed.await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the lease for training could not be renewed"
                    ),
                }
            }
        };
        let stop = stop.child_token();
        let result = {
            let attempt = self.attempt_with_lease(ask, now, (&served, last, over), &stop);
            let mut attempt = std::pin::pin!(attempt);
            tokio::select! {
                result = &mut attempt => result,
                () = renewing => {
                    // The fit sees the token; what it works on is free when it has ended.
                    stop.cancel();
                    let _stopped = attempt.await;
                    Err(TrainError::LeaseLost)
                }
            }
        };
        // What was published is published: a lease that is not given back runs out.
        if let Err(error) = self.store.release_lease("training", &self.holder).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the lease for training could not be given back");
        }
        result
    }

    async fn attempt_with_lease(
        &mut self,
        ask: &Ask,
        now: Timestamp,
        (served, last, over): (&Snapshot, Sequence, Over),
        stop: &CancellationToken,
    ) -> Result<(RunOutcome, String, Option<u64>, Report), TrainError> {
        let skipped = |why: String| Ok((RunOutcome::Skipped, why, None, Report::default()));
        let (occasion, is_asked) = (ask.occasion, ask.is_asked());
        let erased = self.read_erasures(served.trained_at).await?;
        let merge = self.read_merges().await?;
        let settings = self.params.text();
        let is_other = served.version > 0 && served.settings != settings;
        // The timer tries once: a snapshot may be refused, and processes with different settings share a folder.
        let is_set_anew = is_other && (is_asked || !self.is_settings_tried);
        let is_served_whole = served.version > 0
            && served.watermark == last
            && served.merges == merge
            && !is_set_anew;
        let refused_at = self.refused_at.max(served.priced_anew.as_ref().map(|anew| anew.read_to));
        let is_refused_whole = !is_asked && !is_set_anew && refused_at == Some((last, merge));
        let searches = self.search_seconds(occasion, served).await?;
        let unchanged = if is_served_whole {
            Some("nothing changed since the served snapshot")
        } else {
            is_refused_whole
                .then_some("nothing changed since the last run, whose lists were refused")
        };
        if let Some(why) = unchanged.filter(|_| !erased && searches.is_none()) {
            return skipped(why.into());
        }
        if over.hold.is_some() && !is_asked && !erased {
            let version = served.version;
            return skipped(format!(
                "an operator went back to version {version}; POST /models/train goes on from here"
            ));
        }
        let begun = Instant::now();
        self.read_events(stop).await?;
        let read_seconds = begun.elapsed().as_secs_f64();
        let (new_events, read_to, n_acts) = {
            let memory = self.memory();
            let acts = memory.log.acts();
            let known = refused_at.map_or(Sequence(0), |(read_to, _)| read_to);
            let known = known.max(served.watermark);
            let new = acts.iter().filter(|act| act.sequence > known).count() as u64;
            (new, memory.read_to, acts.len())
        };
        if n_acts == 0 && !erased {
            return skipped("there are no events about items to learn from".into());
        }
        let found = match searches {
            Some(seconds) => self.search(seconds, read_to, stop).await?,
            None => false,
        };
        // Whoever asked for a search wants to read of it, whatever it found.
        let is_read = occasion == Occasion::AskedToSearch && searches.is_some();
        let is_needed = erased || found || is_read || is_set_anew || served.version == 0;
        if let Some(why) = unchanged.filter(|_| !is_needed) {
            return skipped(why.into());
        }
        let enough = is_needed || is_asked || new_events >= self.params.new_events_min;
        if !enough {
            return skipped(format!(
                "{new_events} new events, training.new_events_min is {}",
                self.params.new_events_min
            ));
        }
        let (mut fitted, as_of) = self.fit(now, stop).await?;
        self.is_settings_tried = true;
        fitted.report.stages.begin_with("reading_events", read_seconds);
        for &(kind, seconds) in &fitted.seconds {
            self.metrics
                .training_duration
                .get_or_create(&ModelLabel { model: kind.name() })
                .observe(seconds);
        }
        let read = Read { settings, last: read_to, merge, erased, now, as_of };
        self.conclude(ask, (served, over), (fitted, read), stop).await
    }

    /// A poisoned memory is one that a panicking fit only read.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TrainError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| TrainError::Died(error.to_string()))
}
