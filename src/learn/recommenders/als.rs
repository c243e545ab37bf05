//! Matrix factorization of implicit feedback by alternating least squares (iALS).
//!
//! Sources: Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008, with the
//! objective of Rendle, Krichene, Zhang, Koren, "Revisiting the performance of iALS on item recommendation
//! benchmarks", `RecSys` 2022:
//!
//! `Σ_{(u,i) ∈ S} c_ui·(x_u·y_i − 1)² + α₀·Σ_u Σ_i (x_u·y_i)² + Σ_u λ_u·|x_u|² + Σ_i λ_i·|y_i|²` with
//! `λ_u = λ·(Σ_{i ∈ S_u} c_ui + α₀·n_items)^ν` and `λ_i` alike.
//!
//! Departures: `c_ui` is a power of the weight (they have 1), and is summed where they count; rows and
//! columns without interactions are not counted, so that they change nothing. One epoch solves all users,
//! then all items ([`Solver`]): by one sweep over blocks of factors, which is exact if a block covers them all,
//! or by a few steps of conjugate gradients from where they are.
//!
//! Shapes: `user_factors (n_users, n_factors)` while fitting, `item_factors (n_items, n_factors)` kept. An
//! epoch costs `|S|·d·b + (n_users + n_items)·d·b²/3` for `d` factors in blocks of `b`.
//!
//! A shopper is folded in exactly, as if they were one more user: `x = A⁻¹·Σ_j c_j·y_j` with
//! `A = α₀·YᵀY + Σ_j c_j·y_j·y_jᵀ + λ_u`; so the score of `i` is a sum over the history, of `c_j·y_jᵀA⁻¹y_i`.

mod side;

use super::confidence::{check_exponent, confidences, liked};
use super::{FactorScores, FitError, ItemFactors, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::linalg::normal::{NormalEquations, Rows};
use crate::learn::linalg::{dot, rows};
use ndarray::ArrayView2;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use side::solve_side;

/// How the factors of one user or item are improved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// One sweep of Newton steps over blocks of `block_size` factors (Rendle, Krichene, Zhang, Koren, "iALS++:
    /// Speeding up matrix factorization with subspace optimization", arXiv 2021): exact if there
    /// is one block.
    Blocks,
    /// `n_steps` steps of conjugate gradients (Takács, Pilászy, Tikk, `RecSys` 2011).
    ConjugateGradients,
}

/// How the factors are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlsParams {
    /// Factors of a user or item, 1 to 2,048.
    pub n_factors: usize,
    /// Times that all users and all items are solved, 1 to 1,000; 8 to 16 suffice.
    pub n_epochs: usize,
    /// λ, above 0, at most 1e6: the usual range is 0.001 to 0.1.
    pub regularization: f32,
    /// ν, 0 to 2: how the penalty grows with a user's or item's interactions; 0 is the same for all.
    pub regularization_exponent: f32,
    /// α₀, above 0, at most 1e6: what it counts that something was *not* touched.
    pub unobserved_weight: f32,
    /// What power of a weight is its confidence, 0 (all the same) to 2.
    pub confidence_exponent: f32,
    /// How a user or item is improved.
    pub solver: Solver,
    /// Factors solved together, 1 to 512; for blocks.
    pub block_size: usize,
    /// Steps for a user or item in one epoch, 1 to 100; for conjugate gradients.
    pub n_steps: usize,
    /// Deviation of the random start, times the root of `n_factors`; above 0, at most 10.
    pub init_deviation: f32,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for AlsParams {
    fn default() -> Self {
        Self {
            n_factors: 128,
            n_epochs: 10,
            regularization: 0.01,
            regularization_exponent: 1.0,
            unobserved_weight: 0.2,
            confidence_exponent: 1.0,
            solver: Solver::ConjugateGradients,
            block_size: 128,
            n_steps: 3,
            init_deviation: 0.1,
            seed: 7,
        }
    }
}

