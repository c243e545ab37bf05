//! Compressed sparse rows that a fitted model can keep and save.

use serde::{Deserialize, Serialize};

/// Rows of `(column, value)` pairs, one after the other.
///
/// 8 bytes a cell (`u32` column, `f32` value) and 4 a row; at most `u32::MAX` cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Csr {
    starts: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl Csr {
    /// Puts rows together in the order given.
    ///
    /// # Panics
    ///
    /// If there are more than `u32::MAX` cells.
    pub fn from_rows<R: IntoIterator<Item = (u32, f32)>>(
        rows: impl IntoIterator<Item = R>,
    ) -> Self {
        let mut csr = Self { starts: vec![0], columns: Vec::new(), values: Vec::new() };
        for row in rows {
            for (column, value) in row {
                csr.columns.push(column);
                csr.values.push(value);
            }
            let end = u32::try_from(csr.columns.len());
            csr.starts.push(end.expect("a model holds fewer than 2³² cells"));
        }
        csr.columns.shrink_to_fit();
        csr.values.shrink_to_fit();
        csr
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Number of stored cells.
    pub fn n_cells(&self) -> usize {
        self.columns.len()
    }

    /// Where the cells of a row lie among all.
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.starts[row] as usize..self.starts[row + 1] as usize
    }

    /// The columns and values of a row.
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.range(row);
        (&self.columns[range.clone()], &self.values[range])
    }

    /// The cells of a row as pairs.
    pub fn cells(&self, row: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let (columns, values) = self.row(row);
        columns.iter().copied().zip(values.iter().copied())
    }

    /// The value stored at a place, if there is one; the columns of the row must rise.
    pub fn get(&self, row: usize, column: u32) -> Option<f32> {
        let (columns, values) = self.row(row);
        columns.binary_search(&column).ok().map(|at| values[at])
    }

    /// The same cells by column, `n_columns` rows; within each, the old rows rise.
    ///
    /// Cost: one counting sort, linear in cells and columns.
    #[must_use]
    pub fn transposed(&self, n_columns: usize) -> Self {
        let mut starts = vec![0_u32; n_columns + 1];
        for &column in &self.columns {
            starts[column as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut columns = vec![0; self.n_cells()];
        let mut values = vec![0.0; self.n_cells()];
        for row in 0..self.n_rows() {
            for (column, value) in self.cells(row) {
                let at = &mut next[column as usize];
                columns[*at as usize] = row as u32;
                values[*at as usize] = value;
                *at += 1;
            }
        }
        Self { starts, columns, values }
    }

    /// Each row cut to its `n` cells with the lowest `key(row, column, value)`, in the order they had.
    #[must_use]
    pub fn capped<K: Ord>(self, n: usize, key: impl Fn(u32, u32, f32) -> K) -> Self {
        if (0..self.n_rows()).all(|row| self.row(row).0.len() <= n) {
            return self;
        }
        Self::from_rows((0..self.n_rows()).map(|row| {
            let mut cells: Vec<(usize, (u32, f32))> = self.cells(row).enumerate().collect();
            if n < cells.len() {
                let key = |&(at, (column, value)): &(usize, (u32, f32))| {
                    (key(row as u32, column, value), at)
                };
                cells.select_nth_unstable_by_key(n, key);
                cells.truncate(n);
                cells.sort_unstable_by_key(|cell| cell.0);
            }
            cells.into_iter().map(|cell| cell.1)
        }))
    }

    /// Bytes held on the heap.
    pub fn n_bytes(&self) -> usize {
        8 * self.n_cells() + 4 * self.starts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_keeps_the_lowest_keys_in_their_order() {
        let csr = Csr::from_rows([vec![(0, 9.0), (3, 7.0), (5, 8.0)], vec![(1, 1.0)]]);
        let capped = csr.clone().capped(2, |_, column, _| std::cmp::Reverse(column));
        assert_eq!(capped.cells(0).collect::<Vec<_>>(), [(3, 7.0), (5, 8.0)]);
        assert_eq!(capped.cells(1).collect::<Vec<_>>(), [(1, 1.0)]);
        assert_eq!(csr.clone().capped(3, |_, column, _| column), csr);
    }

    #[test]
    fn transposing_twice_changes_nothing() {
        let csr = Csr::from_rows([vec![(0, 1.0), (2, 2.0)], vec![], vec![(1, 3.0), (2, 4.0)]]);
        let transposed = csr.transposed(3);
        assert_eq!(transposed.cells(2).collect::<Vec<_>>(), [(0, 2.0), (2, 4.0)]);
        assert_eq!(transposed.transposed(3), csr);
        assert_eq!(csr.get(2, 2), Some(4.0));
        assert_eq!(csr.get(1, 2), None);
    }
}
