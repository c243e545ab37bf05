//! Matrix factorization of the probability that something is liked: logistic matrix factorization.
//!
//! Source: Johnson, "Logistic matrix factorization for implicit feedback data", NIPS workshop on distributed
//! machine learning and matrix computations 2014: with `s_ui = x_u·y_i + β_u + β_i` the
//! log-posterior `Σ α·c_ui·s_ui − (1 + α·c_ui)·ln(1 + exp(s_ui)) − ½·λ·(|x_u|² + |y_i|²)` is made large. Users and
//! items take turns at one gradient step, with the step sizes of Duchi, Hazan, Singer, "Adaptive subgradient
//! methods for online learning and stochastic optimization" (`AdaGrad`), JMLR 2011.
//!
//! Departures: the sum over all items of a user is taken over a sample, `n_negatives` for each interaction
//! and at most all, drawn anew for each step; so a user's noes count in proportion to their yeses. An item's step draws
//! users as often as their own steps draw it, so that both sides climb the same objective: were they drawn by
//! the item's interactions, no bias could say that an item is popular. `c_ui` is a power of the weight
//! (the source has the count or its logarithm). A drawn item that was touched counts as the source counts
//! it: its weight of a no is 1 whether it was touched or not. Biases are regularised like factors; rows
//! without interactions stay 0.
//!
//! Shapes: `item_factors (n_items, n_factors)` and `item_biases (n_items)` are kept. An epoch costs
//! `4·|S|·(1 + n_negatives)·d`, in parallel over rows.
//!
//! A shopper is folded in by the same log-posterior over `x_u` and `β_u`, which is concave: Newton's method,
//! with at most 1,024 items in place of those that were not touched, each counting for
//! several if the fit would have drawn more. That is approximate in this sample.

use super::confidence::{check_exponent, confidences, liked};
use super::logistic::{LogisticProblem, sigmoid};
use super::negatives::{Draws, Shares};
use super::{FactorScores, FitError, ItemFactors, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::linalg::kernels::{add_scaled, dot};
use multiversion::multiversion;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Most items that stand for those a shopper did not touch.
const N_FOLD_IN_MAX: usize = 1_024;

/// Rows that are one piece of work.
const N_ROWS: usize = 32;

/// Added to the sums of squares under a step, so that a first gradient of 0 divides by no 0.
const SQUARES_MIN: f32 = 1e-6;

/// Largest part of a gradient that counts; keeps sums of squares within an `f32` whatever the weights are.
const SLOPE_MAX: f32 = 1e8;

/// How the factors are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticMfParams {
    /// Factors of a user or item, 1 to 2,048.
    pub n_factors: usize,
    /// Times that all users and all items take a step, 1 to 10,000.
    pub n_epochs: usize,
    /// γ, the size of a first step, above 0, at most 10.
    pub learning_rate: f32,
    /// λ, above 0, at most 1e6.
    pub regularization: f32,
    /// α, above 0, at most 1e6: what an interaction counts against one that did not happen.
    pub alpha: f32,
    /// Others drawn for each interaction, 1 to 1,000.
    pub n_negatives: usize,
    /// What power of a weight is its confidence, 0 (all the same) to 2.
    pub confidence_exponent: f32,
    /// Deviation of the random start, times the root of `n_factors`; above 0, at most 10.
    pub init_deviation: f32,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for LogisticMfParams {
    fn default() -> Self {
        Self {
            n_factors: 64,
            n_epochs: 30,
            learning_rate: 0.1,
            regularization: 10.0,
            alpha: 2.0,
            n_negatives: 5,
            confidence_exponent: 1.0,
            init_deviation: 0.1,
            seed: 7,
        }
    }
}

impl LogisticMfParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let (n, epochs, negatives) = (self.n_factors, self.n_epochs, self.n_negatives);
        check((1..=2_048).contains(&n), "n_factors", "between 1 and 2048", n)?;
        check((1..=10_000).contains(&epochs), "n_epochs", "between 1 and 10000", epochs)?;
        let rate = self.learning_rate;
        let up_to = |most: f32, x: f32| 0.0 < x && x <= most;
        check(up_to(10.0, rate), "learning_rate", "above 0 and at most 10", rate)?;
        let penalty = self.regularization;
        check(up_to(1e6, penalty), "regularization", "above 0 and at most 1e6", penalty)?;
        check(up_to(1e6, self.alpha), "alpha", "above 0 and at most 1e6", self.alpha)?;
        let fits = (1..=1_000).contains(&negatives);
        check(fits, "n_negatives", "between 1 and 1000", negatives)?;
        check_exponent(self.confidence_exponent)?;
        let deviation = self.init_deviation;
        check(up_to(10.0, deviation), "init_deviation", "above 0 and at most 10", deviation)
    }

    /// How many of `n_others` stand for those that a row with so many cells did not touch.
    fn n_drawn(&self, n_cells: usize, n_others: usize) -> usize {
        n_cells.saturating_mul(self.n_negatives).min(n_others)
    }
}

