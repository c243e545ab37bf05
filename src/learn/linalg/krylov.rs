//! Leading eigenvectors of a great symmetric operator, by a block Krylov space.
//!
//! Source: Musco and Musco, "Randomized block Krylov methods for stronger and faster approximate singular
//! value decomposition", NIPS 2015, algorithm 2. Departures: blocks are narrow and many, which makes
//! polynomials of a higher degree from as many products; each block is made orthonormal to all before
//! (block Lanczos with full reorthogonalisation; Golub and Underwood 1977), so that the small problem
//! falls out of the coefficients, without another product.
//!
//! Blocks are `f32`, small problems `f64`. The vectors are exact to some roundings of `f32`; eigenvalues
//! by Rayleigh quotients in `f64` then are exact to the square of that.

use super::dense;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use multiversion::multiversion;
use ndarray::{Array2, ArrayView2};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Columns of a block: two 512-bit registers of `f32`.
pub const WIDTH: usize = 32;

/// A row of a block `(n, WIDTH)`.
pub type Row = [f32; WIDTH];

/// Rows that one task works on.
const ROWS: usize = 512;

/// Times that a block is made orthogonal to those before; the second removes what rounding left over
/// (Parlett, "The symmetric eigenvalue problem", 1998, section 6.9), the third what an exhausted space drew at random.
const N_PASSES: usize = 3;

/// `rows · x` for sparse `rows` and a block `x`, in parallel; each row is summed in its own order, in
/// `f32`.
///
/// # Panics
///
/// If a column of a row lies outside `x`.
pub fn sparse_product<'m>(
    n_rows: usize,
    row_of: impl Fn(u32) -> (&'m [u32], &'m [f32]) + Sync,
    x: &[Row],
) -> Vec<Row> {
    let mut product = vec![[0.0; WIDTH]; n_rows];
    product.par_chunks_mut(ROWS).enumerate().for_each(|(block, sums)| {
        for (row, sum) in (block * ROWS..).zip(sums) {
            let (columns, values) = row_of(row as u32);
            *sum = weighted_sum(columns, values, x);
        }
    });
    product
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn weighted_sum(columns: &[u32], values: &[f32], x: &[Row]) -> Row {
    let mut sum = [0.0; WIDTH];
    for (&column, &value) in columns.iter().zip(values) {
        for (sum, x) in sum.iter_mut().zip(&x[column as usize]) {
            *sum += value * x;
        }
    }
    sum
}

fn view(block: &[Row]) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(block.as_flattened(), block.len(), WIDTH)
}

/// `leftᵀ·right (WIDTH, WIDTH)`, in parts of rows, added up in `f64`.
fn coefficients(left: &[Row], right: &[Row]) -> Vec<f64> {
    let mut sums = vec![0.0; WIDTH * WIDTH];
    let mut part = vec![0.0_f32; WIDTH * WIDTH];
    for (left, right) in left.chunks(ROWS).zip(right.chunks(ROWS)) {
        let product = MatMut::from_row_major_slice_mut(&mut part, WIDTH, WIDTH);
        matmul(product, Accum::Replace, view(left).transpose(), view(right), 1.0, Par::Seq);
        sums.iter_mut().zip(&part).for_each(|(sum, part)| *sum += f64::from(*part));
    }
    sums
}

/// Takes from `block` what lies along `basis`, and gives the coefficients `(WIDTH, WIDTH)` along each.
fn project_out(basis: &[Vec<Row>], block: &mut [Row]) -> Vec<Vec<f64>> {
    let along: Vec<Vec<f64>> = basis.par_iter().map(|known| coefficients(known, block)).collect();
    let narrow: Vec<Vec<f32>> =
        along.iter().map(|c| c.iter().map(|&c| c as f32).collect()).collect();
    block.par_chunks_mut(ROWS).enumerate().for_each(|(at, rows)| {
        let range = at * ROWS..at * ROWS + rows.len();
        for (known, along) in basis.iter().zip(&narrow) {
            let along = MatRef::from_row_major_slice(along, WIDTH, WIDTH);
            let n = rows.len();
            let rows = MatMut::from_row_major_slice_mut(rows.as_flattened_mut(), n, WIDTH);
            matmul(rows, Accum::Add, view(&known[range.clone()]), along, -1.0, Par::Seq);
        }
    });
    along
}

/// Makes the first `n_columns` columns of `block` orthonormal and the others 0.
fn orthonormalize(block: &mut [Row], n_columns: usize) {
    let wide =
        Array2::from_shape_fn((block.len(), WIDTH), |(row, column)| f64::from(block[row][column]));
    let basis = dense::orthonormal_basis(wide.view());
    for (row, basis) in block.iter_mut().zip(basis.rows()) {
        row.fill(0.0);
        row.iter_mut().zip(basis).take(n_columns).for_each(|(to, from)| *to = *from as f32);
    }
}

