//! What holds a run of prices for a person to look at.

use super::{Brakes, Decided, choice::ChoicePolicy};
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
    /// Prices must go further than a step to come inside their guard-rails: somebody has changed a policy.
    Leaps {
        /// How many.
        items: usize,
        /// The one that goes furthest.
        worst: String,
        /// How far, as a share of its price.
        share: f64,
    },
    /// Nothing has come in for a while, so that what was learned is old.
    FeedGap {
        /// Days since the last event.
        days: f64,
    },
}

/// How far an amount has moved, as a share of what it was.
fn jump_share(amount: Cents, before: Cents) -> f64 {
    amount.0.saturating_sub(before.0).unsigned_abs() as f64 / before.0.max(1) as f64
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
    // List prices are the merchant's own.
    let chosen: Vec<&Decided> = decided.iter().filter(|decided| decided.is_chosen()).collect();
    let moved = chosen.len();
    let mut holds = Vec::new();
    if moved >= brakes.moved_min && moved as f64 > brakes.moved_share_max * considered as f64 {
        holds.push(Hold::ManyMoves { moved, considered });
    }
    if moved > 0 && days_since > brakes.feed_gap_days {
        holds.push(Hold::FeedGap { days: days_since });
    }
    let jump = |decided: &Decided| {
        let (cost, before) = decided.case.cost.zip(decided.cost_before)?;
        is_jump(cost, before, brakes).then(|| jump_share(cost, before))
    };
    let jumps: Vec<(f64, &Decided)> =
        chosen.iter().filter_map(|decided| Some((jump(decided)?, *decided))).collect();
    if let Some((share, worst)) = jumps.iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
        holds.push(Hold::CostJumps {
            items: jumps.len(),
            worst: worst.case.item.to_string(),
            share: *share,
        });
    }
    let leaps = chosen.iter().filter_map(|decided| Some((leap(decided)?, decided)));
    let leaps: Vec<(f64, &&Decided)> = leaps.collect();
    if let Some((share, worst)) = leaps.iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
        let worst = worst.case.item.to_string();
        holds.push(Hold::Leaps { items: leaps.len(), worst, share: *share });
    }
    holds
}

/// Whether a price moves by more than a step.
pub fn is_leap(before: Cents, price: Cents, policy: &ChoicePolicy) -> bool {
    let moved = price.0.saturating_sub(before.0).unsigned_abs() as f64;
    moved > policy.step_max * before.0.max(1) as f64 + LEAP_ROUNDING
}

/// How far a price moves to come inside its guard-rails, as a share of it, if that is more than a step.
fn leap(decided: &Decided) -> Option<f64> {
    let before = decided.case.past.current.filter(|_| decided.reason == PriceReason::GuardRail)?;
    is_leap(before, decided.price, &decided.case.policy).then(|| jump_share(decided.price, before))
}

/// Minor units by which a step may be passed by rounding.
const LEAP_ROUNDING: f64 = 1.0;