/// Factors and biases of every item; users are folded in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticMf {
    params: LogisticMfParams,
    /// `y (n_items, n_factors)`.
    item_factors: ItemFactors,
    /// `β (n_items)`.
    item_biases: Vec<f32>,
    /// Items that stand for those a shopper did not touch, in random order.
    sample: Vec<u32>,
}

/// Finds the factors from a random start, in parallel on the pool it is called in.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &LogisticMfParams,
    stop: Stop<'_>,
) -> Result<LogisticMf, FitError> {
    params.check()?;
    let matrix = &*confidences(matrix, params.confidence_exponent);
    if matrix.n_interactions() == 0 {
        return Err(FitError::NoData { model: "logistic_mf" });
    }
    let mut training = Training::new(matrix, params);
    for epoch in 0..params.n_epochs {
        training.run_epoch(epoch, stop)?;
    }
    training.finish().ok_or(FitError::NotFinite { model: "logistic_mf" })
}

/// Users or items on their way.
struct Side {
    factors: Vec<f32>,
    biases: Vec<f32>,
    /// Sums of squared gradients of each factor, and of each bias.
    factor_squares: Vec<f32>,
    bias_squares: Vec<f32>,
}

/// The other side of a step.
#[derive(Clone, Copy)]
struct Others<'a> {
    side: &'a Side,
    /// How often each is drawn as a no.
    noes: &'a Shares,
    /// How many noes every row has; none if that depends on its interactions.
    noes_each: Option<f64>,
}

/// A fit on its way.
struct Training<'a> {
    /// Of confidences.
    matrix: &'a InteractionMatrix,
    params: &'a LogisticMfParams,
    users: Side,
    items: Side,
    /// Users by the number of items that they draw.
    user_shares: Shares,
    /// Items, all alike.
    item_shares: Shares,
}

impl Side {
    /// `has_cells` says of a row whether it has interactions.
    fn new(
        n: usize,
        params: &LogisticMfParams,
        rng: &mut ChaCha8Rng,
        has_cells: impl Fn(u32) -> bool,
    ) -> Self {
        let d = params.n_factors;
        let deviation = params.init_deviation / (d as f32).sqrt();
        let mut factors: Vec<f32> = (0..n * d)
            .map(|_| deviation * Distribution::<f32>::sample(&StandardNormal, rng))
            .collect();
        for (row, factors) in (0..).zip(factors.chunks_exact_mut(d)) {
            if !has_cells(row) {
                factors.fill(0.0);
            }
        }
        let (biases, bias_squares) = (vec![0.0; n], vec![0.0; n]);
        Self { factors, biases, factor_squares: vec![0.0; n * d], bias_squares }
    }

