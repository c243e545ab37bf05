//! Small dense algebra on square matrices of `width` columns, row by row, in `f32`.
//!
//! `width` is a multiple of [`LANES`]; what lies beyond the first `order` rows and columns is padding
//! that stays 0. Of symmetric matrices the upper triangle is valid unless said otherwise.

use crate::learn::linalg::kernels::add_scaled;
use multiversion::multiversion;

/// Row lengths are multiples of this, so that rows are whole registers.
pub(super) const LANES: usize = 8;

/// Terms that are summed in one go; the sums of such runs are summed in turn, so that rounding grows
/// with the number of runs and the length of one, not with their product.
const RUN: usize = 512;

/// What a row's ratings say about its factors: `gram = Σ w·x·xᵀ`, `moment = Σ w·t·x`.
pub(super) struct Normal {
    /// `(width, width)`, upper triangle.
    pub(super) gram: Vec<f32>,
    /// `(width)`.
    pub(super) moment: Vec<f32>,
    run_gram: Vec<f32>,
    run_moment: Vec<f32>,
    terms: Vec<(u32, f32, f32)>,
    order: usize,
    width: usize,
}

impl Normal {
    pub(super) fn new(order: usize, width: usize) -> Self {
        debug_assert!(order <= width && width.is_multiple_of(LANES));
        let (square, row) = (vec![0.0; width * width], vec![0.0; width]);
        Self {
            gram: square.clone(),
            moment: row.clone(),
            run_gram: square,
            run_moment: row,
            terms: Vec::new(),
            order,
            width,
        }
    }

    /// Sums over terms `(row of design, w, t)`; `design (…, width)`.
    pub(super) fn sum(&mut self, design: &[f32], terms: impl Iterator<Item = (u32, f32, f32)>) {
        self.terms.clear();
        self.terms.extend(terms);
        self.gram.fill(0.0);
        self.moment.fill(0.0);
        for run in self.terms.chunks(RUN) {
            self.run_gram.fill(0.0);
            self.run_moment.fill(0.0);
            sum_run(design, run, &mut self.run_gram, &mut self.run_moment, self.order, self.width);
            add_scaled(&mut self.gram, 1.0, &self.run_gram);
            add_scaled(&mut self.moment, 1.0, &self.run_moment);
        }
    }
}

/// Adds a run of terms to a Gram matrix (upper triangle, and what else lies in its registers) and a
/// moment, four terms at a time so that a sum is loaded and stored once for four.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn sum_run(
    design: &[f32],
    run: &[(u32, f32, f32)],
    gram: &mut [f32],
    moment: &mut [f32],
    order: usize,
    width: usize,
) {
    let (fours, rest) = run.as_chunks::<4>();
    for [t0, t1, t2, t3] in fours {
        let rows = [
            design_row(design, t0.0, width),
            design_row(design, t1.0, width),
            design_row(design, t2.0, width),
            design_row(design, t3.0, width),
        ];
        let [r0, r1, r2, r3] = rows;
        for (a, sums) in gram.chunks_exact_mut(width).enumerate().take(order) {
            let from = a / LANES * LANES;
            let x = [r0[a] * t0.1, r1[a] * t1.1, r2[a] * t2.1, r3[a] * t3.1];
            add_four(&mut sums[from..], x, [&r0[from..], &r1[from..], &r2[from..], &r3[from..]]);
        }
        add_four(moment, [t0.1 * t0.2, t1.1 * t1.2, t2.1 * t2.2, t3.1 * t3.2], rows);
    }
    for term in rest {
        let row = design_row(design, term.0, width);
        for (a, sums) in gram.chunks_exact_mut(width).enumerate().take(order) {
            let from = a / LANES * LANES;
            add_scaled(&mut sums[from..], row[a] * term.1, &row[from..]);
        }
        add_scaled(moment, term.1 * term.2, row);
    }
}

#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn design_row(design: &[f32], row: u32, width: usize) -> &[f32] {
    &design[row as usize * width..][..width]
}

/// Adds `Σ_t x[t]·rows[t]` to `sums`, register by register.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn add_four(sums: &mut [f32], x: [f32; 4], rows: [&[f32]; 4]) {
    let (r0, r1) = (rows[0].as_chunks::<LANES>().0, rows[1].as_chunks::<LANES>().0);
    let (r2, r3) = (rows[2].as_chunks::<LANES>().0, rows[3].as_chunks::<LANES>().0);
    let sums = sums.as_chunks_mut::<LANES>().0;
    for ((((sums, r0), r1), r2), r3) in sums.iter_mut().zip(r0).zip(r1).zip(r2).zip(r3) {
        for lane in 0..LANES {
            sums[lane] += x[0] * r0[lane] + x[1] * r1[lane] + (x[2] * r2[lane] + x[3] * r3[lane]);
        }
    }
}

