//! Rows of a product of two sparse matrices, one at a time, so that the product is never held.
//!
//! Gustavson, "Two fast algorithms for sparse matrices: multiplication and permuted transposition", ACM
//! TOMS 1978: a row of `A·B` is the sum of the rows of `B` that the row of `A` names, gathered in a dense
//! row of sums. With `A = Xᵀ` and `B = X` these are the rows of a Gram matrix: what items have in common.

use super::Csr;

/// Rows of `B` added in `f32` before the sums go on to `f64`: short enough that rounding stays in the
/// last three digits even if all errors point the same way.
const RUN: usize = 4_096;

/// Fewer additions than this part of a row of sums are gathered again cell by cell; of more, all sums
/// are looked through.
const SPARSE_PART: usize = 8;

/// The product `left (n, m) · right (m, n_columns)`.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a> {
    left: &'a Csr,
    right: &'a Csr,
    n_columns: usize,
}

/// Room for the sums of one row; all 0 between two rows.
#[derive(Clone, Debug)]
pub struct RowSums {
    sums: Vec<f32>,
    long_sums: Vec<f64>,
}

impl RowSums {
    /// Room for rows of `n_columns`.
    pub fn new(n_columns: usize) -> Self {
        Self { sums: vec![0.0; n_columns], long_sums: Vec::new() }
    }
}

impl<'a> Product<'a> {
    /// The product of `left` and `right`, whose columns lie below `n_columns`.
    ///
    /// # Panics
    ///
    /// In debug builds, if `left` names a row that `right` does not have.
    pub fn new(left: &'a Csr, right: &'a Csr, n_columns: usize) -> Self {
        let fits = |row: usize| left.row(row).0.iter().all(|&k| (k as usize) < right.n_rows());
        debug_assert!((0..left.n_rows()).all(fits), "the inner sizes of a product agree");
        Self { left, right, n_columns }
    }

    /// Additions that a row takes.
    pub fn cost(&self, row: usize) -> usize {
        self.left.row(row).0.iter().map(|&k| self.right.row(k as usize).0.len()).sum()
    }

    /// Overwrites `cells` with the cells of a row, columns rising; those that come to 0 are left out.
    pub fn collect_row(&self, row: usize, room: &mut RowSums, cells: &mut Vec<(u32, f32)>) {
        cells.clear();
        self.add_cells(self.left.row(row), self.n_columns, room);
        let is_long = self.left.row(row).0.len() > RUN;
        if is_long || self.cost(row) > self.n_columns / SPARSE_PART {
            for (column, sum) in (0..).zip(&mut room.sums) {
                if *sum != 0.0 {
                    cells.push((column, *sum));
                    *sum = 0.0;
                }
            }
        } else {
            for &k in self.left.row(row).0 {
                for &column in self.right.row(k as usize).0 {
                    let sum = std::mem::take(&mut room.sums[column as usize]);
                    if sum != 0.0 {
                        cells.push((column, sum));
                    }
                }
            }
            cells.sort_unstable_by_key(|cell| cell.0);
        }
    }

    /// Overwrites the start of a row, `start.len()` columns of it; `right` must have rising columns.
    pub fn fill_start(&self, row: usize, room: &mut RowSums, start: &mut [f32]) {
        self.add_cells(self.left.row(row), start.len(), room);
        start.copy_from_slice(&room.sums[..start.len()]);
        room.sums[..start.len()].fill(0.0);
    }

    /// Adds the rows of `right` up to column `end`.
    fn add_cells(&self, (inner, weights): (&[u32], &[f32]), end: usize, room: &mut RowSums) {
        let RowSums { sums, long_sums } = room;
        if inner.len() <= RUN {
            return self.add_run(inner, weights, end, sums);
        }
        long_sums.clear();
        long_sums.resize(end, 0.0);
        for (inner, weights) in inner.chunks(RUN).zip(weights.chunks(RUN)) {
            self.add_run(inner, weights, end, sums);
            for (long, sum) in long_sums.iter_mut().zip(&mut sums[..end]) {
                *long += f64::from(std::mem::take(sum));
            }
        }
        for (long, sum) in long_sums.iter().zip(sums) {
            *sum = *long as f32;
        }
    }

    fn add_run(&self, inner: &[u32], weights: &[f32], end: usize, sums: &mut [f32]) {
        for (&k, &weight) in inner.iter().zip(weights) {
            let (columns, values) = self.right.row(k as usize);
            let n = if end < self.n_columns {
                columns.partition_point(|&column| (column as usize) < end)
            } else {
                columns.len()
            };
            for (&column, value) in columns[..n].iter().zip(values) {
                sums[column as usize] += weight * value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_sum_of_the_rows_it_names() {
        let left = Csr::from_rows([vec![(0, 2.0), (1, 1.0)], vec![], vec![(1, 3.0)]]);
        let right = Csr::from_rows([vec![(0, 1.0), (2, 5.0)], vec![(1, 4.0), (2, -10.0)]]);
        // Of 3 columns a row is looked through, of 90 it is gathered cell by cell.
        for n_columns in [3, 90] {
            let product = Product::new(&left, &right, n_columns);
            let (mut room, mut cells) = (RowSums::new(n_columns), vec![(7, 7.0)]);
            product.collect_row(0, &mut room, &mut cells);
            assert_eq!(cells, [(0, 2.0), (1, 4.0)], "column 2 comes to 0");
            product.collect_row(2, &mut room, &mut cells);
            assert_eq!(cells, [(1, 12.0), (2, -30.0)], "nothing is left of the row before");
            product.collect_row(1, &mut room, &mut cells);
            assert!(cells.is_empty());
            let mut start = [9.0; 2];
            product.fill_start(0, &mut room, &mut start);
            assert_eq!(start, [2.0, 4.0]);
        }
        assert_eq!(Product::new(&left, &right, 3).cost(0), 4);
    }

    #[test]
    fn long_sums_keep_their_digits() {
        let n = 40_000;
        let left = Csr::from_rows([(0..n).map(|k| (k, 0.1)).collect::<Vec<_>>()]);
        let right = Csr::from_rows((0..n).map(|_| [(0, 1.0), (1, 0.7)]));
        let mut cells = Vec::new();
        let product = Product::new(&left, &right, 1_000);
        product.collect_row(0, &mut RowSums::new(1_000), &mut cells);
        let exact = f64::from(n) * f64::from(0.1_f32);
        // A running sum in f32 is off by 1e-4 and more; runs of 4,096 by some 1e-5.
        assert!((f64::from(cells[0].1) / exact - 1.0).abs() < 3e-5, "{} not {exact}", cells[0].1);
        assert!((f64::from(cells[1].1) / exact / 0.7 - 1.0).abs() < 3e-5);
    }
}
