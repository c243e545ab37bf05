//! Truncated singular value decomposition, `A ≈ U·Σ·Vᵀ`, and what follows from it: `PureSVD`, a low-rank
//! linear autoencoder, `EigenRec`.
//!
//! Sources: Cremonesi, Koren, Turrin, "Performance of recommender algorithms on top-N recommendation tasks",
//! `RecSys` 2010 (`PureSVD`: `scores = h·V·Vᵀ` for a history `h`); Jin, Li, Gao, Liu, Chen, "Towards a better
//! understanding of linear models for recommendation", KDD 2021 (with a ridge λ, each factor counts
//! `σ²/(σ² + λ)`); Nikolakopoulos, Kalantzis, Gallopoulos, Garofalakis, "`EigenRec`", KAIS 2019 (columns
//! scaled by a power of their norm). Departure from the last: the number of cells serves for the norm.
//!
//! The vectors come from [`krylov`] in `f32`; singular values and the last rotation are found in their space in
//! `f64`, by the eigenvalues of `(AV)ᵀ(AV)`, which loses singular values below about 1e-6 of the greatest; those are
//! dropped. If the Krylov space reaches the lesser side of `a`, the result is exact up to rounding.
//!
//! Shapes: `a (n_users, n_items)` sparse, never made dense; `v (n_items, n_factors)`; in between `f32` of
//! `n_items · n_factors · subspace_ratio`. Cost: linear in cells, times that many directions.
//!
//! A shopper is folded in (Deerwester et al., JASIS 1990), exactly: for a row of `a`, without scaling and
//! ridge, `h·V·Vᵀ` is the same as `u·Σ·Vᵀ`. Weights count as they are; those below 0 count against.

use super::{FactorScores, FitError, ItemFactors, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::linalg::{dense, dot, krylov};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Rows of a product that one task computes, between two looks at `stop`.
const BLOCK: usize = 512;

/// Least eigenvalue of the squared problem, as part of the greatest, that is told from rounding.
const EIGENVALUE_MIN: f64 = 1e-12;

/// How the factors are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SvdParams {
    /// Factors kept, 1 to 2,048; fewer if the matrix has fewer.
    pub n_factors: usize,
    /// Directions that are searched for each factor, 1 to 20; more is more accurate.
    pub subspace_ratio: f32,
    /// λ, at least 0: draws weak factors towards 0; 0 is `PureSVD`.
    pub regularization: f32,
    /// Columns count by `n_cells^(scaling − 1)`, 0 to 2: 1 as they are, less makes popular items less.
    pub popularity_scaling: f32,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for SvdParams {
    fn default() -> Self {
        Self {
            n_factors: 64,
            subspace_ratio: 6.0,
            regularization: 0.0,
            popularity_scaling: 1.0,
            seed: 7,
        }
    }
}

impl SvdParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let (n, ratio) = (self.n_factors, self.subspace_ratio);
        check((1..=2_048).contains(&n), "n_factors", "between 1 and 2048", n)?;
        check((1.0..=20.0).contains(&ratio), "subspace_ratio", "between 1 and 20", ratio)?;
        let ridge = self.regularization;
        let fits = ridge.is_finite() && 0.0 <= ridge;
        check(fits, "regularization", "finite and at least 0", ridge)?;
        let scaling = self.popularity_scaling;
        let fits = (0.0..=2.0).contains(&scaling);
        check(fits, "popularity_scaling", "between 0 and 2", scaling)
    }
}

