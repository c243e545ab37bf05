//! Truncated singular value decomposition, `A ≈ U·Σ·Vᵀ`, in a block Krylov space.
//!
//! Sources: Musco and Musco, "Randomized block Krylov methods for stronger and faster approximate singular
//! value decomposition", NIPS 2015, algorithm 2 (what a few products with random directions span holds
//! the leading vectors far better than the last product alone); Golub and Underwood, "The block Lanczos
//! method for computing eigenvalues", 1977 (a basis of it, orthonormal block by block). Departures: the
//! space is that of `AᵀA`, on the items' side; every block is made orthogonal to all before it, twice; the
//! sparse products are taken in `f32`, and the vectors found are then made orthonormal, multiplied with
//! `A` and rotated once more in `f64`, which squares the error that is left. Singular values below about
//! 1e-6 of the greatest are dropped.
//!
//! As a recommender it is `PureSVD` (Cremonesi, Koren, Turrin, `RecSys` 2010): a shopper is folded in
//! (Deerwester et al., JASIS 1990), `scores = h·V·S·Vᵀ` for a history `h`. With `regularization` `λ` the
//! diagonal `S` is `σ²/(σ² + λ·w̄²)` for weights of mean square `w̄²`, the answer of a linear autoencoder of
//! low rank with a ridge penalty (Jin, Li, Gao, Liu, Chen, Zhou, "Towards a better understanding of linear
//! models for recommendation", KDD 2021, theorem 1); 0 leaves `S` at 1.
//!
//! Shapes: `a (n_users, n_items)` sparse, never made dense; a basis `(n_items, block_size · n_steps)` in
//! `f32`, products `(n_users, block_size)`. Cost: `2·n_steps` sparse products with `block_size` columns,
//! linear in cells, and `n_items·(block_size·n_steps)²` for the basis. If the basis reaches the lesser side
//! of `a`, the result is exact up to rounding.

use super::{FitError, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::linalg::{dense, dot, kernels::add_scaled, rows::times_vector};
use multiversion::multiversion;
use ndarray::{Array2, ArrayView2, Axis, s};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Rows of a sparse product that one task computes, between two looks at `stop`.
const BLOCK: usize = 256;

/// Rows of the matrix whose images are summed into the last small problem at a time.
const IMAGE_ROWS: usize = 4_096;

/// Least eigenvalue of the squared problem, as part of the greatest, that is told from rounding.
const EIGENVALUE_MIN: f64 = 1e-12;

/// Least length that is left of a direction, as part of what it was, for it to count as new; `f32` keeps
/// seven digits, and the first pass may have lost five of them.
const NEW_MIN: f64 = 1e-5;

/// How the factors are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SvdParams {
    /// Factors kept, 1 to 2,048; fewer if the matrix has fewer.
    pub n_factors: usize,
    /// Directions that are multiplied at a time, at most 1,024; 0 is three eighths of the factors.
    pub block_size: usize,
    /// Blocks of the space, 1 to 100; their directions must come to `n_factors` at least. More is more
    /// accurate.
    pub n_steps: usize,
    /// `λ`, 0 or more, for weights of size 1 on the mean: how far weak factors are held back.
    pub regularization: f32,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for SvdParams {
    fn default() -> Self {
        Self { n_factors: 64, block_size: 0, n_steps: 14, regularization: 0.0, seed: 7 }
    }
}

impl SvdParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let (n, block, steps) = (self.n_factors, self.block_size, self.n_steps);
        check((1..=2_048).contains(&n), "n_factors", "between 1 and 2048", n)?;
        check(block <= 1_024, "block_size", "at most 1024", block)?;
        check((1..=100).contains(&steps), "n_steps", "between 1 and 100", steps)?;
        let reaches = n <= self.directions() * steps;
        check(reaches, "n_steps", "enough for n_factors with this block_size", steps)?;
        let ridge = self.regularization;
        check(ridge.is_finite() && 0.0 <= ridge, "regularization", "finite and at least 0", ridge)
    }

    /// Directions that are multiplied at a time.
    fn directions(&self) -> usize {
        if self.block_size == 0 { (3 * self.n_factors).div_ceil(8) } else { self.block_size }
    }
}

/// Factors of every item; users are folded in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Svd {
    n_items: usize,
    /// `v·S^½ (n_items, n_factors)`, row by row.
    item_factors: Vec<f32>,
    singular_values: Vec<f64>,
}

