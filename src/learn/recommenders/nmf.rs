//! Non-negative matrix factorisation, `V ≈ W·H` without a number below 0: a shopper is a mixture of tastes,
//! and every taste a list of items that only ever adds.
//!
//! Sources: Lee and Seung, "Algorithms for non-negative matrix factorization", NIPS 2000, for the two losses and
//! their multiplicative steps (theorems 1 and 2); Cichocki and Phan, "Fast local algorithms for large
//! scale nonnegative matrix and tensor factorizations", IEICE Transactions on Fundamentals 2009, for coordinate
//! descent (HALS); Gillis and Glineur, "Accelerated multiplicative updates and hierarchical ALS algorithms for
//! nonnegative matrix factorization", Neural Computation 2012, for several sweeps over a side before
//! the other side's turn, because the products with the data are made once for all of them.
//!
//! What is made small is `‖V − WH‖² + λ·(‖W‖² + ‖H‖²)`, or the divergence
//! `Σ (v·ln(v / wh) − v + wh) + λ/2·(‖W‖² + ‖H‖²)`. Departures: `V` is a power of the weights; cells without
//! an interaction are 0 and count, and weights of 0 and below are such cells; `λ` of squared errors is measured in
//! `‖V‖/√n_factors`, which is about what a singular value is, so that as much is held back in a small shop as in
//! a large one.
//!
//! Shapes: `w (n_users, n_factors)` while fitting, `hᵀ (n_items, n_factors)` kept; `V` is never made dense.
//! An epoch costs `2·|S|·d + (n_users + n_items)·d²·(n_sweeps + ½)` for `|S|` interactions and `d` factors; with the
//! divergence `4·|S|·d·n_sweeps`.
//!
//! A shopper is folded in as if they were one more user (`shopper`). `side` improves users or
//! items, `start` is where both begin.

mod shopper;
mod side;
mod start;

use super::confidence::{check_exponent, confidences, liked};
use super::{FactorScores, FitError, ItemFactors, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::linalg::{dense, rows};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use shopper::{History, LeastDivergence, LeastSquares};
use side::{Fixed, width_of};

/// Users whose errors are summed by one task.
const BLOCK: usize = 512;

/// Items that go into one product of `f64`.
const ITEMS_BLOCK: usize = 4_096;

/// How a side is improved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// One factor after the other goes to where the error is least (HALS); squared errors only.
    CoordinateDescent,
    /// Every factor is multiplied by a ratio; slower, and for both losses.
    Multiplicative,
}

/// How far apart data and factorisation are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The sum of squared errors.
    Frobenius,
    /// The generalised divergence of Kullback and Leibler: weights are counts (Poisson).
    KullbackLeibler,
}

/// Where the factors begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Random, of the size of the data.
    Random,
    /// The leading singular vectors without what is below 0.
    Nndsvd,
}

/// How the factors are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NmfParams {
    /// How a side is improved.
    pub solver: Solver,
    /// What is made small.
    pub loss: Loss,
    /// Factors of a user or item, 1 to 2,048.
    pub n_factors: usize,
    /// Most times that all users and all items are improved, 1 to 10,000.
    pub n_epochs: usize,
    /// Times a side is improved before the other's turn, 1 to 100.
    pub n_sweeps: usize,
    /// The fit ends before `n_epochs` when an epoch lessens the relative error, or the divergence as part of the sum
    /// of the weights, by less than this, penalties included; 0 (never) to 1.
    pub tolerance: f32,
    /// Where the factors begin.
    pub init: Init,
    /// λ, 0 to 1e6; of squared errors in `‖V‖/√n_factors`. 0.1 to 0.2 make better lists than 0, and
    /// less exact products.
    pub regularization: f32,
    /// What power of a weight is factorised, 0 (all are 1) to 2.
    pub confidence_exponent: f32,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for NmfParams {
    fn default() -> Self {
        Self {
            solver: Solver::CoordinateDescent,
            loss: Loss::Frobenius,
            n_factors: 64,
            n_epochs: 100,
            n_sweeps: 1,
            tolerance: 1e-5,
            init: Init::Random,
            regularization: 0.2,
            confidence_exponent: 1.0,
            seed: 7,
        }
    }
}

