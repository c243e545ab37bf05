//! How good a ranked list is, given what the shopper went on to want.
//!
//! `ranked` is best first, without what is not to be recommended; `relevant` rises and is not empty; a
//! relevant item is a *hit* if it is among the first `k`. All are 0 to 1, and 0 for an empty list.
//!
//! Libraries differ in what they call by the same name (Tamm, Damdinov, Vasilev, "Quality metrics in
//! recommender systems: do we calculate metrics consistently?", `RecSys` 2021), so every formula is spelled
//! out here. Means over shoppers are taken in [`super::measure`]; what a list is besides accurate is
//! in [`super::diversity`].

/// Whether each of the first `k` places holds a hit.
fn hits<'a>(
    ranked: &'a [u32],
    relevant: &'a [u32],
    k: usize,
) -> impl Iterator<Item = bool> + Clone + 'a {
    debug_assert!(relevant.is_sorted());
    ranked.iter().take(k).map(|item| relevant.binary_search(item).is_ok())
}

/// Number of hits.
fn n_hits(ranked: &[u32], relevant: &[u32], k: usize) -> usize {
    hits(ranked, relevant, k).filter(|&hit| hit).count()
}

/// `a / b`, 0 where there is nothing to divide by.
fn ratio(a: usize, b: usize) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

/// Normalised discounted cumulated gain with gains 0 and 1: the hits at ranks `r` (from 1) bring
/// `Σ 1/log₂(1 + r)`, over the same for the best list, which has `min(k, |relevant|)` hits in front.
///
/// Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002, with
/// the discount at every rank, as is usual since Burges et al., ICML 2005.
pub fn ndcg_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    let discount = |at: usize| 1.0 / (at as f64 + 2.0).log2();
    let best: f64 = (0..k.min(relevant.len())).map(discount).sum();
    let places = hits(ranked, relevant, k).enumerate().filter(|&(_, hit)| hit);
    let gain: f64 = places.map(|(at, _)| discount(at)).sum();
    if best > 0.0 { gain / best } else { 0.0 }
}

/// Hits over `|relevant|` (Herlocker, Konstan, Terveen, Riedl, TOIS 2004, section 4.1.2); cannot reach 1
/// if more than `k` are relevant.
pub fn recall_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    ratio(n_hits(ranked, relevant, k), relevant.len())
}

/// Hits over `min(k, |relevant|)`, which can always reach 1: the recall of Liang, Krishnan, Hoffman,
/// Jebara, "Variational autoencoders for collaborative filtering", WWW 2018.
pub fn recall_min_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    ratio(n_hits(ranked, relevant, k), relevant.len().min(k))
}

/// Hits over `k` (the same source as [`recall_at_k`]), also where the list is shorter.
pub fn precision_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    ratio(n_hits(ranked, relevant, k), k)
}

/// The harmonic mean `2PR / (P + R)` of this shopper's precision and recall (van Rijsbergen, "Information
/// retrieval", 1979, chapter 7), which is `2 · hits / (k + |relevant|)`.
pub fn f1_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    ratio(2 * n_hits(ranked, relevant, k), k + relevant.len())
}

/// Average precision: the precision at each hit's rank, added up, over `min(k, |relevant|)`; its mean over
/// shoppers is MAP.
///
/// Source: Manning, Raghavan, Schütze, "Introduction to information retrieval", 2008, equation 8.8, cut
/// off at `k`; other divisors are in use (`|relevant|`, the number of hits).
pub fn average_precision_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    let best = relevant.len().min(k);
    let mut found = 0;
    let mut sum = 0.0;
    for (at, hit) in hits(ranked, relevant, k).enumerate() {
        if hit {
            found += 1;
            sum += ratio(found, at + 1);
        }
    }
    if best == 0 { 0.0 } else { sum / best as f64 }
}

/// One over the rank of the first hit, 0 without one; its mean over shoppers is MRR (Voorhees, "The
/// TREC-8 question answering track report", 1999).
pub fn reciprocal_rank_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    let first = hits(ranked, relevant, k).position(|hit| hit);
    first.map_or(0.0, |at| 1.0 / (at as f64 + 1.0))
}

/// 1 if there is a hit (Deshpande and Karypis, TOIS 2004, for one relevant item).
pub fn hit_rate_at_k(ranked: &[u32], relevant: &[u32], k: usize) -> f64 {
    if hits(ranked, relevant, k).any(|hit| hit) { 1.0 } else { 0.0 }
}

