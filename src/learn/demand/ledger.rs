//! Which entries of an item's ledger say something of the item as it is now.

use crate::domain::{
    Cents, PriceEntry, Timestamp,
    doubt::{mixes_units, ratio},
};

/// How many times its last price a price may be, or what part of it, for what comes back after a pause to be the same
/// good. Our choice.
const REUSE_RATIO: f64 = 5.0;

/// Which of the entries of one item, oldest first, are to be learned from; one answer each. O(n log n).
///
/// What was asked before a pause after which the price is quite another is of another good: ids are used again. And what
/// is about a hundred times the median price over time, or a hundredth of it, was minor units taken for whole ones, and nobody bought at
/// it for what it said. Everything else was a price, however odd.
pub fn believable(entries: &[PriceEntry], now: Timestamp) -> Vec<bool> {
    let is_reuse = |pair: &[PriceEntry]| {
        let pauses = pair[0].to.is_some_and(|to| to < pair[1].from);
        let far = |ratio: f64| ratio.max(ratio.recip()) > REUSE_RATIO;
        pauses && ratio(pair[0].price, pair[1].price).is_some_and(far)
    };
    let start = entries.windows(2).rposition(is_reuse).map_or(0, |before| before + 1);
    let Some(median) = median_over_time(&entries[start..], now) else { return Vec::new() };
    let of_this_good = entries[start..].iter().map(|entry| !mixes_units(entry.price, median));
    std::iter::repeat_n(false, start).chain(of_this_good).collect()
}

/// The price below which the item was for half of the time; `None` without entries.
fn median_over_time(entries: &[PriceEntry], now: Timestamp) -> Option<Cents> {
    let length =
        |entry: &PriceEntry| i128::from(entry.to.unwrap_or(now).since_ms(entry.from).max(1));
    let mut timed: Vec<(Cents, i128)> =
        entries.iter().map(|entry| (entry.price, length(entry))).collect();
    timed.sort_unstable();
    let whole: i128 = timed.iter().map(|(_, length)| length).sum();
    let mut passed = 0;
    let found = timed.into_iter().find(|(_, length)| {
        passed += length;
        2 * passed >= whole
    });
    found.map(|(price, _)| price)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ItemId, PriceReason};
    use proptest::prelude::*;

    /// Prices with the times from and to which they were in force.
    fn ledger(rows: &[(i64, i64, Option<i64>)]) -> Vec<PriceEntry> {
        let entry = |&(price, from, to): &(i64, i64, Option<i64>)| PriceEntry {
            item: ItemId::new("a").unwrap(),
            price: Cents(price),
            from: Timestamp(from),
            to: to.map(Timestamp),
            reason: PriceReason::ListPrice,
        };
        rows.iter().map(entry).collect()
    }

    fn learned(rows: &[(i64, i64, Option<i64>)]) -> Vec<bool> {
        believable(&ledger(rows), Timestamp(1_000))
    }

    #[test]
    fn a_slip_into_cents_is_left_out_and_a_clearance_is_not() {
        let rows =
            [(999, 0, Some(500)), (99_900, 500, Some(510)), (899, 510, Some(990)), (99, 990, None)];
        assert_eq!(learned(&rows), [true, false, true, true]);
        assert_eq!(learned(&[(10, 0, Some(9)), (1_000, 9, None)]), [false, true]);
        assert_eq!(learned(&[]), [true; 0]);
    }

    #[test]
    fn an_id_that_is_used_again_for_another_good_begins_anew() {
        let again = [(200, 0, Some(400)), (220, 400, Some(450)), (50_000, 500, None)];
        assert_eq!(learned(&again), [false, false, true]);
        // Without a pause it is the same good, and so it is near the price before.
        assert_eq!(learned(&[(200, 0, Some(400)), (1_900, 400, None)]), [true, true]);
        assert_eq!(learned(&[(200, 0, Some(400)), (220, 450, None)]), [true, true]);
    }

    proptest! {
        #[test]
        fn prices_within_five_times_of_each_other_all_count(
            rows in prop::collection::vec((200_i64..1_000, 1_i64..100, 0_i64..50), 0..12),
        ) {
            let mut at = 0;
            let mut timed: Vec<(i64, i64, Option<i64>)> = vec![];
            for &(price, length, pause) in &rows {
                timed.push((price, at, Some(at + length)));
                at += length + pause;
            }
            prop_assert_eq!(learned(&timed), vec![true; rows.len()]);
        }
    }
}
