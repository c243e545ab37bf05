//! EASE: a linear model from the shopper's items to all items, solved in closed form.
//!
//! Source: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019, equation 8: of all `B`
//! with an empty diagonal, the one that minimises `‖W^½ (X − XB)‖² + ‖Λ^½ B‖²` is `B_ji = −P_ji / P_ii` with
//! `P = (XᵀWX + Λ)⁻¹`. Beyond the paper:
//!
//! - `W` weighs users by `n_u^(−user_exponent)` for `n_u` stored weights, with mean 1 over interactions, so
//!   that those who bought everything do not outvote the rest;
//! - `Λ = λI + p/(1 − p) · diag(XᵀWX)` is what dropping out inputs with probability `p` comes to (Steck,
//!   "Autoencoders that don't overfit towards the identity", NeurIPS 2020, equation 5, full rank);
//! - `B_ji = −P_ji / P_ii^target_exponent`: 1 is EASE, 0 plain ridge regression without the condition on the
//!   diagonal, which no shopper sees who is not shown again what they have (Moon, Kim, Lee, "It's
//!   enough: relaxing diagonal constraints in linear autoencoders for recommendation", SIGIR 2023, go
//!   between the two by another way). Between the scores of two unseen items it shifts weight to the rarer.
//!
//! Of every row of `B` the `n_weights` farthest from 0 are kept, so that a query costs the length of the
//! history times `n_weights` and a model `8 · n_items · n_weights` bytes. [`dense`] solves for all pairs at
//! once; catalogues beyond `dense_items_max` go by [`sparse`], one small system for each item.
//!
//! Weights may be negative: what a shopper sent back or disliked is a target below 0 and, asked with,
//! speaks against what goes with it. Weights far above the others make the others count for little.

mod dense;
mod sparse;

use super::{FitError, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::linalg::{Csr, spd::SpdError};
use serde::{Deserialize, Serialize};

/// Least regularisation of an item, as part of its diagonal: keeps the condition number of what is inverted
/// in `f32` below some 1e4 whatever the weights are.
const RIDGE_PART_MIN: f64 = 1e-4;

/// How the model is solved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EaseParams {
    /// `λ`, on the scale of the weighted Gram matrix; above 0.
    pub regularization: f32,
    /// `p`, the part of a history that is as if it were dropped out in training, 0 to below 1.
    pub dropout: f32,
    /// How little active users count, 0 (as much as everything they bought) to 2.
    pub user_exponent: f32,
    /// How much is taken from what is bought anyway, 0 to 2.
    pub target_exponent: f32,
    /// Most weights kept of a history item, 1 to 100,000.
    pub n_weights: usize,
    /// Most items solved for all at once, with `4 · dense_items_max²` bytes while fitting (576 MB for
    /// 12,000), 0 to 50,000.
    pub dense_items_max: usize,
    /// Beyond that: items among which the weights of a target are sought, 1 to 5,000.
    pub n_candidates: usize,
}

impl Default for EaseParams {
    fn default() -> Self {
        Self {
            regularization: 500.0,
            dropout: 0.0,
            user_exponent: 0.5,
            target_exponent: 1.0,
            n_weights: 1_000,
            dense_items_max: 12_000,
            n_candidates: 300,
        }
    }
}

impl EaseParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let ridge = self.regularization;
        let fits = ridge.is_finite() && 0.0 < ridge;
        check(fits, "regularization", "finite and above 0", ridge)?;
        let dropout = self.dropout;
        check((0.0..1.0).contains(&dropout), "dropout", "at least 0 and below 1", dropout)?;
        let user = self.user_exponent;
        check((0.0..=2.0).contains(&user), "user_exponent", "between 0 and 2", user)?;
        let target = self.target_exponent;
        check((0.0..=2.0).contains(&target), "target_exponent", "between 0 and 2", target)?;
        let n = self.n_weights;
        check((1..=100_000).contains(&n), "n_weights", "between 1 and 100000", n)?;
        let most = self.dense_items_max;
        check(most <= 50_000, "dense_items_max", "at most 50000", most)?;
        let n = self.n_candidates;
        check((1..=5_000).contains(&n), "n_candidates", "between 1 and 5000", n)
    }

    /// An item's entry in `Λ`, for its entry in the diagonal of the Gram matrix.
    fn ridge(&self, diagonal: f32) -> f32 {
        let (diagonal, dropout) = (f64::from(diagonal), f64::from(self.dropout));
        let ridge = f64::from(self.regularization) + dropout / (1.0 - dropout) * diagonal;
        ridge.max(RIDGE_PART_MIN * diagonal) as f32
    }
}

/// The weights from items of a history to all items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ease {
    /// Row `j` of `B`: what an item of the history adds to others, rising.
    weights: Csr,
}

