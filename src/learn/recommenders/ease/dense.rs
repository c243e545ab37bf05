//! All pairs of items at once: a Gram matrix, its inverse in the same memory, the weights.

use super::{EaseParams, FitError, Stop, keep_heaviest};
use crate::learn::linalg::{
    Csr,
    gram::{BLOCK, lower_products, whole_rows},
    product::Operand,
    spd,
};
use rayon::prelude::*;

/// The weights by history item, for the weighted interactions by item and by user.
pub(super) fn solve(
    columns: &Csr,
    rows: &Operand<'_>,
    params: &EaseParams,
    stop: Stop<'_>,
) -> Result<Csr, FitError> {
    let n = columns.n_rows();
    let mut a = lower_products(columns, rows, stop).ok_or(FitError::Stopped)?;
    for i in 0..n {
        a[i * n + i] += params.ridge(a[i * n + i]);
    }
    spd::invert(&mut a, n, &|| !stop())?;
    let diagonal = |i: usize| f64::from(a[i * n + i]).powf(-f64::from(params.target_exponent));
    let factors: Vec<f32> = (0..n).map(|i| -diagonal(i) as f32).collect();
    let blocks: Result<Vec<_>, FitError> = (0..n.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            if stop() {
                return Err(FitError::Stopped);
            }
            Ok(rows_of_weights(&a, n, block * BLOCK, &factors, params.n_weights))
        })
        .collect();
    Ok(Csr::from_rows(blocks?.into_iter().flatten()))
}

/// The rows from `first` on of the symmetric `inverse`, whose lower triangle is kept, times `factors` by
/// column, without the diagonal.
fn rows_of_weights(
    inverse: &[f32],
    n: usize,
    first: usize,
    factors: &[f32],
    n_weights: usize,
) -> Vec<Vec<(u32, f32)>> {
    let mut whole = Vec::new();
    whole_rows(inverse, n, first..n.min(first + BLOCK), &mut whole);
    let weights_of = |(k, row): (usize, &[f32])| {
        let cells = (0..).zip(row.iter().zip(factors).map(|(x, factor)| x * factor));
        let mut weights: Vec<(u32, f32)> =
            cells.filter(|cell| cell.0 as usize != first + k).collect();
        keep_heaviest(&mut weights, n_weights);
        weights
    };
    whole.chunks_exact(n).enumerate().map(weights_of).collect()
}