    /// One step of every row for fixed others, in an epoch's `round`.
    fn step<'m>(
        &mut self,
        row_of: impl Fn(u32) -> (&'m [u32], &'m [f32]) + Sync,
        others: Others<'_>,
        params: &LogisticMfParams,
        round: u64,
        stop: Stop<'_>,
    ) -> Result<(), FitError> {
        let d = params.n_factors;
        let n_rows = self.biases.len() as u64;
        let factors = self.factors.par_chunks_mut(N_ROWS * d);
        let factors = factors.zip(self.factor_squares.par_chunks_mut(N_ROWS * d));
        let biases =
            self.biases.par_chunks_mut(N_ROWS).zip(self.bias_squares.par_chunks_mut(N_ROWS));
        factors.zip(biases).enumerate().try_for_each_init(
            || vec![0.0; d],
            |slopes, (part, ((factors, factor_squares), (biases, bias_squares)))| {
                if stop() {
                    return Err(FitError::Stopped);
                }
                let factors = factors.chunks_exact_mut(d).zip(factor_squares.chunks_exact_mut(d));
                let biases = biases.iter_mut().zip(bias_squares);
                for (at, ((x, x_squares), (bias, bias_squares))) in factors.zip(biases).enumerate()
                {
                    let row = part * N_ROWS + at;
                    let cells = row_of(row as u32);
                    if cells.0.is_empty() {
                        continue;
                    }
                    let draws = Draws::new(params.seed, round * n_rows + row as u64);
                    let bias_slope = slopes_of(cells, (x, *bias), others, params, draws, slopes);
                    let rate = params.learning_rate;
                    climb(x, x_squares, slopes, rate);
                    let bias = std::slice::from_mut(bias);
                    climb(bias, std::slice::from_mut(bias_squares), &[bias_slope], rate);
                }
                Ok(())
            },
        )
    }
}

/// Overwrites `slopes` by the gradient of a row's part of the log-posterior over its factors `x`;
/// returns that over its bias.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn slopes_of(
    (indices, confidences): (&[u32], &[f32]),
    (x, bias): (&[f32], f32),
    others: Others<'_>,
    params: &LogisticMfParams,
    draws: Draws,
    slopes: &mut [f32],
) -> f32 {
    let Others { side: others, noes, noes_each } = others;
    let d = x.len();
    let row = |at: u32| &others.factors[at as usize * d..][..d];
    let score = |at: u32| dot(x, row(at)) + bias + others.biases[at as usize];
    slopes.iter_mut().zip(x).for_each(|(slope, x)| *slope = -params.regularization * x);
    let mut sum = -params.regularization * bias;
    for (&at, confidence) in indices.iter().zip(confidences) {
        let slope = params.alpha * confidence * (1.0 - sigmoid(score(at)));
        add_scaled(slopes, slope, row(at));
        sum += slope;
    }
    let n_noes = noes_each.unwrap_or_else(|| params.n_drawn(indices.len(), noes.len()) as f64);
    let n_drawn = n_noes.ceil();
    let weight = (n_noes / n_drawn) as f32;
    noes.draw(n_drawn as usize, draws, |at| {
        let slope = -weight * sigmoid(score(at));
        add_scaled(slopes, slope, row(at));
        sum += slope;
    });
    sum
}

/// One step uphill, shorter for numbers that were moved much.
fn climb(x: &mut [f32], squares: &mut [f32], slopes: &[f32], rate: f32) {
    for ((x, squares), slope) in x.iter_mut().zip(squares).zip(slopes) {
        let slope = slope.clamp(-SLOPE_MAX, SLOPE_MAX);
        *squares += slope * slope;
        *x += rate * slope / (*squares + SQUARES_MIN).sqrt();
    }
}

