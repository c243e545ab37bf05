//! Where a factorisation begins.

use super::side::{FACTOR_MIN, width_of};
use super::{Init, NmfParams, Solver};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::recommenders::{FitError, Stop, SvdParams, svd};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

/// Factors of users and of items, rows filled up; those of a row without cells are 0.
pub(super) fn start(
    matrix: &InteractionMatrix,
    params: &NmfParams,
    stop: Stop<'_>,
) -> Result<(Vec<f32>, Vec<f32>), FitError> {
    let mean = mean_of_touched(matrix);
    let (mut users, mut items) = random(matrix, params, mean);
    if params.init == Init::Nndsvd {
        overwrite_by_svd(matrix, params, mean, (&mut users, &mut items), stop)?;
    }
    let width = width_of(params.n_factors);
    for (user, x) in (0..).map(UserIdx).zip(users.chunks_exact_mut(width)) {
        if matrix.row(user).0.is_empty() {
            x.fill(0.0);
        }
    }
    for (item, y) in (0..).map(ItemIdx).zip(items.chunks_exact_mut(width)) {
        if matrix.column(item).0.is_empty() {
            y.fill(0.0);
        }
    }
    Ok((users, items))
}

/// The mean over rows and columns that have cells.
fn mean_of_touched(matrix: &InteractionMatrix) -> f64 {
    let users = (0..matrix.n_users() as u32).map(UserIdx);
    let items = (0..matrix.n_items() as u32).map(ItemIdx);
    let sum: f64 = users.clone().flat_map(|user| matrix.row(user).1).copied().map(f64::from).sum();
    let n_users = users.filter(|&user| !matrix.row(user).0.is_empty()).count();
    let n_items = items.filter(|&item| !matrix.column(item).0.is_empty()).count();
    sum / (n_users as f64 * n_items as f64)
}

/// `√(mean / n_factors)·|N(0, 1)|`, as scikit-learn 1.5 does (`_initialize_nmf`), so that the product is
/// of the size of the data.
fn random(matrix: &InteractionMatrix, params: &NmfParams, mean: f64) -> (Vec<f32>, Vec<f32>) {
    let (n, width) = (params.n_factors, width_of(params.n_factors));
    let scale = (mean / n as f64).sqrt() as f32;
    let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
    let mut draw = |n_rows: usize| {
        let mut factors = vec![0.0; n_rows * width];
        for x in factors.chunks_exact_mut(width).flat_map(|row| &mut row[..n]) {
            let normal: f32 = StandardNormal.sample(&mut rng);
            *x = (scale * normal.abs()).max(FACTOR_MIN);
        }
        factors
    };
    let items = draw(matrix.n_items());
    (draw(matrix.n_users()), items)
}

/// Boutsidis and Gallopoulos, "SVD based initialization: a head start for nonnegative matrix
/// factorization", Pattern Recognition 2008: of each singular triplet, the positive or the negative parts of
/// both vectors, whichever product is greater. What is 0 stays 0 for coordinate descent (NNDSVD) and
/// becomes the mean of the data for multiplicative steps (`NNDSVDa`), which could not leave 0. Factors
/// beyond the rank keep their random start.
fn overwrite_by_svd(
    matrix: &InteractionMatrix,
    params: &NmfParams,
    mean: f64,
    (users, items): (&mut [f32], &mut [f32]),
    stop: Stop<'_>,
) -> Result<(), FitError> {
    let width = width_of(params.n_factors);
    let settings =
        SvdParams { n_factors: params.n_factors, seed: params.seed, ..SvdParams::default() };
    let svd = svd::fit(matrix, &settings, stop)?;
    let values = svd.singular_values();
    let vector_of = |item: u32| svd.item_factors(ItemIdx(item)).unwrap_or_default();
    // `σ·u`; what is needed of σ itself cancels in the norms.
    let mut images = vec![0.0_f64; matrix.n_users() * values.len()];
    for (user, image) in (0..).map(UserIdx).zip(images.chunks_exact_mut(values.len())) {
        for (item, weight) in matrix.row_cells(user) {
            let vector = vector_of(item).iter().map(|&v| f64::from(v));
            image.iter_mut().zip(vector).for_each(|(sum, v)| *sum += f64::from(weight) * v);
        }
    }
    let filler = if params.solver == Solver::Multiplicative { mean as f32 } else { 0.0 };
    for (factor, sigma) in values.iter().enumerate() {
        let left = || images.iter().skip(factor).step_by(values.len()).map(|image| image / sigma);
        let right = || (0..matrix.n_items() as u32).map(|item| f64::from(vector_of(item)[factor]));
        let norm = |sign: f64, x: &mut dyn Iterator<Item = f64>| {
            x.map(|x| (sign * x).max(0.0).powi(2)).sum::<f64>().sqrt()
        };
        let norms = |sign: f64| (norm(sign, &mut left()), norm(sign, &mut right()));
        let (plus, minus) = (norms(1.0), norms(-1.0));
        let first = plus.0 * plus.1 >= minus.0 * minus.1;
        let (sign, (of_left, of_right)) = if first { (1.0, plus) } else { (-1.0, minus) };
        let size = (sigma * of_left * of_right).sqrt();
        let entry = |x: f64, norm: f64| {
            let part = (size * (sign * x).max(0.0) / norm.max(f64::MIN_POSITIVE)) as f32;
            if part > 0.0 { part } else { filler }
        };
        let to = users.iter_mut().skip(factor).step_by(width);
        to.zip(left()).for_each(|(to, x)| *to = entry(x, of_left));
        let to = items.iter_mut().skip(factor).step_by(width);
        to.zip(right()).for_each(|(to, x)| *to = entry(x, of_right));
    }
    Ok(())
}
