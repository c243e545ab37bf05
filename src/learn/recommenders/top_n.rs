//! One ranking rule for all models.

use crate::learn::dataset::ItemIdx;

/// The `n` best-scored items that `keep` admits, best first; equal scores by lower position.
///
/// Partial selection: linear in items plus `n log n`.
#[must_use]
pub fn top_n(
    scores: &[f32],
    n: usize,
    mut keep: impl FnMut(ItemIdx) -> bool,
) -> Vec<(ItemIdx, f32)> {
    let mut ranked: Vec<(ItemIdx, f32)> =
        (0..).map(ItemIdx).zip(scores.iter().copied()).filter(|&(item, _)| keep(item)).collect();
    let better = |a: &(ItemIdx, f32), b: &(ItemIdx, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if n == 0 {
        return Vec::new();
    }
    if n < ranked.len() {
        ranked.select_nth_unstable_by(n - 1, better);
        ranked.truncate(n);
    }
    ranked.sort_unstable_by(better);
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
    }
}
