//! Rows of a product of two sparse matrices, one at a time, so that the product is never held.
//!
//! Gustavson, "Two fast algorithms for sparse matrices: multiplication and permuted transposition", ACM
//! TOMS 1978: a row of `A·B` is the sum of the rows of `B` that the row of `A` names, gathered in a dense
//! row of sums. With `A = Xᵀ` and `B = X` these are the rows of a Gram matrix: what items have in common.

use super::Csr;

/// Rows of `B` added in `f32` before the sums go on to `f64`: short enough that rounding stays below 1e-4 even
/// if all errors point the same way.
const RUN: usize = 4_096;

/// Rows that are fetched together.
const FETCHED: usize = 16;

/// Fewer additions than this part of a row of sums are gathered again cell by cell; of more, all sums
/// are looked through.
const SPARSE_PART: usize = 8;

/// The right matrix of a product.
#[derive(Clone, Debug)]
pub struct Operand<'a> {
    rows: &'a Csr,
    /// What all values of a row are; undefined if they differ. Rows of what was bought, each once, are
    /// like this, and need not be read to be added.
    values: Vec<f32>,
}

impl<'a> Operand<'a> {
    /// Looks for rows whose values are all the same.
    pub fn new(rows: &'a Csr) -> Self {
        let value_of = |row: usize| match rows.row(row).1 {
            [first, rest @ ..] if rest.iter().all(|x| x.to_bits() == first.to_bits()) => *first,
            _ => f32::NAN,
        };
        Self { rows, values: (0..rows.n_rows()).map(value_of).collect() }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.rows.n_rows()
    }

    /// Does not look, which would not pay for one product.
    pub fn unread(rows: &'a Csr) -> Self {
        Self { rows, values: Vec::new() }
    }
}

/// Room for the sums of one row of a product; all 0 between two rows.
#[derive(Clone, Debug)]
pub struct RowSums {
    sums: Vec<f32>,
    long_sums: Vec<f64>,
}

/// Which columns have a place in a short row, and which one.
///
/// Almost no column has one, and a bit for each stays in the processor's nearer cache where a number for each would not.
#[derive(Clone, Debug)]
pub struct Places {
    /// A bit for each column: whether it has a place.
    known: Vec<u64>,
    /// Of a column without a place, whatever it had last.
    places: Vec<u32>,
}

impl Places {
    /// No column has a place.
    pub fn none(n_columns: usize) -> Self {
        Self { known: vec![0; n_columns.div_ceil(64)], places: vec![0; n_columns] }
    }

    /// Gives a column a place.
    ///
    /// # Panics
    ///
    /// If there is no such column; the others answer as they would of one without a place, or panic.
    pub fn set(&mut self, column: u32, place: u32) {
        self.known[column as usize / 64] |= 1 << (column % 64);
        self.places[column as usize] = place;
    }

    /// Takes a column's place away.
    pub fn clear(&mut self, column: u32) {
        self.known[column as usize / 64] &= !(1 << (column % 64));
    }

    /// The place of a column.
    #[inline]
    pub fn of(&self, column: u32) -> Option<usize> {
        let is_known = self.known[column as usize / 64] >> (column % 64) & 1 == 1;
        is_known.then(|| self.places[column as usize] as usize)
    }
}

/// A row of the left matrix: positions of rows of the right one, and weights.
type Combination<'a> = (&'a [u32], &'a [f32]);

impl RowSums {
    /// Room for rows of `n_columns`.
    pub fn new(n_columns: usize) -> Self {
        Self { sums: vec![0.0; n_columns], long_sums: Vec::new() }
    }

    /// Overwrites `cells` with a row of the product, columns rising; cells that come to 0 are left out.
    ///
    /// # Panics
    ///
    /// If `right` lacks a row that the combination names, or has columns that there is no room for.
    pub fn collect(
        &mut self,
        combination: Combination<'_>,
        right: &Operand<'_>,
        cells: &mut Vec<(u32, f32)>,
    ) {
        cells.clear();
        self.add(combination, None, right);
        let rows = || combination.0.iter().map(|&k| right.rows.row(k as usize).0);
        let n_additions: usize = rows().map(<[u32]>::len).sum();
        if combination.0.len() > RUN || n_additions > self.sums.len() / SPARSE_PART {
            for (column, sum) in (0..).zip(&mut self.sums) {
                if *sum != 0.0 {
                    cells.push((column, *sum));
                    *sum = 0.0;
                }
            }
        } else {
            for &column in rows().flatten() {
                let sum = std::mem::take(&mut self.sums[column as usize]);
                if sum != 0.0 {
                    cells.push((column, sum));
                }
            }
            cells.sort_unstable_by_key(|cell| cell.0);
        }
    }

