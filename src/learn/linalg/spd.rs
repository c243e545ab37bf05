//! Symmetric positive definite matrices: the inverse of a large one, the solution of many small ones.
//!
//! The inverse is found in place by sweeping one block of columns after the other (Goodnight, "A
//! tutorial on the SWEEP operator", The American Statistician 1979, with blocks as pivots): as
//! many operations, `n³`, as Cholesky factor, triangular inverse and product together, but every step is
//! one product of a panel with its transpose, spread over all cores, whose result does not depend on
//! how many there are. Departures: the diagonal is brought to 1 first, which is within a factor `n` of the best
//! scaling there is (van der Sluis, "Condition numbers and equilibration of matrices", Numerische
//! Mathematik 1969), and pivots are inverted in `f64`, so that `f32` suffices for the rest.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::{cholesky::llt, matmul::matmul};
use faer::{Accum, Mat, MatMut, MatRef, Par, Spec};
use rayon::prelude::*;

/// Columns swept at once: products with this inner size run near the peak of a core, and the pivots,
/// which one core inverts, cost little.
const BLOCK: usize = 128;

/// Why there is no inverse or solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpdError {
    /// The matrix is not positive definite within rounding, or not finite.
    NotPositiveDefinite,
    /// `go_on` said no.
    Stopped,
}

/// Replaces the lower triangle (with the diagonal) of the symmetric `a (n, n)`, row by row in memory, by
/// that of its inverse; the upper triangle is neither read nor kept.
///
/// Parallel on the pool it is called in. Beside `a` it holds `2 n · 128` floats. Asks `go_on` once for
/// each 128 columns.
///
/// # Panics
///
/// If `a` does not have `n²` entries.
pub fn invert(a: &mut [f32], n: usize, go_on: &(dyn Fn() -> bool + Sync)) -> Result<(), SpdError> {
    assert_eq!(a.len(), n * n, "the matrix is square");
    if n == 0 {
        return Ok(());
    }
    let scales = unit_diagonal_scales(a, n)?;
    scale(a, n, &scales, &scales);
    let mut panel = vec![0.0; n * BLOCK];
    let mut swept = vec![0.0; n * BLOCK];
    for start in (0..n).step_by(BLOCK) {
        if !go_on() {
            return Err(SpdError::Stopped);
        }
        let width = BLOCK.min(n - start);
        copy_panel(a, n, start, width, &mut panel[..n * width]);
        let pivot = inverse_of_pivot(&panel[start * width..(start + width) * width], width)?;
        sweep(a, n, (start, width), &panel[..n * width], &pivot, &mut swept[..n * width]);
    }
    // What sweeping leaves is the inverse with its sign turned.
    let negative: Vec<f32> = scales.iter().map(|scale| -scale).collect();
    scale(a, n, &negative, &scales);
    let finite =
        a.par_chunks(n).enumerate().all(|(i, row)| row[..=i].iter().all(|x| x.is_finite()));
    if finite { Ok(()) } else { Err(SpdError::NotPositiveDefinite) }
}

/// `1 / √a_ii`.
fn unit_diagonal_scales(a: &[f32], n: usize) -> Result<Vec<f32>, SpdError> {
    let diagonal = (0..n).map(|i| a[i * n + i]);
    let scales: Vec<f32> = diagonal.map(|x| (1.0 / f64::from(x).sqrt()) as f32).collect();
    let usable = scales.iter().all(|&scale| scale.is_finite() && scale > 0.0);
    if usable { Ok(scales) } else { Err(SpdError::NotPositiveDefinite) }
}

/// `a_ij · rows_i · columns_j` in the lower triangle.
fn scale(a: &mut [f32], n: usize, rows: &[f32], columns: &[f32]) {
    a.par_chunks_mut(n).enumerate().for_each(|(i, row)| {
        for (x, column) in row[..=i].iter_mut().zip(columns) {
            *x *= rows[i] * column;
        }
    });
}

