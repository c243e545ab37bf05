//! Between what prices an item may be sold at any time, and from what a step is counted.

use super::{PriceNote, PricePolicy};
use crate::domain::{Cents, Item, ItemFields, PriceEntry, PriceReason, Timestamp};

/// Lowest and highest price allowed; `low` is never above `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Lowest.
    pub low: Cents,
    /// Highest.
    pub high: Cents,
}

impl Bounds {
    /// The allowed price nearest to `price`.
    pub fn clamp(&self, price: Cents) -> Cents {
        price.clamp(self.low, self.high)
    }
}

/// What sets the lowest price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloorRule {
    /// The merchant's lowest price.
    PriceMin,
    /// Cost with the least margin.
    Margin,
    /// Nothing is known that a lower price must keep to, so the list price.
    ListPrice,
}

/// What sets the highest price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CeilingRule {
    /// The merchant's highest price.
    PriceMax,
    /// None is known, so the list price and the largest change of 30 days.
    ListPrice,
}

/// An item's bounds and what sets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardRails {
    /// Lowest and highest price.
    pub bounds: Bounds,
    /// What sets the lowest.
    pub floor: FloorRule,
    /// What sets the highest.
    pub ceiling: CeilingRule,
}

impl GuardRails {
    /// The guard-rails of an item; a note that says so if it has none or they clash.
    ///
    /// The floor is the higher of `price_min` and cost with its margin; the ceiling is `price_max`. Where
    /// one side is missing the careful choice stands in: without a floor a price does not fall below
    /// the list price, without a ceiling it rises above it by the largest change of 30 days at most. A
    /// stand-in yields to the side that the merchant gave.
    pub fn of(fields: &ItemFields, policy: &PricePolicy) -> Result<Self, PriceNote> {
        let list = fields.price.ok_or(PriceNote::NoListPrice)?;
        let margin = fields.cost.map(|cost| margin_floor(cost, policy));
        let floor = [(fields.price_min, FloorRule::PriceMin), (margin, FloorRule::Margin)]
            .into_iter()
            .filter_map(|(price, rule)| price.map(|price| (price, rule)))
            .reduce(|higher, other| if other.0 > higher.0 { other } else { higher });
        let ((low, floor), (high, ceiling)) = match (floor, fields.price_max) {
            (None, None) => return Err(PriceNote::NoGuardRails),
            (Some((low, rule)), Some(high)) if low > high => {
                return Err(PriceNote::BoundsClash(rule));
            }
            (Some(floor), Some(high)) => (floor, (high, CeilingRule::PriceMax)),
            (Some(floor), None) => {
                let high = list.scaled_by(1.0 + policy.choice.step_30d_max).max(floor.0);
                (floor, (high, CeilingRule::ListPrice))
            }
            (None, Some(high)) => {
                ((list.min(high), FloorRule::ListPrice), (high, CeilingRule::PriceMax))
            }
        };
        Ok(Self { bounds: Bounds { low, high }, floor, ceiling })
    }
}

/// The price that a change within `window_ms` counts from: the one in force that long ago.
///
/// A list price or a bound that the merchant set since then takes its place: the merchant's own move is no step, and
/// pricing must not pull against it. So does what an operator restored.
pub fn step_reference(
    item: &Item,
    trail: &[PriceEntry],
    now: Timestamp,
    window_ms: i64,
) -> Option<Cents> {
    let from = now.plus_ms(-window_ms);
    let known = trail.iter().filter(|entry| entry.from <= now);
    let is_set = |entry: &&PriceEntry| {
        matches!(
            entry.reason,
            PriceReason::ListPrice | PriceReason::GuardRail | PriceReason::Restored
        )
    };
    let set_by_merchant = known.clone().filter(is_set).rfind(|entry| entry.from > from);
    let back_then = || known.clone().find(|entry| entry.to.is_none_or(|to| to > from));
    let entry = set_by_merchant.or_else(back_then);
    entry.map(|entry| entry.price).or(item.price_in_force).or(item.fields.price)
}

/// The lowest price that keeps the least margin over a cost.
pub fn margin_floor(cost: Cents, policy: &PricePolicy) -> Cents {
    up(cost.0 as f64 * (1.0 + policy.choice.margin_floor))
}

/// Relative error of a product of two floats, with a margin: 1400 · 1.05 is 1470, not a cent more.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

fn up(amount: f64) -> Cents {
    Cents((amount * (1.0 - ROUNDING)).ceil() as i64)
}