/// Finds the leading factors, in parallel on the pool it is called in.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &SvdParams,
    stop: Stop<'_>,
) -> Result<Svd, FitError> {
    params.check()?;
    if matrix.n_interactions() == 0 {
        return Err(FitError::NoData { model: "svd" });
    }
    let not_finite = FitError::NotFinite { model: "svd" };
    // Weights of any size are squared twice on the way; on a scale of their own that stays within an f32.
    let scale = mean_square(matrix).sqrt();
    if !(scale.is_finite() && scale > 0.0) {
        return Err(not_finite);
    }
    let found = krylov_space(matrix, scale, params, stop)?.ok_or(not_finite.clone())?;
    let directions = dense::orthonormal_basis(found.view());
    let gram = image_gram(matrix, scale, directions.view(), stop)?;
    let (eigenvalues, rotation) = dense::symmetric_eigen(gram.view()).ok_or(not_finite.clone())?;
    let least = eigenvalues[0] * EIGENVALUE_MIN;
    let n_factors = eigenvalues.iter().take(params.n_factors).filter(|&&x| x > least).count();
    let mut factors = dense::product(directions.view(), rotation.view());
    factors.columns_mut().into_iter().for_each(fix_sign);
    let ridge = f64::from(params.regularization);
    let shrinkage: Vec<f64> =
        eigenvalues[..n_factors].iter().map(|&square| (square / (square + ridge)).sqrt()).collect();
    let shrunk = factors.rows().into_iter().flat_map(|row| {
        row.into_iter().zip(&shrinkage).map(|(&x, s)| (x * s) as f32).collect::<Vec<_>>()
    });
    let fitted = Svd {
        n_items: matrix.n_items(),
        item_factors: shrunk.collect(),
        singular_values: eigenvalues[..n_factors].iter().map(|x| x.sqrt() * scale).collect(),
    };
    let finite = n_factors > 0 && fitted.item_factors.iter().all(|x| x.is_finite());
    if finite { Ok(fitted) } else { Err(not_finite) }
}

/// Mean square of the stored weights.
fn mean_square(matrix: &InteractionMatrix) -> f64 {
    let users = (0..matrix.n_users() as u32).map(UserIdx);
    let squares = users.map(|user| {
        matrix.row(user).1.iter().map(|&weight| f64::from(weight).powi(2)).sum::<f64>()
    });
    squares.sum::<f64>() / matrix.n_interactions() as f64
}

/// The best directions `(n_items, ≤ n_factors + block_size)` of the Krylov space of `aᵀa/scale²`; none if
/// they do not stay finite.
fn krylov_space(
    a: &InteractionMatrix,
    scale: f64,
    params: &SvdParams,
    stop: Stop<'_>,
) -> Result<Option<Array2<f64>>, FitError> {
    let (n_items, side) = (a.n_items(), a.n_users().min(a.n_items()));
    let width = params.directions().min(side);
    let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
    let start: Vec<f32> = (0..n_items * width).map(|_| StandardNormal.sample(&mut rng)).collect();
    let mut basis = Array2::<f64>::zeros((n_items, 0));
    let mut projected = Array2::<f64>::zeros((0, 0));
    let mut block = squared_times(a, scale, &start, width, stop)?;
    for step in 0..params.n_steps {
        let candidates = to_f64(&block, width);
        let room = side - basis.ncols();
        let fresh = orthogonal_part(&basis, candidates, room);
        if fresh.ncols() == 0 {
            break;
        }
        let next: Vec<f32> = fresh.iter().map(|&x| x as f32).collect();
        block = squared_times(a, scale, &next, fresh.ncols(), stop)?;
        let images = to_f64(&block, fresh.ncols());
        let joined = ndarray::concatenate(Axis(1), &[basis.view(), fresh.view()]);
        let joined = joined.expect("both have a row for each item");
        basis = joined.as_standard_layout().into_owned();
        // The new columns of basisᵀ·(aᵀa)·basis; it is symmetric.
        let columns = dense::transposed_product(basis.view(), images.view());
        let n_before = projected.ncols();
        let mut grown = Array2::zeros((basis.ncols(), basis.ncols()));
        grown.slice_mut(s![..n_before, ..n_before]).assign(&projected);
        grown.slice_mut(s![.., n_before..]).assign(&columns);
        grown.slice_mut(s![n_before.., ..]).assign(&columns.t());
        projected = grown;
        debug_assert!(step < params.n_steps);
        if basis.ncols() >= side {
            break;
        }
    }
    if basis.ncols() == 0 {
        return Ok(None);
    }
    let Some((_, rotation)) = dense::symmetric_eigen(projected.view()) else { return Ok(None) };
    let n_kept = (params.n_factors + width).min(rotation.ncols());
    let leading = rotation.slice(s![.., ..n_kept]).as_standard_layout().into_owned();
    Ok(Some(dense::product(basis.view(), leading.view())))
}

