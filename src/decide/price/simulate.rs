//! What if an item cost something else: what a week would bring at each price.

use super::choice::Case;
use crate::{
    domain::{Cents, ItemId},
    learn::demand::response::Draw,
};

/// Draws of the demand that is believed in.
const N_DRAWS: usize = 1_000;

/// A mean with the interval that nine of ten draws lie in: what is not known of demand. How sales scatter from week to week
/// comes on top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Mean.
    pub mean: f64,
    /// Below it lies one draw in twenty.
    pub q05: f64,
    /// Above it lies one draw in twenty.
    pub q95: f64,
}

impl Expected {
    fn of(values: &mut [f64]) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let last = values.len().saturating_sub(1) as f64;
        let at = |p: f64| values.get((p * last).round() as usize).copied().unwrap_or(0.0);
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        Self { mean, q05: at(0.05), q95: at(0.95) }
    }
}

/// A week at one price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Week {
    /// The price.
    pub price: Cents,
    /// Units asked for.
    pub units: Expected,
    /// Minor units of money.
    pub revenue: Expected,
    /// After cost and fees; `None` if the cost is not known.
    pub profit: Option<Expected>,
    /// Whether it lies beyond what was tried, a step included: believe it less.
    pub is_extrapolated: bool,
}

/// What a week would bring at each of these prices, by the draws that are the same for all of them; `None` if the item has
/// no sales of its own to go by.
///
/// Competitors are as usual, it is promoted if it is now, and stock is no limit.
pub fn simulate(case: &Case, prices: &[Cents]) -> Option<Vec<Week>> {
    let demand = case.demand.as_ref()?;
    let evidence = demand.evidence?;
    let draws = demand.draws(N_DRAWS, seed(&case.item), 0);
    let step = case.policy.step_max;
    let trusted = evidence.price_min * (1.0 - step)..=evidence.price_max * (1.0 + step);
    let week = |&price: &Cents| {
        let amount = price.0 as f64;
        let units: Vec<f64> =
            draws.iter().map(|&draw: &Draw| demand.units(draw, amount, None)).collect();
        let kept = amount * (1.0 - case.policy.fee_share);
        let each = |of: &dyn Fn(f64) -> f64| {
            Expected::of(&mut units.iter().map(|&units| of(units)).collect::<Vec<_>>())
        };
        let margin = case.cost.map(|cost| kept - cost.0 as f64);
        Week {
            price,
            units: each(&|units| units),
            revenue: each(&|units| units * amount),
            profit: margin.map(|margin| each(&|units| units * margin)),
            is_extrapolated: !trusted.contains(&amount),
        }
    };
    Some(prices.iter().map(week).collect())
}

fn seed(item: &ItemId) -> u64 {
    let hash = blake3::hash(item.as_str().as_bytes());
    hash.as_bytes()[..8].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}