/// The columns `start..start + width` of the whole symmetric matrix, as `panel (n, width)`.
fn copy_panel(a: &[f32], n: usize, start: usize, width: usize, panel: &mut [f32]) {
    let (above, from_pivot) = panel.split_at_mut(start * width);
    for (i, row) in (start..n).zip(from_pivot.chunks_exact_mut(width)) {
        row.copy_from_slice(&a[i * n + start..i * n + start + width]);
    }
    // Within the pivot the upper triangle comes from the lower, above it from the pivot's rows.
    for i in 0..width {
        for j in i + 1..width {
            from_pivot[i * width + j] = from_pivot[j * width + i];
        }
    }
    above.par_chunks_mut(BLOCK * width).enumerate().for_each(|(block, rows)| {
        for k in 0..width {
            let pivot_row = &a[(start + k) * n + block * BLOCK..];
            for (row, &x) in rows.chunks_exact_mut(width).zip(pivot_row) {
                row[k] = x;
            }
        }
    });
}

/// The inverse of the symmetric `pivot (width, width)`, by Cholesky's factors in `f64`.
fn inverse_of_pivot(pivot: &[f32], width: usize) -> Result<Vec<f32>, SpdError> {
    let mut factor = Mat::from_fn(width, width, |i, j| f64::from(pivot[i * width + j]));
    let mut inverse = Mat::<f64>::zeros(width, width);
    let scratch = llt::factor::cholesky_in_place_scratch::<f64>(width, Par::Seq, Spec::default())
        .or(llt::inverse::inverse_scratch::<f64>(width, Par::Seq));
    let mut buffer = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut buffer);
    factor_in_place(factor.as_mut(), stack)?;
    llt::inverse::inverse(inverse.as_mut(), factor.as_ref(), Par::Seq, stack);
    let of_lower = |at: usize| {
        let (i, j) = (at / width, at % width);
        inverse[(i.max(j), i.min(j))] as f32
    };
    Ok((0..width * width).map(of_lower).collect())
}

fn factor_in_place<T: faer::traits::ComplexField>(
    a: MatMut<'_, T>,
    stack: &mut MemStack,
) -> Result<(), SpdError> {
    llt::factor::cholesky_in_place(
        a,
        llt::factor::LltRegularization::default(),
        Par::Seq,
        stack,
        Spec::default(),
    )
    .map(|_| ())
    .map_err(|_| SpdError::NotPositiveDefinite)
}

/// Sweeps the columns of one pivot: with `K` the pivot and `R` the rest, `a_RR −= a_RK a_KK⁻¹ a_KR`,
/// `a_RK = a_RK a_KK⁻¹`, `a_KK = −a_KK⁻¹`.
fn sweep(
    a: &mut [f32],
    n: usize,
    (start, width): (usize, usize),
    panel: &[f32],
    pivot: &[f32],
    swept: &mut [f32],
) {
    let inverse = MatRef::from_row_major_slice(pivot, width, width);
    swept.par_chunks_mut(BLOCK * width).zip(panel.par_chunks(BLOCK * width)).for_each(
        |(swept, panel)| {
            let n_rows = panel.len() / width;
            matmul(
                MatMut::from_row_major_slice_mut(swept, n_rows, width),
                Accum::Replace,
                MatRef::from_row_major_slice(panel, n_rows, width),
                inverse,
                1.0,
                Par::Seq,
            );
        },
    );
    let (swept, panel) = (&*swept, MatRef::from_row_major_slice(panel, n, width));
    let end = start + width;
    a.par_chunks_mut(BLOCK * n).enumerate().for_each(|(block, rows)| {
        let first = block * BLOCK;
        let n_rows = rows.len() / n;
        let swept_rows = &swept[first * width..(first + n_rows) * width];
        let subtract = |rows: &mut [f32], from: usize, to: usize| {
            if from < to {
                matmul(
                    MatMut::from_row_major_slice_mut(rows, n_rows, n).subcols_mut(from, to - from),
                    Accum::Add,
                    MatRef::from_row_major_slice(swept_rows, n_rows, width),
                    panel.subrows(from, to - from).transpose(),
                    -1.0,
                    Par::Seq,
                );
            }
        };
        // Columns beyond the diagonal of the last row of the block are not kept.
        let last = first + n_rows;
        if first == start {
            place_pivot_rows(rows, n, (start, width), swept, pivot);
        } else if last <= start {
            subtract(rows, 0, last);
        } else {
            subtract(rows, 0, start);
            subtract(rows, end, last);
            for (row, swept) in rows.chunks_exact_mut(n).zip(swept_rows.chunks_exact(width)) {
                row[start..end].copy_from_slice(swept);
            }
        }
    });
}