    /// Adds a row of the product to `row`, but only what lies in columns that have a place in it. Unless the
    /// combination is long, nothing is gathered and sorted, and of what grows with the number of columns `places` alone
    /// is touched.
    ///
    /// # Panics
    ///
    /// As [`Self::collect`], or if there are places beyond the row. There must be `places` for all columns.
    pub fn add_placed(
        &mut self,
        combination: Combination<'_>,
        right: &Operand<'_>,
        places: &Places,
        row: &mut [f32],
    ) {
        if combination.0.len() > RUN {
            // So long a sum needs more digits.
            let mut cells = Vec::new();
            self.collect(combination, right, &mut cells);
            for (column, sum) in cells {
                if let Some(place) = places.of(column) {
                    row[place] += sum;
                }
            }
            return;
        }
        for (rows, weights) in combination.0.chunks(FETCHED).zip(combination.1.chunks(FETCHED)) {
            // Rows lie apart in memory. Looked at all at once, they take about as long to come as one does.
            let ends = |&k: &u32| {
                let columns = right.rows.row(k as usize).0;
                columns.first().copied().unwrap_or(0) ^ columns.last().copied().unwrap_or(0)
            };
            std::hint::black_box(rows.iter().map(ends).fold(0, |both, ends| both ^ ends));
            for (&k, &weight) in rows.iter().zip(weights) {
                let (columns, values) = right.rows.row(k as usize);
                for (&column, value) in columns.iter().zip(values) {
                    if let Some(place) = places.of(column) {
                        row[place] += weight * value;
                    }
                }
            }
        }
    }

    /// Overwrites `start` with the first columns of a row of the product. `ends` says how many cells of
    /// each row of `right` that the combination names lie in them.
    ///
    /// # Panics
    ///
    /// As [`Self::collect`], or if a row of `right` is shorter.
    pub fn fill_start(
        &mut self,
        combination: Combination<'_>,
        ends: &[u32],
        right: &Operand<'_>,
        start: &mut [f32],
    ) {
        debug_assert_eq!(combination.0.len(), ends.len());
        self.add(combination, Some(ends), right);
        let sums = &mut self.sums[..start.len()];
        start.copy_from_slice(sums);
        sums.fill(0.0);
    }

    /// Adds rows of `right`, or so many cells of each.
    fn add(&mut self, (rows, weights): Combination<'_>, ends: Option<&[u32]>, right: &Operand<'_>) {
        if rows.len() <= RUN {
            return self.add_run((rows, weights), ends, right);
        }
        let mut long_sums = std::mem::take(&mut self.long_sums);
        long_sums.clear();
        long_sums.resize(self.sums.len(), 0.0);
        for (at, run) in rows.chunks(RUN).zip(weights.chunks(RUN)).enumerate() {
            let ends = ends.map(|ends| &ends[at * RUN..at * RUN + run.0.len()]);
            self.add_run(run, ends, right);
            for (long, sum) in long_sums.iter_mut().zip(&mut self.sums) {
                *long += f64::from(std::mem::take(sum));
            }
        }
        for (sum, long) in self.sums.iter_mut().zip(&long_sums) {
            *sum = *long as f32;
        }
        self.long_sums = long_sums;
    }

