//! Puts a ranked list in the order and make-up that rules ask for. Generic over what is listed.

use super::set::Cap;
use crate::domain::{Item, RuleId};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::Hash,
};

/// Where the worst score of a list lies below the best, which is 1. As the largest factor is 100, it
/// lifts the worst item to where the best was, and its inverse does the opposite.
const WORST: f64 = 0.01;

/// What a boost makes of a score in a list whose scores lie between `min` and `max`.
///
/// Scores can be negative (sums of standardised parts), and a factor would push such an item the wrong
/// way. So they are first mapped linearly to 0.01 ..= 1, the min–max normalisation of Lee ("Analyses of
/// multiple evidence combination", SIGIR 1997, section 3) with a positive lower end; without one the
/// worst item could not be moved. The order of items with one factor is never reversed; a factor above
/// 1 always raises, one below always lowers. If all scores are equal they are 1. A score that is not a
/// number counts as the worst. Use it for all items of a list or none.
pub fn boosted(score: f32, min: f32, max: f32, factor: f32) -> f64 {
    let (score, min, max) = (f64::from(score), f64::from(min), f64::from(max));
    let share = if score.is_nan() {
        0.0
    } else if max > min {
        // An infinite end makes this not a number; `max` takes the other argument then.
        ((score - min) / (max - min)).clamp(0.0, 1.0).max(0.0)
    } else {
        1.0
    };
    (WORST + (1.0 - WORST) * share) * f64::from(factor)
}

/// What caps leave of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Capped<'a, T> {
    /// What stays, in the order it came.
    pub kept: Vec<T>,
    /// What was skipped before the list was full, and the first rule that wanted it so.
    pub removed: Vec<(T, &'a RuleId)>,
}

/// Walks a ranked list, skips what exceeds a cap, and stops when it has `n` items.
///
/// `pinned` items count first and are not returned; they alone may exceed a cap. An item that one cap
/// skips does not count towards the others.
pub fn apply_caps<'c, 'i, T>(
    pinned: impl IntoIterator<Item = &'i Item>,
    ranked: impl IntoIterator<Item = T>,
    caps: &[Cap<'c>],
    n: usize,
    item_of: impl Fn(&T) -> &'i Item,
) -> Capped<'c, T> {
    let mut counts: HashMap<(usize, Cow<'i, str>), u32> = HashMap::new();
    let kinds_of = |item: &'i Item| {
        let kind = move |(at, cap): (usize, &Cap<'_>)| Some((at, cap.by.kind_of(item)?));
        caps.iter().enumerate().filter_map(kind).collect::<Vec<_>>()
    };
    for item in pinned {
        for kind in kinds_of(item) {
            *counts.entry(kind).or_default() += 1;
        }
    }
    let mut capped = Capped { kept: Vec::new(), removed: Vec::new() };
    for candidate in ranked {
        if capped.kept.len() == n {
            break;
        }
        let kinds = kinds_of(item_of(&candidate));
        let is_full = |kind: &&(usize, Cow<'i, str>)| {
            counts.get(*kind).is_some_and(|count| *count >= caps[kind.0].max)
        };
        if let Some(full) = kinds.iter().find(is_full) {
            capped.removed.push((candidate, caps[full.0].rule));
            continue;
        }
        for kind in kinds {
            *counts.entry(kind).or_default() += 1;
        }
        capped.kept.push(candidate);
    }
    capped
}

/// Leaves the first item of each group of variants; none of a group that has a pinned item.
pub fn one_per_group<'i, T>(
    pinned: impl IntoIterator<Item = &'i Item>,
    ranked: Vec<T>,
    item_of: impl Fn(&T) -> &'i Item,
) -> Vec<T> {
    let group_of = |item: &'i Item| item.fields.group.as_deref();
    let mut seen: HashSet<&str> = pinned.into_iter().filter_map(group_of).collect();
    let mut ranked = ranked;
    ranked.retain(|candidate| group_of(item_of(candidate)).is_none_or(|group| seen.insert(group)));
    ranked
}

