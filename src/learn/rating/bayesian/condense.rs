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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::{ItemIdx, UserIdx};
    use crate::learn::rating::bayesian::data::TwoWay;
    use crate::learn::rating::bayesian::draw::{Owner, Purpose, Streams};
    use crate::learn::rating::data::{Rating, Ratings};

    /// The log likelihood of one row's prior mean for one factor and a bias, by the joint normal
    /// distribution of its two ratings: `t ~ N(X·m, X·Λ⁻¹·Xᵀ + W⁻¹)`.
    #[expect(clippy::many_single_char_names, reason = "the letters of the formula")]
    fn log_likelihood(
        mean: [f64; 2],
        x: [[f64; 2]; 2],
        t: [f64; 2],
        w: [f64; 2],
        l: [f64; 2],
    ) -> f64 {
        let error = [0, 1].map(|k| t[k] - x[k][0] * mean[0] - x[k][1] * mean[1]);
        let cell = |a: usize, b: usize| {
            let noise = if a == b { 1.0 / w[a] } else { 0.0 };
            x[a][0] * x[b][0] / l[0] + x[a][1] * x[b][1] / l[1] + noise
        };
        let (a, b, d) = (cell(0, 0), cell(0, 1), cell(1, 1));
        let square =
            d * error[0] * error[0] - 2.0 * b * error[0] * error[1] + a * error[1] * error[1];
        -0.5 * square / (a * d - b * b)
    }

    #[test]
    fn gradient_and_curvature_are_those_of_the_likelihood_with_the_row_integrated_out() {
        let rating = |item, value| Rating { user: UserIdx(0), item: ItemIdx(item), value };
        let data = TwoWay::new(&Ratings::new(1, 2, [rating(0, 1.0), rating(1, 3.0)]));
        assert_eq!(data.user_values, [-1.0, 1.0]);
        let mut rows = vec![0.0; 2 * LANES];
        (rows[0], rows[1], rows[LANES], rows[LANES + 1]) = (0.7, 1.0, -0.4, 1.0);
        let design = Design { rows, offsets: vec![0.2, -0.1], exactness: vec![1.0, 2.0] };
        let mut prior_means = vec![0.0; LANES];
        (prior_means[0], prior_means[1]) = (0.3, -0.2);
        let mut condensed = Condensed::new(1, LANES);
        let lists = &data.by_user;
        condensed.update(
            lists,
            &data.user_values,
            &design,
            &prior_means,
            &[2.0, 5.0],
            &[1.5],
            |_| Streams::new(1).of(1, Owner::Users, Purpose::Rows, 0),
        );
        let at = |m0: f64, m1: f64| {
            let (x, t) = ([[0.7, 1.0], [-0.4, 1.0]], [-1.0 - 0.2, 1.0 + 0.1]);
            log_likelihood([m0, m1], x, t, [1.5, 3.0], [2.0, 5.0])
        };
        // The likelihood is quadratic, so that differences over a step of 1 are exact.
        let gradient =
            [0.5 * (at(1.3, -0.2) - at(-0.7, -0.2)), 0.5 * (at(0.3, 0.8) - at(0.3, -1.2))];
        let here = at(0.3, -0.2);
        let own = 2.0 * here - at(1.3, -0.2) - at(-0.7, -0.2);
        let cross = at(1.3, -0.2) + at(0.3, 0.8) - here - at(1.3, 0.8);
        for (found, expected) in [
            (condensed.gradients[0], gradient[0]),
            (condensed.gradients[1], gradient[1]),
            (condensed.curvatures[0], own),
            (condensed.curvatures[1], cross),
            (condensed.curvatures[LANES], cross),
        ] {
            assert!((f64::from(found) - expected).abs() < 1e-5, "{found} is not {expected} in f32");
        }
        condensed.follow(0, &[1.0], LANES);
        let moved = 0.5 * (at(1.3, 0.8) - at(1.3, -1.2));
        assert!((f64::from(condensed.gradients[1]) - moved).abs() < 1e-5);
    }
}
