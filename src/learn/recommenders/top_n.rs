//! One ranking rule for all models.

use crate::learn::dataset::ItemIdx;
use std::cmp::Ordering;

/// The order of a list: falling scores, rising positions.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that sorting asks for")]
pub(crate) fn best_first(a: &(ItemIdx, f32), b: &(ItemIdx, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// The `n` best-scored items that `keep` admits, best first; equal scores by lower position.
///
/// Looks at each score once; `keep` is asked only about items that are good enough so far, of which a few
/// times `n` are held.
#[must_use]
pub fn top_n(
    scores: &[f32],
    n: usize,
    mut keep: impl FnMut(ItemIdx) -> bool,
) -> Vec<(ItemIdx, f32)> {
    if n == 0 {
        return Vec::new();
    }
    let room = n.saturating_mul(4).min(scores.len());
    let mut ranked: Vec<u64> = Vec::with_capacity(room + LANES);
    let mut least: Option<f32> = None;
    for (chunk, first) in scores.chunks(LANES).zip((0..).step_by(LANES)) {
        // What is as good as the worst of those kept but comes later is no better.
        let is_better = |score: f32| least.is_none_or(|least| score > least);
        if least.is_some_and(|least| !may_be_above(chunk, least)) {
            continue;
        }
        for (item, &score) in (first..).map(ItemIdx).zip(chunk) {
            if is_better(score) && keep(item) {
                ranked.push(key(item, score));
            }
        }
        if ranked.len() >= n.saturating_mul(4) {
            ranked.select_nth_unstable(n - 1);
            ranked.truncate(n);
            least = Some(of_key(ranked[n - 1]).1);
        }
    }
    if n < ranked.len() {
        ranked.select_nth_unstable(n - 1);
        ranked.truncate(n);
    }
    ranked.sort_unstable();
    ranked.into_iter().map(of_key).collect()
}

/// Scores looked at together: most of them are not good enough.
const LANES: usize = 16;

/// Whether any score is above the least, if there are as many as are compared at once.
fn may_be_above(scores: &[f32], least: f32) -> bool {
    let Ok(scores) = <&[f32; LANES]>::try_from(scores) else { return true };
    scores.iter().map(|&score| u32::from(score > least)).sum::<u32>() > 0
}

/// A number that rises in the order of [`best_first`]: numbers are sorted without branches.
fn key(item: ItemIdx, score: f32) -> u64 {
    let bits = score.to_bits();
    // Rises as `f32::total_cmp` does: below 0, the larger number is the lower one.
    let rising = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    u64::from(!rising) << 32 | u64::from(item.0)
}

/// What a key was made from.
fn of_key(key: u64) -> (ItemIdx, f32) {
    let rising = !((key >> 32) as u32);
    let bits = if rising & SIGN == 0 { !rising } else { rising & !SIGN };
    (ItemIdx(key as u32), f32::from_bits(bits))
}

const SIGN: u32 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_list_is_the_beginning_of_all_that_is_kept_in_order(
            scores in prop::collection::vec(prop_oneof![-3.0..3.0_f32, (-2_i8..=2).prop_map(f32::from)], 0..400),
            n in 0..60_usize,
            odd in 1..5_u32,
        ) {
            let keep = |item: ItemIdx| item.0.is_multiple_of(odd);
            let mut all: Vec<_> = (0..).map(ItemIdx).zip(scores.iter().copied()).collect();
            all.retain(|pick| keep(pick.0));
            all.sort_by(best_first);
            all.truncate(n);
            prop_assert_eq!(top_n(&scores, n, keep), all);
        }

        #[test]
        fn a_key_orders_as_items_are_ordered(a: (u32, u32), b: (u32, u32)) {
            let [a, b] = [a, b].map(|(item, bits)| (ItemIdx(item), f32::from_bits(bits)));
            prop_assert_eq!(key(a.0, a.1).cmp(&key(b.0, b.1)), best_first(&a, &b));
            let (item, score) = of_key(key(a.0, a.1));
            prop_assert_eq!((item, score.to_bits()), (a.0, a.1.to_bits()));
        }
    }

    #[test]
    fn the_best_come_first_and_ties_go_to_the_lower_position() {
        let scores = [1.0, 3.0, 3.0, -1.0, 2.0];
        let items = |n| top_n(&scores, n, |_| true).iter().map(|x| x.0.0).collect::<Vec<_>>();
        assert_eq!(items(3), [1, 2, 4]);
        assert!(items(0).is_empty());
        assert_eq!(items(99), [1, 2, 4, 0, 3]);
        assert_eq!(top_n(&scores, 1, |item| item.0 != 1)[0].0, ItemIdx(2));
        let many: Vec<f32> = (0..997_u32).map(|at| (at * 389 % 31) as f32).collect();
        let mut all: Vec<u32> = (0..997).collect();
        all.sort_by(|&a, &b| many[b as usize].total_cmp(&many[a as usize]).then(a.cmp(&b)));
        let best = top_n(&many, 50, |_| true);
        assert!(best.iter().map(|pick| pick.0.0).eq(all[..50].iter().copied()));
    }
}
