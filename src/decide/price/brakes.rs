//! What holds a run of prices for a person to look at.

use super::{Brakes, Decided};
use crate::domain::{Cents, PriceReason};
use serde::Serialize;

/// Why a run waits.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Hold {
    /// The shop wants every run to be looked at.
    NeedsApproval,
    /// More of the catalogue would move than is usual.
    ManyMoves {
        /// Items that would move.
        moved: usize,
        /// Items that were looked at.
        considered: usize,
    },
    /// Costs have jumped since they were last decided by.
    CostJumps {
        /// How many.
        items: usize,
        /// The one with the greatest jump.
        worst: String,
        /// Its jump, as a share of the cost before.
        share: f64,
    },
    /// Nothing has come in for a while, so that what was learned is old.
    FeedGap {
        /// Days since the last event.
        days: f64,
    },
}

/// How far a cost has moved, as a share of what it was.
fn jump_share(cost: Cents, before: Cents) -> f64 {
    cost.0.saturating_sub(before.0).unsigned_abs() as f64 / before.0.max(1) as f64
}

/// Whether a cost has moved so far that a person is to look at what follows.
pub fn is_jump(cost: Cents, before: Cents, brakes: &Brakes) -> bool {
    jump_share(cost, before) > brakes.cost_jump_max
}

/// What holds this run; nothing if it may be applied on its own. `days_since`: since the last event that was learned
/// from.
pub fn holds(
    decided: &[Decided],
    (considered, days_since): (usize, f64),
    brakes: &Brakes,
) -> Vec<Hold> {
    let moved = decided.len();
    let mut holds = Vec::new();
    if moved >= brakes.moved_min && moved as f64 > brakes.moved_share_max * considered as f64 {
        holds.push(Hold::ManyMoves { moved, considered });
    }
    let rests_on_demand = decided.iter().any(|decided| decided.reason != PriceReason::BackToList);
    if rests_on_demand && days_since > brakes.feed_gap_days {
        holds.push(Hold::FeedGap { days: days_since });
    }
    let jump = |decided: &Decided| {
        let (cost, before) = decided.case.cost.zip(decided.cost_before)?;
        is_jump(cost, before, brakes).then(|| jump_share(cost, before))
    };
    let jumps: Vec<(f64, &Decided)> =
        decided.iter().filter_map(|decided| Some((jump(decided)?, decided))).collect();
    if let Some((share, worst)) = jumps.iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
        holds.push(Hold::CostJumps {
            items: jumps.len(),
            worst: worst.case.item.to_string(),
            share: *share,
        });
    }
    holds
}
