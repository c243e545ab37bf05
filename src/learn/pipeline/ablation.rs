//! What each kind of event, and its fading, is worth: the same measurement with one thing changed.

use super::{PipelineParams, Report, Run};
use crate::domain::{EventKind, Timestamp};
use crate::learn::{
    dataset::{EventLog, TradingDays},
    recommenders::{FitError, Stop},
};
use serde::Serialize;

/// Half-lives that are tried beside the one that is set, in days; the last hardly fades.
const HALF_LIVES_DAYS: [f64; 5] = [7.0, 30.0, 90.0, 365.0, 36_500.0];

/// One change, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    /// What was changed, in words; the first is nothing.
    pub change: String,
    /// What was measured.
    pub report: Report,
}

/// Measures as it is set, then without each type of event that occurs, with all weights alike, and with
/// other half-lives. `on_variant` is told before each, for progress.
///
/// # Errors
///
/// Those of a fit.
pub fn ablate(
    log: &EventLog,
    params: &PipelineParams,
    mut on_variant: impl FnMut(&str),
    stop: Stop<'_>,
) -> Result<Vec<Variant>, FitError> {
    let days = log.trading_days();
    let mut variants = Vec::new();
    let mut measure = |change: String, log: &EventLog, params: &PipelineParams| {
        on_variant(&change);
        let report = measure_once(log, &days, params, stop)?;
        variants.push(Variant { change, report });
        Ok::<(), FitError>(())
    };
    measure("as it is set".into(), log, params)?;
    let weight_of = |kind: EventKind| params.weighting.by_kind[kind as usize - 1];
    let occurs = |kind: EventKind| log.acts().iter().any(|act| act.kind == kind);
    let weighed: Vec<EventKind> =
        EventKind::ALL.into_iter().filter(|&kind| weight_of(kind) != 0.0 && occurs(kind)).collect();
    for &kind in weighed.iter().filter(|_| weighed.len() > 1) {
        let without = log.reweighted(|act| if act.kind == kind { 0.0 } else { act.weight });
        measure(format!("without {}", kind.name()), &without, params)?;
    }
    let alike = log.reweighted(|act| if act.weight == 0.0 { 0.0 } else { act.weight.signum() });
    measure("every event 1 or −1".into(), &alike, params)?;
    let once = PipelineParams {
        weighting: crate::learn::dataset::Weighting { cell_max: 1.0, ..params.weighting.clone() },
        ..params.clone()
    };
    measure("at most 1 for each shopper and item".into(), &alike, &once)?;
    for half_life_days in HALF_LIVES_DAYS {
        let mut changed = params.clone();
        changed.weighting.half_life_days = half_life_days;
        measure(format!("half-life {half_life_days} days"), log, &changed)?;
    }
    Ok(variants)
}

/// What a run would measure, without the fits on everything.
///
/// # Errors
///
/// Those of a fit.
pub fn measure_once(
    log: &EventLog,
    days: &TradingDays,
    params: &PipelineParams,
    stop: Stop<'_>,
) -> Result<Report, FitError> {
    let mut report = Report {
        events: log.acts().len(),
        shoppers: log.shoppers().len(),
        items: log.items().len(),
        ..Report::default()
    };
    let run = Run { log, days, params, stop };
    run.measure(&mut report)?;
    let last = log.acts().last().map_or_else(Timestamp::default, |act| act.at);
    let matrix = log.matrix(log.acts(), &params.weighting, (days, last));
    report.interactions = matrix.n_interactions();
    Ok(report)
}
