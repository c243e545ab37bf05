//! Sums over what two users, or two items, have in common, for every pair at once.
//!
//! A *row* is a user or an item, a *column* the other side. For one row, every rating of every column it
//! has adds to the sums of the row that gave it: dense sums, each pair once (the upper triangle), then
//! the lower triangle is copied. The order of terms within a pair is that of the columns, so the result
//! does not depend on threads.

use super::Ratings;
use super::lists::Lists;
use crate::learn::recommenders::{FitError, Stop, check};
use rayon::prelude::*;

/// Rows whose pairs one task sums.
const ROWS_PER_TASK: usize = 16;

/// Rows that are mirrored together.
const ROWS_PER_BLOCK: usize = 256;

/// One rating, seen from its row.
struct Cell {
    column: u32,
    /// Where the rating stands among its column's.
    place: u32,
    value: f32,
}

/// Ratings by row (rising columns) and by column (rising rows).
pub(super) struct TwoWay {
    row_starts: Vec<usize>,
    cells: Vec<Cell>,
    column_starts: Vec<usize>,
    by_column: Vec<(u32, f32)>,
}

impl TwoWay {
    /// Sorts the values `value(row, column, rating)`; rows are users if `user_based`, else items.
    pub(super) fn new(
        ratings: &Ratings,
        user_based: bool,
        value: impl Fn(usize, usize, f32) -> f32,
    ) -> Self {
        let (rows, columns) = rows_and_columns(ratings, user_based);
        let column_starts = columns.into_starts();
        let mut next = column_starts.clone();
        let mut by_column = vec![(0, 0.0); ratings.all().len()];
        let mut row_starts = vec![0];
        let mut cells = Vec::with_capacity(by_column.len());
        for (row, of_row) in rows.sorted().rows().enumerate() {
            for &(column, rating) in of_row {
                let place = &mut next[column as usize];
                let value = value(row, column as usize, rating);
                by_column[*place] = (row as u32, value);
                cells.push(Cell { column, place: *place as u32, value });
                *place += 1;
            }
            row_starts.push(cells.len());
        }
        Self { row_starts, cells, column_starts, by_column }
    }

    fn n_rows(&self) -> usize {
        self.row_starts.len() - 1
    }
}

/// The lists of users and of items, or, if not `user_based`, of items and of users.
pub(super) fn rows_and_columns(ratings: &Ratings, user_based: bool) -> (Lists, Lists) {
    let (users, items) = (ratings.by_user(), ratings.by_item());
    if user_based { (users, items) } else { (items, users) }
}

/// Refuses `n_rows²` entries of `entry_bytes` that are more than `matrix_bytes_max`.
pub(super) fn check_table(
    n_rows: usize,
    entry_bytes: usize,
    matrix_bytes_max: usize,
) -> Result<(), FitError> {
    let n_bytes = n_rows.saturating_mul(n_rows).saturating_mul(entry_bytes);
    let rule = "at least the bytes of the table of all pairs";
    let value = format_args!("{matrix_bytes_max} for {n_bytes} bytes");
    check(n_bytes <= matrix_bytes_max, "matrix_bytes_max", rule, value)
}

