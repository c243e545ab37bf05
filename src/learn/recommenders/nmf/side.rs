//! Improving one side of a factorisation while the other is fixed.
//!
//! Rows are independent of each other, so they are taken in panels of a fixed size, in parallel. For squared
//! errors a panel is turned over, so that a register holds one factor of all its rows: every row
//! needs the same products with the same Gram matrix. Those are made for `BLOCK` factors at once, and
//! coordinate descent corrects the later factors of the block as it changes the earlier ones, which is
//! the same as one factor after the other.

use super::{Loss, NmfParams, Solver};
use crate::learn::linalg::kernels::{add_scaled, dot};
use crate::learn::recommenders::{FitError, Stop};
use multiversion::{multiversion, target::target_cfg_f};
use rayon::prelude::*;

/// Rows of a panel: one 512-bit register of `f32`.
const PANEL: usize = 16;

/// Factors whose products are made at once; with `PANEL` half of the 512-bit registers, or all of the
/// 256-bit ones.
const BLOCK: usize = 8;

/// Rows of factors are filled up by 0 to a multiple of this.
const LANES: usize = 16;

/// Terms summed in one go; longer sums go by partial sums, so that an `f32` carries them.
const TERMS_MAX: usize = 4_096;

/// Least factor of multiplicative steps, which could never leave 0 (Gillis and Glineur 2012, after Lin, "On the convergence of multiplicative update algorithms for nonnegative matrix
/// factorization", IEEE Transactions on Neural Networks 2007). Rows of 0 have no data and stay.
pub(super) const FACTOR_MIN: f32 = 1e-12;

/// Curvature of a factor that does not count: its column is 0, or so near that steps would overflow.
pub(super) const CURVATURE_MIN: f32 = 1e-20;

/// One factor of all rows of a panel.
type Lanes = [f32; PANEL];

/// Positions and weights of a row.
pub(super) type Cells<'a> = (&'a [u32], &'a [f32]);

/// Length of a stored row of `n_factors`.
pub(super) fn width_of(n_factors: usize) -> usize {
    n_factors.next_multiple_of(LANES)
}

/// The other side, which is fixed.
#[derive(Clone, Copy)]
pub(super) struct Fixed<'a> {
    /// Row by row.
    pub(super) factors: &'a [f32],
    /// Length of a row.
    pub(super) width: usize,
    /// Squared errors: `factorsᵀ·factors + λ`. Divergence: the sum of each column.
    pub(super) moments: &'a [f32],
}

