//! The sparse user × item matrix that every recommender is fitted on.

use super::{ItemIdx, UserIdx};

/// One stored cell of a row: the column's position and the weight.
pub type Cell = (u32, f32);

/// Weights of users (rows) for items (columns), sparse, in both orientations.
///
/// CSR and CSC with `u32` positions and `f32` values: 8 bytes an interaction each way, 16 in all,
/// plus 8 bytes for each user and item. Within a row or column positions rise; no cell is stored
/// twice; values are finite and never 0.
#[derive(Clone, Debug, PartialEq)]
pub struct InteractionMatrix {
    n_users: usize,
    n_items: usize,
    row_starts: Vec<usize>,
    row_items: Vec<u32>,
    row_values: Vec<f32>,
    col_starts: Vec<usize>,
    col_users: Vec<u32>,
    col_values: Vec<f32>,
}

impl InteractionMatrix {
    /// Builds the matrix from cells in any order; values of the same cell are added up, cells that
    /// come to 0 or to no finite number are dropped.
    ///
    /// Cost: two counting sorts, linear in cells, users and items.
    ///
    /// # Panics
    ///
    /// If a position lies outside the matrix.
    pub fn from_cells(
        n_users: usize,
        n_items: usize,
        cells: impl IntoIterator<Item = (UserIdx, ItemIdx, f32)>,
    ) -> Self {
        let mut cells: Vec<(u32, u32, f32)> =
            cells.into_iter().map(|(user, item, value)| (user.0, item.0, value)).collect();
        assert!(
            cells.iter().all(|&(u, i, _)| (u as usize) < n_users && (i as usize) < n_items),
            "a cell lies outside the matrix of {n_users} × {n_items}"
        );
        // Both sorts are stable, so that equal cells are added in the order in which they came.
        let by_item = counting_sorted(&cells, n_items, |cell| cell.1);
        cells = counting_sorted(&by_item, n_users, |cell| cell.0);
        drop(by_item);
        cells.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        cells.retain(|&(_, _, value)| value.is_finite() && value != 0.0);

        let mut row_starts = vec![0; n_users + 1];
        let mut col_starts = vec![0; n_items + 1];
        for &(user, item, _) in &cells {
            row_starts[user as usize + 1] += 1;
            col_starts[item as usize + 1] += 1;
        }
        for starts in [&mut row_starts, &mut col_starts] {
            for at in 1..starts.len() {
                starts[at] += starts[at - 1];
            }
        }
        let mut next = col_starts.clone();
        let mut col_users = vec![0; cells.len()];
        let mut col_values = vec![0.0; cells.len()];
        for &(user, item, value) in &cells {
            let at = &mut next[item as usize];
            col_users[*at] = user;
            col_values[*at] = value;
            *at += 1;
        }
        Self {
            n_users,
            n_items,
            row_starts,
            row_items: cells.iter().map(|cell| cell.1).collect(),
            row_values: cells.iter().map(|cell| cell.2).collect(),
            col_starts,
            col_users,
            col_values,
        }
    }

    /// Number of rows.
    pub fn n_users(&self) -> usize {
        self.n_users
    }

    /// Number of columns.
    pub fn n_items(&self) -> usize {
        self.n_items
    }

    /// Number of stored cells.
    pub fn n_interactions(&self) -> usize {
        self.row_items.len()
    }

    /// A user's items, rising, with their weights.
    pub fn row(&self, user: UserIdx) -> (&[u32], &[f32]) {
        let range = self.row_starts[user.0 as usize]..self.row_starts[user.0 as usize + 1];
        (&self.row_items[range.clone()], &self.row_values[range])
    }

    /// An item's users, rising, with their weights.
    pub fn column(&self, item: ItemIdx) -> (&[u32], &[f32]) {
        let range = self.col_starts[item.0 as usize]..self.col_starts[item.0 as usize + 1];
        (&self.col_users[range.clone()], &self.col_values[range])
    }

    /// A user's cells as pairs.
    pub fn row_cells(&self, user: UserIdx) -> impl Iterator<Item = Cell> + '_ {
        let (items, values) = self.row(user);
        items.iter().copied().zip(values.iter().copied())
    }

    /// An item's cells as pairs.
    pub fn column_cells(&self, item: ItemIdx) -> impl Iterator<Item = Cell> + '_ {
        let (users, values) = self.column(item);
        users.iter().copied().zip(values.iter().copied())
    }

    /// The same cells with other values: `value(user, item, old)`; cells that come to 0 are dropped.
    #[must_use]
    pub fn map(&self, mut value: impl FnMut(UserIdx, ItemIdx, f32) -> f32) -> Self {
        let users = (0..).map(UserIdx).take(self.n_users);
        let cells: Vec<_> = users
            .flat_map(|user| {
                self.row_cells(user).map(move |(item, old)| (user, ItemIdx(item), old))
            })
            .map(|(user, item, old)| (user, item, value(user, item, old)))
            .collect();
        Self::from_cells(self.n_users, self.n_items, cells)
    }

    /// The same cells, each value changed in place; none may come to 0 or to no finite number.
    #[must_use]
    pub fn map_values(mut self, value: impl Fn(f32) -> f32) -> Self {
        for old in self.row_values.iter_mut().chain(&mut self.col_values) {
            *old = value(*old);
            debug_assert!(old.is_finite() && *old != 0.0, "a cell came to {old}");
        }
        self
    }

    /// Bytes held on the heap.
    pub fn n_bytes(&self) -> usize {
        16 * self.n_interactions() + 8 * (self.row_starts.len() + self.col_starts.len())
    }
}

/// The cells in rising order of `key`, which is below `n_keys`; equal keys stay in order.
fn counting_sorted(
    cells: &[(u32, u32, f32)],
    n_keys: usize,
    key: impl Fn(&(u32, u32, f32)) -> u32,
) -> Vec<(u32, u32, f32)> {
    let mut next = vec![0_usize; n_keys + 1];
    for cell in cells {
        next[key(cell) as usize + 1] += 1;
    }
    for at in 1..next.len() {
        next[at] += next[at - 1];
    }
    let mut sorted = vec![(0, 0, 0.0); cells.len()];
    for cell in cells {
        let at = &mut next[key(cell) as usize];
        sorted[*at] = *cell;
        *at += 1;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_in_any_order_and_add_up() {
        let cells = [(1, 2, 1.0), (0, 1, 2.0), (1, 0, 3.0), (1, 2, 4.0), (0, 0, 1.0), (0, 0, -1.0)];
        let cells = cells.map(|(user, item, value)| (UserIdx(user), ItemIdx(item), value));
        let matrix = InteractionMatrix::from_cells(3, 3, cells);
        let rows: Vec<Vec<Cell>> =
            (0..3).map(|user| matrix.row_cells(UserIdx(user)).collect()).collect();
        assert_eq!(rows, [vec![(1, 2.0)], vec![(0, 3.0), (2, 5.0)], vec![]]);
        let columns: Vec<Vec<Cell>> =
            (0..3).map(|item| matrix.column_cells(ItemIdx(item)).collect()).collect();
        assert_eq!(columns, [vec![(1, 3.0)], vec![(0, 2.0)], vec![(1, 5.0)]]);
        assert_eq!(matrix.map(|_, _, value| value - 2.0).n_interactions(), 2);
    }

    #[test]
    #[should_panic(expected = "outside the matrix of 1 × 1")]
    fn a_cell_outside_is_our_own_mistake() {
        InteractionMatrix::from_cells(1, 1, [(UserIdx(0), ItemIdx(1), 1.0)]);
    }
}
