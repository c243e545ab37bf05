//! One side's turn: every user, or every item, for the other side as it is.

use super::{AlsParams, Solver, scaled_gram};
use crate::learn::linalg::conjugate::ConjugateGradients;
use crate::learn::linalg::normal::{NormalEquations, Rows, add_products};
use crate::learn::linalg::rows;
use crate::learn::recommenders::{FitError, Stop};
use rayon::prelude::*;

/// Tasks that one side is cut into, of about the same cost, so that a few threads end together.
const N_TASKS: usize = 128;

/// Solves every row of `own` for fixed `others`, of which so many have interactions.
pub(super) fn solve_side<'m>(
    row_of: impl Fn(u32) -> (&'m [u32], &'m [f32]) + Sync,
    own: &mut [f32],
    (others, n_others): (&[f32], usize),
    params: &AlsParams,
    stop: Stop<'_>,
) -> Result<(), FitError> {
    let gram = scaled_gram(others, params);
    let tasks = tasks_of_like_cost(&row_of, own, params);
    tasks.into_par_iter().with_max_len(1).try_for_each_init(
        || RowSolver::new(params),
        |solver, (first, own)| {
            if stop() {
                return Err(FitError::Stopped);
            }
            for (row, x) in (first..).zip(own.chunks_exact_mut(params.n_factors)) {
                let (indices, confidences) = row_of(row);
                let penalty = params.penalty(confidences, n_others);
                solver.solve(&gram, others, (indices, confidences), penalty, x);
            }
            Ok(())
        },
    )
}

/// Cuts the rows of `own` into runs that cost about the same: `(first row, rows)`.
fn tasks_of_like_cost<'m, 'o>(
    row_of: impl Fn(u32) -> (&'m [u32], &'m [f32]),
    own: &'o mut [f32],
    params: &AlsParams,
) -> Vec<(u32, &'o mut [f32])> {
    let n_factors = params.n_factors;
    let n_rows = own.len() / n_factors;
    // In products of two numbers over the number of factors: a cell meets its block, and a third of a cube
    // goes into each factorisation; or a cell is met twice in each step, as is the base.
    let (per_cell, per_row) = match params.solver {
        Solver::Blocks => {
            let block = params.block_size.min(n_factors);
            (block, block * block / 3 + 1)
        }
        Solver::ConjugateGradients => (2 * params.n_steps + 2, (params.n_steps + 1) * n_factors),
    };
    let cost_of = |row: usize| row_of(row as u32).0.len() * per_cell + per_row;
    let limit = (0..n_rows).map(cost_of).sum::<usize>() / N_TASKS;
    let mut tasks = Vec::new();
    let (mut rest, mut first, mut cost) = (own, 0, 0);
    for row in 0..n_rows {
        cost += cost_of(row);
        if cost > limit || row + 1 == n_rows {
            let (task, after) = rest.split_at_mut((row + 1 - first) * n_factors);
            tasks.push((first as u32, task));
            (rest, first, cost) = (after, row + 1, 0);
        }
    }
    tasks
}

/// Buffers for solving one row after the other.
struct RowSolver {
    n_factors: usize,
    block_size: usize,
    problem: NormalEquations,
    steps: Option<(ConjugateGradients, usize)>,
    residuals: Vec<f32>,
    products: Vec<f32>,
}

impl RowSolver {
    fn new(params: &AlsParams) -> Self {
        // Blocks of about the same size instead of a small last one.
        let n_blocks = params.n_factors.div_ceil(params.block_size);
        let block_size = params.n_factors.div_ceil(n_blocks);
        Self {
            n_factors: params.n_factors,
            block_size,
            problem: NormalEquations::new(block_size),
            steps: (params.solver == Solver::ConjugateGradients)
                .then(|| (ConjugateGradients::new(params.n_factors), params.n_steps)),
            residuals: Vec::new(),
            products: Vec::new(),
        }
    }

    /// Improves the factors `x` of a row with these cells.
    fn solve(
        &mut self,
        gram: &[f32],
        others: &[f32],
        (indices, confidences): (&[u32], &[f32]),
        penalty: f32,
        x: &mut [f32],
    ) {
        let d = self.n_factors;
        if indices.is_empty() {
            x.fill(0.0);
            return;
        }
        let all = Rows { factors: others, width: d, start: 0, indices };
        if let Some((steps, n_steps)) = &mut self.steps {
            steps.improve((gram, penalty), (all, confidences), x, *n_steps);
            return;
        }
        if self.block_size == d {
            self.problem.start(gram, d, 0..d, penalty);
            self.problem.add(all, confidences, None);
            x.copy_from_slice(self.problem.solve());
            return;
        }
        // Residuals are kept with the sign of what is still missing: 1 − x·y.
        self.products.clear();
        self.products.resize(indices.len(), 0.0);
        add_products(all, x, &mut self.products);
        self.residuals.clear();
        self.residuals.extend(self.products.iter().map(|product| 1.0 - product));
        for start in (0..d).step_by(self.block_size) {
            let block = start..d.min(start + self.block_size);
            self.problem.start(gram, d, block.clone(), penalty);
            let right = self.problem.right_mut();
            rows::times_vector(&gram[start * d..block.end * d], x, right);
            right.iter_mut().zip(&x[block.clone()]).for_each(|(r, x)| *r = -*r - penalty * x);
            let part = Rows { start, ..all };
            self.problem.add(part, confidences, Some(&self.residuals));
            let step = self.problem.solve();
            x[block].iter_mut().zip(step).for_each(|(x, step)| *x += step);
            self.products.fill(0.0);
            add_products(part, step, &mut self.products);
            let products = self.residuals.iter_mut().zip(&self.products);
            products.for_each(|(residual, product)| *residual -= product);
        }
    }
}
