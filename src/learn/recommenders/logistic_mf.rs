//! Matrix factorization of the probability that something is liked: logistic matrix factorization.
//!
//! Source: Johnson, "Logistic matrix factorization for implicit feedback data", NIPS workshop on distributed
//! machine learning and matrix computations 2014, equations 1 to 8: with `s_ui = x_u·y_i + β_u + β_i` the
//! log-posterior `Σ α·c_ui·s_ui − (1 + α·c_ui)·ln(1 + exp(s_ui)) − ½·λ·(|x_u|² + |y_i|²)` is made large. Users and
//! items take turns at one gradient step, with the step sizes of Duchi, Hazan, Singer, "Adaptive subgradient
//! methods for online learning and stochastic optimization" (`AdaGrad`), JMLR 2011.
//!
//! Departures: the sum over what was not touched is taken over a sample, `n_negatives` for each
//! interaction of a row and at most all, drawn anew for each step; that weighs what was not touched less than the
//! whole sum would. `c_ui` is a power of the weight
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
use super::negatives::Draws;
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
            alpha: 1.0,
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

/// A fit on its way.
struct Training<'a> {
    /// Of confidences.
    matrix: &'a InteractionMatrix,
    params: &'a LogisticMfParams,
    users: Side,
    items: Side,
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

    /// One step of every row for fixed `others`, in an epoch's `round`.
    fn step<'m>(
        &mut self,
        row_of: impl Fn(u32) -> (&'m [u32], &'m [f32]) + Sync,
        others: &Side,
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
    others: &Side,
    params: &LogisticMfParams,
    mut draws: Draws,
    slopes: &mut [f32],
) -> f32 {
    let d = x.len();
    let n_others = others.biases.len();
    let row = |at: u32| &others.factors[at as usize * d..][..d];
    let score = |at: u32| dot(x, row(at)) + bias + others.biases[at as usize];
    slopes.iter_mut().zip(x).for_each(|(slope, x)| *slope = -params.regularization * x);
    let mut sum = -params.regularization * bias;
    for (&at, confidence) in indices.iter().zip(confidences) {
        let slope = params.alpha * confidence * (1.0 - sigmoid(score(at)));
        add_scaled(slopes, slope, row(at));
        sum += slope;
    }
    let n_drawn = params.n_drawn(indices.len(), n_others);
    for turn in 0..n_drawn as u32 {
        let at = if n_drawn == n_others { turn } else { draws.below(n_others as u32) };
        let slope = -sigmoid(score(at));
        add_scaled(slopes, slope, row(at));
        sum += slope;
    }
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
        Self { matrix, params, users, items }
    }

    fn run_epoch(&mut self, epoch: usize, stop: Stop<'_>) -> Result<(), FitError> {
        let (matrix, params, round) = (self.matrix, self.params, 2 * epoch as u64);
        let row_of = |user| matrix.row(UserIdx(user));
        self.users.step(row_of, &self.items, params, round, stop)?;
        let row_of = |item| matrix.column(ItemIdx(item));
        self.items.step(row_of, &self.users, params, round + 1, stop)
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

    /// Never: a score says how likely a liking is, not how much is liked.
    fn predict_rating(&self, _query: Query<'_>, _item: ItemIdx) -> Option<f32> {
        None
    }

    fn n_bytes(&self) -> usize {
        self.item_factors.n_bytes() + 4 * (self.item_biases.len() + self.sample.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;
    use crate::learn::recommenders::logistic::softplus;
    use crate::learn::recommenders::top_n::top_n;

    /// Users like the items of their own colour, all but one.
    fn checkerboard() -> InteractionMatrix {
        let cells = (0..60_u32).flat_map(|user| {
            let items = (user % 2..24).step_by(2).filter(move |&item| item != missing(user));
            items.map(move |item| (UserIdx(user), ItemIdx(item), 1.0))
        });
        InteractionMatrix::from_cells(60, 24, cells)
    }

    fn missing(user: u32) -> u32 {
        (user / 2 * 2) % 24 + user % 2
    }

    fn params() -> LogisticMfParams {
        LogisticMfParams {
            n_factors: 6,
            n_epochs: 60,
            learning_rate: 0.2,
            regularization: 0.5,
            init_deviation: 0.1,
            ..LogisticMfParams::default()
        }
    }

    /// The log-posterior over all pairs, with the sign turned; `n_negatives` must cover all.
    fn objective(training: &Training<'_>) -> f64 {
        let (users, items, params) = (&training.users, &training.items, training.params);
        let d = params.n_factors;
        let mut sum = 0.0;
        for (user, x) in users.factors.chunks(d).enumerate() {
            let (touched, weights) = training.matrix.row(UserIdx(user as u32));
            for (item, y) in items.factors.chunks(d).enumerate() {
                let s = dot(x, y) + users.biases[user] + items.biases[item];
                let yes = touched.binary_search(&(item as u32)).map_or(0.0, |at| weights[at]);
                let yes = f64::from(params.alpha * yes);
                sum += (1.0 + yes) * f64::from(softplus(s)) - yes * f64::from(s);
            }
        }
        for side in [users, items] {
            let numbers = side.factors.iter().chain(&side.biases);
            let squares: f64 = numbers.map(|&x| f64::from(x).powi(2)).sum();
            sum += 0.5 * f64::from(params.regularization) * squares;
        }
        sum
    }

    #[test]
    fn what_was_withheld_from_a_checkerboard_comes_first() {
        let matrix = checkerboard();
        let model = fit(&matrix, &params(), NEVER_STOP).unwrap();
        for user in 0..60 {
            let history: Vec<_> = matrix.row_cells(UserIdx(user)).collect();
            let mut scores = vec![0.0; 24];
            assert!(model.score_items(Query { user: None, history: &history }, &mut scores));
            let new = |item: ItemIdx| history.iter().all(|cell| cell.0 != item.0);
            assert_eq!(top_n(&scores, 1, new)[0].0.0, missing(user));
        }
    }

    #[test]
    fn the_objective_falls_and_folding_in_gives_about_the_factors_of_a_training_user() {
        let matrix = checkerboard();
        // Enough negatives that all are taken: nothing is drawn.
        let params = LogisticMfParams { n_negatives: 100, n_epochs: 200, ..params() };
        let mut training = Training::new(&matrix, &params);
        let mut objectives = vec![objective(&training)];
        for epoch in 0..200 {
            training.run_epoch(epoch, NEVER_STOP).unwrap();
            objectives.push(objective(&training));
        }
        assert!(objectives[20] < objectives[0] && objectives[200] < objectives[20]);
        let Side { factors, biases, .. } = &training.users;
        let (factors, biases) = (factors.clone(), biases.clone());
        let model = training.finish().unwrap();
        for (user, x) in factors.chunks(6).enumerate() {
            let history: Vec<_> = matrix.row_cells(UserIdx(user as u32)).collect();
            let (folded, bias) = model.fold_in(&history).unwrap();
            let cosine = dot(&folded, x) / (dot(&folded, &folded) * dot(x, x)).sqrt();
            // Gradient steps end near the optimum.
            assert!(cosine > 0.95, "{cosine}");
            assert!((bias - biases[user]).abs() < 0.3, "{bias} {}", biases[user]);
        }
    }

    #[test]
    fn threads_change_nothing() {
        let hash = |at: u32| (at ^ 0x9e37).wrapping_mul(2_654_435_761) >> 20;
        let cells = (0..100_u32 * 90).filter(|&at| hash(at) % 20 == 0);
        let cells =
            cells.map(|at| (UserIdx(at / 90), ItemIdx(at % 90), (1 + hash(at + 1) % 4) as f32));
        let matrix = InteractionMatrix::from_cells(100, 90, cells);
        let params = LogisticMfParams { n_epochs: 3, ..params() };
        let fit_with = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| fit(&matrix, &params, NEVER_STOP).unwrap())
        };
        let model = fit_with(1);
        assert_eq!(model, fit_with(3));
        let other = LogisticMfParams { seed: 8, ..params };
        assert_ne!(model.item_factors, fit(&matrix, &other, NEVER_STOP).unwrap().item_factors);
        assert_eq!(fit(&matrix, &params, &|| true), Err(FitError::Stopped));
    }

    #[test]
    fn odd_data_stays_finite() {
        let cases = [
            vec![(0, 0, 1.0)],
            vec![(0, 0, 1e38), (1, 0, 1e-38), (1, 1, -1.0)],
            vec![(0, 0, 1.0), (0, 1, 1.0), (0, 2, 1.0), (0, 3, 1.0)],
        ];
        let wild = LogisticMfParams { learning_rate: 10.0, alpha: 1e6, ..params() };
        for (cells, params) in cases.iter().flat_map(|cells| [(cells, params()), (cells, wild)]) {
            let cells = cells.iter().map(|&(u, i, w)| (UserIdx(u), ItemIdx(i), w));
            let matrix = InteractionMatrix::from_cells(3, 4, cells);
            let model = fit(&matrix, &params, NEVER_STOP).unwrap();
            let mut scores = vec![0.0; 4];
            let everything = [(0, 1.0), (1, 1e30), (2, 1.0), (3, 1.0), (99, 1.0)];
            for history in [&everything[..1], &everything] {
                assert!(model.score_items(Query { user: None, history }, &mut scores));
                assert!(scores.iter().all(|score| score.is_finite()));
            }
            let dislike = Query { user: None, history: &[(0, -1.0), (99, 1.0)] };
            assert!(!model.score_items(dislike, &mut scores));
        }
        let dislikes = InteractionMatrix::from_cells(1, 1, [(UserIdx(0), ItemIdx(0), -1.0)]);
        let error = fit(&dislikes, &params(), NEVER_STOP).unwrap_err();
        assert_eq!(error, FitError::NoData { model: "logistic_mf" });
        assert!(fit(&InteractionMatrix::from_cells(0, 0, []), &params(), NEVER_STOP).is_err());
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        let good = LogisticMfParams::default();
        assert_eq!(good.check(), Ok(()));
        for (params, name) in [
            (LogisticMfParams { n_factors: 0, ..good }, "n_factors"),
            (LogisticMfParams { n_epochs: 0, ..good }, "n_epochs"),
            (LogisticMfParams { learning_rate: 11.0, ..good }, "learning_rate"),
            (LogisticMfParams { regularization: 0.0, ..good }, "regularization"),
            (LogisticMfParams { alpha: f32::NAN, ..good }, "alpha"),
            (LogisticMfParams { n_negatives: 0, ..good }, "n_negatives"),
            (LogisticMfParams { confidence_exponent: 3.0, ..good }, "confidence_exponent"),
            (LogisticMfParams { init_deviation: -1.0, ..good }, "init_deviation"),
        ] {
            let error = params.check().unwrap_err();
            assert!(matches!(error, FitError::Parameter { parameter, .. } if parameter == name));
        }
    }
}
