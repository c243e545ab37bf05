//! Many small least-squares problems, one after the other, in buffers that are used again.
//!
//! A problem is `(B + D + Σ c·y·yᵀ)·x = Σ c·t·y + r` with a given symmetric `B`, a diagonal `D`, and rows
//! `y` of a factor matrix with weights `c` and targets `t`: one user of alternating least squares.
//! Rows are gathered into a panel that stays in the first cache; the panel is multiplied with itself in
//! tiles of `ROWS × LANES` sums that stay in registers, upper triangle only. The factorisation `RᵀR` is
//! the left-looking Cholesky method by blocks (Golub and Van Loan, "Matrix Computations", 4th edition
//! 2013, section 4.2), whose updates are the same tiles with `R` itself for a panel.
//!
//! All in `f32`: what comes in are factors, and every problem is made definite by its diagonal. A
//! pivot below rounding is raised to it, so that no problem gives infinite numbers.

use super::kernels::{add_scaled, dot};
use multiversion::{multiversion, target::target_cfg_f};
use std::ops::Range;

/// Columns of a tile: one 512-bit register of `f32`.
pub const LANES: usize = 16;

/// Rows of a tile; with `LANES` it fills the 16 256-bit registers, or half of the 512-bit ones.
const ROWS: usize = 8;

/// Rows gathered before they are multiplied: 16 KiB at 64 factors.
const PANEL: usize = 64;

/// Least pivot, as part of the diagonal entry it came from: some roundings of an `f32`.
const PIVOT_MIN: f32 = 1e-6;

/// `n` rounded up to whole tiles.
pub fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

/// Columns `columns` of some rows of `factors (n, width)`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Row by row.
    pub factors: &'a [f32],
    /// Length of a row.
    pub width: usize,
    /// First column that counts.
    pub start: usize,
    /// Which rows.
    pub indices: &'a [u32],
}

/// One problem at a time; see the module.
#[derive(Clone, Debug)]
pub struct NormalEquations {
    n: usize,
    stride: usize,
    /// `(stride, stride)`; what is below the diagonal means nothing.
    matrix: Vec<f32>,
    right: Vec<f32>,
    panel: Vec<f32>,
    inverse_pivots: Vec<f32>,
}

impl NormalEquations {
    /// Room for problems of up to `n` unknowns.
    pub fn new(n: usize) -> Self {
        let stride = padded(n);
        Self {
            n,
            stride,
            matrix: vec![0.0; stride * stride],
            right: vec![0.0; stride],
            panel: vec![0.0; PANEL * stride],
            inverse_pivots: vec![0.0; stride],
        }
    }

    /// Begins a problem: `base` is the rows and columns `block` of a symmetric matrix with rows of
    /// `width`; `diagonal` is added, and the right side is 0.
    ///
    /// # Panics
    ///
    /// If the block has more columns than there is room for, or lies outside `base`.
    pub fn start(&mut self, base: &[f32], width: usize, block: Range<usize>, diagonal: f32) {
        self.n = block.len();
        assert!(self.n <= self.stride, "a problem has at most as many unknowns as there is room");
        let lines = self.matrix.chunks_exact_mut(self.stride).take(padded(self.n));
        for (at, line) in lines.enumerate() {
            line.fill(0.0);
            if at < self.n {
                let row = (block.start + at) * width;
                line[..self.n].copy_from_slice(&base[row + block.start..row + block.end]);
                line[at] += diagonal;
            } else {
                line[at] = 1.0;
            }
        }
        self.right.fill(0.0);
    }

    /// The right side, to be added to.
    pub fn right_mut(&mut self) -> &mut [f32] {
        &mut self.right[..self.n]
    }

    /// Adds `Σ c·y·yᵀ` to the matrix and `Σ c·t·y` to the right side: a weight and a target for
    /// each of `rows`; no targets means that all are 1.
    ///
    /// # Panics
    ///
    /// If a row or its columns lie outside the factors.
    pub fn add(&mut self, rows: Rows<'_>, weights: &[f32], targets: Option<&[f32]>) {
        debug_assert!(weights.len() == rows.indices.len());
        let sums = (&mut self.matrix[..], &mut self.right[..], &mut self.panel[..]);
        add_rows(sums, (self.n, self.stride), rows, weights, targets);
    }

    /// Factorises the matrix, which must be complete; after this [`Self::solve_for`] can be asked.
    pub fn factorize(&mut self) {
        factorize(&mut self.matrix, self.stride, self.n, &mut self.inverse_pivots);
    }

    /// Overwrites the right side `x` by the solution.
    ///
    /// # Panics
    ///
    /// If `x` has another length than the problem.
    pub fn solve_for(&self, x: &mut [f32]) {
        assert_eq!(x.len(), self.n, "a problem has one right side for each unknown");
        solve(&self.matrix, self.stride, &self.inverse_pivots, x);
    }