/// Overwrites the upper triangle of a positive definite `a` with `u`, `a = uᵀ·u` (Cholesky).
///
/// A pivot that rounding brought to 0 or below is taken for `PIVOT_MIN`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn factorise(a: &mut [f32], order: usize, width: usize) {
    for k in 0..order {
        let (above, below) = a.split_at_mut((k + 1) * width);
        let pivot_row = &mut above[k * width..];
        let pivot = pivot_row[k].max(PIVOT_MIN).sqrt();
        let inverse = 1.0 / pivot;
        for x in &mut pivot_row[k..] {
            *x *= inverse;
        }
        pivot_row[k] = pivot;
        for (i, row) in (k + 1..order).zip(below.chunks_exact_mut(width)) {
            let from = i / LANES * LANES;
            add_scaled(&mut row[from..], -pivot_row[i], &pivot_row[from..]);
        }
    }
}

/// Least pivot of a Cholesky factorisation; the priors keep true ones far above.
const PIVOT_MIN: f32 = 1e-20;

/// Writes the lower triangle `l⁻¹` for `l = uᵀ`, row by row; 0 above the diagonal.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn invert_triangle(u: &[f32], inverse: &mut [f32], order: usize, width: usize) {
    inverse.fill(0.0);
    for i in 0..order {
        let (done, rest) = inverse.split_at_mut(i * width);
        let row = &mut rest[..width];
        for (k, earlier) in done.chunks_exact(width).enumerate() {
            let to = (k / LANES + 1) * LANES;
            add_scaled(&mut row[..to], -u[k * width + i], &earlier[..to]);
        }
        row[i] = 1.0;
        let scale = 1.0 / u[i * width + i];
        for x in &mut row[..=i] {
            *x *= scale;
        }
    }
}

/// Writes `lᵀ·l` for a lower triangle `l`, both triangles.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn square_triangle(l: &[f32], square: &mut [f32], order: usize, width: usize) {
    square.fill(0.0);
    for (k, row) in l.chunks_exact(width).enumerate().take(order) {
        let to = (k / LANES + 1) * LANES;
        for (a, sums) in square.chunks_exact_mut(width).enumerate().take(k + 1) {
            let from = a / LANES * LANES;
            add_scaled(&mut sums[from..to], row[a], &row[from..to]);
        }
    }
    for a in 1..order {
        for b in 0..a {
            square[a * width + b] = square[b * width + a];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_matrix_is_factorised_and_inverted() {
        // 9 unknowns, so that rows have padding; 1,030 terms, so that there are three runs.
        let (order, width) = (9, 16);
        let design: Vec<f32> = (0..7 * width)
            .map(|at| if at % width < order { ((at * at) % 13) as f32 / 13.0 - 0.4 } else { 0.0 })
            .collect();
        let terms = || (0..1_030_u32).map(|t| (t % 7, 0.5 + (t % 3) as f32, (t % 5) as f32 - 2.0));
        let mut normal = Normal::new(order, width);
        normal.sum(&design, terms());
        let mut gram = vec![0.0_f64; width * width];
        let mut moment = vec![0.0_f64; width];
        for (row, weight, target) in terms() {
            let x = &design[row as usize * width..][..width];
            for a in 0..order {
                moment[a] += f64::from(weight * target * x[a]);
                for b in 0..order {
                    gram[a * width + b] += f64::from(weight) * f64::from(x[a]) * f64::from(x[b]);
                }
            }
        }
        for a in 0..order {
            // 1,030 terms of at most 3 in f32, 6e-8 of their sum each.
            assert!((f64::from(normal.moment[a]) - moment[a]).abs() < 1e-2);
            for b in a..order {
                let (found, sum) = (f64::from(normal.gram[a * width + b]), gram[a * width + b]);
                assert!((found - sum).abs() < 1e-2, "({a}, {b}): {found} is not {sum}");
            }
            normal.gram[a * width + a] += 10.0;
            gram[a * width + a] += 10.0;
        }
        let mut triangle = vec![0.0; width * width];
        let mut inverse = vec![0.0; width * width];
        factorise(&mut normal.gram, order, width);
        invert_triangle(&normal.gram, &mut triangle, order, width);
        square_triangle(&triangle, &mut inverse, order, width);
        for a in 0..order {
            for b in 0..order {
                let product: f64 = (0..order)
                    .map(|k| gram[a * width + k] * f64::from(inverse[k * width + b]))
                    .sum();
                let expected = f64::from(u8::from(a == b));
                // Entries of some hundreds by an f32 inverse.
                assert!((product - expected).abs() < 1e-3, "({a}, {b}): {product}");
            }
        }
    }
}