impl AlsParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let (n, epochs, block) = (self.n_factors, self.n_epochs, self.block_size);
        check((1..=2_048).contains(&n), "n_factors", "between 1 and 2048", n)?;
        check((1..=1_000).contains(&epochs), "n_epochs", "between 1 and 1000", epochs)?;
        let positive = |x: f32| 0.0 < x && x <= 1e6;
        let (penalty, weight) = (self.regularization, self.unobserved_weight);
        check(positive(penalty), "regularization", "above 0 and at most 1e6", penalty)?;
        let exponent = self.regularization_exponent;
        let fits = (0.0..=2.0).contains(&exponent);
        check(fits, "regularization_exponent", "between 0 and 2", exponent)?;
        check(positive(weight), "unobserved_weight", "above 0 and at most 1e6", weight)?;
        check_exponent(self.confidence_exponent)?;
        check((1..=512).contains(&block), "block_size", "between 1 and 512", block)?;
        let steps = self.n_steps;
        check((1..=100).contains(&steps), "n_steps", "between 1 and 100", steps)?;
        let deviation = self.init_deviation;
        let fits = 0.0 < deviation && deviation <= 10.0;
        check(fits, "init_deviation", "above 0 and at most 10", deviation)
    }

    /// `λ_u` for the confidences of a row, if `n_others` columns have interactions.
    fn penalty(&self, confidences: &[f32], n_others: usize) -> f32 {
        let observed: f64 = confidences.iter().copied().map(f64::from).sum();
        let mass = observed + f64::from(self.unobserved_weight) * n_others as f64;
        let penalty =
            f64::from(self.regularization) * mass.powf(f64::from(self.regularization_exponent));
        penalty as f32
    }
}

/// Factors of every item; users are folded in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Als {
    n_items: usize,
    params: AlsParams,
    /// `y (n_items, n_factors)`.
    item_factors: ItemFactors,
    /// `α₀·yᵀy (n_factors, n_factors)`.
    gram: Vec<f32>,
    /// Items with interactions.
    n_touched: usize,
}

/// Finds the factors from a random start, in parallel on the pool it is called in.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &AlsParams,
    stop: Stop<'_>,
) -> Result<Als, FitError> {
    fit_from(matrix, params, None, stop)
}

/// [`fit`] from item factors `start (n_items, n_factors)` that are known already, by an earlier fit or
/// from attributes; rows that are 0 or not finite start at random. Fewer epochs are needed.
pub fn fit_from(
    matrix: &InteractionMatrix,
    params: &AlsParams,
    start: Option<ArrayView2<'_, f32>>,
    stop: Stop<'_>,
) -> Result<Als, FitError> {
    params.check()?;
    let (n_items, n_factors) = (matrix.n_items(), params.n_factors);
    if let Some(start) = start {
        let (rows, columns) = start.dim();
        let fits = (rows, columns) == (n_items, n_factors);
        check(fits, "start", "of one row an item and one column a factor", columns)?;
    }
    let matrix = &*confidences(matrix, params.confidence_exponent);
    if matrix.n_interactions() == 0 {
        return Err(FitError::NoData { model: "als" });
    }
    let mut training = Training::new(matrix, params, start);
    for _ in 0..params.n_epochs {
        training.solve_users(stop)?;
        training.solve_items(stop)?;
    }
    training.finish().ok_or(FitError::NotFinite { model: "als" })
}

/// A fit on its way.
struct Training<'a> {
    matrix: &'a InteractionMatrix,
    params: &'a AlsParams,
    user_factors: Vec<f32>,
    item_factors: Vec<f32>,
    n_users_active: usize,
    n_items_touched: usize,
}