impl NmfParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let descends = self.solver == Solver::CoordinateDescent;
        let fits = !(descends && self.loss == Loss::KullbackLeibler);
        check(
            fits,
            "solver",
            "multiplicative for the loss kullback_leibler",
            "coordinate_descent",
        )?;
        let (n, epochs, sweeps) = (self.n_factors, self.n_epochs, self.n_sweeps);
        check((1..=2_048).contains(&n), "n_factors", "between 1 and 2048", n)?;
        check((1..=10_000).contains(&epochs), "n_epochs", "between 1 and 10000", epochs)?;
        check((1..=100).contains(&sweeps), "n_sweeps", "between 1 and 100", sweeps)?;
        let tolerance = self.tolerance;
        check((0.0..=1.0).contains(&tolerance), "tolerance", "between 0 and 1", tolerance)?;
        let penalty = self.regularization;
        check((0.0..=1e6).contains(&penalty), "regularization", "between 0 and 1e6", penalty)?;
        check_exponent(self.confidence_exponent)
    }
}

/// Factors of every item; users are folded in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nmf {
    n_items: usize,
    params: NmfParams,
    /// `hᵀ (n_items, n_factors)`.
    item_factors: ItemFactors,
    /// Squared errors: `hhᵀ + λ (n_factors, n_factors)`. Divergence: the sum of each factor.
    moments: Vec<f32>,
    relative_error: f64,
    n_epochs: usize,
}

/// Finds the factors, in parallel on the pool it is called in.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &NmfParams,
    stop: Stop<'_>,
) -> Result<Nmf, FitError> {
    params.check()?;
    let matrix = &*confidences(matrix, params.confidence_exponent);
    if matrix.n_interactions() == 0 {
        return Err(FitError::NoData { model: "nmf" });
    }
    let mut training = Training::new(matrix, params, stop)?;
    let (mut before, mut n_epochs) = (f64::INFINITY, 0);
    while n_epochs < params.n_epochs {
        let error = training.run_epoch(stop)?;
        n_epochs += 1;
        if before - error < f64::from(params.tolerance) && params.tolerance > 0.0 {
            break;
        }
        before = error;
    }
    training.finish(n_epochs).ok_or(FitError::NotFinite { model: "nmf" })
}

/// A fit on its way.
struct Training<'a> {
    /// Of confidences.
    matrix: &'a InteractionMatrix,
    params: &'a NmfParams,
    width: usize,
    /// Rows of `width`.
    user_factors: Vec<f32>,
    item_factors: Vec<f32>,
    /// Without the penalty; of the items as they are.
    item_moments: Vec<f32>,
    /// What the error of a factorisation that is 0 would be: `‖V‖²`, or `Σ v` for the divergence.
    scale: f64,
    /// What the divergence has without any factors: `Σ (v·ln v − v)`.
    constant: f64,
    lambda: f32,
}

impl<'a> Training<'a> {
    fn new(
        matrix: &'a InteractionMatrix,
        params: &'a NmfParams,
        stop: Stop<'_>,
    ) -> Result<Self, FitError> {
        let (user_factors, item_factors) = start::start(matrix, params, stop)?;
        let users = (0..matrix.n_users() as u32).map(UserIdx);
        let weights = users.flat_map(|user| matrix.row(user).1).copied().map(f64::from);
        let (mut squares, mut sum, mut constant) = (0.0, 0.0, 0.0);
        for weight in weights {
            squares += weight * weight;
            sum += weight;
            constant += weight * weight.ln() - weight;
        }
        let width = width_of(params.n_factors);
        let unit = match params.loss {
            Loss::Frobenius => (squares / params.n_factors as f64).sqrt() as f32,
            Loss::KullbackLeibler => 1.0,
        };
        Ok(Self {
            matrix,
            params,
            width,
            item_moments: moments(&item_factors, width, params.loss),
            user_factors,
            item_factors,
            scale: if params.loss == Loss::Frobenius { squares } else { sum },
            constant,
            lambda: unit * params.regularization,
        })
    }

