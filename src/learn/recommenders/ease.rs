//! EASE: a linear model from the shopper's items to all items, solved in closed form.
//!
//! Source: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019, equation 8: of all `B`
//! with an empty diagonal, the one that minimises `‖W^½ (X − XB)‖² + ‖Λ^½ B‖²` is `B_ji = −P_ji / P_ii` with
//! `P = (XᵀWX + Λ)⁻¹`. Beyond the paper:
//!
//! - `W` weighs users by `n_u^(−user_exponent)` for `n_u` stored weights, with mean 1 over interactions, so
//!   that those who bought everything do not outvote the rest;
//! - `Λ = λI + p/(1 − p) · diag(XᵀWX)` is what dropping out inputs with probability `p` comes to (Steck,
//!   "Autoencoders that don't overfit towards the identity", `NeurIPS` 2020, full rank);
//! - `B_ji = −P_ji / P_ii^target_exponent`: 1 is EASE, 0 plain ridge regression without the condition on the
//!   diagonal, which no shopper sees who is not shown again what they have (Moon, Kim, Lee, "It's
//!   enough: relaxing diagonal constraints in linear autoencoders for recommendation", SIGIR 2023, go
//!   between the two by another way). Between the scores of two unseen items it shifts weight to the rarer.
//!
//! Of every row of `B` the `n_weights` farthest from 0 are kept, so that a query costs the length of the
//! history times `n_weights` and a model `8 · n_items · n_weights` bytes. `dense` solves for all pairs at
//! once; catalogues beyond `dense_items_max` go by `sparse`, one small system for each item.
//!
//! Weights may be negative: what a shopper sent back or disliked is a target below 0 and, asked with,
//! speaks against what goes with it. Weights far above the others make the others count for little.

mod dense;
mod sparse;