/// About `n_vectors` leading eigenvectors (columns) of a positive semidefinite operator on vectors of
/// length `n`, from a Krylov space of at least `n_directions`; orthonormal.
///
/// `apply` multiplies a block by the operator. Fewer vectors come back if `n` is less; `None` if the numbers did
/// not stay finite.
///
/// # Errors
///
/// What `apply` fails with.
pub fn leading_eigenvectors<E>(
    n: usize,
    n_vectors: usize,
    n_directions: usize,
    seed: u64,
    apply: impl Fn(&[Row]) -> Result<Vec<Row>, E>,
) -> Result<Option<Array2<f64>>, E> {
    let n_blocks = n_directions.min(n).div_ceil(WIDTH).max(1);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || -> Vec<Row> {
        (0..n).map(|_| std::array::from_fn(|_| StandardNormal.sample(&mut rng))).collect()
    };
    let mut block = draw();
    orthonormalize(&mut block, n);
    let mut basis: Vec<Vec<Row>> = vec![block];
    let size = n_blocks * WIDTH;
    let mut projected = Array2::<f64>::zeros((size, size));
    for at in 0..n_blocks {
        let mut next = apply(&basis[at])?;
        let along = project_out(&basis, &mut next);
        for (other, along) in along.iter().enumerate() {
            for (entry, &value) in along.iter().enumerate() {
                let (row, column) = (other * WIDTH + entry / WIDTH, at * WIDTH + entry % WIDTH);
                projected[(row, column)] = value;
                projected[(column, row)] = value;
            }
        }
        if at + 1 == n_blocks {
            break;
        }
        if next.iter().flatten().all(|&x| x == 0.0) {
            next = draw();
        }
        // Where the space ends within a block, what is left over would not be independent.
        let n_left = n - basis.len() * WIDTH;
        for _ in 0..N_PASSES {
            project_out(&basis, &mut next);
            orthonormalize(&mut next, n_left);
        }
        basis.push(next);
    }
    let Some((_, rotation)) = dense::symmetric_eigen(projected.view()) else { return Ok(None) };
    let n_vectors = n_vectors.min(n);
    let vectors = combine(&basis, rotation.view(), n_vectors);
    Ok(Some(dense::orthonormal_basis(vectors.view())))
}

/// `basis · rotation`, its first `n_vectors` columns.
fn combine(basis: &[Vec<Row>], rotation: ArrayView2<'_, f64>, n_vectors: usize) -> Array2<f64> {
    let n = basis[0].len();
    let rotation: Vec<f32> = rotation
        .rows()
        .into_iter()
        .flat_map(|row| row.into_iter().take(n_vectors).map(|&x| x as f32).collect::<Vec<_>>())
        .collect();
    let mut vectors = vec![0.0_f32; n * n_vectors];
    vectors.par_chunks_mut(ROWS * n_vectors).enumerate().for_each(|(at, rows)| {
        let n_rows = rows.len() / n_vectors;
        let range = at * ROWS..at * ROWS + n_rows;
        for (block, rotation) in basis.iter().zip(rotation.chunks_exact(WIDTH * n_vectors)) {
            let rotation = MatRef::from_row_major_slice(rotation, WIDTH, n_vectors);
            let rows = MatMut::from_row_major_slice_mut(&mut *rows, n_rows, n_vectors);
            matmul(rows, Accum::Add, view(&block[range.clone()]), rotation, 1.0, Par::Seq);
        }
    });
    let wide = vectors.into_iter().map(f64::from).collect();
    Array2::from_shape_vec((n, n_vectors), wide).expect("the vectors have this size")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagonal_operator_gives_its_greatest_entries_back() {
        let n = 300;
        let entry = |at: usize| 0.8_f32.powi((at * 7 % n) as i32);
        let apply = |x: &[Row]| -> Result<Vec<Row>, ()> {
            Ok(x.iter().enumerate().map(|(at, row)| row.map(|x| entry(at) * x)).collect())
        };
        let vectors = leading_eigenvectors(n, 3, 200, 1, apply).unwrap().unwrap();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| entry(b).total_cmp(&entry(a)));
        for (column, &row) in order.iter().take(3).enumerate() {
            // Neighbouring entries differ by a fifth, so that rounding of f32 turns vectors little.
            assert!((vectors[(row, column)].abs() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn an_operator_of_low_rank_exhausts_the_space_without_harm() {
        let apply = |x: &[Row]| -> Result<Vec<Row>, ()> {
            Ok(x.iter()
                .enumerate()
                .map(|(at, row)| if at == 5 { *row } else { [0.0; WIDTH] })
                .collect())
        };
        for n in [6, 40, 100] {
            let vectors = leading_eigenvectors(n, 2, 100, 1, apply).unwrap().unwrap();
            assert!((vectors[(5, 0)].abs() - 1.0).abs() < 1e-5, "f32 keeps 7 digits");
            assert!(vectors.iter().all(|x| x.is_finite()));
        }
    }
}
