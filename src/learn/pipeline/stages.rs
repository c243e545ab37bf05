//! Where the time of a run goes.

use crate::learn::recommenders::ModelKind;
use serde::Serialize;
use std::time::Instant;

/// Seconds of one part of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageReport {
    /// Which part.
    pub stage: &'static str,
    /// The model that it was spent on, if on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'static str>,
    /// How long it took.
    pub seconds: f64,
}

/// The parts of a run in the order in which they were done, each as long as from the end of the one before.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Stages {
    /// Those that have ended.
    pub ended: Vec<StageReport>,
    #[serde(skip)]
    last: Instant,
}

impl Default for Stages {
    fn default() -> Self {
        Self { ended: Vec::new(), last: Instant::now() }
    }
}

impl Stages {
    /// Something has been done that began when the last stage ended.
    pub fn end(&mut self, stage: &'static str) {
        self.push(stage, None);
    }

    /// The same for one model; its seconds.
    pub fn end_of(&mut self, stage: &'static str, kind: ModelKind) -> f64 {
        self.push(stage, Some(kind.name()))
    }

    /// What was done before the first one.
    pub fn begin_with(&mut self, stage: &'static str, seconds: f64) {
        self.ended.insert(0, StageReport { stage, model: None, seconds });
    }

    fn push(&mut self, stage: &'static str, model: Option<&'static str>) -> f64 {
        let now = Instant::now();
        let seconds = (now - self.last).as_secs_f64();
        self.last = now;
        self.ended.push(StageReport { stage, model, seconds });
        seconds
    }
}
