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
    let mut ranked: Vec<(ItemIdx, f32)> = Vec::with_capacity(room);
    let mut least: Option<f32> = None;
    for (item, &score) in (0..).map(ItemIdx).zip(scores) {
        // What is as good as the worst of those kept but comes later is no better.
        if least.is_none_or(|least| score > least) && keep(item) {
            ranked.push((item, score));
            if ranked.len() >= n.saturating_mul(4) {
                ranked.select_nth_unstable_by(n - 1, best_first);
                ranked.truncate(n);
                least = Some(ranked[n - 1].1);
            }
        }
    }
    if n < ranked.len() {
        ranked.select_nth_unstable_by(n - 1, best_first);
        ranked.truncate(n);
    }
    ranked.sort_unstable_by(best_first);
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

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