    /// Improves all users, then all items, and says how far the factorisation is from the data, penalties
    /// included: after that for squared errors, between the two for the divergence.
    fn run_epoch(&mut self, stop: Stop<'_>) -> Result<f64, FitError> {
        let (matrix, params) = (self.matrix, self.params);
        self.improve_users(stop)?;
        let user_moments = moments(&self.user_factors, self.width, params.loss);
        let between = (params.loss == Loss::KullbackLeibler)
            .then(|| (inner(&user_moments, &self.item_moments), self.penalty()));
        let penalised = self.penalised(&user_moments);
        let fixed = Fixed { factors: &self.user_factors, width: self.width, moments: &penalised };
        let row_of = |item| matrix.column(ItemIdx(item));
        let part = side::improve(row_of, &mut self.item_factors, fixed, params, stop)?;
        self.item_moments = moments(&self.item_factors, self.width, params.loss);
        Ok(if let Some((sum, penalty)) = between {
            (self.constant - part + sum + penalty / 2.0) / self.scale
        } else {
            let squares = inner(&user_moments, &self.item_moments);
            let error = self.scale - 2.0 * part + squares + self.penalty();
            (error.max(0.0) / self.scale).sqrt()
        })
    }

    fn improve_users(&mut self, stop: Stop<'_>) -> Result<(), FitError> {
        let matrix = self.matrix;
        let penalised = self.penalised(&self.item_moments);
        let fixed = Fixed { factors: &self.item_factors, width: self.width, moments: &penalised };
        let row_of = |user| matrix.row(UserIdx(user));
        side::improve(row_of, &mut self.user_factors, fixed, self.params, stop)?;
        Ok(())
    }

    /// `λ` on the diagonal of a Gram matrix, of the factors that there are.
    fn penalised(&self, moments: &[f32]) -> Vec<f32> {
        let mut penalised = moments.to_vec();
        if self.params.loss == Loss::Frobenius {
            for factor in 0..self.params.n_factors {
                penalised[factor * (self.width + 1)] += self.lambda;
            }
        }
        penalised
    }

    /// `λ·(‖W‖² + ‖H‖²)`.
    fn penalty(&self) -> f64 {
        let lambda = f64::from(self.lambda);
        if lambda == 0.0 {
            return 0.0;
        }
        let squared = |x: &[f32]| x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        lambda * (squared(&self.user_factors) + squared(&self.item_factors))
    }

    fn finish(self, n_epochs: usize) -> Option<Nmf> {
        let (n, width) = (self.params.n_factors, self.width);
        let users_finite = self.user_factors.iter().all(|x| x.is_finite());
        let relative_error =
            relative_error(self.matrix, &self.user_factors, &self.item_factors, width);
        let rows = self.item_factors.chunks_exact(width);
        let item_factors: Vec<f32> = rows.flat_map(|row| &row[..n]).copied().collect();
        let rows = self.penalised(&self.item_moments);
        let rows = rows.chunks_exact(width).take(n);
        let moments: Vec<f32> = rows.flat_map(|row| &row[..n]).copied().collect();
        let finite = item_factors.iter().chain(&moments).all(|x| x.is_finite());
        (users_finite && finite && relative_error.is_finite()).then(|| Nmf {
            n_items: self.matrix.n_items(),
            params: *self.params,
            item_factors: ItemFactors::new(item_factors, n),
            moments,
            relative_error,
            n_epochs,
        })
    }
}

/// What the other side needs to know of these factors; see [`Fixed`].
fn moments(factors: &[f32], width: usize, loss: Loss) -> Vec<f32> {
    match loss {
        Loss::Frobenius => rows::gram(factors, width),
        Loss::KullbackLeibler => {
            let mut sums = vec![0.0_f64; width];
            for row in factors.chunks_exact(width) {
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
            }
            sums.into_iter().map(|sum| sum as f32).collect()
        }
    }
}

