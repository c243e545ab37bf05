//! Chance by item, market and time: never by person. The same three draw the same lot, on any machine.

use super::case::{Case, ExplorePolicy};
use crate::domain::{
    ItemId, Timestamp,
    time::{DAY_MS, HOUR_MS},
};

/// Numbers drawn for one item in one market in one slot of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lot {
    /// Seeds the draws of demand.
    pub(super) seed: u64,
    /// Picks one of them.
    pub(super) pick: u64,
}

impl Lot {
    pub(super) fn of(case: &Case) -> Self {
        let slot = slot_of(case.at, &case.policy.explore);
        let [seed, pick] = numbers(b"price", &case.item, &case.market, slot);
        Self { seed, pick }
    }
}

/// The slot of time that a trial lasts: whole dwell times since the epoch, of at least an hour each.
pub fn slot_of(at: Timestamp, explore: &ExplorePolicy) -> i64 {
    let dwell_ms = explore.dwell_days * DAY_MS as f64;
    // Not a number becomes 0, and that an hour.
    at.0.div_euclid((dwell_ms as i64).max(HOUR_MS))
}

/// The member of a group of substitutes that is on trial in a slot of time; `None` if none is.
///
/// `group`: all its members, in any order; an item without substitutes is a group of its own. `share`: of all items
/// that are on trial at once. As at most one member is, of a group of more than `1 / share` members fewer are.
pub fn on_trial<'a>(
    group: &'a [ItemId],
    market: &str,
    slot: i64,
    share: f64,
) -> Option<&'a ItemId> {
    let lot = |item| (numbers(b"trial", item, market, slot), item);
    // Equal members have equal numbers, so the order of the group does not matter.
    let ([_, number], item) = group.iter().map(lot).min()?;
    // The 53 high bits, as far as `f64` is exact.
    let uniform = (number >> 11) as f64 / (1_u64 << 53) as f64;
    (uniform < share * group.len() as f64).then_some(item)
}

/// Whether an item is on trial in a slot of time, by [`on_trial`].
pub fn may_explore(item: &ItemId, group: &[ItemId], market: &str, slot: i64, share: f64) -> bool {
    let alone = std::slice::from_ref(item);
    let group = if group.contains(item) { group } else { alone };
    on_trial(group, market, slot, share) == Some(item)
}

fn numbers(purpose: &[u8], item: &ItemId, market: &str, slot: i64) -> [u64; 2] {
    let mut hasher = blake3::Hasher::new();
    for part in [purpose, item.as_str().as_bytes(), market.as_bytes()] {
        // With its length, no part can pass for the end of another.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.update(&slot.to_le_bytes());
    let hash = hasher.finalize();
    let number = |at: usize| {
        hash.as_bytes()[at..at + 8].iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
    };
    [number(0), number(8)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(n: usize) -> Vec<ItemId> {
        (0..n).map(|item| ItemId::new(format!("item-{item}")).unwrap()).collect()
    }

    #[test]
    fn a_share_of_the_items_is_on_trial_and_never_two_of_a_group() {
        let all = items(6000);
        for size in [1, 3, 5] {
            let mut n = 0;
            for group in all.chunks(size) {
                let of_group = group.iter().filter(|item| may_explore(item, group, "fi", 7, 0.1));
                let of_group = of_group.count();
                assert!(of_group <= 1);
                n += of_group;
            }
            // 600 expected; the deviation of 6000 lots with a chance of 0.1 is 23.
            assert!((500..700).contains(&n), "{n} in groups of {size}");
        }
    }

    #[test]
    fn lots_change_with_item_market_and_slot_alone() {
        let group = items(200);
        let mut reversed = group.clone();
        reversed.reverse();
        let drawn = |group: &[ItemId], market, slot| {
            group
                .iter()
                .filter(|item| may_explore(item, &[], market, slot, 0.3))
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_ne!(drawn(&group, "fi", 1), drawn(&group, "fi", 2));
        assert_ne!(drawn(&group, "fi", 1), drawn(&group, "se", 1));
        assert_eq!(on_trial(&group, "fi", 1, 0.1), on_trial(&reversed, "fi", 1, 0.1));
        assert_eq!(on_trial(&group, "fi", 1, 0.0), None);
        assert_eq!(on_trial(&group, "fi", 1, f64::NAN), None);
        assert_eq!(on_trial(&[], "fi", 1, 1.0), None);
    }

    #[test]
    fn a_slot_lasts_the_dwell_time_and_an_hour_at_least() {
        let explore =
            |dwell_days| ExplorePolicy { enabled: true, loss_max: 0.02, share: 0.1, dwell_days };
        let at = Timestamp(15 * DAY_MS + 1);
        assert_eq!(slot_of(at, &explore(7.0)), 2);
        assert_eq!(slot_of(Timestamp(-1), &explore(7.0)), -1);
        assert_eq!(slot_of(at, &explore(0.0)), 15 * 24);
        assert_eq!(slot_of(at, &explore(f64::NAN)), 15 * 24);
    }
}
