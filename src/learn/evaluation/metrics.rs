//! How good a ranked list is, given what the shopper went on to want.
//!
//! `ranked` is best first; `relevant` rises and is not empty; a relevant item is a *hit* if it is among
//! the first `k`. All are 0 to 1, and 0 for an empty list.

/// Number of hits.
fn n_hits(ranked: &[u32], relevant: &[u32], k: usize) -> usize {
    debug_assert!(relevant.is_sorted());
    ranked.iter().take(k).filter(|&item| relevant.binary_search(item).is_ok()).count()
}

/// Normalised discounted cumulated gain with gains 0 and 1: the hits at ranks `r` (from 1) bring
/// `Σ 1/log₂(1 + r)`, over the same for the best list, which has `min(k, |relevant|)` hits in front.
///
/// Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002, with
/// the discount at every rank, as is usual since Burges et al., ICML 2005.
pub fn ndcg_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    debug_assert!(relevant.is_sorted());
    let discount = |at: usize| 1.0 / (at as f64 + 2.0).log2();
    let best: f64 = (0..k.min(relevant.len())).map(discount).sum();
    let hit = |&(_, item): &(usize, &u32)| relevant.binary_search(item).is_ok();
    let gain: f64 = ranked.iter().take(k).enumerate().filter(hit).map(|(at, _)| discount(at)).sum();
    if best > 0.0 { gain / best } else { 0.0 }
}

/// Hits over `|relevant|` (Herlocker, Konstan, Terveen, Riedl, TOIS 2004, section 4.1.2); cannot reach 1
/// if more than `k` are relevant.
pub fn recall_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    n_hits(ranked, relevant, k) as f64 / relevant.len().max(1) as f64
}

/// Hits over `k` (the same source), also where the list is shorter.
pub fn precision_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    n_hits(ranked, relevant, k) as f64 / k.max(1) as f64
}

/// 1 if there is a hit (Deshpande and Karypis, TOIS 2004, section 6.2, for one relevant item).
pub fn hit_rate_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    if n_hits(ranked, relevant, k) > 0 { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of a few `f64` near 1.
    const TOLERANCE: f64 = 1e-12;

    #[test]
    fn metrics_agree_with_a_case_by_hand() {
        let (ranked, relevant) = ([5, 9, 1, 7], [1, 5, 8]);
        let gain = 1.0 + 1.0 / 4.0_f64.log2();
        let best = 1.0 + 1.0 / 3.0_f64.log2() + 1.0 / 4.0_f64.log2();
        assert!((ndcg_at_k(&ranked, &relevant, 10) - gain / best).abs() < TOLERANCE);
        let best_of_two = 1.0 + 1.0 / 3.0_f64.log2();
        assert!((ndcg_at_k(&ranked, &relevant, 2) - 1.0 / best_of_two).abs() < TOLERANCE);
        assert!((recall_at_k(&ranked, &relevant, 3) - 2.0 / 3.0).abs() < TOLERANCE);
        assert!((precision_at_k(&ranked, &relevant, 10) - 0.2).abs() < TOLERANCE);
        assert!((hit_rate_at_k(&ranked, &relevant, 1) - 1.0).abs() < TOLERANCE);
        assert!(hit_rate_at_k(&[], &relevant, 10).abs() < TOLERANCE);
    }
}
