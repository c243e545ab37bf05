//! All products of the rows of a sparse matrix with each other, for as many rows as fit as a square.
//!
//! The square is symmetric, so only the half below the diagonal is made and kept; whole rows are put
//! together a few at a time by whoever needs them.

use super::{
    Csr,
    product::{Operand, RowSums},
};
use rayon::prelude::*;
use std::ops::Range;

/// Rows that one task fills or reads, between two looks at `stop`.
pub const BLOCK: usize = 64;

/// The rows of `left·leftᵀ (n, n)` up to the diagonal, in `4·n²` bytes of which half are touched; the rest
/// is 0. `right` is `leftᵀ`, its columns rising. `None` if `stop` says so.
pub fn lower_products(
    left: &Csr,
    right: &Operand<'_>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Option<Vec<f32>> {
    let n = left.n_rows();
    let ends = ends(left, right);
    let mut lower = vec![0.0_f32; n * n];
    let is_whole = lower
        .par_chunks_mut((BLOCK * n).max(1))
        .enumerate()
        .try_for_each_init(
            || RowSums::new(n),
            |room, (block, part)| {
                if stop() {
                    return None;
                }
                for (i, row) in (block * BLOCK..).zip(part.chunks_exact_mut(n)) {
                    let ends = &ends[left.range(i)];
                    room.fill_start(left.row(i), ends, right, &mut row[..=i]);
                }
                Some(())
            },
        )
        .is_some();
    is_whole.then_some(lower)
}

/// For each cell of `left` its place in its column, counted from 1.
fn ends(left: &Csr, right: &Operand<'_>) -> Vec<u32> {
    let mut n_before = vec![0_u32; right.n_rows()];
    let cells = (0..left.n_rows()).flat_map(|row| left.row(row).0);
    let place = |&column: &u32| {
        let n = &mut n_before[column as usize];
        *n += 1;
        *n
    };
    cells.map(place).collect()
}

/// Overwrites `whole (rows, n)` by some rows of the symmetric matrix whose lower half is given.
pub fn whole_rows(lower: &[f32], n: usize, rows: Range<usize>, whole: &mut Vec<f32>) {
    whole.clear();
    whole.resize(rows.len() * n, 0.0);
    for (row, whole) in rows.clone().zip(whole.chunks_exact_mut(n)) {
        whole[..=row].copy_from_slice(&lower[row * n..=row * n + row]);
    }
    for i in rows.start + 1..n {
        // Left of the diagonal of row `i`: the rest of the rows asked for.
        let below = &lower[i * n + rows.start..i * n + i.min(rows.end)];
        for (k, &x) in below.iter().enumerate() {
            whole[k * n + i] = x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_rows_are_the_products() {
        let n = 150;
        let cells = |row: u32| (row % 7..n).step_by(3 + row as usize % 5);
        let left = Csr::from_rows(
            (0..n).map(|row| cells(row).map(move |at| (at, (1 + (row * at) % 4) as f32))),
        );
        let right = left.transposed(n as usize);
        let n = n as usize;
        let lower = lower_products(&left, &Operand::new(&right), &|| false).unwrap();
        let (mut whole, mut room, mut cells) = (Vec::new(), RowSums::new(n), Vec::new());
        for rows in [0..1, 0..64, 64..128, 128..n] {
            whole_rows(&lower, n, rows.clone(), &mut whole);
            for (row, whole) in rows.zip(whole.chunks_exact(n)) {
                room.collect(left.row(row), &Operand::new(&right), &mut cells);
                let found = (0..).zip(whole.iter().copied()).filter(|cell| cell.1 != 0.0);
                assert_eq!(found.collect::<Vec<(u32, f32)>>(), cells, "row {row}");
            }
        }
        assert!(lower_products(&left, &Operand::new(&right), &|| true).is_none());
    }
}
