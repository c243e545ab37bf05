//! Truncated singular value decomposition, `A ≈ U·Σ·Vᵀ`, by random projection.
//!
//! Source: Halko, Martinsson, Tropp, "Finding structure with randomness", SIAM Review 2011, algorithms
//! 4.4 (randomised subspace iteration) and 5.1. Departures: the subspace sought is that of `Aᵀ` (items),
//! so that only the items' side is orthonormalised, and the small problem is solved by the eigenvalues of
//! `(AQ)ᵀ(AQ)`, which loses singular values below about 1e-6 of the greatest; those are dropped.
//!
//! Shapes: `a (n_users, n_items)` sparse, never made dense; `v (n_items, n_factors)`; in between
//! `f64` of `(n_users + 3 n_items) · (n_factors + n_oversamples)`. If that last sum reaches the lesser side
//! of `a`, the result is exact up to rounding.
//!
//! A shopper is folded in (Deerwester et al., JASIS 1990): `scores = h·V·Vᵀ` for a history `h`; for a row
//! of `a` this is the same as `u·Σ·Vᵀ`.

use super::{FitError, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::linalg::{dense, dot};
use ndarray::{Array2, ArrayView2, Axis};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Rows of a sparse product that one task computes, between two looks at `stop`.
const BLOCK: usize = 512;

/// Least eigenvalue of the squared problem, as part of the greatest, that is told from rounding.
const EIGENVALUE_MIN: f64 = 1e-12;

/// How the factors are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SvdParams {
    /// Factors kept, 1 to 2,048; fewer if the matrix has fewer.
    pub n_factors: usize,
    /// Random directions beyond the factors, 0 to 1,024; more is more accurate.
    pub n_oversamples: usize,
    /// Times the projection is sharpened, 0 to 100; 2 to 4 suffice.
    pub n_power_iterations: usize,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for SvdParams {
    fn default() -> Self {
        Self { n_factors: 64, n_oversamples: 16, n_power_iterations: 3, seed: 7 }
    }
}

impl SvdParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let (n, more, times) = (self.n_factors, self.n_oversamples, self.n_power_iterations);
        check((1..=2_048).contains(&n), "n_factors", "between 1 and 2048", n)?;
        check(more <= 1_024, "n_oversamples", "at most 1024", more)?;
        check(times <= 100, "n_power_iterations", "at most 100", times)
    }
}

/// Factors of every item; users are folded in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Svd {
    n_items: usize,
    /// `v (n_items, n_factors)`, row by row.
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
    let n_items = matrix.n_items();
    let n_directions = (params.n_factors + params.n_oversamples).min(matrix.n_users()).min(n_items);
    let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
    let mut directions =
        Array2::from_shape_simple_fn((n_items, n_directions), || StandardNormal.sample(&mut rng));
    for _ in 0..=params.n_power_iterations {
        let images = times(matrix, directions.view(), stop)?;
        let returned = transposed_times(matrix, images.view(), stop)?;
        directions = dense::orthonormal_basis(returned.view());
    }
    let images = times(matrix, directions.view(), stop)?;
    let mut gram = Array2::zeros((n_directions, n_directions));
    for block in images.axis_chunks_iter(Axis(0), 8 * BLOCK) {
        dense::add_gram(block, &mut gram);
    }
    let not_finite = FitError::NotFinite { model: "svd" };
    let (eigenvalues, rotation) = dense::symmetric_eigen(gram.view()).ok_or(not_finite.clone())?;
    let least = eigenvalues[0] * EIGENVALUE_MIN;
    let n_factors = eigenvalues.iter().take(params.n_factors).filter(|&&x| x > least).count();
    let mut factors = dense::product(directions.view(), rotation.view());
    factors.columns_mut().into_iter().for_each(fix_sign);
    let fitted = Svd {
        n_items,
        item_factors: factors
            .rows()
            .into_iter()
            .flat_map(|row| row.into_iter().take(n_factors).map(|&x| x as f32).collect::<Vec<_>>())
            .collect(),
        singular_values: eigenvalues[..n_factors].iter().map(|x| x.sqrt()).collect(),
    };
    let finite = n_factors > 0 && fitted.item_factors.iter().all(|x| x.is_finite());
    if finite { Ok(fitted) } else { Err(not_finite) }
}

/// Makes the entry farthest from 0 positive (ties: the first), so that a factor has one sign only.
fn fix_sign(mut factor: ndarray::ArrayViewMut1<'_, f64>) {
    let farthest = factor.iter().fold(0.0_f64, |far, &x| if x.abs() > far.abs() { x } else { far });
    if farthest < 0.0 {
        factor.mapv_inplace(|x| -x);
    }
}

/// `a · x`, shape `(n_users, l)`.
fn times(
    a: &InteractionMatrix,
    x: ArrayView2<'_, f64>,
    stop: Stop<'_>,
) -> Result<Array2<f64>, FitError> {
    sparse_product(a.n_users(), |user| a.row(UserIdx(user)), x, stop)
}

/// `aᵀ · y`, shape `(n_items, l)`.
fn transposed_times(
    a: &InteractionMatrix,
    y: ArrayView2<'_, f64>,
    stop: Stop<'_>,
) -> Result<Array2<f64>, FitError> {
    sparse_product(a.n_items(), |item| a.column(ItemIdx(item)), y, stop)
}

/// Rows of `sparse · x`; each is summed in its own order, so that threads do not change the result.
fn sparse_product<'m>(
    n_rows: usize,
    row_of: impl Fn(u32) -> (&'m [u32], &'m [f32]) + Sync,
    x: ArrayView2<'_, f64>,
    stop: Stop<'_>,
) -> Result<Array2<f64>, FitError> {
    let width = x.ncols();
    let x = x.as_slice().expect("the factors lie row by row in memory");
    let mut product = vec![0.0; n_rows * width];
    product.par_chunks_mut(BLOCK * width).enumerate().try_for_each(|(block, rows)| {
        if stop() {
            return Err(FitError::Stopped);
        }
        for (row, sums) in (block * BLOCK..).zip(rows.chunks_exact_mut(width)) {
            let (columns, values) = row_of(row as u32);
            for (&column, &value) in columns.iter().zip(values) {
                let start = column as usize * width;
                let value = f64::from(value);
                for (sum, x) in sums.iter_mut().zip(&x[start..start + width]) {
                    *sum += value * x;
                }
            }
        }
        Ok(())
    })?;
    Ok(Array2::from_shape_vec((n_rows, width), product).expect("the product has this size"))
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

    /// `h · v`: where a history lies among the factors; `None` if it has no item that has factors.
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
        let rows = self.item_factors.chunks_exact(folded.len());
        for (score, factors) in scores.iter_mut().zip(rows) {
            *score = dot(&folded, factors);
        }
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
