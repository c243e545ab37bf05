//! Matrix factorization that learns to order pairs: Bayesian personalized ranking (BPR-MF).
//!
//! Source: Rendle, Freudenthaler, Gantner, Schmidt-Thieme, "BPR: Bayesian personalized ranking from
//! implicit feedback", UAI 2009: `Σ ln σ(s_ui − s_uj) − ½·λ·(|x_u|² + |y_i|² + |y_j|² + b_i² + b_j²)` is made
//! large over draws of a user `u`, an item `i` they touched and an item `j` they did not, with
//! `s_ui = x_u·y_i + b_i`; one draw is one gradient step (`LearnBPR`, figure 4).
//!
//! Departures:
//! - An epoch passes through the interactions instead of drawing them with replacement: each comes up
//!   as often as its confidence is of the mean, the fraction being drawn.
//! - Of `n_candidates` items drawn for `j`, the one with the highest score counts: Zhang, Chen, Wang, Yu,
//!   "Optimizing top-N collaborative filtering via dynamic negative item sampling", SIGIR 2013. 1 is the original.
//! - The learning rate falls evenly to 0 over the epochs, which averages the noise of single steps out.
//! - Steps run in parallel as by Gemulla, Nijkamp, Haas, Sismanis, "Large-scale matrix factorization with
//!   distributed stochastic gradient descent", KDD 2011: users and items are cut into strata, and blocks that share
//!   neither are worked on at once. `j` is drawn from the stratum of `i`; strata of items are drawn
//!   anew for each epoch, so that all pairs come up. The cut does not depend on the threads.
//!
//! Shapes: `item_factors (n_items, n_factors)` and `item_biases (n_items)` are kept. An epoch costs
//! `|S|·d·(n_candidates + 4)`.
//!
//! A shopper is folded in by the same objective over `x` alone, with all items fixed, which is convex:
//! Newton's method, for the history against a fixed sample of other items. That is approximate in the
//! sample, and, as the fit ends near the optimum and not at it, gives a training user about the factors they had.

mod training;

use super::confidence::{check_exponent, confidences, liked};
use super::logistic::LogisticProblem;
use super::{FactorScores, FitError, ItemFactors, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx};
use crate::learn::linalg::dot;
use serde::{Deserialize, Serialize};
use training::Training;

/// Groups of candidates that a shopper's items are compared with when they are folded in.
const N_RIVALS: usize = 256;

/// Comparisons, at least, that a shopper is folded in by.
const N_PAIRS: usize = 1_024;

/// Comparisons of each item of a long history.
const N_PAIRS_EACH_MIN: usize = 4;

/// Times that the strongest candidates are chosen for a shopper, with the factors found so far.
const N_ROUNDS: usize = 4;

/// Least λ that a shopper is folded in with; without one, a history that parts perfectly from the rest has
/// no best factors.
const PENALTY_MIN: f32 = 1e-4;

/// How the factors are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BprParams {
    /// Factors of a user or item, 1 to 2,048.
    pub n_factors: usize,
    /// Passes through the interactions, 1 to 10,000.
    pub n_epochs: usize,
    /// Part of the gradient that a step goes at the start, above 0, at most 10; falls evenly to 0.
    pub learning_rate: f32,
    /// λ, 0 to 10: the usual range is 0.001 to 0.1. Counts in every step, so that an item that comes up
    /// often is held back as often.
    pub regularization: f32,
    /// Items drawn to choose the strongest rival from, 1 (the original) to 64. More sharpen the head of the
    /// list and want more regularisation.
    pub n_candidates: usize,
    /// What power of a weight is its confidence, 0 (all the same) to 2.
    pub confidence_exponent: f32,
    /// Deviation of the random start, times the root of `n_factors`; above 0, at most 10.
    pub init_deviation: f32,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for BprParams {
    fn default() -> Self {
        Self {
            n_factors: 64,
            n_epochs: 60,
            learning_rate: 0.1,
            regularization: 0.02,
            n_candidates: 2,
            confidence_exponent: 1.0,
            init_deviation: 0.1,
            seed: 7,
        }
    }
}

impl BprParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let (n, epochs, candidates) = (self.n_factors, self.n_epochs, self.n_candidates);
        check((1..=2_048).contains(&n), "n_factors", "between 1 and 2048", n)?;
        check((1..=10_000).contains(&epochs), "n_epochs", "between 1 and 10000", epochs)?;
        let rate = self.learning_rate;
        let above_0 = |x: f32| 0.0 < x && x <= 10.0;
        check(above_0(rate), "learning_rate", "above 0 and at most 10", rate)?;
        let penalty = self.regularization;
        check((0.0..=10.0).contains(&penalty), "regularization", "between 0 and 10", penalty)?;
        let fits = (1..=64).contains(&candidates);
        check(fits, "n_candidates", "between 1 and 64", candidates)?;
        check_exponent(self.confidence_exponent)?;
        let deviation = self.init_deviation;
        check(above_0(deviation), "init_deviation", "above 0 and at most 10", deviation)
    }
}

