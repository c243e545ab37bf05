//! Small least-squares problems improved by a few steps of conjugate gradients, without their matrix.
//!
//! The problem is that of [`normal`](super::normal): `(B + λ + Σ c·y·yᵀ)·x = Σ c·y`, for rows `y` of a factor
//! matrix with weights `c`. Its matrix is only multiplied with, at the cost of two passes over the rows,
//! which for the few steps that a good start needs is less than putting it together (Takács, Pilászy,
//! Tikk, "Applications of the conjugate gradient method for implicit feedback collaborative filtering",
//! `RecSys` 2011; the method itself: Golub and Van Loan, "Matrix Computations", 4th edition 2013, section 11.3).

use super::normal::Rows;
use multiversion::{multiversion, target::target_cfg_f};

/// Partial sums of a product: one 512-bit register of `f32`.
const LANES: usize = 16;

/// Rows whose products are made before they are used.
const BATCH: usize = 8;

/// A residual this much shorter than where it started, squared, is rounding.
const ROUNDING: f32 = 1e-12;

/// Buffers for one problem after the other.
#[derive(Clone, Debug)]
pub struct ConjugateGradients {
    residual: Vec<f32>,
    direction: Vec<f32>,
    image: Vec<f32>,
}

impl ConjugateGradients {
    /// Room for problems of `n` unknowns.
    pub fn new(n: usize) -> Self {
        Self { residual: vec![0.0; n], direction: vec![0.0; n], image: vec![0.0; n] }
    }

