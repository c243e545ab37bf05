//! What a training run did, as the store remembers it.

use super::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// How a training run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// A new snapshot is served.
    Published,
    /// The new snapshot was worse than the served one and was thrown away.
    Refused,
    /// There was nothing to do.
    Skipped,
    /// Something broke; the old snapshot stays.
    Failed,
    /// An operator went back to an earlier snapshot.
    RolledBack,
}

impl RunOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] =
        [Self::Published, Self::Refused, Self::Skipped, Self::Failed, Self::RolledBack];

    /// The name in the database, metrics and the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Refused => "refused",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
        }
    }

    /// The outcome of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One line in the history of training.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRun {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why, in words.
    pub reason: String,
    /// The snapshot it published or went back to.
    pub version: Option<u64>,
    /// What was measured, as the trainer wrote it down.
    pub report: Value,
}