    fn add_run(
        &mut self,
        (rows, weights): Combination<'_>,
        ends: Option<&[u32]>,
        right: &Operand<'_>,
    ) {
        let sums = &mut self.sums[..];
        for (at, (&row, &weight)) in rows.iter().zip(weights).enumerate() {
            let (columns, values) = right.rows.row(row as usize);
            let n = ends.map_or(columns.len(), |ends| ends[at] as usize);
            let value = right.values.get(row as usize).filter(|value| !value.is_nan());
            if let Some(value) = value {
                let product = weight * value;
                for &column in &columns[..n] {
                    sums[column as usize] += product;
                }
            } else {
                for (&column, value) in columns[..n].iter().zip(values) {
                    sums[column as usize] += weight * value;
                }
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
        let right = Operand::new(&right);
        // Of 3 columns all are looked through, of 90 they are gathered cell by cell.
        for n_columns in [3, 90] {
            let (mut room, mut cells) = (RowSums::new(n_columns), vec![(7, 7.0)]);
            room.collect(left.row(0), &right, &mut cells);
            assert_eq!(cells, [(0, 2.0), (1, 4.0)], "column 2 comes to 0");
            room.collect(left.row(2), &right, &mut cells);
            assert_eq!(cells, [(1, 12.0), (2, -30.0)], "nothing is left of the row before");
            room.collect(left.row(1), &right, &mut cells);
            assert!(cells.is_empty());
            let mut start = [9.0; 2];
            room.fill_start(left.row(0), &[2, 2], &right, &mut start);
            assert!((start[0] - 2.0).abs() < 1e-6 && (start[1] - 4.0).abs() < 1e-6);
            room.collect(left.row(1), &right, &mut cells);
            assert!(cells.is_empty(), "what lies beyond the start was not added");
        }
    }

    #[test]
    fn what_has_a_place_is_added_there() {
        let right = Csr::from_rows([vec![(0, 1.0), (2, 5.0)], vec![(1, 4.0), (2, -1.0)]]);
        let right = Operand::new(&right);
        let mut row = [1.0, 0.0];
        let mut places = Places::none(3);
        for (column, place) in [(0, 0), (1, 1), (2, 0)] {
            places.set(column, place);
        }
        places.clear(0);
        RowSums::new(3).add_placed((&[0, 1], &[2.0, 1.0]), &right, &places, &mut row);
        let sums = [row[0] - 10.0, row[1] - 4.0];
        assert!(sums.iter().all(|x| x.abs() < 1e-6), "1 + 2·5 − 1, and 4: {row:?}");
        let n = 2 * RUN as u32;
        let right = Csr::from_rows((0..n).map(|_| [(0, 1.0), (1, 0.5)]));
        let (rows, weights): (Vec<u32>, Vec<f32>) = (0..n).map(|row| (row, 1.0)).unzip();
        let mut row = [0.0];
        let mut places = Places::none(2);
        places.set(1, 0);
        RowSums::new(2).add_placed((&rows, &weights), &Operand::new(&right), &places, &mut row);
        assert!((row[0] - RUN as f32).abs() < 1e-3, "{row:?}");
    }

    #[test]
    fn rows_of_one_value_are_added_like_others() {
        let right = Csr::from_rows([vec![(0, 3.0), (1, 3.0)], vec![(1, 1.0), (2, 2.0)], vec![]]);
        let mut cells = Vec::new();
        let combination = (&[0, 1, 2][..], &[2.0, -1.0, 5.0][..]);
        for operand in [Operand::new(&right), Operand::unread(&right)] {
            RowSums::new(3).collect(combination, &operand, &mut cells);
            assert_eq!(cells, [(0, 6.0), (1, 5.0), (2, -2.0)]);
        }
    }

    #[test]
    fn long_sums_keep_their_digits() {
        let n = 400_000;
        let rows: Vec<u32> = (0..n).collect();
        let weights = vec![0.1; rows.len()];
        let right = Csr::from_rows((0..n).map(|_| [(0, 1.0), (1, 0.7)]));
        let right = Operand::new(&right);
        let mut cells = Vec::new();
        RowSums::new(1_000).collect((&rows, &weights), &right, &mut cells);
        let exact = f64::from(n) * f64::from(0.1_f32);
        // A running sum in f32 is off by 1e-2 here; runs of 4,096 by some 1e-5.
        assert!((f64::from(cells[0].1) / exact - 1.0).abs() < 6e-5, "{} not {exact}", cells[0].1);
        assert!((f64::from(cells[1].1) / exact / 0.7 - 1.0).abs() < 6e-5);
    }
}
