//! What a search has tried so far: enough to go on after a restart.

use super::space;
use crate::domain::{Sequence, Timestamp};
use crate::learn::recommenders::{ModelKind, ModelParams};
use serde::{Deserialize, Serialize};

/// One set of parameters of one model, and what it was worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Which model.
    pub kind: ModelKind,
    /// Whether it is the model as the search set out with it, which the space may not hold exactly.
    pub is_start: bool,
    /// Its parameters' place, in the coordinates of [`super::space`].
    pub point: Vec<f64>,
    /// What came of it.
    pub outcome: Outcome,
    /// Seconds to fit and to measure.
    pub seconds: f64,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was measured.
    Measured(Score),
    /// It could not be fitted, and why.
    Failed(String),
}

/// How good a candidate was on the shoppers that are there to choose on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// NDCG@10.
    pub ndcg: f64,
    /// Its standard error over shoppers.
    pub standard_error: f64,
    /// Memory of the fitted model.
    pub n_bytes: usize,
}

impl Trial {
    /// The score, if it was measured.
    pub fn ndcg(&self) -> Option<f64> {
        match &self.outcome {
            Outcome::Measured(score) => Some(score.ndcg),
            Outcome::Failed(_) => None,
        }
    }
}

/// The data that all trials of a search are measured on, so that they can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Events up to here, by time …
    pub as_of: Timestamp,
    /// … and by arrival.
    pub watermark: Sequence,
    /// How many they were when the search began.
    pub n_events: usize,
}

/// A search, running or done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchState {
    /// What it is measured on.
    pub frame: Frame,
    /// The settings that it is to better.
    pub base: ModelParams,
    /// Where it set out from: the settings, or what the search before it found.
    pub start: ModelParams,
    /// The models that it compares.
    pub kinds: Vec<ModelKind>,
    /// Everything that was tried, in order.
    pub trials: Vec<Trial>,
    /// Seconds spent.
    pub seconds: f64,
    /// Why it ended, if it has.
    pub ended: Option<String>,
}

impl SearchState {
    /// A search that has tried nothing yet.
    pub fn new(
        frame: Frame,
        (base, start): (ModelParams, ModelParams),
        kinds: Vec<ModelKind>,
    ) -> Self {
        Self { frame, base, start, kinds, trials: Vec::new(), seconds: 0.0, ended: None }
    }

    /// Whether it betters these settings of these models.
    pub fn is_for(&self, base: &ModelParams, kinds: &[ModelKind]) -> bool {
        self.base == *base && kinds.iter().all(|kind| self.kinds.contains(kind))
    }

    /// The trials of a model, in order.
    pub fn of(&self, kind: ModelKind) -> impl Iterator<Item = &Trial> + '_ {
        self.trials.iter().filter(move |trial| trial.kind == kind)
    }

    /// The best trial of a model; of equals the first.
    pub fn best_of(&self, kind: ModelKind) -> Option<&Trial> {
        let measured = self.of(kind).filter(|trial| trial.ndcg().is_some());
        measured.reduce(|best, next| if next.ndcg() > best.ndcg() { next } else { best })
    }

    /// `params` with what a trial had for its model.
    #[must_use]
    pub fn params_of(&self, trial: &Trial, params: &ModelParams) -> ModelParams {
        if trial.is_start {
            return params.with(trial.kind, &self.start);
        }
        if trial.point.len() != space::dimensions(trial.kind).len() {
            return *params;
        }
        space::place(trial.kind, &params.with(trial.kind, &self.start), &trial.point)
    }

    /// `base` with the best parameters that were found for every model.
    #[must_use]
    pub fn best_params(&self, base: &ModelParams) -> ModelParams {
        self.kinds.iter().fold(*base, |params, &kind| {
            self.best_of(kind).map_or(params, |trial| self.params_of(trial, &params))
        })
    }
}