/// Puts pins at their positions (from 1) among a ranked list, and cuts to `n`.
///
/// What is not pinned keeps its order and fills the other positions; if it does not reach to a pin,
/// the pin follows right after it. `key` tells items apart: none is in the list twice.
pub fn place_pins<T, K: Eq + Hash>(
    ranked: impl IntoIterator<Item = T>,
    mut pins: Vec<(u32, T)>,
    n: usize,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    pins.sort_by_key(|(position, _)| *position);
    let mut seen = HashSet::new();
    pins.retain(|(_, pin)| seen.insert(key(pin)));
    let mut pins = pins.into_iter().peekable();
    let mut ranked = ranked.into_iter().filter(|candidate| seen.insert(key(candidate)));
    let mut list = Vec::new();
    while list.len() < n {
        let here = list.len() + 1;
        let is_due = |(position, _): &(u32, T)| *position as usize <= here;
        let next = pins.next_if(is_due).map(|pin| pin.1);
        match next.or_else(|| ranked.next()).or_else(|| pins.next().map(|pin| pin.1)) {
            Some(item) => list.push(item),
            None => break,
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::{super::cap::CapBy, *};
    use crate::domain::{ItemFields, ItemId, Timestamp};
    use proptest::prelude::*;

    fn item(id: usize, brand: u8, group: Option<u8>) -> Item {
        Item {
            item_id: ItemId::new(id.to_string()).unwrap(),
            fields: ItemFields {
                brand: (brand > 0).then(|| brand.to_string()),
                categories: vec![format!("c{}", brand % 2), "other".into()],
                group: group.map(|group| group.to_string()),
                ..ItemFields::default()
            },
            price_in_force: None,
            first_seen_at: Timestamp(0),
            updated_at: Timestamp(0),
            removed: false,
            back_on_sale_at: None,
            revision: 0,
        }
    }

    fn items(kinds: &[(u8, Option<u8>)]) -> Vec<Item> {
        let make = |(at, (brand, group)): (usize, &(u8, Option<u8>))| item(at, *brand, *group);
        kinds.iter().enumerate().map(make).collect()
    }

    fn ids<'i>(items: impl IntoIterator<Item = &'i Item>) -> Vec<&'i str> {
        items.into_iter().map(|item| item.item_id.as_str()).collect()
    }

    #[test]
    fn a_boost_raises_whatever_the_sign() {
        for (score, min, max) in
            [(-3.0, -3.0, -1.0), (-2.0, -3.0, -1.0), (0.0, -1.0, 1.0), (5.0, 5.0, 5.0)]
        {
            let plain = boosted(score, min, max, 1.0);
            assert!(boosted(score, min, max, 1.5) > plain && boosted(score, min, max, 0.5) < plain);
        }
        let best = boosted(-1.0, -3.0, -1.0, 1.0);
        // Two roundings away from exact.
        assert!((boosted(-3.0, -3.0, -1.0, 100.0) - best).abs() < 1e-12);
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(boosted(odd, -1.0, 1.0, 2.0).is_finite());
            assert!(boosted(0.0, odd, 1.0, 2.0).is_finite());
            assert!(boosted(0.0, -1.0, odd, 2.0).is_finite());
        }
    }

    #[test]
    fn the_rule_that_removes_an_item_is_remembered() {
        let items = items(&[(1, None), (1, None), (2, None), (3, None), (0, None), (0, None)]);
        let (brand, category) = (RuleId::new("brand").unwrap(), RuleId::new("category").unwrap());
        let caps = [
            Cap { by: &CapBy::Brand, max: 1, rule: &brand },
            Cap { by: &CapBy::Category, max: 2, rule: &category },
        ];
        let capped = apply_caps([], &items, &caps, 10, |item| item);
        // 3 is the second of `c1`; the last two have no brand but share `c0` with 2.
        assert_eq!(ids(capped.kept), ["0", "2", "3", "4"]);
        let removed: Vec<_> = capped
            .removed
            .iter()
            .map(|(item, rule)| (item.item_id.as_str(), rule.as_str()))
            .collect();
        assert_eq!(removed, [("1", "brand"), ("5", "category")]);
        let pinned = item(9, 2, None);
        let capped = apply_caps([&pinned], &items, &caps, 2, |item| item);
        assert_eq!(ids(capped.kept), ["0", "3"]);
    }

    #[test]
    fn pins_stand_where_they_should_and_short_lists_end_with_them() {
        let place =
            |n, pins: &[(u32, u32)]| place_pins([1, 2, 3, 4], pins.to_vec(), n, |item| *item);
        assert_eq!(place(4, &[(1, 9), (3, 8)]), [9, 1, 8, 2]);
        assert_eq!(place(10, &[(2, 4)]), [1, 4, 2, 3]);
        assert_eq!(place(10, &[(50, 9), (60, 8)]), [1, 2, 3, 4, 9, 8]);
        assert_eq!(place(10, &[(1, 9), (1, 8), (2, 9)]), [9, 8, 1, 2, 3, 4]);
        assert_eq!(place(0, &[(1, 9)]), [0; 0]);
    }

    proptest! {
        #[test]
        fn boosts_never_reverse_equals(
            (a, b) in (-1e6_f32..1e6, -1e6_f32..1e6), others in (-1e6_f32..1e6, -1e6_f32..1e6), factor in 0.01_f32..100.0,
        ) {
            let min = a.min(b).min(others.0);
            let max = a.max(b).max(others.1);
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(boosted(low, min, max, factor) <= boosted(high, min, max, factor));
            prop_assert!(boosted(a, min, max, factor) > 0.0);
        }

        #[test]
        fn no_cap_is_exceeded_and_the_order_stays(
            kinds in prop::collection::vec((0_u8..4, Just(None)), 0..30), max in 1_u32..4, n in 0_usize..30,
        ) {
            let items = items(&kinds);
            let rule = RuleId::new("r").unwrap();
            let caps = [Cap { by: &CapBy::Brand, max, rule: &rule }];
            let capped = apply_caps([], items.iter(), &caps, n, |item| item);
            prop_assert!(capped.kept.len() <= n);
            let number = |item: &Item| item.item_id.as_str().parse::<usize>().unwrap();
            prop_assert!(capped.kept.is_sorted_by_key(|item| number(item)));
            for brand in 1..4_u8 {
                let of_brand = |item: &&&Item| item.fields.brand == Some(brand.to_string());
                let shown = capped.kept.iter().filter(of_brand).count();
                prop_assert!(shown <= max as usize);
                // Nothing is removed while there is room for it.
                let is_removed = capped.removed.iter().any(|(item, _)| of_brand(&item));
                prop_assert!(!is_removed || shown == max as usize);
            }
            let seen = capped.kept.len() + capped.removed.len();
            prop_assert!(seen == items.len() || capped.kept.len() == n);
        }

        #[test]
        fn a_group_shows_once(kinds in prop::collection::vec((Just(1_u8), prop::option::of(0_u8..4)), 0..30)) {
            let items = items(&kinds);
            let kept = one_per_group([], items.iter().collect(), |item| item);
            let again = one_per_group([], kept.clone(), |item| item);
            prop_assert_eq!(ids(again), ids(kept.clone()));
            let groups = kinds.iter().filter_map(|kind| kind.1).collect::<HashSet<_>>().len();
            let single = kinds.iter().filter(|kind| kind.1.is_none()).count();
            prop_assert_eq!(kept.len(), groups + single);
            if let Some(pinned) = items.first().filter(|item| item.fields.group.is_some()) {
                let others = one_per_group([pinned], items.iter().collect(), |item| item);
                prop_assert!(others.iter().all(|item| item.fields.group != pinned.fields.group));
            }
        }

        #[test]
        fn a_list_with_pins_has_no_item_twice_and_keeps_the_order_of_the_others(
            ranked in prop::collection::vec(0_u32..20, 0..20),
            pins in prop::collection::vec((1_u32..12, 0_u32..25), 0..8),
            n in 0_usize..25,
        ) {
            let list = place_pins(ranked.clone(), pins.clone(), n, |item| *item);
            prop_assert!(list.len() <= n);
            prop_assert_eq!(list.iter().collect::<HashSet<_>>().len(), list.len());
            let is_pinned = |item: &u32| pins.iter().any(|pin| pin.1 == *item);
            let mut seen = HashSet::new();
            let free = ranked.iter().filter(|item| !is_pinned(item) && seen.insert(**item));
            let free: Vec<&u32> = free.collect();
            let others: Vec<&u32> = list.iter().filter(|item| !is_pinned(item)).collect();
            prop_assert_eq!(&others[..], &free[..others.len()]);
            if let [(position, pin)] = pins[..] {
                let expected = (position as usize - 1).min(free.len());
                let found = list.iter().position(|item| *item == pin);
                prop_assert_eq!(found, (expected < n).then_some(expected));
            }
        }
    }
}