impl<'a> Training<'a> {
    /// `matrix` holds confidences.
    fn new(
        matrix: &'a InteractionMatrix,
        params: &'a AlsParams,
        start: Option<ArrayView2<'_, f32>>,
    ) -> Self {
        let d = params.n_factors;
        let deviation = params.init_deviation / (d as f32).sqrt();
        let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
        let mut draw = |n: usize| -> Vec<f32> {
            let draws = (0..n * d)
                .map(|_| deviation * Distribution::<f32>::sample(&StandardNormal, &mut rng));
            draws.collect()
        };
        let mut item_factors = draw(matrix.n_items());
        let user_factors = draw(matrix.n_users());
        let known = start.iter().flat_map(|start| start.rows());
        for (to, from) in item_factors.chunks_exact_mut(d).zip(known) {
            if from.iter().all(|x| x.is_finite()) && from.iter().any(|&x| x != 0.0) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        let users = (0..matrix.n_users() as u32).map(UserIdx);
        let items = (0..matrix.n_items() as u32).map(ItemIdx);
        Self {
            matrix,
            params,
            user_factors,
            item_factors,
            n_users_active: users.filter(|&user| !matrix.row(user).0.is_empty()).count(),
            n_items_touched: items.filter(|&item| !matrix.column(item).0.is_empty()).count(),
        }
    }

    fn solve_users(&mut self, stop: Stop<'_>) -> Result<(), FitError> {
        let matrix = self.matrix;
        let row_of = |user| matrix.row(UserIdx(user));
        let others = (&self.item_factors[..], self.n_items_touched);
        solve_side(row_of, &mut self.user_factors, others, self.params, stop)
    }

    fn solve_items(&mut self, stop: Stop<'_>) -> Result<(), FitError> {
        let matrix = self.matrix;
        let row_of = |item| matrix.column(ItemIdx(item));
        let others = (&self.user_factors[..], self.n_users_active);
        solve_side(row_of, &mut self.item_factors, others, self.params, stop)
    }

    fn finish(self) -> Option<Als> {
        let gram = scaled_gram(&self.item_factors, self.params);
        let finite = self.item_factors.iter().chain(&gram).all(|x| x.is_finite());
        finite.then(|| Als {
            n_items: self.matrix.n_items(),
            params: *self.params,
            item_factors: ItemFactors::new(self.item_factors, self.params.n_factors),
            gram,
            n_touched: self.n_items_touched,
        })
    }

    /// What the fit makes small; see the module.
    #[cfg(test)]
    fn objective(&self) -> f64 {
        objective(self.matrix, self.params, &self.user_factors, &self.item_factors)
    }
}

/// `α₀·yᵀy`.
fn scaled_gram(factors: &[f32], params: &AlsParams) -> Vec<f32> {
    let mut gram = rows::gram(factors, params.n_factors);
    for entry in &mut gram {
        *entry *= params.unobserved_weight;
    }
    gram
}

/// The objective of the module for `matrix` of confidences, in `f64`.
fn objective(matrix: &InteractionMatrix, params: &AlsParams, users: &[f32], items: &[f32]) -> f64 {
    let d = params.n_factors;
    let squared = |x: &[f32]| x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    let (mut fit, mut n_users, mut n_items, mut penalties) = (0.0, 0, 0, 0.0);
    for item in 0..matrix.n_items() as u32 {
        n_items += usize::from(!matrix.column(ItemIdx(item)).0.is_empty());
    }
    for user in 0..matrix.n_users() {
        let (indices, weights) = matrix.row(UserIdx(user as u32));
        let x = &users[user * d..(user + 1) * d];
        n_users += usize::from(!indices.is_empty());
        penalties += f64::from(params.penalty(weights, n_items)) * squared(x);
        for (&item, weight) in indices.iter().zip(weights) {
            let product = dot(x, &items[item as usize * d..][..d]);
            fit += f64::from(*weight) * f64::from(product - 1.0).powi(2);
        }
    }
    for item in 0..matrix.n_items() {
        let weights = matrix.column(ItemIdx(item as u32)).1;
        let y = &items[item * d..(item + 1) * d];
        penalties += f64::from(params.penalty(weights, n_users)) * squared(y);
    }
    let grams = rows::gram(users, d).into_iter().zip(rows::gram(items, d));
    let all: f64 = grams.map(|(x, y)| f64::from(x) * f64::from(y)).sum();
    fit + f64::from(params.unobserved_weight) * all + penalties
}

impl Als {
    /// Number of factors.
    pub fn n_factors(&self) -> usize {
        self.params.n_factors
    }

