//! Folding a shopper in: the factors of one more row while those of the items are fixed.

use super::side::{CURVATURE_MIN, divergence_step};
use crate::learn::linalg::kernels::{add_scaled, dot};
use crate::learn::linalg::normal::NormalEquations;
use multiversion::multiversion;

/// Most sweeps of coordinate descent for one shopper.
const N_SWEEPS: usize = 200;

/// Sweeps end when no step moves the shopper by more than this part of where they are.
const STEP_MIN: f32 = 1e-6;

/// Part of the greatest diagonal entry that is added to all: factors that are alike leave the equations
/// singular, and an `f32` has seven digits.
const RIDGE_PART: f32 = 1e-5;

/// Multiplicative steps for one shopper.
const N_STEPS: usize = 100;

/// Known items of a history: their rows of factors one after the other, and their weights.
pub(super) struct History {
    pub(super) factors: Vec<f32>,
    pub(super) weights: Vec<f32>,
}

/// A shopper's factors where squared errors are least.
pub(super) struct LeastSquares {
    /// Factors, 0 or above.
    pub(super) x: Vec<f32>,
    /// Which are above 0.
    passive: Vec<usize>,
    /// The factorised problem of those.
    problem: NormalEquations,
}

impl LeastSquares {
    /// Non-negative least squares: coordinate descent finds which factors are 0, and the others then
    /// solve their own equations exactly (Lawson and Hanson, "Solving least squares problems", 1974,
    /// chapter 23), unless descent has not come far enough and one of them would fall below 0. `None` if
    /// all are 0.
    pub(super) fn new(gram: &[f32], history: &History) -> Option<Self> {
        let n = gram.len().isqrt();
        let mut right = vec![0.0; n];
        for (y, &weight) in history.factors.chunks_exact(n).zip(&history.weights) {
            add_scaled(&mut right, weight, y);
        }
        let mut x = vec![0.0; n];
        descend(gram, &right, &mut x);
        let passive: Vec<usize> = (0..n).filter(|&factor| x[factor] > 0.0).collect();
        if passive.is_empty() {
            return None;
        }
        let base: Vec<f32> = passive
            .iter()
            .flat_map(|&row| passive.iter().map(move |&column| gram[row * n + column]))
            .collect();
        let diagonal = passive.iter().map(|&factor| gram[factor * n + factor]);
        let ridge = RIDGE_PART * diagonal.fold(0.0, f32::max);
        let mut problem = NormalEquations::new(passive.len());
        problem.start(&base, passive.len(), 0..passive.len(), ridge);
        let of_passive = passive.iter().map(|&factor| right[factor]);
        problem.right_mut().iter_mut().zip(of_passive).for_each(|(to, right)| *to = right);
        let exact = problem.solve();
        if exact.iter().all(|&x| x >= 0.0) {
            passive.iter().zip(exact).for_each(|(&factor, exact)| x[factor] = *exact);
        }
        Some(Self { x, passive, problem })
    }

    /// How much each item of the history adds to the score of the item with factors `y`: those that
    /// are above 0 are linear in the history.
    pub(super) fn contributions(&self, history: &History, y: &[f32]) -> Vec<f32> {
        let mut z: Vec<f32> = self.passive.iter().map(|&factor| y[factor]).collect();
        self.problem.solve_for(&mut z);
        let mut of_all = vec![0.0; y.len()];
        self.passive.iter().zip(z).for_each(|(&factor, z)| of_all[factor] = z);
        let rows = history.factors.chunks_exact(y.len()).zip(&history.weights);
        rows.map(|(row, weight)| weight * dot(row, &of_all)).collect()
    }
}

/// Coordinate descent from 0 with the gradient kept up to date, which costs nothing for a factor that stays.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn descend(gram: &[f32], right: &[f32], x: &mut [f32]) {
    let n = x.len();
    let mut gradient: Vec<f32> = right.iter().map(|right| -right).collect();
    for _ in 0..N_SWEEPS {
        // In the norm of the Gram matrix, so that factors of any size count alike.
        let (mut farthest, mut longest) = (0.0_f32, 0.0_f32);
        for (factor, line) in gram.chunks_exact(n).enumerate() {
            let curvature = line[factor];
            if curvature <= CURVATURE_MIN {
                continue;
            }
            let new = (x[factor] - gradient[factor] / curvature).max(0.0);
            let step = new - x[factor];
            if step != 0.0 {
                x[factor] = new;
                add_scaled(&mut gradient, step, line);
                longest = longest.max(step.abs() * curvature.sqrt());
            }
            farthest = farthest.max(new * curvature.sqrt());
        }
        if longest <= STEP_MIN * farthest {
            break;
        }
    }
}

/// A shopper's factors where the divergence is least.
pub(super) struct LeastDivergence {
    /// Factors, 0 or above.
    pub(super) x: Vec<f32>,
    /// The same before the last step.
    before: Vec<f32>,
}

impl LeastDivergence {
    /// Multiplicative steps from factors that are all the same.
    pub(super) fn new(sums: &[f32], history: &History, regularization: f32) -> Self {
        let total: f32 = history.weights.iter().sum();
        let start = total / sums.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        let mut x = vec![start.clamp(f32::MIN_POSITIVE, 1e12); sums.len()];
        let mut before = x.clone();
        step_often(history, sums, regularization, &mut x, &mut before);
        Self { x, before }
    }

    /// How much each item of the history adds to the score of the item with factors `y`: the last
    /// step is a sum over the history.
    pub(super) fn contributions(&self, history: &History, y: &[f32]) -> Vec<f32> {
        let n = y.len();
        let mut numerators = vec![0.0; n];
        let ratios: Vec<f32> = history
            .factors
            .chunks_exact(n)
            .zip(&history.weights)
            .map(|(row, weight)| weight / dot(row, &self.before).max(f32::MIN_POSITIVE))
            .collect();
        for (row, &ratio) in history.factors.chunks_exact(n).zip(&ratios) {
            add_scaled(&mut numerators, ratio, row);
        }
        let share =
            |factor: usize| y[factor] * self.x[factor] / numerators[factor].max(f32::MIN_POSITIVE);
        let shares: Vec<f32> = (0..n).map(share).collect();
        let rows = history.factors.chunks_exact(n).zip(&ratios);
        rows.map(|(row, ratio)| ratio * dot(row, &shares)).collect()
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn step_often(
    history: &History,
    sums: &[f32],
    regularization: f32,
    x: &mut [f32],
    before: &mut [f32],
) {
    let n = x.len();
    let mut numerators = vec![0.0; n];
    for _ in 0..N_STEPS {
        before.copy_from_slice(x);
        numerators.fill(0.0);
        for (row, &weight) in history.factors.chunks_exact(n).zip(&history.weights) {
            let product = dot(row, x).max(f32::MIN_POSITIVE);
            add_scaled(&mut numerators, weight / product, row);
        }
        for ((x, numerator), sum) in x.iter_mut().zip(&numerators).zip(sums) {
            *x = divergence_step(*x, *numerator, *sum, regularization);
        }
    }
}