/// Orthonormal directions of what `candidates` add to `basis`, at most `room`.
///
/// Each pass takes off what lies in the basis; after two, nothing does but rounding (Giraud, Langou,
/// Rozložník, "The loss of orthogonality in the Gram-Schmidt process", 2005).
fn orthogonal_part(basis: &Array2<f64>, mut candidates: Array2<f64>, room: usize) -> Array2<f64> {
    let lengths = |a: &Array2<f64>| -> Vec<f64> {
        a.columns().into_iter().map(|column| column.dot(&column).sqrt()).collect()
    };
    let before = lengths(&candidates);
    for _ in 0..2 {
        if basis.ncols() > 0 {
            let inside = dense::transposed_product(basis.view(), candidates.view());
            candidates -= &dense::product(basis.view(), inside.view());
        }
    }
    let after = lengths(&candidates);
    let is_new = |at: &usize| after[*at].is_finite() && after[*at] > before[*at] * NEW_MIN;
    let new: Vec<usize> = (0..candidates.ncols()).filter(is_new).take(room).collect();
    if new.is_empty() {
        return Array2::zeros((candidates.nrows(), 0));
    }
    let fresh = candidates.select(Axis(1), &new);
    dense::orthonormal_basis(fresh.as_standard_layout().view())
}

fn to_f64(block: &[f32], width: usize) -> Array2<f64> {
    let values = block.iter().map(|&x| f64::from(x)).collect();
    Array2::from_shape_vec((block.len() / width, width), values).expect("the block is whole rows")
}

/// `basisᵀ·aᵀ·a·basis / scale²`, in `f64`, by blocks of users added up in their order.
fn image_gram(
    a: &InteractionMatrix,
    scale: f64,
    basis: ArrayView2<'_, f64>,
    stop: Stop<'_>,
) -> Result<Array2<f64>, FitError> {
    let width = basis.ncols();
    let rows = basis.as_slice().expect("the basis lies row by row in memory");
    let part_of = |first: usize| {
        if stop() {
            return Err(FitError::Stopped);
        }
        let n_rows = IMAGE_ROWS.min(a.n_users() - first);
        let mut images = Array2::<f64>::zeros((n_rows, width));
        for (user, mut image) in (first as u32..).map(UserIdx).zip(images.rows_mut()) {
            let image = image.as_slice_mut().expect("a row lies in one piece");
            for (item, weight) in a.row_cells(user) {
                let weight = f64::from(weight) / scale;
                let from = item as usize * width;
                image.iter_mut().zip(&rows[from..from + width]).for_each(|(x, y)| *x += weight * y);
            }
        }
        let mut gram = Array2::zeros((width, width));
        dense::add_gram(images.view(), &mut gram);
        Ok(gram)
    };
    let firsts: Vec<usize> = (0..a.n_users()).step_by(IMAGE_ROWS).collect();
    let mut sum = Array2::zeros((width, width));
    // Two at a time in memory would do; as many as there are threads are.
    for firsts in firsts.chunks(rayon::current_num_threads().max(1)) {
        let parts: Result<Vec<Array2<f64>>, FitError> =
            firsts.par_iter().map(|&first| part_of(first)).collect();
        for part in parts? {
            sum += &part;
        }
    }
    Ok(sum)
}

/// Makes the entry farthest from 0 positive (ties: the first), so that a factor has one sign only.
fn fix_sign(mut factor: ndarray::ArrayViewMut1<'_, f64>) {
    let farthest = factor.iter().fold(0.0_f64, |far, &x| if x.abs() > far.abs() { x } else { far });
    if farthest < 0.0 {
        factor.mapv_inplace(|x| -x);
    }
}

/// `aᵀ·a·x / scale²`, shape `(n_items, width)`.
fn squared_times(
    a: &InteractionMatrix,
    scale: f64,
    x: &[f32],
    width: usize,
    stop: Stop<'_>,
) -> Result<Vec<f32>, FitError> {
    let factor = (1.0 / scale) as f32;
    let images =
        sparse_product(a.n_users(), |user| a.row(UserIdx(user)), factor, (x, width), stop)?;
    let back = |item| a.column(ItemIdx(item));
    sparse_product(a.n_items(), back, factor, (&images, width), stop)
}

/// Rows of `factor · sparse · x`; each is summed in its own order, so that threads do not change the
/// result.
fn sparse_product<'m>(
    n_rows: usize,
    row_of: impl Fn(u32) -> (&'m [u32], &'m [f32]) + Sync,
    factor: f32,
    (x, width): (&[f32], usize),
    stop: Stop<'_>,
) -> Result<Vec<f32>, FitError> {
    let mut product = vec![0.0; n_rows * width];
    product.par_chunks_mut(BLOCK * width).enumerate().try_for_each(|(block, rows)| {
        if stop() {
            return Err(FitError::Stopped);
        }
        for (row, sums) in (block * BLOCK..).zip(rows.chunks_exact_mut(width)) {
            add_rows(row_of(row as u32), factor, x, sums);
        }
        Ok(())
    })?;
    Ok(product)
}