    /// The factors of an item, `None` if the model does not know it.
    pub fn item_factors(&self, item: ItemIdx) -> Option<&[f32]> {
        let (n, at) = (self.params.n_factors, item.0 as usize);
        self.item_factors.get(at * n..(at + 1) * n)
    }

    /// What the fit makes small, for `matrix` and these items, with every user at their best.
    ///
    /// # Panics
    ///
    /// If `matrix` has more items than the model.
    pub fn objective(&self, matrix: &InteractionMatrix) -> f64 {
        let matrix = &*confidences(matrix, self.params.confidence_exponent);
        let fold_in = |user: u32| {
            let (items, weights) = matrix.row(UserIdx(user));
            let folded = self.solved(items, weights).map(|(_, x)| x);
            folded.unwrap_or_else(|| vec![0.0; self.params.n_factors])
        };
        let users: Vec<f32> =
            (0..matrix.n_users() as u32).into_par_iter().flat_map_iter(fold_in).collect();
        objective(matrix, &self.params, &users, &self.item_factors)
    }

    /// Where a history lies among the factors; `None` if it has no item that is known and liked.
    pub fn fold_in(&self, history: &[(u32, f32)]) -> Option<Vec<f32>> {
        let (items, confidences) = liked(history, self.n_items, self.params.confidence_exponent);
        self.solved(&items, &confidences).map(|(_, x)| x)
    }

    /// The factorised problem of a shopper, and its solution.
    fn solved(&self, items: &[u32], confidences: &[f32]) -> Option<(NormalEquations, Vec<f32>)> {
        let d = self.params.n_factors;
        if items.is_empty() {
            return None;
        }
        let mut problem = NormalEquations::new(d);
        let penalty = self.params.penalty(confidences, self.n_touched);
        problem.start(&self.gram, d, 0..d, penalty);
        let rows = Rows { factors: &self.item_factors, width: d, start: 0, indices: items };
        problem.add(rows, confidences, None);
        let x = problem.solve().to_vec();
        x.iter().any(|&x| x != 0.0).then_some((problem, x))
    }
}

impl Recommender for Als {
    fn n_items(&self) -> usize {
        self.n_items
    }

    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        debug_assert_eq!(scores.len(), self.n_items);
        let Some(placed) = self.factor_scores(query) else { return false };
        placed.score_all(scores);
        true
    }

    fn factor_scores(&self, query: Query<'_>) -> Option<FactorScores<'_>> {
        let x = self.fold_in(query.history)?;
        Some(FactorScores { factors: &self.item_factors, x, biases: None })
    }

    fn contributions(&self, query: Query<'_>, item: ItemIdx) -> Vec<f32> {
        let exponent = self.params.confidence_exponent;
        let (items, confidences) = liked(query.history, self.n_items, exponent);
        let (Some(of_item), Some((problem, _))) =
            (self.item_factors(item), self.solved(&items, &confidences))
        else {
            return Vec::new();
        };
        let mut z = of_item.to_vec();
        problem.solve_for(&mut z);
        let part = |cell: &(u32, f32)| {
            let (_, confidence) = liked(&[*cell], self.n_items, exponent);
            let factors = self.item_factors(ItemIdx(cell.0));
            confidence.first().zip(factors).map_or(0.0, |(c, factors)| c * dot(factors, &z))
        };
        query.history.iter().map(part).collect()
    }

    fn n_bytes(&self) -> usize {
        self.item_factors.n_bytes() + 4 * self.gram.len()
    }
}

#[cfg(test)]
mod tests;