/// The table `(n_rows, n_rows)` of all pairs: `finish` of the sums for `row < other`, `mirror` of that
/// for `row > other`, and `V::default()` on the diagonal.
pub(super) fn tabulate<S, V>(
    ratings: &TwoWay,
    add: impl Fn(&mut S, f32, f32) + Sync,
    finish: impl Fn(&S) -> V + Sync,
    mirror: impl Fn(V) -> V + Sync,
    stop: Stop<'_>,
) -> Result<Vec<V>, FitError>
where
    S: Copy + Default + Send,
    V: Copy + Default + Send + Sync,
{
    let n_rows = ratings.n_rows();
    let mut table = vec![V::default(); n_rows * n_rows];
    if n_rows == 0 {
        return Ok(table);
    }
    let tasks = table.par_chunks_mut(ROWS_PER_TASK * n_rows).enumerate();
    tasks.try_for_each_init(
        || vec![S::default(); n_rows],
        |sums, (task, entries)| {
            if stop() {
                return Err(FitError::Stopped);
            }
            for (row, entries) in (task * ROWS_PER_TASK..).zip(entries.chunks_exact_mut(n_rows)) {
                let sums = &mut sums[row + 1..];
                sums.fill(S::default());
                for cell in &ratings.cells[ratings.row_starts[row]..ratings.row_starts[row + 1]] {
                    let end = ratings.column_starts[cell.column as usize + 1];
                    for &(other, value) in &ratings.by_column[cell.place as usize + 1..end] {
                        add(&mut sums[other as usize - row - 1], cell.value, value);
                    }
                }
                for (entry, sums) in entries[row + 1..].iter_mut().zip(sums.iter()) {
                    *entry = finish(sums);
                }
            }
            Ok(())
        },
    )?;
    for from in (0..n_rows).step_by(ROWS_PER_BLOCK) {
        if stop() {
            return Err(FitError::Stopped);
        }
        let (above, block) = table.split_at_mut(from * n_rows);
        let block = &mut block[..ROWS_PER_BLOCK.min(n_rows - from) * n_rows];
        let tasks = block.par_chunks_mut(ROWS_PER_TASK * n_rows).enumerate();
        tasks.for_each(|(task, rows)| {
            // Column by column of these rows: what is read then lies side by side.
            for (other, source) in above.chunks_exact(n_rows).enumerate() {
                let source = &source[from + task * ROWS_PER_TASK..];
                for (row, &entry) in rows.chunks_exact_mut(n_rows).zip(source) {
                    row[other] = mirror(entry);
                }
            }
        });
        for row in 1..block.len() / n_rows {
            for other in 0..row {
                block[row * n_rows + from + other] = mirror(block[other * n_rows + from + row]);
            }
        }
    }
    Ok(table)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::data::Rating;
    use super::super::{RatingPredictor, Ratings};
    use super::*;
    use crate::learn::dataset::{ItemIdx, UserIdx};

    /// Ratings from triples.
    pub(in super::super) fn table(
        n_users: usize,
        n_items: usize,
        given: &[(u32, u32, f32)],
    ) -> Ratings {
        let given = given.iter().map(|&(user, item, value)| Rating {
            user: UserIdx(user),
            item: ItemIdx(item),
            value,
        });
        Ratings::new(n_users, n_items, given)
    }

    /// 40 × 30 ratings with gaps, 1 to 5, users and items at the end without any.
    pub(in super::super) fn many() -> Ratings {
        let pairs = (0..38_u32).flat_map(|u| (0..29_u32).map(move |i| (u, i)));
        let kept = pairs.filter(|(u, i)| (u * 7 + i * 5 + u * i) % 3 != 0);
        let given: Vec<_> =
            kept.map(|(u, i)| (u, i, (1 + (u * 3 + i * i + u * i) % 5) as f32)).collect();
        table(40, 30, &given)
    }

    /// The contract of every model: the same at 1 and 3 threads, and whatever the data, every prediction
    /// finite and in scale, also for those unknown.
    pub(in super::super) fn at_threads<M: RatingPredictor + PartialEq + std::fmt::Debug>(
        fit: impl Fn(&Ratings) -> Result<M, FitError> + Sync,
    ) {
        let run = |n_threads, ratings: &Ratings| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| fit(ratings))
        };
        let cases = [
            many(),
            table(1, 1, &[(0, 0, 3.0)]),
            table(3, 3, &[(0, 0, 2.0), (0, 1, 2.0), (1, 0, 2.0), (1, 1, 2.0), (2, 2, 2.0)]),
            table(1, 4, &[(0, 0, 1.0), (0, 1, 5.0), (0, 3, 2.0)]),
            table(4, 1, &[(0, 0, -1.0), (1, 0, 0.0), (3, 0, 1e20)]),
        ];
        for ratings in &cases {
            let model = run(1, ratings).unwrap();
            assert_eq!(model, run(3, ratings).unwrap());
            let (low, high) = ratings.scale();
            for (user, item) in (0..42).flat_map(|u| (0..32).map(move |i| (UserIdx(u), ItemIdx(i))))
            {
                let rating = model.predict(user, item);
                assert!((low..=high).contains(&rating), "{rating} for {user:?} {item:?}");
            }
            let far = model.predict(UserIdx(u32::MAX), ItemIdx(u32::MAX));
            assert!((low..=high).contains(&far));
        }
        assert!(matches!(run(1, &table(2, 2, &[])), Err(FitError::NoData { .. })));
    }

    #[test]
    fn a_table_holds_every_pair_and_its_mirror() {
        let n_rows = 600;
        let given: Vec<_> = (0..n_rows).flat_map(|u| [(u, u % 7, u as f32), (u, 7, 1.0)]).collect();
        let sorted = TwoWay::new(&table(n_rows as usize, 8, &given), true, |_, _, value| value);
        let add = |sum: &mut f32, own: f32, other: f32| *sum += own - other;
        let differences = tabulate(&sorted, add, |&sum| sum, |sum: f32| -sum, &|| false).unwrap();
        for u in 0..n_rows {
            for v in 0..n_rows {
                let expected = if u % 7 == v % 7 { u as f32 - v as f32 } else { 0.0 };
                let found: f32 = differences[(u * n_rows + v) as usize];
                assert!((found - expected).abs() < 1e-6);
            }
        }
        assert_eq!(tabulate(&sorted, add, |&sum| sum, |sum| sum, &|| true), Err(FitError::Stopped));
    }
}