impl<'a> Training<'a> {
    fn new(matrix: &'a InteractionMatrix, params: &'a LogisticMfParams) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
        let is_active = |user| !matrix.row(UserIdx(user)).0.is_empty();
        let is_touched = |item| !matrix.column(ItemIdx(item)).0.is_empty();
        let items = Side::new(matrix.n_items(), params, &mut rng, is_touched);
        let users = Side::new(matrix.n_users(), params, &mut rng, is_active);
        let n_items = matrix.n_items();
        let n_drawn = |user| params.n_drawn(matrix.row(UserIdx(user)).0.len(), n_items) as u64;
        let user_shares = Shares::new((0..matrix.n_users() as u32).map(n_drawn));
        let item_shares = Shares::new((0..n_items).map(|_| 1));
        Self { matrix, params, users, items, user_shares, item_shares }
    }

    fn run_epoch(&mut self, epoch: usize, stop: Stop<'_>) -> Result<(), FitError> {
        let (matrix, params, round) = (self.matrix, self.params, 2 * epoch as u64);
        let row_of = |user| matrix.row(UserIdx(user));
        let others = Others { side: &self.items, noes: &self.item_shares, noes_each: None };
        self.users.step(row_of, others, params, round, stop)?;
        let row_of = |item| matrix.column(ItemIdx(item));
        let noes_each = Some(self.user_shares.total() as f64 / matrix.n_items() as f64);
        let others = Others { side: &self.users, noes: &self.user_shares, noes_each };
        self.items.step(row_of, others, params, round + 1, stop)
    }

    fn finish(self) -> Option<LogisticMf> {
        let Side { factors: item_factors, biases: item_biases, .. } = self.items;
        let finite = item_factors.iter().chain(&item_biases).all(|x| x.is_finite());
        let n_items = item_biases.len();
        let sample = Draws::new(self.params.seed, u64::MAX)
            .evenly(n_items.min(N_FOLD_IN_MAX), n_items as u32);
        finite.then(|| LogisticMf {
            params: *self.params,
            item_factors: ItemFactors::new(item_factors, self.params.n_factors),
            item_biases,
            sample,
        })
    }
}

impl LogisticMf {
    /// Number of factors.
    pub fn n_factors(&self) -> usize {
        self.params.n_factors
    }

    /// The factors of an item, `None` if the model does not know it.
    pub fn item_factors(&self, item: ItemIdx) -> Option<&[f32]> {
        let (n, at) = (self.params.n_factors, item.0 as usize);
        self.item_factors.get(at * n..(at + 1) * n)
    }

    /// How ready everybody is for an item, `None` if the model does not know it.
    pub fn item_bias(&self, item: ItemIdx) -> Option<f32> {
        self.item_biases.get(item.0 as usize).copied()
    }

    /// Where a history lies among the factors, and its bias; `None` if it has no item that is known
    /// and liked.
    pub fn fold_in(&self, history: &[(u32, f32)]) -> Option<(Vec<f32>, f32)> {
        let (d, n_items) = (self.params.n_factors, self.item_biases.len());
        let (items, confidences) = liked(history, n_items, self.params.confidence_exponent);
        if items.is_empty() {
            return None;
        }
        // The bias is one more unknown, whose factor is 1 for all items.
        let mut problem = LogisticProblem::new(d + 1);
        let mut push = |item: u32, yes: f32, no: f32| {
            let row = &self.item_factors[item as usize * d..][..d];
            let row = row.iter().copied().chain([1.0]);
            problem.push(row, self.item_biases[item as usize], yes, no);
        };
        for (&item, confidence) in items.iter().zip(&confidences) {
            push(item, self.params.alpha * confidence, 0.0);
        }
        let n_drawn = self.params.n_drawn(items.len(), n_items);
        let n = n_drawn.min(self.sample.len());
        self.sample[..n].iter().for_each(|&item| push(item, 0.0, n_drawn as f32 / n as f32));
        let mut x = vec![0.0; d + 1];
        problem.improve(&mut x, self.params.regularization, usize::MAX);
        let bias = x.pop()?;
        Some((x, bias))
    }
}

impl Recommender for LogisticMf {
    fn n_items(&self) -> usize {
        self.item_biases.len()
    }

    /// Log-odds that an item is liked, among as many others as the fit draws.
    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        debug_assert_eq!(scores.len(), self.item_biases.len());
        let Some(placed) = self.factor_scores(query) else { return false };
        placed.score_all(scores);
        true
    }

    fn factor_scores(&self, query: Query<'_>) -> Option<FactorScores<'_>> {
        let (x, bias) = self.fold_in(query.history)?;
        let biases = Some((&self.item_biases[..], bias));
        Some(FactorScores { factors: &self.item_factors, x, biases })
    }

    fn n_bytes(&self) -> usize {
        self.item_factors.n_bytes() + 4 * (self.item_biases.len() + self.sample.len())
    }
}

#[cfg(test)]
mod tests;
