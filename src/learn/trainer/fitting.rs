//! One fit, on threads of its own.

use super::{
    TrainError, Trainer, blocking,
    contents::{item_facts, item_positions},
};
use crate::{
    domain::Timestamp,
    learn::{
        pipeline::{self, Fitted},
        recommenders::{FitError, Start},
    },
};
use std::{sync::PoisonError, time::Instant};
use tokio_util::sync::CancellationToken;

impl Trainer {
    /// Fits as of the last event: in a shop that is open that is now, and a shop whose past was
    /// imported has not lost its taste since.
    pub(super) async fn fit(
        &self,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> Result<(Fitted, Timestamp), TrainError> {
        let (pool, memory, live) = (self.pool.clone(), self.memory.clone(), self.live.clone());
        let (mut params, stop) = (self.params.pipeline.clone(), stop.clone());
        let served = self.snapshots.current();
        let begun = Instant::now();
        let records = self.read_prices(now).await?;
        let read_seconds = begun.elapsed().as_secs_f64();
        // A panic in a model must cost a run, not the service.
        let fitted = blocking(move || {
            let memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            let facts = item_facts(memory.log.items(), &live);
            let stopped = || stop.is_cancelled();
            let as_of = memory.log.acts().last().map_or(now, |act| act.at.min(now));
            let search = memory.search.as_ref();
            params.models = search.map_or(params.models, |found| found.best_params(&params.models));
            let item_positions = item_positions(memory.log.items(), &served);
            let start = Start { models: &served.models, item_positions: &item_positions };
            let mut fitted = pool.install(|| {
                pipeline::run(&memory.log, (&facts, &records), as_of, &params, (start, &stopped))
            })?;
            fitted.report.search = search.map(Into::into);
            fitted.report.stages.begin_with("reading_prices", read_seconds);
            Ok::<_, FitError>((fitted, as_of))
        })
        .await??;
        Ok(fitted)
    }
}