/// Solves for the weights, in parallel on the pool it is called in.
///
/// Cost: `Σ_u n_u²` additions, then `n_items³` operations, or `n_items · n_candidates³ / 3` beyond
/// `dense_items_max`.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &EaseParams,
    stop: Stop<'_>,
) -> Result<Ease, FitError> {
    params.check()?;
    if matrix.n_interactions() == 0 {
        return Err(FitError::NoData { model: "ease" });
    }
    let rows = weighted_rows(matrix, params.user_exponent);
    let columns = rows.transposed(matrix.n_items());
    let weights = if matrix.n_items() <= params.dense_items_max {
        dense::solve(&columns, &rows, params, stop)
    } else {
        sparse::solve(&columns, &rows, params, stop)
    }?;
    let finite = (0..weights.n_rows()).flat_map(|j| weights.row(j).1).all(|x| x.is_finite());
    if finite { Ok(Ease { weights }) } else { Err(not_finite()) }
}

/// `W^½ X`, by user; the weights of users come to 1 on the mean over interactions, and so do the squares of
/// what is stored, so that `λ` keeps its scale whatever the exponent and the shop's weights are. `B` is the
/// same for `X` on any scale.
fn weighted_rows(matrix: &InteractionMatrix, exponent: f32) -> Csr {
    let users = || (0..matrix.n_users() as u32).map(UserIdx);
    let n_of = |user| matrix.row(user).0.len() as f64;
    let weight_of = |user| n_of(user).max(1.0).powf(-f64::from(exponent));
    let total: f64 = users().map(|user| n_of(user) * weight_of(user)).sum();
    let squares = |user| matrix.row(user).1.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    let mean_square = users().map(squares).sum::<f64>() / matrix.n_interactions() as f64;
    let scale = matrix.n_interactions() as f64 / total / mean_square;
    Csr::from_rows(users().map(|user| {
        let root = (weight_of(user) * scale).sqrt() as f32;
        matrix.row_cells(user).map(move |(item, value)| (item, root * value))
    }))
}

fn not_finite() -> FitError {
    FitError::NotFinite { model: "ease" }
}

impl From<SpdError> for FitError {
    fn from(error: SpdError) -> Self {
        match error {
            SpdError::NotPositiveDefinite => not_finite(),
            SpdError::Stopped => Self::Stopped,
        }
    }
}

/// Cuts a list to the `n` weights farthest from 0, ties to the lower position, and puts it in order.
fn keep_heaviest(weights: &mut Vec<(u32, f32)>, n: usize) {
    weights.retain(|weight| weight.1 != 0.0);
    if n < weights.len() {
        weights
            .select_nth_unstable_by(n, |x, y| y.1.abs().total_cmp(&x.1.abs()).then(x.0.cmp(&y.0)));
        weights.truncate(n);
    }
    weights.sort_unstable_by_key(|weight| weight.0);
}

impl Ease {
    /// What `j` in a history adds to the score of `i`, for each unit of weight; 0 if it was not kept.
    pub fn weight(&self, j: ItemIdx, i: ItemIdx) -> f32 {
        if j.0 as usize >= self.n_items() {
            return 0.0;
        }
        self.weights.get(j.0 as usize, i.0).unwrap_or(0.0)
    }

    /// The items of a history that have weights, with them.
    fn known<'a>(
        &'a self,
        history: &'a [(u32, f32)],
    ) -> impl Iterator<Item = (&'a [u32], &'a [f32], f32)> {
        let known = history.iter().filter(|(j, _)| (*j as usize) < self.n_items());
        let rows = known.map(|&(j, value)| (self.weights.row(j as usize), value));
        rows.filter(|((items, _), _)| !items.is_empty()).map(|((i, w), value)| (i, w, value))
    }
}

impl Recommender for Ease {
    fn n_items(&self) -> usize {
        self.weights.n_rows()
    }

    /// `Σ_{j ∈ h} w_j B_ji`.
    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        debug_assert_eq!(scores.len(), self.n_items());
        if self.known(query.history).next().is_none() {
            return false;
        }
        scores.fill(0.0);
        for (items, weights, value) in self.known(query.history) {
            for (&item, weight) in items.iter().zip(weights) {
                scores[item as usize] += value * weight;
            }
        }
        true
    }

    /// The regression's answer, which takes what is not stored for 0.
    fn predict_rating(&self, query: Query<'_>, item: ItemIdx) -> Option<f32> {
        self.known(query.history).next()?;
        let parts = || self.contributions(query, item).into_iter();
        ((item.0 as usize) < self.n_items()).then(|| parts().sum())
    }

    fn contributions(&self, query: Query<'_>, item: ItemIdx) -> Vec<f32> {
        query.history.iter().map(|&(j, value)| value * self.weight(ItemIdx(j), item)).collect()
    }

    fn n_bytes(&self) -> usize {
        self.weights.n_bytes()
    }
}
