//! The ledger put in order: who wrote it may have skipped, repeated or shuffled entries, or had a clock go back.

use crate::domain::{Cents, PriceEntry, Timestamp};

/// A price and the time in which anybody could have paid it; `from` is before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) price: Cents,
}

/// The prices that were asked, oldest first.
///
/// - An entry without an end lasts until the next one begins: a shop asks one price at a time, and whoever forgot to
///   close an entry does not keep its price for ever.
/// - Entries that overlap both count, as written.
/// - An entry that ends before it begins was written by a clock that went back: it counts between the two times. One
///   that ends as it begins was never in force.
/// - A negative price is none. One of 0 is: everybody could have paid it.
pub(super) fn asked(ledger: &[PriceEntry]) -> Vec<Asked> {
    let mut entries: Vec<&PriceEntry> = ledger.iter().filter(|entry| entry.price.0 >= 0).collect();
    entries.sort_by_key(|entry| (entry.from, entry.to, entry.price));
    let mut spans = Vec::with_capacity(entries.len());
    for entry in &entries {
        let from = entry.from.0;
        let end = || {
            let later = entries.partition_point(|other| other.from <= entry.from);
            entries.get(later).map_or(i64::MAX, |later| later.from.0)
        };
        let to = entry.to.map_or_else(end, |to| to.0);
        spans.push(Asked { from: from.min(to), to: from.max(to), price: entry.price });
    }
    spans.retain(|span| span.from < span.to);
    spans.sort_by_key(|span| (span.from, span.to, span.price));
    spans
}

/// The price asked just before `at`: of those in force, the one that came last, of two at once the lower.
pub(super) fn just_before(asked: &[Asked], at: Timestamp) -> Option<Cents> {
    let in_force = asked.iter().filter(|span| span.from < at.0 && at.0 <= span.to);
    in_force.max_by_key(|span| (span.from, std::cmp::Reverse(span.price))).map(|span| span.price)
}

/// Milliseconds between two times in which no price was asked.
pub(super) fn unpriced_ms(asked: &[Asked], from: i64, to: i64) -> i64 {
    let (mut reached, mut unpriced) = (from, 0_i64);
    for span in asked.iter().filter(|span| span.from < to) {
        unpriced = unpriced.saturating_add(span.from.saturating_sub(reached).max(0));
        reached = reached.max(span.to);
    }
    unpriced.saturating_add(to.saturating_sub(reached).max(0))
}
