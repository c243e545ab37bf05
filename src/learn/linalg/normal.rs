//! Many small least-squares problems, one after the other, in buffers that are used again.
//!
//! A problem is `(B + D + Σ c·y·yᵀ)·x = Σ c·t·y + r` with a given symmetric `B`, a diagonal `D`, and rows
//! `y` of a factor matrix with weights `c` and targets `t`: one user of alternating least squares.
//! Rows are gathered into a panel that stays in the first caches; the panel is multiplied with itself in
//! tiles of `ROWS × LANES` sums that stay in registers, upper triangle only. Matrices lie in memory as
//! columns of tiles, `LANES` numbers of a row side by side, so that a tile walks in a straight line. The factorisation `RᵀR` is
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

/// Rows of a tile; with `LANES` it fills half of the 512-bit registers, or all of the 256-bit ones.
const ROWS: usize = 8;

/// Rows gathered before they are multiplied: 16 KiB at 64 factors.
const PANEL: usize = 64;

/// Least pivot, as part of the diagonal entry it came from: some roundings of an `f32`.
const PIVOT_MIN: f32 = 1e-6;

/// Part of a row.
type Lanes = [f32; LANES];

/// Columns `start..` of some rows of `factors (n, width)`.
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
    /// Row `r` of the column of tiles `t` at `t·size + r`, `size` being `n` in whole tiles. The upper
    /// triangle counts; after the factorisation the rest of the tiles on the diagonal is 0.
    matrix: Vec<Lanes>,
    right: Vec<Lanes>,
    panel: Vec<Lanes>,
    inverse_pivots: Vec<f32>,
}

impl NormalEquations {
    /// Room for problems of up to `n` unknowns.
    pub fn new(n: usize) -> Self {
        let n_tiles = n.div_ceil(LANES);
        Self {
            n,
            matrix: vec![[0.0; LANES]; n_tiles * n_tiles * LANES],
            right: vec![[0.0; LANES]; n_tiles],
            panel: vec![[0.0; LANES]; n_tiles * PANEL],
            inverse_pivots: vec![0.0; n_tiles * LANES],
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
        let size = self.n.next_multiple_of(LANES);
        assert!(size <= self.inverse_pivots.len(), "there is room for the unknowns");
        for (tile, lines) in self.matrix.chunks_exact_mut(size).take(size / LANES).enumerate() {
            let first = tile * LANES;
            let n_columns = LANES.min(self.n - first);
            // Below the diagonal nothing is read.
            for (row, line) in lines.iter_mut().enumerate().take(first + LANES) {
                if row < self.n {
                    let at = (block.start + row) * width + block.start + first;
                    line[..n_columns].copy_from_slice(&base[at..at + n_columns]);
                    line[n_columns..].fill(0.0);
                } else {
                    line.fill(0.0);
                }
                if row >= first {
                    // An unknown beyond the last has an equation of its own, x = 0.
                    line[row - first] =
                        if row < self.n { line[row - first] + diagonal } else { 1.0 };
                }
            }
        }
        self.right.fill([0.0; LANES]);
    }

    /// The right side, to be added to.
    pub fn right_mut(&mut self) -> &mut [f32] {
        &mut self.right.as_flattened_mut()[..self.n]
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
        add_rows(sums, self.n, rows, weights, targets);
    }

    /// Adds the upper triangle of the matrix, row by row, to `sums (n, n)`.
    pub fn add_upper_to(&self, sums: &mut [f64]) {
        let size = self.n.next_multiple_of(LANES);
        for (row, sums) in sums.chunks_exact_mut(self.n).enumerate() {
            for (column, sum) in sums.iter_mut().enumerate().skip(row) {
                *sum += f64::from(self.matrix[column / LANES * size + row][column % LANES]);
            }
        }
    }

    /// Factorises the matrix, which must be complete; after this [`Self::solve_for`] can be asked.
    pub fn factorize(&mut self) {
        factorize(&mut self.matrix, self.n, &mut self.inverse_pivots);
    }

    /// Overwrites the right side `x` by the solution.
    ///
    /// # Panics
    ///
    /// If `x` has another length than the problem.
    pub fn solve_for(&self, x: &mut [f32]) {
        assert_eq!(x.len(), self.n, "a problem has one right side for each unknown");
        let mut right = vec![[0.0; LANES]; self.right.len()];
        right.as_flattened_mut()[..self.n].copy_from_slice(x);
        solve(&self.matrix, &self.inverse_pivots, self.n, &mut right);
        x.copy_from_slice(&right.as_flattened()[..self.n]);
    }

    /// The solution of the problem that was begun and added to.
    pub fn solve(&mut self) -> &[f32] {
        self.factorize();
        solve(&self.matrix, &self.inverse_pivots, self.n, &mut self.right);
        &self.right.as_flattened()[..self.n]
    }
}

/// `leftᵀ·right` for `left`, `right` of the same length; of `left`, columns `HALF·ROWS..` count.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn tile<const FUSED: bool, const HALF: usize>(left: &[Lanes], right: &[Lanes]) -> [Lanes; ROWS] {
    let mut sums = [[0.0; LANES]; ROWS];
    for (left, right) in left.iter().zip(right) {
        for (row, sums) in sums.iter_mut().enumerate() {
            let left = left[HALF * ROWS + row];
            for (sum, &right) in sums.iter_mut().zip(right) {
                // Without the instruction, a fused product would be a slow call.
                *sum = if FUSED { left.mul_add(right, *sum) } else { *sum + left * right };
            }
        }
    }
    sums
}

