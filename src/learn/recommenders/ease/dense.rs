//! All pairs of items at once: a Gram matrix, its inverse in the same memory, the weights.

use super::{EaseParams, FitError, Stop, keep_heaviest};
use crate::learn::linalg::{
    Csr,
    product::{Operand, RowSums},
    spd,
};
use rayon::prelude::*;

/// Rows that one task fills or reads, between two looks at `stop`.
const BLOCK: usize = 64;

/// The weights by history item, for the weighted interactions by item and by user.
pub(super) fn solve(
    columns: &Csr,
    rows: &Operand<'_>,
    params: &EaseParams,
    stop: Stop<'_>,
) -> Result<Csr, FitError> {
    let n = columns.n_rows();
    let mut a = vec![0.0_f32; n * n];
    a.par_chunks_mut(BLOCK * n).enumerate().try_for_each(|(block, part)| {
        if stop() {
            return Err(FitError::Stopped);
        }
        let mut room = RowSums::new(n);
        for (i, row) in (block * BLOCK..).zip(part.chunks_exact_mut(n)) {
            room.fill_start(columns.row(i), rows, &mut row[..=i]);
            row[i] += params.ridge(row[i]);
        }
        Ok(())
    })?;
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
    let width = BLOCK.min(n - first);
    let mut whole = vec![0.0_f32; width * n];
    for (k, row) in whole.chunks_exact_mut(n).enumerate() {
        let at = (first + k) * n;
        row[..=first + k].copy_from_slice(&inverse[at..=at + first + k]);
    }
    for i in first + 1..n {
        // Left of the diagonal of row `i`: the rest of the rows of this block.
        let below = &inverse[i * n + first..i * n + i.min(first + width)];
        for (k, &x) in below.iter().enumerate() {
            whole[k * n + i] = x;
        }
    }
    let weights_of = |(k, row): (usize, &[f32])| {
        let cells = (0..).zip(row.iter().zip(factors).map(|(x, factor)| x * factor));
        let mut weights: Vec<(u32, f32)> =
            cells.filter(|cell| cell.0 as usize != first + k).collect();
        keep_heaviest(&mut weights, n_weights);
        weights
    };
    whole.chunks_exact(n).enumerate().map(weights_of).collect()
}