/// The chance that a relevant item scores above one that is not, a tie counting half: the area under the
/// ROC curve (Hanley and `McNeil`, Radiology 1982; by shopper: Rendle et al., "BPR", UAI 2009, section 4.1).
///
/// `relevant`: scores, rising; `others`: in any order. `None` if either is empty. Costs a binary search
/// among `relevant` for each of the others.
pub fn area_under_curve<T: Ord>(
    relevant: &[T],
    others: impl IntoIterator<Item = T>,
) -> Option<f64> {
    debug_assert!(relevant.is_sorted());
    // Halves, so that the sum is exact.
    let (mut won_halves, mut n_others) = (0_u64, 0_u64);
    for other in others {
        let below = relevant.partition_point(|score| *score < other);
        let rest = &relevant[below..];
        let equal = rest.partition_point(|score| *score == other);
        won_halves += (2 * (rest.len() - equal) + equal) as u64;
        n_others += 1;
    }
    let pairs = n_others * relevant.len() as u64;
    (pairs > 0).then(|| won_halves as f64 / (2 * pairs) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of a few `f64` near 1.
    const TOLERANCE: f64 = 1e-12;

    /// A list with hits at ranks 1 and 3, and what was wanted.
    const RANKED: [u32; 4] = [5, 9, 1, 7];
    const RELEVANT: [u32; 3] = [1, 5, 8];

    #[track_caller]
    fn assert_close(value: f64, expected: f64) {
        assert!((value - expected).abs() < TOLERANCE, "{value} is not {expected}");
    }

    #[test]
    fn metrics_agree_with_a_case_by_hand() {
        let gain = 1.0 + 1.0 / 4.0_f64.log2();
        let best = 1.0 + 1.0 / 3.0_f64.log2() + 1.0 / 4.0_f64.log2();
        assert_close(ndcg_at_k(&RANKED, &RELEVANT, 10), gain / best);
        let best_of_two = 1.0 + 1.0 / 3.0_f64.log2();
        assert_close(ndcg_at_k(&RANKED, &RELEVANT, 2), 1.0 / best_of_two);
        assert_close(recall_at_k(&RANKED, &RELEVANT, 3), 2.0 / 3.0);
        assert_close(recall_min_at_k(&RANKED, &RELEVANT, 2), 0.5);
        assert_close(recall_min_at_k(&RANKED, &RELEVANT, 10), 2.0 / 3.0);
        assert_close(precision_at_k(&RANKED, &RELEVANT, 10), 0.2);
        // P = 2/10, R = 2/3: 2 · (2/15) / (13/15) = 4/13.
        assert_close(f1_at_k(&RANKED, &RELEVANT, 10), 4.0 / 13.0);
        // Precision 1 at rank 1 and 2/3 at rank 3.
        assert_close(average_precision_at_k(&RANKED, &RELEVANT, 10), (1.0 + 2.0 / 3.0) / 3.0);
        assert_close(average_precision_at_k(&RANKED, &RELEVANT, 2), 0.5);
        assert_close(reciprocal_rank_at_k(&RANKED[1..], &RELEVANT, 10), 0.5);
        assert_close(reciprocal_rank_at_k(&RANKED[1..], &RELEVANT, 1), 0.0);
        assert_close(hit_rate_at_k(&RANKED, &RELEVANT, 1), 1.0);
    }

    #[test]
    fn nothing_recommended_or_no_place_to_recommend_is_worth_nothing() {
        let all = [
            ndcg_at_k,
            recall_at_k,
            recall_min_at_k,
            precision_at_k,
            f1_at_k,
            average_precision_at_k,
            reciprocal_rank_at_k,
            hit_rate_at_k,
        ];
        for metric in all {
            assert_close(metric(&[], &RELEVANT, 10), 0.0);
            assert_close(metric(&RANKED, &RELEVANT, 0), 0.0);
            assert_close(metric(&RANKED, &[], 10), 0.0);
        }
    }

    #[test]
    fn the_best_list_is_worth_one_and_one_relevant_item_makes_three_metrics_the_same() {
        let best = [1, 5, 8, 2];
        for metric in [ndcg_at_k, recall_min_at_k, average_precision_at_k, reciprocal_rank_at_k] {
            for k in 1..5 {
                assert_close(metric(&best, &RELEVANT, k), 1.0);
            }
        }
        for k in 1..5 {
            let recall = recall_at_k(&RANKED, &[1], k);
            assert_close(recall_min_at_k(&RANKED, &[1], k), recall);
            assert_close(hit_rate_at_k(&RANKED, &[1], k), recall);
        }
    }

    #[test]
    fn the_area_counts_pairs_in_the_right_order_and_half_of_the_ties() {
        // Pairs (relevant, other): 1 wins over 0 alone, ties with 1; 3 wins over all three.
        let area = area_under_curve(&[1, 3], [2, 1, 0]).unwrap();
        assert_close(area, (1.5 + 3.0) / 6.0);
        assert_eq!(area_under_curve(&[], [1]), None);
        assert_eq!(area_under_curve(&[1], []), None);
    }
}