/// Improves every row of `own`. Returns what the error of the whole is made of: for squared errors `⟨V, WH⟩`
/// after it, for the divergence `Σ v·ln(WH)` before it.
pub(super) fn improve<'m>(
    row_of: impl Fn(u32) -> Cells<'m> + Sync,
    own: &mut [f32],
    fixed: Fixed<'_>,
    params: &NmfParams,
    stop: Stop<'_>,
) -> Result<f64, FitError> {
    let width = fixed.width;
    let parts: Vec<f64> = own
        .par_chunks_mut(PANEL * width)
        .enumerate()
        .map_init(
            || Panel::new(width),
            |panel, (at, own)| {
                if stop() {
                    return Err(FitError::Stopped);
                }
                let n_rows = own.len() / width;
                let mut rows: [Cells<'_>; PANEL] = [(&[], &[]); PANEL];
                for (row, cells) in (at * PANEL..).zip(&mut rows[..n_rows]) {
                    *cells = row_of(row as u32);
                }
                Ok(match params.loss {
                    Loss::Frobenius => improve_squares(&rows[..n_rows], own, fixed, params, panel),
                    Loss::KullbackLeibler => {
                        improve_divergence(&rows[..n_rows], own, fixed, params, panel)
                    }
                })
            },
        )
        .collect::<Result<_, _>>()?;
    Ok(parts.iter().sum())
}

/// Buffers for one panel after the other.
struct Panel {
    x: Vec<Lanes>,
    next: Vec<Lanes>,
    numerators: Vec<Lanes>,
    terms: [Vec<f32>; 2],
}

impl Panel {
    fn new(width: usize) -> Self {
        let lanes = || vec![[0.0; PANEL]; width];
        let terms = || vec![0.0; width];
        Self { x: lanes(), next: lanes(), numerators: lanes(), terms: [terms(), terms()] }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn improve_squares(
    rows: &[Cells<'_>],
    own: &mut [f32],
    fixed: Fixed<'_>,
    params: &NmfParams,
    panel: &mut Panel,
) -> f64 {
    // Without the instruction, a fused product would be a slow call.
    if target_cfg_f!(target_feature = "fma") {
        improve_squares_with::<true>(rows, own, fixed, params, panel)
    } else {
        improve_squares_with::<false>(rows, own, fixed, params, panel)
    }
}

#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn improve_squares_with<const FUSED: bool>(
    rows: &[Cells<'_>],
    own: &mut [f32],
    fixed: Fixed<'_>,
    params: &NmfParams,
    panel: &mut Panel,
) -> f64 {
    let width = fixed.width;
    panel.x.fill([0.0; PANEL]);
    panel.numerators.fill([0.0; PANEL]);
    for (lane, (cells, x)) in rows.iter().zip(own.chunks_exact(width)).enumerate() {
        for (to, x) in panel.x.iter_mut().zip(x) {
            to[lane] = *x;
        }
        for start in (0..width).step_by(LANES) {
            let sums = gather::<FUSED>(*cells, fixed, start);
            let to = panel.numerators[start..].iter_mut();
            to.zip(&sums).for_each(|(to, sum)| to[lane] = *sum);
        }
    }
    for _ in 0..params.n_sweeps {
        match params.solver {
            Solver::CoordinateDescent => {
                descend::<FUSED>(fixed.moments, &panel.numerators, &mut panel.x);
            }
            Solver::Multiplicative => {
                multiply::<FUSED>(fixed.moments, &panel.numerators, &panel.x, &mut panel.next);
                std::mem::swap(&mut panel.x, &mut panel.next);
            }
        }
    }
    let mut cross = [0.0; PANEL];
    for (x, numerator) in panel.x.iter().zip(&panel.numerators) {
        cross.iter_mut().zip(x.iter().zip(numerator)).for_each(|(sum, (x, n))| *sum += x * n);
    }
    for (lane, x) in own.chunks_exact_mut(width).enumerate() {
        x.iter_mut().zip(&panel.x).for_each(|(to, x)| *to = x[lane]);
    }
    cross.iter().copied().map(f64::from).sum()
}

/// `Σ v·y`, of columns `start..start + LANES`: one register, which the compiler does not spill.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn gather<const FUSED: bool>(
    (indices, weights): Cells<'_>,
    fixed: Fixed<'_>,
    start: usize,
) -> [f32; LANES] {
    let mut total = [0.0; LANES];
    for (indices, weights) in indices.chunks(TERMS_MAX).zip(weights.chunks(TERMS_MAX)) {
        let mut sums = [0.0; LANES];
        for (&index, &weight) in indices.iter().zip(weights) {
            let row = &fixed.factors[index as usize * fixed.width + start..][..LANES];
            for (sum, y) in sums.iter_mut().zip(row) {
                *sum = if FUSED { weight.mul_add(*y, *sum) } else { *sum + weight * y };
            }
        }
        total.iter_mut().zip(&sums).for_each(|(total, sum)| *total += sum);
    }
    total
}

/// `Σ_k gram[k][t]·x[k]` for the factors `t` of a block.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn products<const FUSED: bool>(gram: &[f32], x: &[Lanes], first: usize) -> [Lanes; BLOCK] {
    let mut sums = [[0.0; PANEL]; BLOCK];
    for (gram, x) in gram.chunks_exact(x.len()).zip(x) {
        let gram = &gram[first..first + BLOCK];
        for (at, sums) in sums.iter_mut().enumerate() {
            let gram = gram[at];
            for (sum, &x) in sums.iter_mut().zip(x) {
                *sum = if FUSED { gram.mul_add(x, *sum) } else { *sum + gram * x };
            }
        }
    }
    sums
}

/// One sweep of coordinate descent: each factor of a row goes where the error is least, but not below 0
/// (Cichocki and Phan 2009; Gillis and Glineur 2012).
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn descend<const FUSED: bool>(gram: &[f32], numerators: &[Lanes], x: &mut [Lanes]) {
    let width = x.len();
    for first in (0..width).step_by(BLOCK) {
        let mut products = products::<FUSED>(gram, x, first);
        for at in 0..BLOCK {
            let line = &gram[(first + at) * width + first..][..BLOCK];
            let inverse = if line[at] > CURVATURE_MIN { 1.0 / line[at] } else { 0.0 };
            let mut step = [0.0; PANEL];
            for lane in 0..PANEL {
                let old = x[first + at][lane];
                let excess = products[at][lane] - numerators[first + at][lane];
                let new = (old - excess * inverse).max(0.0);
                step[lane] = new - old;
                x[first + at][lane] = new;
            }
            for (products, gram) in products.iter_mut().zip(line).skip(at + 1) {
                for (product, step) in products.iter_mut().zip(&step) {
                    *product =
                        if FUSED { gram.mul_add(*step, *product) } else { *product + gram * step };
                }
            }
        }
    }
}

/// One multiplicative step of all factors (Lee and Seung 2000, theorem 1): `next = x·numerator / (gram·x)`.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn multiply<const FUSED: bool>(
    gram: &[f32],
    numerators: &[Lanes],
    x: &[Lanes],
    next: &mut [Lanes],
) {
    for first in (0..x.len()).step_by(BLOCK) {
        let products = products::<FUSED>(gram, x, first);
        for (at, products) in (first..).zip(&products) {
            for lane in 0..PANEL {
                let ratio = numerators[at][lane] / products[lane].max(f32::MIN_POSITIVE);
                let new = (x[at][lane] * ratio).max(FACTOR_MIN);
                next[at][lane] = if x[at][lane] > 0.0 { new } else { 0.0 };
            }
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn improve_divergence(
    rows: &[Cells<'_>],
    own: &mut [f32],
    fixed: Fixed<'_>,
    params: &NmfParams,
    panel: &mut Panel,
) -> f64 {
    let mut log_sum = 0.0;
    let [numerators, terms] = &mut panel.terms;
    for (&(indices, weights), x) in rows.iter().zip(own.chunks_exact_mut(fixed.width)) {
        for sweep in 0..params.n_sweeps {
            numerators.fill(0.0);
            for (indices, weights) in indices.chunks(TERMS_MAX).zip(weights.chunks(TERMS_MAX)) {
                terms.fill(0.0);
                for (&index, &weight) in indices.iter().zip(weights) {
                    let y = &fixed.factors[index as usize * fixed.width..][..fixed.width];
                    let product = dot(x, y).max(f32::MIN_POSITIVE);
                    add_scaled(terms, weight / product, y);
                    if sweep == 0 {
                        log_sum += f64::from(weight) * f64::from(product.ln());
                    }
                }
                add_scaled(numerators, 1.0, terms);
            }
            for ((x, numerator), sum) in x.iter_mut().zip(&*numerators).zip(fixed.moments) {
                *x = divergence_step(*x, *numerator, *sum, params.regularization);
            }
        }
    }
    log_sum
}

/// A factor after one multiplicative step of the divergence (Lee and Seung 2000, theorem 2).
///
/// Their auxiliary function with the penalty is `sum·w + λ/2·w² − x·numerator·ln w`; this is where it is
/// least, written so that nothing cancels, and for `λ = 0` it is the theorem.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
pub(super) fn divergence_step(x: f32, numerator: f32, sum: f32, regularization: f32) -> f32 {
    let a = x * numerator;
    let root = (sum * sum + 4.0 * regularization * a).sqrt();
    let new = (2.0 * a / (sum + root).max(f32::MIN_POSITIVE)).max(FACTOR_MIN);
    if x > 0.0 { new } else { 0.0 }
}
