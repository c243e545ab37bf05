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
        // A stable sort, so that equal cells are added in the order in which they came.
        cells.sort_by_key(|&(user, item, _)| (user, item));
        cells.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        cells.retain(|&(_, _, value)| value.is_finite() && value != 0.0);
        assert!(
            cells.iter().all(|&(u, i, _)| (u as usize) < n_users && (i as usize) < n_items),
            "a cell lies outside the matrix of {n_users} × {n_items}"
        );

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

    /// Bytes held on the heap.
    pub fn n_bytes(&self) -> usize {
        16 * self.n_interactions() + 8 * (self.row_starts.len() + self.col_starts.len())
    }
}