/// Adds `panelᵀ·panel` to the upper triangle of `matrix` for a panel of columns of tiles, `pitch`
/// apart, of which the first `depth` rows count.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn add_tiles<const FUSED: bool>(
    panel: &[Lanes],
    pitch: usize,
    depth: usize,
    matrix: &mut [Lanes],
    n_tiles: usize,
) {
    for (at, lines) in matrix.chunks_exact_mut(n_tiles * LANES).take(n_tiles).enumerate() {
        let right = &panel[at * pitch..at * pitch + depth];
        for (row, lines) in lines.chunks_exact_mut(LANES).take(at + 1).enumerate() {
            let left = &panel[row * pitch..row * pitch + depth];
            let (upper, lower) = lines.split_at_mut(ROWS);
            add(upper, &tile::<FUSED, 0>(left, right));
            add(lower, &tile::<FUSED, 1>(left, right));
        }
    }
}

#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn add(lines: &mut [Lanes], sums: &[Lanes; ROWS]) {
    for (line, sums) in lines.iter_mut().zip(sums) {
        line.iter_mut().zip(sums).for_each(|(entry, sum)| *entry += sum);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn add_rows(
    (matrix, right, panel): (&mut [Lanes], &mut [Lanes], &mut [Lanes]),
    n: usize,
    rows: Rows<'_>,
    weights: &[f32],
    targets: Option<&[f32]>,
) {
    let n_tiles = n.div_ceil(LANES);
    for (at, indices) in rows.indices.chunks(PANEL).enumerate() {
        let first = at * PANEL;
        for (at, &index) in indices.iter().enumerate() {
            let start = index as usize * rows.width + rows.start;
            let row = &rows.factors[start..start + n];
            let scale = weights[first + at].sqrt();
            let target = targets.map_or(1.0, |targets| targets[first + at]);
            let (whole, rest) = row.as_chunks::<LANES>();
            for (tile, from) in whole.iter().enumerate() {
                let line = &mut panel[tile * PANEL + at];
                line.iter_mut().zip(from).for_each(|(to, from)| *to = scale * from);
                add_scaled(&mut right[tile], scale * target, line);
            }
            if !rest.is_empty() {
                let mut from = [0.0; LANES];
                from[..rest.len()].copy_from_slice(rest);
                let line = &mut panel[whole.len() * PANEL + at];
                *line = from.map(|from| scale * from);
                add_scaled(&mut right[whole.len()], scale * target, line);
            }
        }
        if target_cfg_f!(target_feature = "fma") {
            add_tiles::<true>(panel, PANEL, indices.len(), matrix, n_tiles);
        } else {
            add_tiles::<false>(panel, PANEL, indices.len(), matrix, n_tiles);
        }
    }
}

/// Overwrites the upper triangle of `a` by `R` with `RᵀR = a`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn factorize(a: &mut [Lanes], n: usize, inverse_pivots: &mut [f32]) {
    if target_cfg_f!(target_feature = "fma") {
        factorize_with::<true>(a, n, inverse_pivots);
    } else {
        factorize_with::<false>(a, n, inverse_pivots);
    }
}

