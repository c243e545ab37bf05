//! What a run measured, and why it chose what it did.

use super::{price_response::PriceResponseReport, stages::Stages};
use crate::learn::{
    evaluation::Metrics,
    recommenders::{ModelKind, ModelParams},
    search::{Outcome, SearchState, space},
};
use serde::Serialize;
use serde_json::Value;

/// How one model did on the held-out slice.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// Its name; `blend` for the blend.
    pub model: &'static str,
    /// NDCG@10 over held-out shoppers.
    pub ndcg: f64,
    /// Its standard error.
    pub ndcg_standard_error: f64,
    /// Recall@10.
    pub recall: f64,
    /// Share of shoppers with at least one hit among ten.
    pub hit_rate: f64,
    /// Share of the catalogue that appears in at least one list.
    pub coverage: f64,
    /// Seconds to fit.
    pub fit_seconds: f64,
    /// Memory of the fitted model.
    pub bytes: usize,
    /// Weight in the blend, 0 = not served.
    pub weight: f32,
    /// What it was fitted with; absent for the blend.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub parameters: Value,
    /// What became of it, and why.
    pub verdict: String,
}

impl ModelReport {
    /// A line of the table.
    pub(super) fn new(
        model: &'static str,
        metrics: &Metrics,
        (fit_seconds, bytes): (f64, usize),
    ) -> Self {
        Self {
            model,
            ndcg: metrics.ndcg,
            ndcg_standard_error: metrics.ndcg_standard_error,
            recall: metrics.recall,
            hit_rate: metrics.hit_rate,
            coverage: metrics.coverage,
            fit_seconds,
            bytes,
            weight: 0.0,
            parameters: Value::Null,
            verdict: String::new(),
        }
    }
}

/// One candidate of a search.
#[derive(Clone, Debug, Serialize)]
pub struct CandidateReport {
    /// Which model.
    pub model: &'static str,
    /// What of its parameters was varied, with the values tried.
    pub parameters: Value,
    /// NDCG@10 on the shoppers that are there to choose on; absent if it could not be fitted.
    pub ndcg: Option<f64>,
    /// Its standard error.
    pub ndcg_standard_error: Option<f64>,
    /// Seconds to fit and measure.
    pub seconds: f64,
    /// Memory of the fitted model.
    pub bytes: Option<usize>,
    /// Why it could not be fitted, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Whether it is the best of its model so far.
    pub is_best: bool,
}

/// How far the search for parameters has come.
#[derive(Clone, Debug, Serialize)]
pub struct SearchReport {
    /// Seconds spent.
    pub seconds: f64,
    /// Events that all candidates are measured on.
    pub events: usize,
    /// Time up to which they reach.
    pub as_of: String,
    /// Why it ended; absent while it goes on with the next run.
    pub ended: Option<String>,
    /// Everything that was tried, in order.
    pub candidates: Vec<CandidateReport>,
}

impl From<&SearchState> for SearchReport {
    fn from(state: &SearchState) -> Self {
        let candidates = state.trials.iter().map(|trial| {
            let params = state.params_of(trial, &state.start);
            let all = parameters_of(trial.kind, &params);
            let varied = space::dimensions(trial.kind).iter().map(|dimension| dimension.name);
            let parameters = varied.map(|name| (name.to_owned(), all[name].clone())).collect();
            let (score, fault) = match &trial.outcome {
                Outcome::Measured(score) => (Some(score), None),
                Outcome::Failed(why) => (None, Some(why.clone())),
            };
            CandidateReport {
                model: trial.kind.name(),
                parameters: Value::Object(parameters),
                ndcg: score.map(|score| score.ndcg),
                ndcg_standard_error: score.map(|score| score.standard_error),
                seconds: trial.seconds,
                bytes: score.map(|score| score.n_bytes),
                fault,
                is_best: state.best_of(trial.kind).is_some_and(|best| std::ptr::eq(best, trial)),
            }
        });
        Self {
            seconds: state.seconds,
            events: state.frame.n_events,
            as_of: state.frame.as_of.to_string(),
            ended: state.ended.clone(),
            candidates: candidates.collect(),
        }
    }
}

/// A model's parameters as they stand in the settings.
pub(super) fn parameters_of(kind: ModelKind, params: &ModelParams) -> Value {
    // Plain numbers and names: there is nothing in them that could not be written.
    let all = serde_json::to_value(params).unwrap_or_default();
    all[kind.name()].clone()
}

/// How much a running visit counts beside long-term taste, and what it is worth.
#[derive(Clone, Debug, Serialize)]
pub struct VisitReport {
    /// The model.
    pub model: &'static str,
    /// Visits that it learned from before the held-out time.
    pub visits: usize,
    /// Seconds to fit and to measure.
    pub seconds: f64,
    /// Memory of the fitted model.
    pub bytes: usize,
    /// Shoppers with a past.
    pub known: JoinReport,
    /// Shoppers of whom there is only this visit.
    pub strangers: JoinReport,
}

/// What a running visit is worth for one kind of shopper; measured on the rest of held-out visits, of which
/// half are there to choose on.
#[derive(Clone, Debug, Serialize)]
pub struct JoinReport {
    /// How much it counts beside a blend whose weights come to 1.
    pub weight: f32,
    /// Moments of visits that were measured on.
    pub moments: usize,
    /// NDCG@10 without it; absent if nothing was measured.
    pub ndcg_without: Option<f64>,
    /// NDCG@10 as it is served.
    pub ndcg: Option<f64>,
    /// Its standard error.
    pub ndcg_standard_error: Option<f64>,
    /// What it is based on, in words.
    pub verdict: String,
}

/// What a run measured and chose.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Events, shoppers, items and interactions that it learned from.
    pub events: usize,
    /// Shoppers.
    pub shoppers: usize,
    /// Items.
    pub items: usize,
    /// Cells of the matrix.
    pub interactions: usize,
    /// Where the held-out slice begins.
    pub holdout_from: Option<String>,
    /// Held-out shoppers that were measured on.
    pub holdout_shoppers: usize,
    /// What comes next in a visit; absent if that is not learned.
    pub visits: Option<VisitReport>,
    /// What price response rests on; absent if nothing was sold at a known price.
    pub price_response: Option<PriceResponseReport>,
    /// Why price response could not be learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_response_failure: Option<String>,
    /// Every model, and the blend last.
    pub models: Vec<ModelReport>,
    /// NDCG@10 of what is served over that of popularity; absent if not measured.
    pub lift: Option<f64>,
    /// Standard error of the lift, popularity taken as exact.
    pub lift_standard_error: Option<f64>,
    /// What is served, and why, in words.
    pub choice: String,
    /// The search for parameters; absent if there was none.
    pub search: Option<SearchReport>,
    /// Where the time went; but for the search, and for saving.
    pub stages: Stages,
}
