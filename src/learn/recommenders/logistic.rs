//! Logistic regression of one shopper on fixed factors: how models of likings fold a history in.
//!
//! Makes `Σ_r a_r·ln(1 + exp(−s_r)) + b_r·ln(1 + exp(s_r)) + ½·λ·|x|²` small with `s_r = x·z_r + o_r`: row `r`
//! is a yes with weight `a_r` and a no with weight `b_r`. The problem is strictly convex; Newton's method
//! with steps cut in half until the objective falls (Boyd and Vandenberghe, "Convex optimization", 2004,
//! algorithm 9.5) comes within rounding in a handful of steps.

use crate::learn::linalg::kernels::add_scaled;
use crate::learn::linalg::normal::{NormalEquations, Rows, add_products};
use multiversion::multiversion;

/// Most Newton steps; three to six are usual.
const N_STEPS_MAX: usize = 12;

/// Most times that a step is cut in half before the search ends.
const N_HALVINGS_MAX: usize = 12;

/// Part of the objective below which a fall is rounding.
const FALL_MIN: f64 = 1e-6;

/// Rows of one shopper; see the module.
#[derive(Clone, Debug, Default)]
pub(super) struct LogisticProblem {
    width: usize,
    rows: Vec<f32>,
    offsets: Vec<f32>,
    yes: Vec<f32>,
    no: Vec<f32>,
}

/// `1 / (1 + exp(−s))`.
#[inline]
pub(super) fn sigmoid(s: f32) -> f32 {
    1.0 / (1.0 + (-s).exp())
}

/// `ln(1 + exp(s))` without overflow.
pub(super) fn softplus(s: f32) -> f32 {
    s.max(0.0) + (-s.abs()).exp().ln_1p()
}

impl LogisticProblem {
    /// Without rows, of `width` unknowns.
    pub(super) fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// Forgets the rows.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.offsets.clear();
        self.yes.clear();
        self.no.clear();
    }

    /// Adds a row of as many numbers as there are unknowns.
    pub(super) fn push(&mut self, row: impl Iterator<Item = f32>, offset: f32, yes: f32, no: f32) {
        self.rows.extend(row);
        self.offsets.push(offset);
        self.yes.push(yes);
        self.no.push(no);
        debug_assert_eq!(self.rows.len(), self.width * self.offsets.len());
    }

    /// Improves `x`, which is finite, until it is best or so many Newton steps are done.
    pub(super) fn improve(&self, x: &mut [f32], penalty: f32, n_steps: usize) {
        let (d, n) = (self.width, self.offsets.len());
        let indices: Vec<u32> = (0..n as u32).collect();
        let rows = Rows { factors: &self.rows, width: d, start: 0, indices: &indices };
        let mut equations = NormalEquations::new(d);
        let zeros = vec![0.0; d * d];
        let (mut slopes, mut curvatures) = (vec![0.0; n], vec![0.0; n]);
        let mut scores = self.scores(rows, x);
        let mut objective = self.objective(&scores, x, penalty);
        for _ in 0..n_steps.min(N_STEPS_MAX) {
            for (at, &s) in scores.iter().enumerate() {
                let p = sigmoid(s);
                slopes[at] = self.yes[at] * (1.0 - p) - self.no[at] * p;
                curvatures[at] = (self.yes[at] + self.no[at]) * p * (1.0 - p);
            }
            equations.start(&zeros, d, 0..d, penalty);
            equations.add(rows, &curvatures, Some(&vec![0.0; n]));
            add_slopes(equations.right_mut(), &self.rows, &slopes);
            add_scaled(equations.right_mut(), -penalty, x);
            let mut step = equations.solve().to_vec();
            let mut fell = 0.0;
            for _ in 0..=N_HALVINGS_MAX {
                let to: Vec<f32> = x.iter().zip(&step).map(|(x, step)| x + step).collect();
                let scores_there = self.scores(rows, &to);
                let there = self.objective(&scores_there, &to, penalty);
                if there < objective {
                    fell = objective - there;
                    (scores, objective) = (scores_there, there);
                    x.copy_from_slice(&to);
                    break;
                }
                for step in &mut step {
                    *step *= 0.5;
                }
            }
            if fell <= FALL_MIN * objective {
                break;
            }
        }
    }

    fn scores(&self, rows: Rows<'_>, x: &[f32]) -> Vec<f32> {
        let mut scores = self.offsets.clone();
        add_products(rows, x, &mut scores);
        scores
    }

    fn objective(&self, scores: &[f32], x: &[f32], penalty: f32) -> f64 {
        let weights = self.yes.iter().zip(&self.no);
        let terms = scores.iter().zip(weights).map(|(&s, (&yes, &no))| {
            // ln(1 + exp(−s)) is ln(1 + exp(s)) − s.
            let plus = softplus(s);
            f64::from(yes) * f64::from(plus - s) + f64::from(no) * f64::from(plus)
        });
        let squares: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
        terms.sum::<f64>() + 0.5 * f64::from(penalty) * squares
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn add_slopes(sums: &mut [f32], rows: &[f32], slopes: &[f32]) {
    for (row, &slope) in rows.chunks_exact(sums.len()).zip(slopes) {
        add_scaled(sums, slope, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> LogisticProblem {
        let mut problem = LogisticProblem::new(2);
        for (row, offset, yes, no) in [
            ([1.0, 0.5], 0.3, 2.0, 0.0),
            ([-0.5, 1.0], 0.0, 1.0, 0.5),
            ([0.2, -1.5], -0.4, 0.0, 3.0),
            ([2.0, 1.0], 0.1, 0.0, 1.0),
        ] {
            problem.push(row.into_iter(), offset, yes, no);
        }
        problem
    }

    #[test]
    fn at_the_best_the_objective_is_flat() {
        let problem = problem();
        let mut x = [5.0, -7.0];
        problem.improve(&mut x, 0.1, N_STEPS_MAX);
        let value = |x: [f32; 2]| {
            let rows = Rows { factors: &problem.rows, width: 2, start: 0, indices: &[0, 1, 2, 3] };
            problem.objective(&problem.scores(rows, &x), &x, 0.1)
        };
        let best = value(x);
        for step in [[0.01, 0.0], [-0.01, 0.0], [0.0, 0.01], [0.0, -0.01]] {
            assert!(value([x[0] + step[0], x[1] + step[1]]) > best);
        }
    }

    #[test]
    fn rows_that_part_perfectly_stay_finite() {
        let mut problem = LogisticProblem::new(1);
        problem.push([1e6].into_iter(), 0.0, 1e4, 0.0);
        problem.push([-1e6].into_iter(), 0.0, 0.0, 1e4);
        let mut x = [0.0];
        problem.improve(&mut x, 1e-6, N_STEPS_MAX);
        assert!(x[0].is_finite() && x[0] > 0.0);
        assert!((softplus(200.0) - 200.0).abs() < 1e-3 && softplus(-200.0).abs() < 1e-30);
    }
}
