//! Ratings as lists: one for each user, or one for each item.

use serde::{Deserialize, Serialize};

/// The ratings of every row one after the other: the position of each on the other side, and its value.
///
/// 8 bytes a rating, and 8 a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lists {
    /// Where each row begins, and the end.
    starts: Vec<usize>,
    cells: Vec<(u32, f32)>,
}

impl Lists {
    /// Takes over the lists of rows, which hold `n_cells` together.
    pub(super) fn new(
        rows: impl Iterator<Item = impl Iterator<Item = (u32, f32)>>,
        n_cells: usize,
    ) -> Self {
        let mut starts = vec![0];
        let mut cells = Vec::with_capacity(n_cells);
        for row in rows {
            cells.extend(row);
            starts.push(cells.len());
        }
        Self { starts, cells }
    }

    /// The same with each list by rising position.
    pub(super) fn sorted(mut self) -> Self {
        for ends in self.starts.windows(2) {
            self.cells[ends[0]..ends[1]].sort_unstable_by_key(|cell| cell.0);
        }
        self
    }

    /// The same with other values.
    pub(super) fn map(mut self, value: impl Fn(f32) -> f32) -> Self {
        for cell in &mut self.cells {
            cell.1 = value(cell.1);
        }
        self
    }

    /// Number of rows.
    pub(super) fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// One row's positions and values.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[inline]
    pub(super) fn of(&self, row: usize) -> &[(u32, f32)] {
        &self.cells[self.starts[row]..self.starts[row + 1]]
    }

    /// One row's positions and values; `None` if there is no such row.
    pub(super) fn get(&self, row: usize) -> Option<&[(u32, f32)]> {
        (row < self.n_rows()).then(|| self.of(row))
    }

    /// Every row.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[(u32, f32)]> {
        self.starts.windows(2).map(|ends| &self.cells[ends[0]..ends[1]])
    }

    /// Where each row begins, and the end.
    pub(super) fn into_starts(self) -> Vec<usize> {
        self.starts
    }

    /// Where each row begins, and the end; positions; values.
    pub(super) fn into_parts(self) -> (Vec<usize>, Vec<u32>, Vec<f32>) {
        let (positions, values) = self.cells.into_iter().unzip();
        (self.starts, positions, values)
    }

    /// Bytes held on the heap.
    pub(super) fn n_bytes(&self) -> usize {
        size_of_val(&self.starts[..]) + size_of_val(&self.cells[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_their_rows_apart() {
        let rows = [vec![(4, 1.0), (2, 3.0)], vec![], vec![(0, 5.0)]];
        let lists = Lists::new(rows.into_iter().map(Vec::into_iter), 3).map(|value| value - 1.0);
        assert_eq!(lists.of(0), [(4, 0.0), (2, 2.0)]);
        assert_eq!((lists.n_rows(), lists.get(1), lists.get(3)), (3, Some(&[][..]), None));
        let sorted = lists.sorted();
        assert_eq!(sorted.rows().flatten().map(|cell| cell.0).collect::<Vec<_>>(), [2, 4, 0]);
        assert_eq!(sorted.clone().into_starts(), [0, 2, 2, 3]);
        assert_eq!(sorted.into_parts(), (vec![0, 2, 2, 3], vec![2, 4, 0], vec![2.0, 0.0, 4.0]));
    }
}
