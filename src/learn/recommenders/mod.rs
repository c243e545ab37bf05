//! One file per algorithm; each has params, `check`, `fit`, and a fitted type that is a
//! [`Recommender`].
//!
//! | you may call it | file |
//! | --- | --- |
//! | best sellers, most popular | [`popularity`] |
//! | "also bought", item-based collaborative filtering | [`item_knn`] |
//! | user-based collaborative filtering | [`user_knn`] |
//! | EASE, linear autoencoder, linear model in closed form | [`ease`] |
//! | random walks, `P³α`, `RP³β`, personalised page rank of three steps | [`rp3beta`] |
//! | matrix factorization, latent factors, truncated SVD | [`svd`] |
//! | implicit matrix factorization, weighted matrix factorization (iALS) | [`als`] |
//! | Bayesian personalized ranking, pairwise ranking (BPR-MF) | [`bpr`] |
//! | logistic matrix factorization | [`logistic_mf`] |
//! | non-negative matrix factorization (NMF, HALS) | [`nmf`] |
//! | ensemble, hybrid | [`blend`] |
//!
//! [`kind`] lists the models and fits any of them; [`similarity`] serves the two neighbour models, [`factors`] those that
//! score by products of factors.
//!
//! Notation: `u` user, `i`, `j` items, `f` factor. Models see positions and weights, never ids.
//! A model is asked with a shopper's *history* instead of a row number, so that somebody who came
//! after the fit, or clicked a second ago, is answered by the same code as everybody else.

pub mod als;
pub mod blend;
pub mod bpr;
mod confidence;
pub mod ease;
pub mod factors;
pub mod item_knn;
pub mod kind;
#[cfg(test)]
mod liking_cases;
mod logistic;
pub mod logistic_mf;
mod negatives;
pub mod nmf;
pub mod popularity;
pub mod rp3beta;
pub mod similarity;
pub mod svd;
pub mod top_n;
pub mod user_knn;

pub use als::{Als, AlsParams};
pub use blend::{Blend, Blended, ScoreRoom};
pub use bpr::{Bpr, BprParams};
pub use ease::{Ease, EaseParams};
pub use factors::{EXACT_ITEMS_MAX, FactorScores, ItemFactors};
pub use item_knn::{ItemKnn, ItemKnnParams};
pub use kind::{FittedModel, ModelError, ModelKind, ModelParams, Start, fit, fit_from};
pub use logistic_mf::{LogisticMf, LogisticMfParams};
pub use nmf::{Nmf, NmfParams};
pub use popularity::{Popularity, PopularityParams};
pub use rp3beta::{Rp3beta, Rp3betaParams};
pub use svd::{Svd, SvdParams};
pub use user_knn::{UserKnn, UserKnnParams};

use crate::learn::dataset::{ItemIdx, UserIdx};

/// Whether to go on: models ask once per epoch or block, because a blocking thread cannot be aborted.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// Never stops; for tests and command lines.
pub const NEVER_STOP: Stop<'static> = &|| false;

/// Why a model could not be fitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    /// A parameter is out of its range.
    #[error("{parameter} must be {rule}, not {value}")]
    Parameter {
        /// Which.
        parameter: &'static str,
        /// What it must be.
        rule: &'static str,
        /// What it is.
        value: String,
    },
    /// The data holds nothing to learn from.
    #[error("there are no interactions to fit {model} on")]
    NoData {
        /// Which model.
        model: &'static str,
    },
    /// The fit came to infinite or undefined numbers.
    #[error("fitting {model} did not stay finite")]
    NotFinite {
        /// Which model.
        model: &'static str,
    },
    /// The service is stopping.
    #[error("fitting was stopped")]
    Stopped,
}

/// Refuses a parameter that does not keep its rule.
pub(crate) fn check(
    fits: bool,
    parameter: &'static str,
    rule: &'static str,
    value: impl std::fmt::Display,
) -> Result<(), FitError> {
    if fits {
        Ok(())
    } else {
        Err(FitError::Parameter { parameter, rule, value: value.to_string() })
    }
}

/// What a model is asked with.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The shopper's row in the matrix that the model was fitted on, if they had one; lets
    /// neighbour models leave the shopper out of their own neighbours.
    pub user: Option<UserIdx>,
    /// What the shopper did: items, rising, with weights on the scale of the fitted matrix.
    pub history: &'a [(u32, f32)],
}

/// Most shoppers that are asked about together, and most bytes of their scores, which every thread has room for.
const JOINT_MAX: usize = 8;
const JOINT_BYTES_MAX: usize = 16 << 20;

/// Shoppers that a model of so many items is best asked about together: enough that factors are hardly read from
/// memory, few enough that their scores are no burden.
pub fn n_joint(n_items: usize) -> usize {
    (JOINT_BYTES_MAX / (size_of::<f32>() * n_items.max(1))).clamp(1, JOINT_MAX)
}

/// A trained model: scores every item for one shopper, and does nothing else.
///
/// Leaving out items and cutting to the best `n` belong to [`top_n`], so that every model is ranked
/// by the same rules.
pub trait Recommender: Send + Sync {
    /// Number of items the model knows; the length of a score vector.
    fn n_items(&self) -> usize;

    /// Overwrites `scores (n_items)` with finite preferences, higher is better.
    ///
    /// Returns `false`, with `scores` untouched, if the model has nothing to say: it needs a
    /// history and there is none that it knows.
    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool;

    /// Asks for several shoppers together, best [`n_joint`]: overwrites the rows of `scores (n_queries, n_items)` like
    /// [`Self::score_items`], bit for bit, and says which. May use `scratch`.
    fn score_block(
        &self,
        queries: &[Query<'_>],
        scores: &mut [f32],
        _scratch: &mut Vec<f32>,
    ) -> Vec<bool> {
        let n_items = self.n_items();
        assert_eq!(scores.len(), queries.len() * n_items, "there is a row for each shopper");
        if n_items == 0 {
            return vec![false; queries.len()];
        }
        let (mut placed, mut rows) = (Vec::new(), Vec::new());
        let rows_of_queries = scores.chunks_exact_mut(n_items).zip(queries);
        let spoken = rows_of_queries
            .map(|(row, &query)| {
                let Some(shopper) = self.factor_scores(query) else {
                    return self.score_items(query, row);
                };
                placed.push(shopper);
                rows.push(row);
                true
            })
            .collect();
        FactorScores::score_jointly(&placed, &mut rows);
        spoken
    }

    /// Where the shopper is among the item factors, if scores are products with those and the model has something
    /// to say: [`Self::score_items`] gives [`FactorScores::score_all`] of it. `None` for all other models.
    fn factor_scores(&self, _query: Query<'_>) -> Option<FactorScores<'_>> {
        None
    }

    /// The rating it expects for `item`, on the scale of the fitted weights; `None` if it has no
    /// ground to say, as a model whose scores say how sure a liking is or what is preferred to what, but not
    /// how much is liked.
    fn predict_rating(&self, _query: Query<'_>, _item: ItemIdx) -> Option<f32> {
        None
    }

    /// How much each item of the history adds to the score of `item`, in the order of the history;
    /// empty if the model does not work by the shopper's items.
    fn contributions(&self, _query: Query<'_>, _item: ItemIdx) -> Vec<f32> {
        Vec::new()
    }

    /// Bytes held on the heap.
    fn n_bytes(&self) -> usize;
}