/// The pivot's own rows: what was swept of the columns before, and the pivot's inverse, negative.
fn place_pivot_rows(
    rows: &mut [f32],
    n: usize,
    (start, width): (usize, usize),
    swept: &[f32],
    pivot: &[f32],
) {
    for (k, row) in rows.chunks_exact_mut(n).enumerate() {
        for (x, swept) in row[..start].iter_mut().zip(swept.chunks_exact(width)) {
            *x = swept[k];
        }
        for (x, inverse) in row[start..start + width].iter_mut().zip(&pivot[k * width..]) {
            *x = -inverse;
        }
    }
}

/// Solves `a · x = b` for one small system after the other, with buffers that are kept.
pub struct Solver {
    scales: Vec<f32>,
    buffer: MemBuffer,
    size: usize,
}

impl Solver {
    /// Room for systems of up to `size` unknowns.
    pub fn new(size: usize) -> Self {
        let scratch =
            llt::factor::cholesky_in_place_scratch::<f32>(size, Par::Seq, Spec::default())
                .or(llt::solve::solve_in_place_scratch::<f32>(size, 1, Par::Seq));
        Self { scales: Vec::with_capacity(size), buffer: MemBuffer::new(scratch), size }
    }

    /// Overwrites `b (n)` with the solution and the upper triangle of `a (n, n)`, row by row in memory, which
    /// alone is read, with what is of no further use.
    ///
    /// # Panics
    ///
    /// If `n` is greater than the room, or `a` is not `n²`.
    pub fn solve(&mut self, a: &mut [f32], b: &mut [f32]) -> Result<(), SpdError> {
        let n = b.len();
        assert!(n <= self.size && a.len() == n * n, "the system fits its solver");
        if n == 0 {
            return Ok(());
        }
        self.scales = unit_diagonal_scales(a, n)?;
        for (i, row) in a.chunks_exact_mut(n).enumerate() {
            for (x, scale) in row[i..].iter_mut().zip(&self.scales[i..]) {
                *x *= self.scales[i] * scale;
            }
        }
        for (b, scale) in b.iter_mut().zip(&self.scales) {
            *b *= scale;
        }
        let stack = MemStack::new(&mut self.buffer);
        // Upper by rows is lower by columns, which is how the factor lies best.
        factor_in_place(MatMut::from_column_major_slice_mut(a, n, n), stack)?;
        llt::solve::solve_in_place(
            MatRef::from_column_major_slice(a, n, n),
            MatMut::from_column_major_slice_mut(b, n, 1),
            Par::Seq,
            stack,
        );
        for (b, scale) in b.iter_mut().zip(&self.scales) {
            *b *= scale;
        }
        let finite = b.iter().all(|x| x.is_finite());
        if finite { Ok(()) } else { Err(SpdError::NotPositiveDefinite) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::linalg::dot;

    /// `XᵀX` plus a diagonal, of columns of very different size, without a pattern.
    fn example(n: usize) -> Vec<f32> {
        let entry = |at: usize| {
            let hash = (at as u32 ^ 0x9e37).wrapping_mul(2_654_435_761) >> 8;
            hash as f32 / 16_777_216.0 - 0.5
        };
        let column = |i: usize| -> Vec<f32> {
            let size = if i.is_multiple_of(5) { 100.0 } else { 1.0 };
            (0..40).map(|k| size * entry(i * 40 + k)).collect()
        };
        let columns: Vec<_> = (0..n).map(column).collect();
        let mut a = vec![f32::NAN; n * n];
        for i in 0..n {
            for j in 0..=i {
                a[i * n + j] = dot(&columns[i], &columns[j]);
            }
            a[i * n + i] *= 1.5;
        }
        a
    }

    fn lower(a: &[f32], n: usize, i: usize, j: usize) -> f64 {
        f64::from(a[i.max(j) * n + i.min(j)])
    }

    #[test]
    fn a_matrix_times_its_inverse_is_the_identity() {
        // Less than a block, a whole block, several with a rest.
        for n in [1, 7, 128, 300] {
            let a = example(n);
            let mut inverse = a.clone();
            invert(&mut inverse, n, &|| true).unwrap();
            for i in 0..n {
                for j in 0..n {
                    let product = |k| lower(&a, n, i, k) * lower(&inverse, n, k, j);
                    let sum: f64 = (0..n).map(product).sum();
                    // Relative to the size of row and column: the diagonal is brought to 1 inside.
                    let size = (lower(&a, n, i, i) / lower(&a, n, j, j)).sqrt();
                    let expected = if i == j { 1.0 } else { 0.0 };
                    // Condition number some 1e2, f32 keeps 7 digits.
                    assert!((sum - expected).abs() / size < 1e-4, "{n}: {i}, {j}: {sum}");
                }
            }
        }
    }

    #[test]
    fn the_inverse_does_not_depend_on_the_number_of_threads() {
        let n = 300;
        let with = |threads| {
            let mut a = example(n);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| invert(&mut a, n, &|| true)).unwrap();
            let kept = |(at, x): (usize, &f32)| (at % n <= at / n).then_some(x.to_bits());
            a.iter().enumerate().filter_map(kept).collect::<Vec<_>>()
        };
        assert_eq!(with(1), with(3));
    }

    #[test]
    fn what_has_no_inverse_is_refused() {
        let refused = Err(SpdError::NotPositiveDefinite);
        for diagonal in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(invert(&mut [1.0, 0.0, 0.0, diagonal], 2, &|| true), refused);
            let mut a = [1.0, 0.0, 0.0, diagonal];
            assert_eq!(Solver::new(2).solve(&mut a, &mut [1.0, 1.0]), refused);
        }
        assert_eq!(invert(&mut [1.0, 0.0, 2.0, 1.0], 2, &|| true), refused, "not definite");
        assert_eq!(invert(&mut [1.0], 1, &|| false), Err(SpdError::Stopped));
        assert_eq!(invert(&mut [], 0, &|| true), Ok(()));
    }

    #[test]
    fn small_systems_are_solved_with_one_room() {
        let mut solver = Solver::new(30);
        for n in [30, 1, 12, 0] {
            let a = example(n);
            let expected: Vec<f32> = (0..n).map(|i| i as f32 - 3.0).collect();
            let row = |i| (0..n).map(move |j| (i, j));
            let times = |(i, j)| lower(&a, n, i, j) * f64::from(expected[j]);
            let mut b: Vec<f32> = (0..n).map(|i| row(i).map(times).sum::<f64>() as f32).collect();
            let at = |at: usize| lower(&a, n, at / n, at % n) as f32;
            let mut whole: Vec<f32> = (0..n * n).map(at).collect();
            solver.solve(&mut whole, &mut b).unwrap();
            for (i, (b, x)) in b.iter().zip(&expected).enumerate() {
                let size = lower(&a, n, i, i).sqrt();
                assert!(f64::from((b - x).abs()) * size < 1e-1, "{n}: {b} not {x}");
            }
        }
    }
}