/// The sum of the products of entries in the same places.
fn inner(x: &[f32], y: &[f32]) -> f64 {
    x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

/// `‖V − WH‖ / ‖V‖`, in `f64`: `‖V‖² − 2⟨V, WH⟩ + ‖WH‖²`, of which the last is a sum of `wᵀ·HHᵀ·w` over users.
fn relative_error(matrix: &InteractionMatrix, users: &[f32], items: &[f32], width: usize) -> f64 {
    let all_items = ArrayView2::from_shape((matrix.n_items(), width), items)
        .expect("there is a row for each item");
    let mut gram = Array2::zeros((width, width));
    for block in all_items.axis_chunks_iter(Axis(0), ITEMS_BLOCK) {
        dense::add_gram(block.mapv(f64::from).view(), &mut gram);
    }
    let parts = users.par_chunks(BLOCK * width).enumerate().map(|(block, rows)| {
        let (mut error, mut squares) = (0.0, 0.0);
        for (user, w) in (block * BLOCK..).zip(rows.chunks_exact(width)) {
            for (item, weight) in matrix.row_cells(UserIdx(user as u32)) {
                let weight = f64::from(weight);
                let h = &items[item as usize * width..][..width];
                error += weight * (weight - 2.0 * inner(w, h));
                squares += weight * weight;
            }
            for (&x, line) in w.iter().zip(gram.rows()) {
                if x != 0.0 {
                    let product: f64 = line.iter().zip(w).map(|(g, &w)| g * f64::from(w)).sum();
                    error += f64::from(x) * product;
                }
            }
        }
        (error, squares)
    });
    let parts: Vec<(f64, f64)> = parts.collect();
    let (error, squares) =
        parts.into_iter().fold((0.0, 0.0), |sums, part| (sums.0 + part.0, sums.1 + part.1));
    // Rounding may leave a little less than nothing; what is not a number stays so.
    if error < 0.0 { 0.0 } else { (error / squares).sqrt() }
}

/// A shopper among the factors.
enum Folded {
    Squares(LeastSquares),
    Divergence(LeastDivergence),
}

impl Nmf {
    /// Number of factors.
    pub fn n_factors(&self) -> usize {
        self.params.n_factors
    }

    /// The factors of an item, `None` if the model does not know it.
    pub fn item_factors(&self, item: ItemIdx) -> Option<&[f32]> {
        let (n, at) = (self.params.n_factors, item.0 as usize);
        self.item_factors.get(at * n..(at + 1) * n)
    }

    /// `‖V − WH‖ / ‖V‖` of the fit, whichever its loss.
    pub fn relative_error(&self) -> f64 {
        self.relative_error
    }

    /// Epochs until the fit ended.
    pub fn n_epochs(&self) -> usize {
        self.n_epochs
    }

    /// Where a history lies among the factors; `None` if it has no item that is known and liked.
    pub fn fold_in(&self, history: &[(u32, f32)]) -> Option<Vec<f32>> {
        Some(match self.folded(&self.known(history)?)? {
            Folded::Squares(folded) => folded.x,
            Folded::Divergence(folded) => folded.x,
        })
    }

    /// What of a history is liked and has factors.
    fn known(&self, history: &[(u32, f32)]) -> Option<History> {
        let (items, weights) = liked(history, self.n_items, self.params.confidence_exponent);
        let mut known = History { factors: Vec::new(), weights: Vec::new() };
        for (item, weight) in items.into_iter().zip(weights) {
            let factors = self.item_factors(ItemIdx(item))?;
            if factors.iter().any(|&x| x > 0.0) {
                known.factors.extend_from_slice(factors);
                known.weights.push(weight);
            }
        }
        (!known.weights.is_empty()).then_some(known)
    }

    fn folded(&self, history: &History) -> Option<Folded> {
        Some(match self.params.loss {
            Loss::Frobenius => Folded::Squares(LeastSquares::new(&self.moments, history)?),
            Loss::KullbackLeibler => {
                let penalty = self.params.regularization;
                Folded::Divergence(LeastDivergence::new(&self.moments, history, penalty))
            }
        })
    }
}

impl Recommender for Nmf {
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
        let Some((of_item, history)) = self.item_factors(item).zip(self.known(query.history))
        else {
            return Vec::new();
        };
        let parts = match self.folded(&history) {
            Some(Folded::Squares(folded)) => folded.contributions(&history, of_item),
            Some(Folded::Divergence(folded)) => folded.contributions(&history, of_item),
            None => return Vec::new(),
        };
        // What is not known adds nothing.
        let mut parts = parts.into_iter();
        let is_known = |cell: &(u32, f32)| self.known(&[*cell]).is_some();
        let cells = query.history.iter();
        cells.map(|cell| if is_known(cell) { parts.next().unwrap_or(0.0) } else { 0.0 }).collect()
    }

    fn n_bytes(&self) -> usize {
        self.item_factors.n_bytes() + 4 * self.moments.len()
    }
}

#[cfg(test)]
mod tests;