#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn factorize_with<const FUSED: bool>(a: &mut [Lanes], n: usize, inverse_pivots: &mut [f32]) {
    let n_tiles = n.div_ceil(LANES);
    let size = n_tiles * LANES;
    for row_tile in 0..n_tiles {
        let first = row_tile * LANES;
        let on_diagonal = row_tile * size + first;
        let diagonal: Lanes = std::array::from_fn(|at| a[on_diagonal + at][at]);
        for at in row_tile..n_tiles {
            let (left, right) = (row_tile * size, at * size);
            let (left, right) = (&a[left..left + first], &a[right..right + first]);
            let sums = (tile::<FUSED, 0>(left, right), tile::<FUSED, 1>(left, right));
            let lines = &mut a[at * size + first..at * size + first + LANES];
            for (line, sums) in lines.iter_mut().zip(sums.0.iter().chain(&sums.1)) {
                line.iter_mut().zip(sums).for_each(|(entry, sum)| *entry -= sum);
            }
        }
        // The tile on the diagonal first, row by row; then the tiles beside it by forward substitution.
        let mut corner: [Lanes; LANES] =
            *a[on_diagonal..].first_chunk().expect("matrices are whole tiles");
        for row in 0..LANES {
            let (above, line) = corner.split_at_mut(row);
            for above in above {
                add_scaled(&mut line[0], -above[row], above);
            }
            let pivot = line[0][row].max(diagonal[row] * PIVOT_MIN).max(f32::MIN_POSITIVE);
            let inverse = 1.0 / pivot.sqrt();
            inverse_pivots[first + row] = inverse;
            line[0].iter_mut().for_each(|entry| *entry *= inverse);
            line[0][..row].fill(0.0);
        }
        a[on_diagonal..on_diagonal + LANES].copy_from_slice(&corner);
        for at in row_tile + 1..n_tiles {
            let lines = &mut a[at * size + first..at * size + first + LANES];
            for row in 0..LANES {
                let (above, line) = lines.split_at_mut(row);
                for (above, corner) in above.iter().zip(&corner) {
                    add_scaled(&mut line[0], -corner[row], above);
                }
                line[0].iter_mut().for_each(|entry| *entry *= inverse_pivots[first + row]);
            }
        }
    }
}

/// Overwrites `x` by the solution of `RᵀR·x`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn solve(r: &[Lanes], inverse_pivots: &[f32], n: usize, x: &mut [Lanes]) {
    let n_tiles = n.div_ceil(LANES);
    let size = n_tiles * LANES;
    for row in 0..size {
        let (tile, lane) = (row / LANES, row % LANES);
        let known = x[tile][lane] * inverse_pivots[row];
        for at in tile..n_tiles {
            add_scaled(&mut x[at], -known, &r[at * size + row]);
        }
        x[tile][lane] = known;
    }
    for row in (0..size).rev() {
        let (tile, lane) = (row / LANES, row % LANES);
        let right = std::mem::take(&mut x[tile][lane]);
        let mut sums = [0.0; LANES];
        for at in tile..n_tiles {
            let products = r[at * size + row].iter().zip(&x[at]);
            sums.iter_mut().zip(products).for_each(|(sum, (r, x))| *sum += r * x);
        }
        x[tile][lane] = (right - dot(&sums, &[1.0; LANES])) * inverse_pivots[row];
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
