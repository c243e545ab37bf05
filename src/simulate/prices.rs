//! List prices that look like prices, and the price history of an item.

use super::SimulationParams;
use crate::domain::time::DAY_MS;
use crate::domain::{Cents, ItemId, PriceEntry, PriceReason, Timestamp};
use rand::{Rng, RngExt};

/// Deepest discount; with the steepest elasticity and the greatest chance of a sale it still leaves the
/// chance below 1, so that the true elasticity holds everywhere.
pub(super) const DISCOUNT_MAX: f64 = 0.25;

/// The nearest amount, in minor units, that a merchant would write on a label: 4.45, 12.95, 84.95.
pub(super) fn label(amount: f64) -> Cents {
    let step = match amount {
        small if small < 1_000.0 => 50.0,
        middle if middle < 5_000.0 => 100.0,
        _ => 500.0,
    };
    Cents(((amount / step).round() * step) as i64 - 5).max(Cents(95))
}

/// `factor` times a price, rounded up to a multiple of 5.
pub(super) fn round_up(price: Cents, factor: f64) -> Cents {
    Cents((price.0 as f64 * factor / 5.0).ceil() as i64 * 5)
}

/// The price history of an item on sale since `from`: an older list price for some, one to four discounts, and the
/// list price in the end.
pub(super) fn history(
    item: &ItemId,
    list: Cents,
    from: Timestamp,
    params: &SimulationParams,
    rng: &mut impl Rng,
) -> Vec<PriceEntry> {
    let n_days = (params.end.since_ms(from) / DAY_MS).max(1) as usize;
    let by_day = prices_by_day(list, n_days, rng);
    let mut entries: Vec<PriceEntry> = vec![];
    for (day, &price) in by_day.iter().enumerate() {
        if entries.last().is_some_and(|entry| entry.price == price) {
            continue;
        }
        let since = from.plus_ms(day as i64 * DAY_MS);
        if let Some(entry) = entries.last_mut() {
            entry.to = Some(since);
        }
        let (item, reason) = (item.clone(), PriceReason::Imported);
        entries.push(PriceEntry { item, price, from: since, to: None, reason });
    }
    if let Some(entry) = entries.last_mut() {
        entry.reason = PriceReason::ListPrice;
    }
    entries
}

/// One price per day; the last is the list price.
fn prices_by_day(list: Cents, n_days: usize, rng: &mut impl Rng) -> Vec<Cents> {
    let mut by_day = vec![list; n_days];
    if rng.random_bool(0.4) {
        let older = round_up(list, if rng.random_bool(0.5) { 0.92 } else { 1.08 });
        by_day[..rng.random_range(0..=n_days / 2)].fill(older);
    }
    let n_discounts = rng.random_range(1..=4_usize);
    let stretch = (n_days - 1) / n_discounts;
    for discount in 0..n_discounts {
        let length = rng.random_range(4..=10_usize);
        let off = rng.random_range(0.10..=DISCOUNT_MAX);
        if length >= stretch {
            continue;
        }
        let first = discount * stretch + rng.random_range(0..stretch - length);
        by_day[first..first + length].fill(round_up(list, 1.0 - off));
    }
    by_day
}
