//! Asking a model about shoppers whose later purchases it has not seen.

use super::{ListMetric, ListProtocol, measure_lists};
use crate::learn::dataset::UserIdx;
use crate::learn::recommenders::{Query, Recommender};
use serde::{Deserialize, Serialize};

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

/// Ranks all items for every case, in parallel, the same at any thread count; for more than these few
/// numbers see [`measure_lists`].
///
/// A case to which the model has nothing to say counts with an empty list; those without a relevant item do not count.
pub fn evaluate(model: &dyn Recommender, cases: &[HeldOutCase], k: usize) -> Metrics {
    let report = measure_lists(model, cases, &ListProtocol::accuracy(&[k]));
    let estimate = |metric| report.estimate(metric, k).unwrap_or_default();
    let ndcg = estimate(ListMetric::Ndcg);
    let [coverage, ..] = report.spread(k).unwrap_or_default();
    Metrics {
        ndcg: ndcg.mean,
        recall: estimate(ListMetric::Recall).mean,
        precision: estimate(ListMetric::Precision).mean,
        hit_rate: estimate(ListMetric::HitRate).mean,
        coverage,
        n_users: report.n_users(),
        ndcg_standard_error: ndcg.standard_error,
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

    /// Prefers earlier items to later ones, or says nothing.
    struct Falling {
        speaks: bool,
    }

    impl Recommender for Falling {
        fn n_items(&self) -> usize {
            4
        }

        fn score_items(&self, _query: Query<'_>, scores: &mut [f32]) -> bool {
            if self.speaks {
                scores.copy_from_slice(&[4.0, 3.0, 2.0, 1.0]);
            }
            self.speaks
        }

        fn n_bytes(&self) -> usize {
            0
        }
    }

    #[test]
    fn a_case_by_hand() {
        let cases = [case(&[0], &[1]), case(&[], &[3]), case(&[], &[])];
        let metrics = evaluate(&Falling { speaks: true }, &cases, 1);
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
        let silent = evaluate(&Falling { speaks: false }, &cases, 1);
        assert_eq!(silent, Metrics { n_users: 2, ..Metrics::default() });
    }
}
