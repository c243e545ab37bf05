//! The search for parameters, a while at a time, kept on disk.

use super::{Occasion, TrainError, Trainer, blocking};
use crate::{
    domain::{Sequence, time::DAY_MS},
    learn::{
        pipeline,
        recommenders::FitError,
        search::{Limits, SearchState},
    },
    snapshot::Snapshot,
    telemetry::ModelLabel,
};
use std::sync::PoisonError;
use tokio_util::sync::CancellationToken;

/// How many times the events of the last search make another one worth while.
const GROWTH: usize = 2;

/// How long, and how often, parameters are searched.
#[derive(Clone, Copy, Debug)]
pub struct SearchParams {
    /// Most candidates of one search.
    pub trials_max: usize,
    /// Seconds for one whole search.
    pub budget_seconds: f64,
    /// Seconds of it that one periodic run may spend.
    pub run_seconds: f64,
    /// Days of new events after which another search begins.
    pub renew_days: u32,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Trainer {
    /// How long this run may search; `None` if it shall not, or nothing is left to find.
    ///
    /// A shop without a snapshot is served first, with the parameters that are set.
    pub(super) async fn search_seconds(
        &self,
        occasion: Occasion,
        served: &Snapshot,
    ) -> Result<Option<f64>, TrainError> {
        let Some(params) = self.params.search else { return Ok(None) };
        self.read_search().await?;
        let seconds = match occasion {
            Occasion::Asked => return Ok(None),
            Occasion::Periodic if served.version == 0 => return Ok(None),
            Occasion::Periodic => params.run_seconds,
            Occasion::AskedToSearch => params.budget_seconds,
        };
        let memory = self.memory();
        let goes_on = memory.search.as_ref().is_none_or(|search| search.ended.is_none());
        let is_stale = memory.search.as_ref().is_some_and(|search| {
            let acts = memory.log.acts();
            let newest = acts.last().map_or(search.frame.as_of, |act| act.at);
            let renew_ms = i64::from(params.renew_days) * DAY_MS;
            search.frame.n_events.saturating_mul(GROWTH) <= acts.len()
                || renew_ms <= newest.since_ms(search.frame.as_of)
        });
        Ok((goes_on || is_stale).then_some(seconds))
    }

    /// Reads what an earlier process has found, once; what was found under other settings is no answer.
    async fn read_search(&self) -> Result<(), TrainError> {
        if self.memory().is_search_read {
            return Ok(());
        }
        let folder = self.folder.clone();
        let found = blocking(move || folder.load_search()).await?;
        let pipeline = &self.params.pipeline;
        let mut memory = self.memory();
        memory.search = found.filter(|found| found.is_for(&pipeline.models, &pipeline.kinds));
        memory.is_search_read = true;
        Ok(())
    }

    /// Goes on with the search, or begins another; whether better parameters were found.
    pub(super) async fn search(
        &self,
        seconds: f64,
        watermark: Sequence,
        stop: &CancellationToken,
    ) -> Result<bool, TrainError> {
        let Some(params) = self.params.search else { return Ok(false) };
        let limits = Limits {
            trials_max: params.trials_max,
            seconds_max: params.budget_seconds,
            call_seconds_max: seconds,
            seed: params.seed,
        };
        let (pool, memory, metrics) =
            (self.pool.clone(), self.memory.clone(), self.metrics.clone());
        let (folder, pipeline, stop) =
            (self.folder.clone(), self.params.pipeline.clone(), stop.clone());
        let found = blocking(move || {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            let base = pipeline.models;
            let before = memory.search.as_ref().map_or(base, |search| search.best_params(&base));
            let begun = memory.search.take().filter(|search| search.ended.is_none());
            let begun =
                begun.or_else(|| pipeline::begin_search(&memory.log, watermark, before, &pipeline));
            let Some(mut search) = begun else { return Ok(false) };
            let on_trial = |search: &SearchState| {
                let Some(trial) = search.trials.last() else { return };
                metrics.search_trials.get_or_create(&ModelLabel { model: trial.kind.name() }).inc();
                tracing::info!(
                    model.kind = trial.kind.name(),
                    ndcg = trial.ndcg(),
                    duration_seconds = trial.seconds,
                    "a candidate was measured"
                );
                if let Err(error) = folder.save_search(search) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the search cannot be kept; a restart begins it anew");
                }
            };
            let stopped = || stop.is_cancelled();
            let advanced = pool.install(|| {
                pipeline::tune(&memory.log, &pipeline, (&mut search, &limits), on_trial, &stopped)
            });
            if search.ended.is_some()
                && let Err(error) = folder.save_search(&search)
            {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the end of the search cannot be kept");
            }
            let found = search.best_params(&base) != before;
            memory.search = Some(search);
            advanced.map(|()| found)
        })
        .await??;
        Ok::<bool, FitError>(found).map_err(TrainError::from)
    }
}
