//! The search for parameters, on a frame of the log that stays the same while it goes on.

use super::{K, PipelineParams, Run, holdout::HeldOut};
use crate::domain::{Sequence, Timestamp};
use crate::learn::{
    dataset::{EventLog, log::Act},
    evaluation::evaluate,
    recommenders::{FitError, ModelParams, Recommender, Start, Stop},
    search::{self, Frame, Limits, Score, SearchState},
};
use std::borrow::Cow;

/// A search on what the log holds now, from `start`; none if too few shoppers came back to choose on.
pub fn begin_search(
    log: &EventLog,
    watermark: Sequence,
    start: ModelParams,
    params: &PipelineParams,
) -> Option<SearchState> {
    let acts = log.acts();
    let as_of = acts.last()?.at;
    let days = log.trading_days();
    let held = HeldOut::of(log, &days, acts, params);
    (held.n_shoppers() >= params.shoppers_min()).then(|| {
        let frame = Frame { as_of, watermark, n_events: acts.len() };
        SearchState::new(frame, (params.models, start), params.all_kinds())
    })
}

/// Goes on with a search until a limit is reached; `on_trial` is told after each candidate.
pub fn tune(
    log: &EventLog,
    params: &PipelineParams,
    (state, limits): (&mut SearchState, &Limits),
    on_trial: impl FnMut(&SearchState),
    stop: Stop<'_>,
) -> Result<(), FitError> {
    let days = log.trading_days();
    let acts = acts_of(log, &state.frame);
    let held = HeldOut::of(log, &days, &acts, params);
    let run = Run { log, days: &days, params, stop };
    let measure = |kind, models: &_| {
        let data = (held.before, &held.matrix, held.cut);
        let model = run.fit(kind, data, models, Start::default())?;
        let metrics = evaluate(&model, &held.choosing, K);
        Ok(Score {
            ndcg: metrics.ndcg,
            standard_error: metrics.ndcg_standard_error,
            n_bytes: model.n_bytes(),
        })
    };
    search::advance(state, limits, measure, on_trial)
}

/// The events of a frame, in order of time; copied only if some arrived late.
fn acts_of<'a>(log: &'a EventLog, frame: &Frame) -> Cow<'a, [Act]> {
    let until = |at: Timestamp| log.acts().partition_point(|act| act.at <= at);
    let acts = &log.acts()[..until(frame.as_of)];
    if acts.iter().all(|act| act.sequence <= frame.watermark) {
        return Cow::Borrowed(acts);
    }
    Cow::Owned(acts.iter().filter(|act| act.sequence <= frame.watermark).copied().collect())
}
