//! Asking a model about shoppers whose later purchases it has not seen.

use super::metrics::{hit_rate_at_k, ndcg_at_k, precision_at_k, recall_at_k};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::recommenders::{Query, Recommender, top_n::top_n};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Cases that share one pair of score buffers.
const BLOCK: usize = 32;

/// One shopper: what a model may know, and what it should find.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOutCase {
    /// The shopper's row in the matrix that the models were fitted on, if they have one.
    pub user: Option<UserIdx>,
    /// What the shopper did before, items rising.
    pub history: Vec<(u32, f32)>,
    /// Items that are not to be recommended, rising.
    pub excluded: Vec<u32>,
    /// What the shopper went on to want, rising; none of it excluded.
    pub relevant: Vec<u32>,
}

impl HeldOutCase {
    /// What a model is asked.
    pub fn query(&self) -> Query<'_> {
        Query { user: self.user, history: &self.history }
    }
}

/// Means over shoppers; formulas in [`super::metrics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Normalised discounted cumulated gain at `k`.
    pub ndcg: f64,
    /// Part of the relevant items that was found.
    pub recall: f64,
    /// Part of the `k` places that hold a relevant item.
    pub precision: f64,
    /// Part of the shoppers with a hit.
    pub hit_rate: f64,
    /// Part of the catalogue that was recommended to anybody.
    pub coverage: f64,
    /// Number of shoppers.
    pub n_users: usize,
    /// Standard error of `ndcg`: sample deviation over the root of `n_users`.
    pub ndcg_standard_error: f64,
}

/// Ranks all items for every case, in parallel, the same at any thread count.
///
/// `scorer` fills the first buffer `(n_items)` and may use the second, like
/// [`Blend::score_items`](crate::learn::recommenders::Blend::score_items); a case for which it says
/// `false` counts with an empty list. Cases without a relevant item are not counted.
pub fn evaluate(
    scorer: impl Fn(Query<'_>, &mut [f32], &mut [f32]) -> bool + Sync,
    cases: &[HeldOutCase],
    k: usize,
    n_items: usize,
) -> Metrics {
    let lists: Vec<_> =
        cases.par_chunks(BLOCK).map(|block| rank_block(&scorer, block, k, n_items)).collect();
    summarise(lists.iter().flatten().map(|(ranked, case)| (&ranked[..], *case)), k, n_items)
}

/// The first `k` and the relevant items of each case that counts.
fn rank_block<'a>(
    scorer: impl Fn(Query<'_>, &mut [f32], &mut [f32]) -> bool,
    block: &'a [HeldOutCase],
    k: usize,
    n_items: usize,
) -> Vec<(Vec<u32>, &'a [u32])> {
    let mut scores = vec![0.0; n_items];
    let mut scratch = vec![0.0; n_items];
    let counted = block.iter().filter(|case| !case.relevant.is_empty());
    let rank = |case: &'a HeldOutCase| {
        let spoken = scorer(case.query(), &mut scores, &mut scratch);
        let admitted = |item: ItemIdx| case.excluded.binary_search(&item.0).is_err();
        let best = if spoken { top_n(&scores, k, admitted) } else { Vec::new() };
        (best.into_iter().map(|(item, _)| item.0).collect(), &case.relevant[..])
    };
    counted.map(rank).collect()
}

/// [`evaluate`] for one model.
pub fn evaluate_model(model: &dyn Recommender, cases: &[HeldOutCase], k: usize) -> Metrics {
    evaluate(|query, scores, _| model.score_items(query, scores), cases, k, model.n_items())
}

fn summarise<'a>(
    lists: impl Iterator<Item = (&'a [u32], &'a [u32])>,
    k: usize,
    n_items: usize,
) -> Metrics {
    let mut sums = Metrics::default();
    let mut squares = 0.0;
    let mut recommended = vec![false; n_items];
    for (ranked, relevant) in lists {
        let ndcg = ndcg_at_k(ranked, relevant, k);
        sums.n_users += 1;
        sums.ndcg += ndcg;
        squares += ndcg * ndcg;
        sums.recall += recall_at_k(ranked, relevant, k);
        sums.precision += precision_at_k(ranked, relevant, k);
        sums.hit_rate += hit_rate_at_k(ranked, relevant, k);
        for &item in ranked {
            recommended[item as usize] = true;
        }
    }
    let n = sums.n_users.max(1) as f64;
    let mean = sums.ndcg / n;
    let variance = (squares - n * mean * mean).max(0.0) / (n - 1.0).max(1.0);
    let n_recommended = recommended.iter().filter(|&&was| was).count();
    Metrics {
        ndcg: mean,
        recall: sums.recall / n,
        precision: sums.precision / n,
        hit_rate: sums.hit_rate / n,
        coverage: n_recommended as f64 / n_items.max(1) as f64,
        n_users: sums.n_users,
        ndcg_standard_error: (variance / n).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(excluded: &[u32], relevant: &[u32]) -> HeldOutCase {
        HeldOutCase {
            user: None,
            history: vec![],
            excluded: excluded.to_vec(),
            relevant: relevant.to_vec(),
        }
    }

    #[test]
    fn a_case_by_hand() {
        let cases = [case(&[0], &[1]), case(&[], &[3]), case(&[], &[])];
        let falling = |_: Query<'_>, scores: &mut [f32], _: &mut [f32]| {
            scores.copy_from_slice(&[4.0, 3.0, 2.0, 1.0]);
            true
        };
        let metrics = evaluate(falling, &cases, 1, 4);
        let expected = Metrics {
            ndcg: 0.5,
            recall: 0.5,
            precision: 0.5,
            hit_rate: 0.5,
            coverage: 0.5,
            n_users: 2,
            ndcg_standard_error: 0.5,
        };
        assert_eq!(metrics, expected);
        let silent = evaluate(|_, _, _| false, &cases, 1, 4);
        assert_eq!(silent, Metrics { n_users: 2, ..Metrics::default() });
    }
}