use super::{FitError, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::linalg::{Csr, product::Operand, spd::SpdError};
use serde::{Deserialize, Serialize};

/// Least regularisation of an item, as part of its diagonal: keeps the condition number of what is inverted
/// in `f32` below some 1e4 whatever the weights are.
const RIDGE_PART_MIN: f64 = 1e-4;

/// How the model is solved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EaseParams {
    /// `λ`, on the scale of the weighted Gram matrix, above 0: some 1,000 where items have hundreds of
    /// users, some 100 where they have tens.
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
            regularization: 1_000.0,
            dropout: 0.0,
            user_exponent: 0.8,
            target_exponent: 0.7,
            n_weights: 500,
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
        dense::solve(&columns, &Operand::new(&rows), params, stop)
    } else {
        sparse::solve(&columns, &Operand::new(&rows), params, stop)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::{NEVER_STOP, top_n::top_n};

    fn plain() -> EaseParams {
        EaseParams {
            regularization: 2.0,
            user_exponent: 0.0,
            target_exponent: 1.0,
            ..EaseParams::default()
        }
    }

    fn matrix(n_users: usize, n_items: usize, cells: &[(u32, u32, f32)]) -> InteractionMatrix {
        let cells = cells.iter().map(|&(u, i, value)| (UserIdx(u), ItemIdx(i), value));
        InteractionMatrix::from_cells(n_users, n_items, cells)
    }

    /// 40 users, 30 items, weights 1 to 3 with some dislikes, without a pattern; nobody touched item 29.
    fn example() -> InteractionMatrix {
        let hash = |at: u32| (at ^ 0x9e37).wrapping_mul(2_654_435_761) >> 16;
        let cells: Vec<_> = (0..40 * 29)
            .filter(|&at| hash(at).is_multiple_of(2))
            .map(|at| (at / 29, at % 29, (hash(at + 7_919) % 40) as f32 / 10.0 - 0.45))
            .collect();
        matrix(40, 30, &cells)
    }

    #[test]
    fn weights_agree_with_a_case_by_hand() {
        // Gram matrix [[3, 1], [1, 2]], λ = 2: the inverse is [[4, −1], [−1, 5]] / 19.
        let cells = [(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0), (2, 0, 1.0), (3, 1, 1.0)];
        for dense_items_max in [2, 1, 0] {
            let params = EaseParams { dense_items_max, ..plain() };
            let model = fit(&matrix(4, 2, &cells), &params, NEVER_STOP).unwrap();
            assert!((model.weight(ItemIdx(1), ItemIdx(0)) - 0.25).abs() < 1e-6);
            assert!((model.weight(ItemIdx(0), ItemIdx(1)) - 0.2).abs() < 1e-6);
            let ridge = EaseParams { target_exponent: 0.0, ..params };
            let model = fit(&matrix(4, 2, &cells), &ridge, NEVER_STOP).unwrap();
            assert!((model.weight(ItemIdx(1), ItemIdx(0)) - 1.0 / 19.0).abs() < 1e-6);
            // Dropping out half adds the diagonal once more: [[8, 1], [1, 6]].
            let dropout = EaseParams { dropout: 0.5, ..params };
            let model = fit(&matrix(4, 2, &cells), &dropout, NEVER_STOP).unwrap();
            assert!((model.weight(ItemIdx(1), ItemIdx(0)) - 1.0 / 6.0).abs() < 1e-6);
            // Users with 2, 1, 1, 1 items weigh in at 1/2, 1, 1, 1 times 5/4: [[3.125, .625], [.625, 1.875]].
            let weighted = EaseParams { user_exponent: 1.0, ..params };
            let model = fit(&matrix(4, 2, &cells), &weighted, NEVER_STOP).unwrap();
            assert!((model.weight(ItemIdx(1), ItemIdx(0)) - 0.625 / 3.875).abs() < 1e-6);
        }
    }

    #[test]
    fn no_other_weights_have_a_lower_loss() {
        let matrix = example();
        let params = EaseParams { user_exponent: 0.0, ..plain() };
        let model = fit(&matrix, &params, NEVER_STOP).unwrap();
        // λ is meant for weights of mean square 1.
        let squares = (0..40).flat_map(|user| matrix.row(UserIdx(user)).1);
        let squares: f64 = squares.map(|&x| f64::from(x).powi(2)).sum();
        let penalty = 2.0 * squares / matrix.n_interactions() as f64;
        let loss_of_target = |i: u32, changed: Option<(u32, f64)>| -> f64 {
            let weight = |j: u32| {
                let change = changed.filter(|c| c.0 == j).map_or(0.0, |c| c.1);
                f64::from(model.weight(ItemIdx(j), ItemIdx(i))) + change
            };
            let error = |user: u32| {
                let row = || matrix.row_cells(UserIdx(user));
                let value = row().find(|cell| cell.0 == i).map_or(0.0, |cell| f64::from(cell.1));
                let others = row().filter(|cell| cell.0 != i);
                value - others.map(|(j, x)| f64::from(x) * weight(j)).sum::<f64>()
            };
            (0..40).map(|user| error(user).powi(2)).sum::<f64>()
                + penalty * (0..30).map(|j| weight(j).powi(2)).sum::<f64>()
        };
        for (i, j) in [(0, 5), (7, 1), (28, 3), (12, 13)] {
            let least = loss_of_target(i, None);
            for change in [-0.01, 0.01] {
                assert!(loss_of_target(i, Some((j, change))) > least);
            }
        }
    }

    #[test]
    fn all_candidates_come_to_the_dense_solution() {
        for target_exponent in [1.0, 0.6] {
            let params =
                EaseParams { dropout: 0.2, user_exponent: 0.5, target_exponent, ..plain() };
            let dense = fit(&example(), &params, NEVER_STOP).unwrap();
            for head in [29, 11, 0] {
                let params = EaseParams { dense_items_max: head, ..params };
                let sparse = fit(&example(), &params, NEVER_STOP).unwrap();
                for (j, i) in (0..900).map(|at| (ItemIdx(at / 30), ItemIdx(at % 30))) {
                    // Any two items have a user in common. Weights of size 0.1, f32 keeps 7 digits.
                    let gap = (dense.weight(j, i) - sparse.weight(j, i)).abs();
                    assert!(gap < 1e-5, "{j:?} {i:?} {gap}");
                }
            }
        }
    }

    #[test]
    fn lists_keep_their_heaviest_weights() {
        let whole = fit(&example(), &plain(), NEVER_STOP).unwrap();
        let short = fit(&example(), &EaseParams { n_weights: 4, ..plain() }, NEVER_STOP).unwrap();
        for j in 0..30 {
            let mut cells: Vec<(u32, f32)> = whole.weights.cells(j).collect();
            keep_heaviest(&mut cells, 4);
            assert!(short.weights.cells(j).eq(cells));
        }
        assert!(short.n_bytes() < whole.n_bytes() / 4);
    }

    #[test]
    fn what_the_history_adds_makes_the_score() {
        for dense_items_max in [30, 10] {
            let params = EaseParams { dense_items_max, n_candidates: 12, n_weights: 9, ..plain() };
            let model = fit(&example(), &params, NEVER_STOP).unwrap();
            let query = Query { user: None, history: &[(2, 1.0), (9, -2.0), (20, 3.0), (77, 1.0)] };
            let mut scores = [f32::NAN; 30];
            assert!(model.score_items(query, &mut scores));
            for (item, score) in (0..).map(ItemIdx).zip(scores) {
                let parts = model.contributions(query, item);
                assert_eq!(parts.len(), 4);
                // Three terms of size 1 in f32.
                assert!((parts.iter().sum::<f32>() - score).abs() < 1e-6);
                assert!((model.predict_rating(query, item).unwrap() - score).abs() < 1e-6);
            }
            let nobody = Query { user: None, history: &[(29, 1.0), (30, 1.0)] };
            assert!(!model.score_items(nobody, &mut scores), "nobody touched 29, there is no 30");
            assert_eq!(model.predict_rating(nobody, ItemIdx(0)), None);
            assert_eq!(model.predict_rating(query, ItemIdx(30)), None);
        }
    }

    #[test]
    fn a_dislike_speaks_against_what_goes_with_it() {
        let cells = [(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 1.0), (2, 2, 1.0), (2, 3, 1.0)];
        let model = fit(&matrix(3, 4, &cells), &plain(), NEVER_STOP).unwrap();
        let best = |history: &[(u32, f32)]| {
            let mut scores = [0.0; 4];
            assert!(model.score_items(Query { user: None, history }, &mut scores));
            top_n(&scores, 4, |_| true)
        };
        assert_eq!(best(&[(0, 1.0)])[0].0, ItemIdx(1));
        assert_eq!(best(&[(0, -1.0)])[3].0, ItemIdx(1));
    }

    #[test]
    fn threads_and_odd_data_change_nothing() {
        let with = |threads, params: &EaseParams| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&example(), params, NEVER_STOP)).unwrap()
        };
        for dense_items_max in [30, 10] {
            let params = EaseParams { dense_items_max, ..plain() };
            assert!(with(1, &params) == with(3, &params));
            let odd: [&[(u32, u32, f32)]; 4] = [
                &[(0, 0, 1.0)],
                &[(0, 0, -5.0), (0, 1, -5.0), (1, 1, -5.0)],
                &[(0, 0, 1e12), (0, 1, 1e12), (1, 0, 1e-12)],
                &[(0, 0, 3.0), (0, 1, 3.0), (1, 0, 3.0), (1, 1, 3.0)],
            ];
            for cells in odd {
                let params = EaseParams { dense_items_max: dense_items_max / 30, ..params };
                let model = fit(&matrix(3, 4, cells), &params, NEVER_STOP).unwrap();
                assert_eq!(model.n_items(), 4);
                assert!((0..4).flat_map(|j| model.weights.row(j).1).all(|x| x.is_finite()));
            }
        }
        let of_size = |x| fit(&matrix(1, 2, &[(0, 0, x), (0, 1, x)]), &plain(), NEVER_STOP);
        assert_eq!(of_size(1e30), of_size(1.0), "the shop's scale does not matter");
        assert_eq!(fit(&example(), &plain(), &|| true), Err(FitError::Stopped));
        let empty = fit(&matrix(2, 2, &[]), &plain(), NEVER_STOP);
        assert_eq!(empty, Err(FitError::NoData { model: "ease" }));
    }
}
