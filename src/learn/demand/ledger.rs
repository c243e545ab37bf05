//! Which entries of an item's ledger say something of the item as it is now.

use crate::domain::{
    Cents, PriceEntry, Timestamp,
    doubt::{is_far, mixes_units},
};

/// How many times its last price a price may be, or what part of it, for what comes back after a pause to be the same
/// good. Our choice.
const REUSE_RATIO: f64 = 5.0;

/// Which of the entries of one item, oldest first, are to be learned from; one answer each. `units`: the minor units of a
/// whole one, if the currency has them.
///
/// What was asked before a pause after which the price is quite another is of another good: ids are used again. And what
/// is about a hundred times the median price over time, or a hundredth of it, was minor units taken for whole ones, and
/// nobody bought at it for what it said; where the price that is in force now is one of the two, it is the right one.
/// Everything else was a price, however odd. O(n log n), once more for each pause after which a price is far from the last.
pub fn learnable(entries: &[PriceEntry], now: Timestamp, units: Option<f64>) -> Vec<bool> {
    let far = |price: Cents, other: Cents| is_far(price, other, REUSE_RATIO);
    let mut start = 0;
    for (at, pair) in entries.windows(2).enumerate() {
        let [last, next] = pair else { continue };
        let pauses = last.to.is_some_and(|to| to < next.from);
        // Far from the last price may be back from a clearance, or from a slip; far from the usual one is another good.
        if pauses
            && far(last.price, next.price)
            && let Some(usual) = median_over_time(&entries[start..=at], now)
            && far(usual, next.price)
        {
            start = at + 1;
        }
    }
    let of_this_good = &entries[start..];
    let Some(median) = median_over_time(of_this_good, now) else { return Vec::new() };
    let is_slip =
        |price: Cents, other: Cents| units.is_some_and(|units| mixes_units(price, other, units));
    let open = of_this_good.last().filter(|entry| entry.to.is_none()).map(|entry| entry.price);
    let reference = open.filter(|&open| is_slip(open, median)).unwrap_or(median);
    let learned = of_this_good.iter().map(|entry| !is_slip(entry.price, reference));
    std::iter::repeat_n(false, start).chain(learned).collect()
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
        learnable(&ledger(rows), Timestamp(1_000), Some(100.0))
    }

    #[test]
    fn a_slip_into_cents_is_left_out_and_a_clearance_is_not() {
        let rows =
            [(999, 0, Some(500)), (99_900, 500, Some(510)), (899, 510, Some(990)), (99, 990, None)];
        assert_eq!(learned(&rows), [true, false, true, true]);
        // However long it stood: the price in force is the right one.
        assert_eq!(learned(&[(1_000, 0, Some(900)), (10, 900, None)]), [false, true]);
        let ended = [(1_000, 0, Some(900)), (10, 900, Some(950))];
        assert_eq!(learned(&ended), [true, false]);
        assert_eq!(learnable(&ledger(&ended), Timestamp(1_000), None), [true, true]);
        assert_eq!(learned(&[]), [true; 0]);
    }

    #[test]
    fn an_id_that_is_used_again_for_another_good_begins_anew() {
        let again = [(200, 0, Some(400)), (220, 400, Some(450)), (50_000, 500, None)];
        assert_eq!(learned(&again), [false, false, true]);
        // A slip that was mended by taking the item out, and a clearance before a pause, are no other good.
        let mended = [(999, 0, Some(400)), (99_900, 400, Some(410)), (999, 420, None)];
        assert_eq!(learned(&mended), [true, false, true]);
        let season = [(1_000, 0, Some(400)), (150, 400, Some(450)), (1_000, 800, None)];
        assert_eq!(learned(&season), [true, true, true]);
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