/// Factors of every item; users are folded in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Svd {
    n_items: usize,
    /// `v (n_items, n_factors)`.
    item_factors: ItemFactors,
    singular_values: Vec<f64>,
    /// `σ²/(σ² + λ)` of every factor.
    factor_weights: Vec<f32>,
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
    let (n_users, n_items) = (matrix.n_users(), matrix.n_items());
    let scale = |item: u32| {
        let n_cells = matrix.column(ItemIdx(item)).0.len().max(1) as f32;
        n_cells.powf(params.popularity_scaling - 1.0)
    };
    let scales: Vec<f32> = (0..n_items as u32).map(scale).collect();
    let scaled = |mut block: Vec<krylov::Row>| {
        for (row, scale) in block.iter_mut().zip(&scales) {
            for x in row.iter_mut() {
                *x *= scale;
            }
        }
        block
    };
    let apply = |block: &[krylov::Row]| {
        if stop() {
            return Err(FitError::Stopped);
        }
        let block = scaled(block.to_vec());
        let images = krylov::sparse_product(n_users, |user| matrix.row(UserIdx(user)), &block);
        let column = |item| matrix.column(ItemIdx(item));
        Ok(scaled(krylov::sparse_product(n_items, column, &images)))
    };
    let n_directions = (params.n_factors as f32 * params.subspace_ratio).ceil() as usize;
    let n_factors = params.n_factors.min(n_users);
    let found = krylov::leading_eigenvectors(n_items, n_factors, n_directions, params.seed, apply)?;
    let directions = found.ok_or(not_finite.clone())?;
    let gram = gram_of_images(matrix, &scales, directions.view(), stop)?;
    let (eigenvalues, rotation) = dense::symmetric_eigen(gram.view()).ok_or(not_finite.clone())?;
    let least = eigenvalues[0] * EIGENVALUE_MIN;
    let n_factors = eigenvalues.iter().filter(|&&x| x > least).count();
    let mut factors = dense::product(directions.view(), rotation.view());
    factors.columns_mut().into_iter().for_each(fix_sign);
    let ridge = f64::from(params.regularization);
    let kept = &eigenvalues[..n_factors];
    let rows = factors.rows().into_iter();
    let item_factors: Vec<f32> =
        rows.flat_map(|row| row.into_iter().take(n_factors).map(|&x| x as f32)).collect();
    let fitted = Svd {
        n_items,
        item_factors: ItemFactors::new(item_factors, n_factors),
        singular_values: kept.iter().map(|x| x.sqrt()).collect(),
        factor_weights: kept.iter().map(|x| (x / (x + ridge)) as f32).collect(),
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

/// `(a·s·v)ᵀ(a·s·v)` for column scales `s`, in `f64`, in blocks of users that are added up in their order.
fn gram_of_images(
    a: &InteractionMatrix,
    scales: &[f32],
    v: ArrayView2<'_, f64>,
    stop: Stop<'_>,
) -> Result<Array2<f64>, FitError> {
    let width = v.ncols();
    let v = v.as_slice().expect("the factors lie row by row in memory");
    // A part is summed by one task; their number is bounded, for each holds a square of factors.
    let part = a.n_users().div_ceil(64).max(BLOCK);
    let part_of = |first: usize| {
        let mut gram = Array2::zeros((width, width));
        let last = (first + part).min(a.n_users());
        for first in (first..last).step_by(BLOCK) {
            if stop() {
                return Err(FitError::Stopped);
            }
            let n = BLOCK.min(last - first);
            let mut images = Array2::zeros((n, width));
            for (user, mut sums) in (first as u32..).zip(images.rows_mut()) {
                let sums = sums.as_slice_mut().expect("rows of a new array lie in memory");
                add_image(a.row(UserIdx(user)), scales, v, sums);
            }
            dense::add_gram(images.view(), &mut gram);
        }
        Ok(gram)
    };
    let firsts: Vec<usize> = (0..a.n_users()).step_by(part).collect();
    let parts: Result<Vec<_>, FitError> = firsts.into_par_iter().map(part_of).collect();
    let mut gram = Array2::zeros((width, width));
    parts?.iter().for_each(|part| gram += part);
    Ok(gram)
}

/// Adds the image of one row to `sums (width)`.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma",
    "x86_64+avx2+fma"
))]
fn add_image(row: (&[u32], &[f32]), scales: &[f32], v: &[f64], sums: &mut [f64]) {
    let width = sums.len();
    for (&item, &value) in row.0.iter().zip(row.1) {
        let value = f64::from(value) * f64::from(scales[item as usize]);
        let factors = &v[item as usize * width..][..width];
        sums.iter_mut().zip(factors).for_each(|(sum, v)| *sum += value * v);
    }
}

impl Svd {
    /// The singular values, falling; of the scaled matrix, if columns are scaled.
    pub fn singular_values(&self) -> &[f64] {
        &self.singular_values
    }

    /// The factors of an item, `None` if the model does not know it.
    pub fn item_factors(&self, item: ItemIdx) -> Option<&[f32]> {
        let (n, at) = (self.singular_values.len(), item.0 as usize);
        self.item_factors.get(at * n..(at + 1) * n)
    }

    /// `h·v` with every factor weighted: where a history lies; `None` if it has no item that has factors.
    fn fold_in(&self, history: &[(u32, f32)]) -> Option<Vec<f32>> {
        let mut folded = vec![0.0; self.singular_values.len()];
        for &(j, weight) in history {
            let Some(factors) = self.item_factors(ItemIdx(j)) else { continue };
            for (sum, factor) in folded.iter_mut().zip(factors) {
                *sum += weight * factor;
            }
        }
        folded.iter_mut().zip(&self.factor_weights).for_each(|(x, weight)| *x *= weight);
        folded.iter().any(|&x| x != 0.0).then_some(folded)
    }
}

impl Recommender for Svd {
    fn n_items(&self) -> usize {
        self.n_items
    }

    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        debug_assert_eq!(scores.len(), self.n_items);
        let Some(placed) = self.factor_scores(query) else { return false };
        placed.score_all(scores);
        true
    }

    fn factor_scores(&self, query: Query<'_>) -> Option<FactorScores<'_>> {
        let x = self.fold_in(query.history)?;
        Some(FactorScores { factors: &self.item_factors, x, biases: None })
    }

    /// The cell of the approximated matrix, which takes what is not stored for 0.
    fn predict_rating(&self, query: Query<'_>, item: ItemIdx) -> Option<f32> {
        Some(dot(&self.fold_in(query.history)?, self.item_factors(item)?))
    }

    fn contributions(&self, query: Query<'_>, item: ItemIdx) -> Vec<f32> {
        let Some(of_item) = self.item_factors(item) else { return Vec::new() };
        let of_item: Vec<f32> =
            of_item.iter().zip(&self.factor_weights).map(|(x, weight)| weight * x).collect();
        let part = |&(j, weight): &(u32, f32)| {
            self.item_factors(ItemIdx(j)).map_or(0.0, |factors| weight * dot(factors, &of_item))
        };
        query.history.iter().map(part).collect()
    }

    fn n_bytes(&self) -> usize {
        let small = 4 * self.factor_weights.len() + 8 * self.singular_values.len();
        self.item_factors.n_bytes() + small
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

    #[test]
    fn a_ridge_and_scaling_are_those_of_the_definition() {
        let params =
            SvdParams { regularization: 10.0, popularity_scaling: 0.5, ..SvdParams::default() };
        let model = fit(&reference(), &params, NEVER_STOP).unwrap();
        let plain = fit(&reference(), &SvdParams::default(), NEVER_STOP).unwrap();
        for (value, plain) in model.singular_values().iter().zip(plain.singular_values()) {
            assert!((value - plain / 2.0).abs() < 1e-6, "every column has 4 cells: 4^-½ = ½");
        }
        let expected = |s: &f64| (s * s / (s * s + 10.0)) as f32;
        let weights: Vec<f32> = model.singular_values().iter().map(expected).collect();
        assert_eq!(model.factor_weights, weights);
    }
}