    /// The solution of the problem that was begun and added to.
    pub fn solve(&mut self) -> &[f32] {
        self.factorize();
        solve(&self.matrix, self.stride, &self.inverse_pivots, &mut self.right[..self.n]);
        &self.right[..self.n]
    }
}

/// Sums of products of columns `row..` and `column..` of a panel with lines of `stride`.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn tile<const FUSED: bool>(
    panel: &[f32],
    stride: usize,
    row: usize,
    column: usize,
) -> [[f32; LANES]; ROWS] {
    let mut sums = [[0.0; LANES]; ROWS];
    for line in panel.chunks_exact(stride) {
        let left: &[f32; ROWS] = line[row..].first_chunk().expect("lines are whole tiles");
        let right: &[f32; LANES] = line[column..].first_chunk().expect("lines are whole tiles");
        for (sums, &left) in sums.iter_mut().zip(left) {
            for (sum, &right) in sums.iter_mut().zip(right) {
                // Without the instruction, a fused product would be a slow call.
                *sum = if FUSED { left.mul_add(right, *sum) } else { *sum + left * right };
            }
        }
    }
    sums
}

/// Adds `sign · panelᵀ·panel` to the upper triangle of `matrix`, rows `rows` of it.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn add_tiles<const FUSED: bool>(
    panel: &[f32],
    stride: usize,
    size: usize,
    sign: f32,
    (first_row, matrix): (usize, &mut [f32]),
) {
    for (at, lines) in matrix.chunks_exact_mut(ROWS * stride).enumerate() {
        let row = first_row + at * ROWS;
        for column in (row / LANES * LANES..size).step_by(LANES) {
            let sums = tile::<FUSED>(panel, stride, row, column);
            for (line, sums) in lines.chunks_exact_mut(stride).zip(&sums) {
                for (entry, sum) in line[column..column + LANES].iter_mut().zip(sums) {
                    *entry += sign * sum;
                }
            }
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn add_rows(
    (matrix, right, panel): (&mut [f32], &mut [f32], &mut [f32]),
    (n, stride): (usize, usize),
    rows: Rows<'_>,
    weights: &[f32],
    targets: Option<&[f32]>,
) {
    let size = padded(n);
    for (at, indices) in rows.indices.chunks(PANEL).enumerate() {
        let first = at * PANEL;
        let panel = &mut panel[..indices.len() * stride];
        for (at, (&index, line)) in indices.iter().zip(panel.chunks_exact_mut(stride)).enumerate() {
            let start = index as usize * rows.width + rows.start;
            let weight = weights[first + at];
            let scale = weight.sqrt();
            for (to, from) in line.iter_mut().zip(&rows.factors[start..start + n]) {
                *to = scale * from;
            }
            line[n..size].fill(0.0);
            let target = targets.map_or(1.0, |targets| targets[first + at]);
            add_scaled(&mut right[..size], scale * target, &line[..size]);
        }
        let matrix = (0, &mut matrix[..size * stride]);
        if target_cfg_f!(target_feature = "fma") {
            add_tiles::<true>(panel, stride, size, 1.0, matrix);
        } else {
            add_tiles::<false>(panel, stride, size, 1.0, matrix);
        }
    }
}

/// Overwrites the upper triangle of `a` by `R` with `RᵀR = a`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn factorize(a: &mut [f32], stride: usize, n: usize, inverse_pivots: &mut [f32]) {
    let size = padded(n);
    for first in (0..size).step_by(ROWS) {
        let (done, rest) = a[..size * stride].split_at_mut(first * stride);
        let lines = &mut rest[..ROWS * stride];
        let mut diagonal = [0.0; ROWS];
        for (at, entry) in diagonal.iter_mut().enumerate() {
            *entry = lines[at * stride + first + at];
        }
        if target_cfg_f!(target_feature = "fma") {
            add_tiles::<true>(done, stride, size, -1.0, (first, lines));
        } else {
            add_tiles::<false>(done, stride, size, -1.0, (first, lines));
        }
        for at in 0..ROWS {
            let row = first + at;
            let (above, line) = lines.split_at_mut(at * stride);
            let line = &mut line[..size];
            for above in above.chunks_exact(stride) {
                let factor = -above[row];
                add_scaled(&mut line[row..], factor, &above[row..size]);
            }
            let pivot = line[row].max(diagonal[at] * PIVOT_MIN).max(f32::MIN_POSITIVE);
            let inverse = 1.0 / pivot.sqrt();
            inverse_pivots[row] = inverse;
            line[row..].iter_mut().for_each(|entry| *entry *= inverse);
        }
    }
}

/// Overwrites `x` by the solution of `RᵀR·x`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn solve(r: &[f32], stride: usize, inverse_pivots: &[f32], x: &mut [f32]) {
    let n = x.len();
    for (at, line) in r.chunks_exact(stride).take(n).enumerate() {
        let known = x[at] * inverse_pivots[at];
        x[at] = known;
        add_scaled(&mut x[at + 1..], -known, &line[at + 1..n]);
    }
    for (at, line) in r.chunks_exact(stride).take(n).enumerate().rev() {
        let rest = x[at] - dot(&line[at + 1..n], &x[at + 1..]);
        x[at] = rest * inverse_pivots[at];
    }
}

/// Adds `y·x` to a sum for each of `rows`, of whose columns `x` covers those from the first that counts.
///
/// # Panics
///
/// If a row or its columns lie outside the factors.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
pub fn add_products(rows: Rows<'_>, x: &[f32], sums: &mut [f32]) {
    for (sum, &index) in sums.iter_mut().zip(rows.indices) {
        let start = index as usize * rows.width + rows.start;
        *sum += dot(&rows.factors[start..start + x.len()], x);
    }
}

/// Adds the upper triangle of `rowsᵀ·rows` to `sums (stride, stride)`, for some rows of `width`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn add_upper_gram(rows: &[f32], width: usize, sums: &mut [f32]) {
    let stride = padded(width);
    let mut panel = vec![0.0; PANEL * stride];
    for rows in rows.chunks(PANEL * width) {
        let panel = &mut panel[..rows.len() / width * stride];
        for (line, row) in panel.chunks_exact_mut(stride).zip(rows.chunks_exact(width)) {
            line[..width].copy_from_slice(row);
        }
        if target_cfg_f!(target_feature = "fma") {
            add_tiles::<true>(panel, stride, stride, 1.0, (0, sums));
        } else {
            add_tiles::<false>(panel, stride, stride, 1.0, (0, sums));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed sequence in −½..½.
    fn noise(n: usize) -> Vec<f32> {
        let hash = |at: u32| (at ^ 0x9e37).wrapping_mul(2_654_435_761) >> 8;
        (0..n as u32).map(|at| hash(at) as f32 / (1 << 24) as f32 - 0.5).collect()
    }

    #[test]
    fn solutions_fulfil_the_equations_at_any_size() {
        for n in [1, 7, 16, 33, 50] {
            let factors = noise(150 * n);
            let indices: Vec<u32> = (0..150).rev().collect();
            let weights: Vec<f32> = noise(150).iter().map(|x| 1.0 + x).collect();
            let targets = noise(150);
            let base: Vec<f32> =
                (0..n * n).map(|at| if at % (n + 1) == 0 { 2.0 } else { 0.1 }).collect();
            let mut problem = NormalEquations::new(n);
            let rows = Rows { factors: &factors, width: n, start: 0, indices: &indices };
            for _ in 0..2 {
                problem.start(&base, n, 0..n, 0.5);
                problem.add(rows, &weights, Some(&targets));
            }
            let x: Vec<f64> = problem.solve().iter().copied().map(f64::from).collect();
            for row in 0..n {
                let mut rest = -0.5 * x[row];
                for column in 0..n {
                    rest -= f64::from(base[row * n + column]) * x[column];
                }
                for ((&index, weight), target) in indices.iter().zip(&weights).zip(&targets) {
                    let y = &factors[index as usize * n..][..n];
                    let product: f64 = y.iter().zip(&x).map(|(y, x)| f64::from(*y) * x).sum();
                    let residual = f64::from(*target) - product;
                    rest += f64::from(*weight) * residual * f64::from(y[row]);
                }
                assert!(rest.abs() < 1e-4, "{rest}: 150 products of size 1 in f32, {n} unknowns");
            }
        }
    }

    #[test]
    fn a_block_is_the_problem_of_its_columns() {
        let (n, width) = (5, 9);
        let factors = noise(20 * width);
        let base = vec![0.0; width * width];
        let indices: Vec<u32> = (0..20).collect();
        let weights = vec![1.0; 20];
        let mut block = NormalEquations::new(8);
        block.start(&base, width, 3..8, 1.0);
        block.add(Rows { factors: &factors, width, start: 3, indices: &indices }, &weights, None);
        let cut: Vec<f32> =
            factors.chunks(width).flat_map(|row| row[3..8].iter().copied()).collect();
        let mut alone = NormalEquations::new(n);
        alone.start(&base[..n * n], n, 0..n, 1.0);
        alone.add(Rows { factors: &cut, width: n, start: 0, indices: &indices }, &weights, None);
        assert_eq!(block.solve(), alone.solve());
    }

    #[test]
    fn singular_problems_stay_finite() {
        let mut problem = NormalEquations::new(3);
        problem.start(&[0.0; 9], 3, 0..3, 0.0);
        let rows = Rows { factors: &[1e15, 1e15, 1e15], width: 3, start: 0, indices: &[0, 0] };
        problem.add(rows, &[1.0, 1.0], None);
        assert!(problem.solve().iter().all(|x| x.is_finite()));
    }
}
