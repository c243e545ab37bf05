//! What a side's ratings say about the prior means of its rows.

use super::algebra::{self, LANES, Normal};
use super::data::Lists;
use crate::learn::linalg::kernels::add_scaled;
use multiversion::multiversion;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Rows that one task condenses, with random numbers of their own.
const BLOCK: usize = 64;

/// What a side is to the other while that is drawn.
#[derive(Clone, Debug)]
pub(super) struct Design {
    /// `(n_rows, width)`: the factors, then 1 for the other side's bias, then padding.
    pub(super) rows: Vec<f32>,
    /// `(n_rows)`: the bias.
    pub(super) offsets: Vec<f32>,
    /// `(n_rows)`: how much more exact than others a row's ratings are.
    pub(super) exactness: Vec<f32>,
}

/// The log likelihood of a side's ratings by its rows' prior means, the rows themselves integrated out.
///
/// With `S = Σ α·x·xᵀ` and `b = Σ α·t·x` over a row's ratings (`x` the other side's design, `t` what is left
/// to explain) and `A = S + Λ`: integrating `p ~ N(m, Λ⁻¹)` out leaves `exp(hᵀm − ½ mᵀMm)` with
/// `M = Λ − ΛA⁻¹Λ`, `h = ΛA⁻¹b`, and `p | m ~ N(m + Λ⁻¹(h − Mm), A⁻¹)`. Kept are `r = h − Mm`, `M` and a
/// draw of `N(0, A⁻¹)`: all that is needed to move `m` about and then to draw `p`.
#[derive(Clone, Debug)]
pub(super) struct Condensed {
    /// `r (n_rows, width)`.
    pub(super) gradients: Vec<f32>,
    /// `M (n_rows, width, width)`.
    pub(super) curvatures: Vec<f32>,
    /// `(n_rows, width)`.
    pub(super) noise: Vec<f32>,
}

impl Condensed {
    pub(super) fn new(n_rows: usize, width: usize) -> Self {
        let row = vec![0.0; n_rows * width];
        Self { gradients: row.clone(), curvatures: vec![0.0; n_rows * width * width], noise: row }
    }

    /// Condenses all rows that have ratings; the others stay 0.
    #[expect(clippy::too_many_arguments, reason = "a kernel on views")]
    pub(super) fn update(
        &mut self,
        lists: &Lists,
        values: &[f32],
        design: &Design,
        prior_means: &[f32],
        precisions: &[f64],
        own_precisions: &[f32],
        draw: impl Fn(usize) -> ChaCha8Rng + Sync,
    ) {
        let order = precisions.len();
        let width = order.next_multiple_of(LANES);
        let precisions: Vec<f32> = precisions.iter().map(|&x| x as f32).collect();
        let blocks = self
            .gradients
            .par_chunks_mut(BLOCK * width)
            .zip(self.curvatures.par_chunks_mut(BLOCK * width * width))
            .zip(self.noise.par_chunks_mut(BLOCK * width));
        blocks.enumerate().for_each(|(block, ((gradients, curvatures), noise))| {
            let mut rng = draw(block);
            let mut normal = Normal::new(order, width);
            let mut triangle = vec![0.0; width * width];
            let rows = gradients
                .chunks_exact_mut(width)
                .zip(curvatures.chunks_exact_mut(width * width))
                .zip(noise.chunks_exact_mut(width));
            for (row, ((gradient, curvature), noise)) in (block * BLOCK..).zip(rows) {
                let (others, values) = (lists.of(row), &values[lists.range(row)]);
                if others.is_empty() {
                    continue;
                }
                let own = own_precisions[row];
                normal.sum(
                    &design.rows,
                    others.iter().zip(values).map(|(&other, &value)| {
                        let at = other as usize;
                        (other, own * design.exactness[at], value - design.offsets[at])
                    }),
                );
                for (f, &precision) in precisions.iter().enumerate() {
                    normal.gram[f * width + f] += precision;
                }
                algebra::factorise(&mut normal.gram, order, width);
                algebra::invert_triangle(&normal.gram, &mut triangle, order, width);
                algebra::square_triangle(&triangle, curvature, order, width);
                noise.fill(0.0);
                for row in triangle.chunks_exact(width).take(order) {
                    add_scaled(noise, StandardNormal.sample(&mut rng), row);
                }
                let mean = &prior_means[row * width..][..width];
                finish(curvature, gradient, &normal.moment, mean, &precisions, width);
            }
        });
    }

    /// Follows changes of the prior means of factor `f`, one for each row.
    pub(super) fn follow(&mut self, f: usize, changes: &[f32], width: usize) {
        let blocks = self.gradients.par_chunks_mut(BLOCK * width);
        let blocks = blocks.zip(self.curvatures.par_chunks(BLOCK * width * width));
        blocks.zip(changes.par_chunks(BLOCK)).for_each(|((gradients, curvatures), changes)| {
            follow_block(f, gradients, curvatures, changes, width);
        });
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn follow_block(
    f: usize,
    gradients: &mut [f32],
    curvatures: &[f32],
    changes: &[f32],
    width: usize,
) {
    let rows = gradients.chunks_exact_mut(width).zip(curvatures.chunks_exact(width * width));
    for ((gradient, curvature), &change) in rows.zip(changes) {
        add_scaled(gradient, -change, &curvature[f * width..][..width]);
    }
}

/// Turns `A⁻¹` in `curvature` into `M`, and writes `r = ΛA⁻¹b − M·m`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn finish(
    curvature: &mut [f32],
    gradient: &mut [f32],
    moment: &[f32],
    mean: &[f32],
    precisions: &[f32],
    width: usize,
) {
    gradient.fill(0.0);
    let rows = curvature.chunks_exact_mut(width).zip(precisions).enumerate();
    for (f, (row, &precision)) in rows {
        // Rows serve as columns: the matrix is symmetric.
        add_scaled(gradient, moment[f], row);
        for (x, other) in row.iter_mut().zip(precisions) {
            *x *= -precision * other;
        }
        row[f] += precision;
    }
    for (x, precision) in gradient.iter_mut().zip(precisions) {
        *x *= precision;
    }
    for (row, &mean) in curvature.chunks_exact(width).zip(mean).take(precisions.len()) {
        add_scaled(gradient, -mean, row);
    }
}
