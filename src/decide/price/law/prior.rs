//! The prior price: the lowest that was asked in the days before a reduction.

use super::{
    MarketLaw,
    history::{Asked, asked, unpriced_ms},
};
use crate::domain::{Cents, PriceEntry, Timestamp};

/// The lowest price before a reduction, and how far it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorPrice {
    /// How much; `None` if nothing was asked in the window.
    pub price: Option<Cents>,
    /// Since when it was in force, the last time that it came to be.
    pub in_force_from: Option<Timestamp>,
    /// Where the window begins; it ends where the reduction begins, and holds the one but not the other.
    pub window_from: Timestamp,
    /// Whether the ledger begins at or before the window.
    pub covers_window: bool,
    /// Time of the window in which no price was asked; milliseconds.
    pub unpriced_ms: i64,
}

/// The lowest price asked in the days before `reduction_start` that the market looks back.
///
/// `ledger`: the item's prices for everybody, in any order, from before the window on. A price counts if anybody could
/// have paid it at any time in the window, were it for a moment; one that ended exactly where the window begins does
/// not, nor does what begins with the reduction or after it. Days are those of the market's clock. In a market without
/// the rule the window is empty. O(n log n) in entries.
pub fn prior_price(
    ledger: &[PriceEntry],
    reduction_start: Timestamp,
    law: &MarketLaw,
) -> PriorPrice {
    let window_from = law.time_zone.days_before(reduction_start, law.prior_days);
    lowest_in(&asked(ledger), window_from, reduction_start)
}

/// The lowest price asked between two times, the second left out.
pub(super) fn lowest_in(asked: &[Asked], window_from: Timestamp, end: Timestamp) -> PriorPrice {
    let in_window = asked.iter().filter(|span| span.from < end.0 && window_from.0 < span.to);
    // Of equal prices the last: it is the one that a shopper remembers.
    let lowest = in_window.min_by_key(|span| (span.price, std::cmp::Reverse(span.from)));
    PriorPrice {
        price: lowest.map(|span| span.price),
        in_force_from: lowest.map(|span| Timestamp(span.from)),
        window_from,
        covers_window: asked.first().is_some_and(|first| first.from <= window_from.0),
        unpriced_ms: unpriced_ms(asked, window_from.0, end.0),
    }
}

#[cfg(test)]
mod tests;