    /// Takes `n_steps` steps from `x` towards the solution; `base (n, n)` is symmetric.
    ///
    /// # Panics
    ///
    /// If a row or its columns lie outside the factors, or `x` has another length than there is room for.
    pub fn improve(
        &mut self,
        (base, penalty): (&[f32], f32),
        (rows, weights): (Rows<'_>, &[f32]),
        x: &mut [f32],
        n_steps: usize,
    ) {
        assert_eq!(x.len(), self.residual.len(), "there is room for the unknowns");
        improve(self, (base, penalty), (rows, weights), x, n_steps);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn improve(
    room: &mut ConjugateGradients,
    base: (&[f32], f32),
    cells: (Rows<'_>, &[f32]),
    x: &mut [f32],
    n_steps: usize,
) {
    // Without the instruction, a fused product would be a slow call.
    if target_cfg_f!(target_feature = "fma") {
        improve_with::<true>(room, base, cells, x, n_steps);
    } else {
        improve_with::<false>(room, base, cells, x, n_steps);
    }
}

#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn improve_with<const FUSED: bool>(
    ConjugateGradients { residual, direction, image }: &mut ConjugateGradients,
    base: (&[f32], f32),
    cells: (Rows<'_>, &[f32]),
    x: &mut [f32],
    n_steps: usize,
) {
    // r = Σ c·(1 − y·x)·y − (B + λ)·x, with both signs turned.
    multiply::<FUSED>(base, cells, x, -1.0, residual);
    for r in residual.iter_mut() {
        *r = -*r;
    }
    direction.copy_from_slice(residual);
    let mut squares = product::<FUSED>(residual, residual);
    let least = squares * ROUNDING;
    for _ in 0..n_steps {
        if squares <= least.max(f32::MIN_POSITIVE) {
            return;
        }
        multiply::<FUSED>(base, cells, direction, 0.0, image);
        let step = squares / product::<FUSED>(direction, image).max(f32::MIN_POSITIVE);
        // Weights too large for an f32 to square; what is known stays.
        if !step.is_finite() {
            return;
        }
        add::<FUSED>(x, step, direction);
        add::<FUSED>(residual, -step, image);
        let before = std::mem::replace(&mut squares, product::<FUSED>(residual, residual));
        let ratio = squares / before;
        for (p, &r) in direction.iter_mut().zip(&*residual) {
            *p = sum::<FUSED>(r, ratio, *p);
        }
    }
}

/// `to = (B + λ)·x + Σ c·(y·x + shift)·y`.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn multiply<const FUSED: bool>(
    (base, penalty): (&[f32], f32),
    (rows, weights): (Rows<'_>, &[f32]),
    x: &[f32],
    shift: f32,
    to: &mut [f32],
) {
    let n = x.len();
    for (to, x) in to.iter_mut().zip(x) {
        *to = penalty * x;
    }
    // The base is symmetric, so its rows are its columns.
    for (line, &x) in base.chunks_exact(n).zip(x) {
        add::<FUSED>(to, x, line);
    }
    // Usual sizes stay in registers.
    match n {
        32 => add_in_registers::<FUSED, 2>((rows, weights), x, shift, to),
        64 => add_in_registers::<FUSED, 4>((rows, weights), x, shift, to),
        _ => add_in_memory::<FUSED>((rows, weights), x, shift, to),
    }
}

/// Adds `Σ c·(y·x + shift)·y`.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn add_in_memory<const FUSED: bool>(
    (rows, weights): (Rows<'_>, &[f32]),
    x: &[f32],
    shift: f32,
    to: &mut [f32],
) {
    for (&index, &weight) in rows.indices.iter().zip(weights) {
        let start = index as usize * rows.width + rows.start;
        let y = &rows.factors[start..start + x.len()];
        let scale = weight * (product::<FUSED>(y, x) + shift);
        add::<FUSED>(to, scale, y);
    }
}

/// The same for `N` registers.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn add_in_registers<const FUSED: bool, const N: usize>(
    (rows, weights): (Rows<'_>, &[f32]),
    x: &[f32],
    shift: f32,
    to: &mut [f32],
) {
    let x: &[[f32; LANES]; N] =
        x.as_chunks().0.first_chunk().expect("there are as many as the caller says");
    let to: &mut [[f32; LANES]; N] =
        to.as_chunks_mut().0.first_chunk_mut().expect("there are as many as of x");
    let (x, mut sums) = (*x, *to);
    let row = |index: u32| -> &[[f32; LANES]; N] {
        let start = index as usize * rows.width + rows.start;
        let row = &rows.factors[start..start + N * LANES];
        row.as_chunks().0.first_chunk().expect("the slice is as long as that")
    };
    for (indices, weights) in rows.indices.chunks(BATCH).zip(weights.chunks(BATCH)) {
        let mut lanes = [[0.0_f32; LANES]; BATCH];
        for (lanes, &index) in lanes.iter_mut().zip(indices) {
            let y = row(index);
            let mut products = [0.0; LANES];
            for at in 0..N {
                for lane in 0..LANES {
                    products[lane] = sum::<FUSED>(products[lane], y[at][lane], x[at][lane]);
                }
            }
            *lanes = products;
        }
        // Unless they are kept apart, the compiler mixes the folding with the products and cuts up registers.
        let lanes = std::hint::black_box(&lanes);
        for ((&index, weight), lanes) in indices.iter().zip(weights).zip(lanes) {
            let y = row(index);
            let scale = weight * (folded(*lanes) + shift);
            for at in 0..N {
                for lane in 0..LANES {
                    sums[at][lane] = sum::<FUSED>(sums[at][lane], scale, y[at][lane]);
                }
            }
        }
    }
    *to = sums;
}

#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn sum<const FUSED: bool>(sum: f32, a: f32, b: f32) -> f32 {
    if FUSED { a.mul_add(b, sum) } else { sum + a * b }
}

#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn product<const FUSED: bool>(y: &[f32], x: &[f32]) -> f32 {
    let (y_whole, y_rest) = y.as_chunks::<LANES>();
    let (x_whole, x_rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for (y, x) in y_whole.iter().zip(x_whole) {
        for (lane, (y, x)) in lanes.iter_mut().zip(y.iter().zip(x)) {
            *lane = sum::<FUSED>(*lane, *y, *x);
        }
    }
    let mut rest = 0.0;
    for (y, x) in y_rest.iter().zip(x_rest) {
        rest += y * x;
    }
    folded(std::hint::black_box(lanes)) + rest
}

/// The sum of all lanes, pair by pair.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn folded(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn add<const FUSED: bool>(to: &mut [f32], scale: f32, y: &[f32]) {
    for (to, y) in to.iter_mut().zip(y) {
        *to = sum::<FUSED>(*to, scale, *y);
    }
}

#[cfg(test)]
mod tests {
    use super::super::normal::NormalEquations;
    use super::*;

    #[test]
    fn as_many_steps_as_unknowns_give_the_solution() {
        let hash = |at: u32| (at ^ 0x9e37).wrapping_mul(2_654_435_761) >> 8;
        let noise = |n: usize| -> Vec<f32> {
            (0..n as u32).map(|at| hash(at) as f32 / (1 << 24) as f32 - 0.5).collect()
        };
        for n in [1, 5, 16, 23] {
            let factors = noise(60 * n);
            let indices: Vec<u32> = (0..57).rev().collect();
            let weights: Vec<f32> = noise(57).iter().map(|x| 1.0 + x).collect();
            let base: Vec<f32> =
                (0..n * n).map(|at| if at % (n + 1) == 0 { 2.0 } else { 0.1 }).collect();
            let rows = Rows { factors: &factors, width: n, start: 0, indices: &indices };
            let mut exact = NormalEquations::new(n);
            exact.start(&base, n, 0..n, 0.5);
            exact.add(rows, &weights, None);
            let mut x = noise(n);
            ConjugateGradients::new(n).improve((&base, 0.5), (rows, &weights), &mut x, n + 2);
            for (x, exact) in x.iter().zip(exact.solve()) {
                assert!((x - exact).abs() < 1e-5, "{x} is not {exact}");
            }
        }
    }

    #[test]
    fn nothing_to_do_is_done() {
        let mut x = [0.0; 3];
        let rows = Rows { factors: &[], width: 3, start: 0, indices: &[] };
        ConjugateGradients::new(3).improve((&[0.0; 9], 0.0), (rows, &[]), &mut x, 5);
        assert!(x.iter().all(|x| x.is_finite()));
    }
}
