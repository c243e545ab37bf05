//! Runs of pricing: what was decided together, and what became of it.

use super::{Cents, ItemId, PriceReason, Timestamp};
use serde_json::Value;

/// Where a pricing run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It waits for somebody to approve it.
    Proposed,
    /// It was approved, and its prices are on their way into force.
    Approved,
    /// Its prices came into force.
    Applied,
    /// Somebody refused it.
    Rejected,
    /// A later run took its place before anybody looked at it.
    Superseded,
    /// Its prices were taken back.
    RolledBack,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Proposed,
        Self::Approved,
        Self::Applied,
        Self::Rejected,
        Self::Superseded,
        Self::RolledBack,
    ];

    /// The name in the database and the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Applied => "applied",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
            Self::RolledBack => "rolled_back",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A pricing run.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceRun {
    /// Names it; later runs have greater ids.
    pub run_id: String,
    /// When it decided.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: RunState,
    /// Since when it stands there.
    pub changed_at: Timestamp,
    /// The key under which somebody asked for it: the same key again gives the same run.
    pub request_key: Option<String>,
    /// Whether a person approved it.
    pub is_approved_by_person: bool,
    /// What it looked at, what it moved and what held it, as JSON.
    pub summary: Value,
}

/// A price that a run decided.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceDecision {
    /// Of what.
    pub item: ItemId,
    /// The price before; `None` if it had none.
    pub before: Option<Cents>,
    /// The price.
    pub price: Cents,
    /// Why.
    pub reason: PriceReason,
    /// What one unit cost the shop then.
    pub cost: Option<Cents>,
    /// All that it was decided by, so that it can be decided again.
    pub case: Vec<u8>,
}