/// Factors and biases of every item; users are folded in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bpr {
    params: BprParams,
    /// `y (n_items, n_factors)`.
    item_factors: ItemFactors,
    /// `b (n_items)`.
    item_biases: Vec<f32>,
    /// Items that shoppers are compared on, `n_candidates` side by side.
    rivals: Vec<u32>,
}

/// Finds the factors from a random start, in parallel on the pool it is called in.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &BprParams,
    stop: Stop<'_>,
) -> Result<Bpr, FitError> {
    params.check()?;
    let matrix = &*confidences(matrix, params.confidence_exponent);
    if matrix.n_interactions() == 0 {
        return Err(FitError::NoData { model: "bpr" });
    }
    let mut training = Training::new(matrix, params);
    for epoch in 0..params.n_epochs {
        training.run_epoch(epoch, stop)?;
    }
    training.finish().ok_or(FitError::NotFinite { model: "bpr" })
}

impl Bpr {
    /// Number of factors.
    pub fn n_factors(&self) -> usize {
        self.params.n_factors
    }

    /// The factors of an item, `None` if the model does not know it.
    pub fn item_factors(&self, item: ItemIdx) -> Option<&[f32]> {
        let (n, at) = (self.params.n_factors, item.0 as usize);
        self.item_factors.get(at * n..(at + 1) * n)
    }

    /// What an item is worth to everybody, `None` if the model does not know it.
    pub fn item_bias(&self, item: ItemIdx) -> Option<f32> {
        self.item_biases.get(item.0 as usize).copied()
    }

    /// Where a history lies among the factors; `None` if it has no item that is known and liked. All 0
    /// if there is nothing to prefer the history to.
    pub fn fold_in(&self, history: &[(u32, f32)]) -> Option<Vec<f32>> {
        let exponent = self.params.confidence_exponent;
        let (items, confidences) = liked(history, self.item_biases.len(), exponent);
        if items.is_empty() {
            return None;
        }
        let d = self.params.n_factors;
        let mut x = vec![0.0; d];
        let groups: Vec<Vec<u32>> = self
            .rivals
            .chunks(self.params.n_candidates)
            .map(|group| {
                group.iter().copied().filter(|j| items.binary_search(j).is_err()).collect()
            })
            .filter(|group: &Vec<u32>| !group.is_empty())
            .collect();
        let n_each =
            N_PAIRS.div_ceil(items.len()).clamp(N_PAIRS_EACH_MIN, N_RIVALS).min(groups.len());
        let total: f64 = confidences.iter().copied().map(f64::from).sum();
        let scale = (1.0 / (total * n_each.max(1) as f64)) as f32;
        let mut problem = LogisticProblem::new(d);
        // With one candidate the rivals do not depend on `x`, and one round is all.
        let n_rounds = if self.params.n_candidates == 1 { 1 } else { N_ROUNDS };
        for round in 0..n_rounds {
            let strongest = |group: &Vec<u32>| {
                let score = |j: &u32| dot(&x, self.row(*j)) + self.item_biases[*j as usize];
                group.iter().copied().max_by(|i, j| score(i).total_cmp(&score(j)))
            };
            let rivals: Vec<u32> = groups.iter().filter_map(strongest).collect();
            problem.clear();
            let mut turn = rivals.iter().cycle();
            for (&i, confidence) in items.iter().zip(&confidences) {
                for &j in turn.by_ref().take(n_each) {
                    let differences = self.row(i).iter().zip(self.row(j)).map(|(i, j)| i - j);
                    let bias = self.item_biases[i as usize] - self.item_biases[j as usize];
                    problem.push(differences, bias, confidence * scale, 0.0);
                }
            }
            let n_steps = if round + 1 == n_rounds { 4 } else { 2 };
            problem.improve(&mut x, self.params.regularization.max(PENALTY_MIN), n_steps);
        }
        Some(x)
    }

    /// The factors of an item that is known.
    fn row(&self, item: u32) -> &[f32] {
        let d = self.params.n_factors;
        &self.item_factors[item as usize * d..][..d]
    }
}

impl Recommender for Bpr {
    fn n_items(&self) -> usize {
        self.item_biases.len()
    }

    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        debug_assert_eq!(scores.len(), self.item_biases.len());
        let Some(placed) = self.factor_scores(query) else { return false };
        placed.score_all(scores);
        true
    }

    fn factor_scores(&self, query: Query<'_>) -> Option<FactorScores<'_>> {
        let x = self.fold_in(query.history)?;
        let biases = Some((&self.item_biases[..], 0.0));
        Some(FactorScores { factors: &self.item_factors, x, biases })
    }

    fn n_bytes(&self) -> usize {
        self.item_factors.n_bytes() + 4 * (self.item_biases.len() + self.rivals.len())
    }
}

#[cfg(test)]
mod tests;