/// Adds to `sums` the rows of `x` that a sparse row names, weighed by its values and `factor`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn add_rows((columns, values): (&[u32], &[f32]), factor: f32, x: &[f32], sums: &mut [f32]) {
    let width = sums.len();
    for (&column, &value) in columns.iter().zip(values) {
        let start = column as usize * width;
        add_scaled(sums, value * factor, &x[start..start + width]);
    }
}

impl Svd {
    /// The singular values, falling.
    pub fn singular_values(&self) -> &[f64] {
        &self.singular_values
    }

    /// The factors of an item, `None` if the model does not know it.
    pub fn item_factors(&self, item: ItemIdx) -> Option<&[f32]> {
        let (n, at) = (self.singular_values.len(), item.0 as usize);
        self.item_factors.get(at * n..(at + 1) * n)
    }

    /// `h·v·S^½`: where a history lies among the factors; `None` if it has no item that has factors.
    fn fold_in(&self, history: &[(u32, f32)]) -> Option<Vec<f32>> {
        let mut folded = vec![0.0; self.singular_values.len()];
        for &(j, weight) in history {
            let Some(factors) = self.item_factors(ItemIdx(j)) else { continue };
            for (sum, factor) in folded.iter_mut().zip(factors) {
                *sum += weight * factor;
            }
        }
        folded.iter().any(|&x| x != 0.0).then_some(folded)
    }
}

impl Recommender for Svd {
    fn n_items(&self) -> usize {
        self.n_items
    }

    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        debug_assert_eq!(scores.len(), self.n_items);
        let Some(folded) = self.fold_in(query.history) else { return false };
        times_vector(&self.item_factors, &folded, scores);
        true
    }

    /// The cell of the approximated matrix, which takes what is not stored for 0.
    fn predict_rating(&self, query: Query<'_>, item: ItemIdx) -> Option<f32> {
        Some(dot(&self.fold_in(query.history)?, self.item_factors(item)?))
    }

    fn contributions(&self, query: Query<'_>, item: ItemIdx) -> Vec<f32> {
        let Some(of_item) = self.item_factors(item) else { return Vec::new() };
        let part = |&(j, weight): &(u32, f32)| {
            self.item_factors(ItemIdx(j)).map_or(0.0, |factors| weight * dot(factors, of_item))
        };
        query.history.iter().map(part).collect()
    }

    fn n_bytes(&self) -> usize {
        4 * self.item_factors.len() + 8 * self.singular_values.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;

    fn reference() -> InteractionMatrix {
        let rows = [
            [4.0, 3.0, 2.0, 3.0],
            [3.0, 2.0, 4.0, 3.0],
            [5.0, 4.0, 3.0, 2.0],
            [2.0, 3.0, 4.0, 5.0],
        ];
        let cells = (0..16_u32).map(|at| {
            let (user, item) = (at / 4, at % 4);
            (UserIdx(user), ItemIdx(item), rows[user as usize][item as usize])
        });
        InteractionMatrix::from_cells(4, 4, cells)
    }

    #[test]
    fn two_factors_agree_with_the_reference() {
        let params = SvdParams { n_factors: 2, ..SvdParams::default() };
        let model = fit(&reference(), &params, NEVER_STOP).unwrap();
        for (value, expected) in model.singular_values().iter().zip([13.054_793_2, 3.339_930_6]) {
            assert!((value - expected).abs() < 1e-7, "the reference has 7 digits");
        }
        let history = [(0, 4.0), (1, 3.0), (2, 2.0), (3, 3.0)];
        let query = Query { user: None, history: &history };
        let rating = model.predict_rating(query, ItemIdx(3)).unwrap();
        assert!((rating - 2.447_593_2).abs() < 2e-6, "f32 keeps 7 digits");
        let parts: f32 = model.contributions(query, ItemIdx(3)).iter().sum();
        assert!((rating - parts).abs() < 2e-6);
    }

    #[test]
    fn all_factors_give_the_matrix_back() {
        let model = fit(&reference(), &SvdParams::default(), NEVER_STOP).unwrap();
        let history = [(0, 5.0), (1, 4.0), (2, 3.0), (3, 2.0)];
        let mut scores = [0.0; 4];
        assert!(model.score_items(Query { user: None, history: &history }, &mut scores));
        for ((_, expected), score) in history.iter().zip(scores) {
            assert!((score - expected).abs() < 1e-5);
        }
    }
}
