//! What lists are besides accurate: how much of the catalogue they show, how new, how varied, how like
//! the shopper's own mixture.
//!
//! Over all lists together: [`coverage`], [`gini`], [`entropy`], from `counts (n_items)`, how often each
//! item was recommended, items that never were included. Of one list: [`novelty`], [`mean_popularity`],
//! [`ItemVectors::diversity`], [`ItemCategories::calibration`]; these are `None` where they are not defined,
//! and such lists do not count in the mean.

use crate::learn::dataset::{InteractionMatrix, ItemIdx};
use crate::learn::linalg::Csr;

/// How much of the shopper's own mixture is added to that of the list, so that a category the list lacks
/// is not infinitely wrong: Steck's α.
const CALIBRATION_SMOOTHING: f64 = 0.01;

/// Part of the catalogue that was recommended to anybody (Herlocker, Konstan, Terveen, Riedl, TOIS 2004,
/// section 4.2.1, "catalogue coverage").
pub fn coverage(counts: &[u32]) -> f64 {
    let n_recommended = counts.iter().filter(|&&count| count > 0).count();
    n_recommended as f64 / counts.len().max(1) as f64
}

/// Gini's index of concentration: 0 if all items are recommended equally often, towards 1 if a single
/// one is.
///
/// `G = Σ_i (2i − n − 1) c_i / (n Σ c)`, counts `c_1 ≤ … ≤ c_n` (Shani and Gunawardana, "Evaluating
/// recommendation systems", Recommender Systems Handbook 2011, section 8.3.3, there with `n − 1`, which
/// tells no small catalogue from an even one). 0 if nothing was recommended.
pub fn gini(counts: &[u32]) -> f64 {
    let mut rising = counts.to_vec();
    rising.sort_unstable();
    let total: f64 = rising.iter().copied().map(f64::from).sum();
    let n = rising.len() as f64;
    let weighted =
        (1..).zip(&rising).map(|(i, &count)| (2.0 * f64::from(i) - n - 1.0) * f64::from(count));
    if total > 0.0 { weighted.sum::<f64>() / (n * total) } else { 0.0 }
}

/// Shannon's entropy of the recommended items in bits, `−Σ p_i log₂ p_i` with `p = c / Σ c` (the same source
/// as [`gini`]); 0 if nothing was recommended.
pub fn entropy(counts: &[u32]) -> f64 {
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    let shares = counts.iter().filter(|&&count| count > 0).map(|&count| f64::from(count) / total);
    shares.map(|share| -share * share.log2()).sum()
}

/// Mean self-information `−log₂(popularity / n_users)` of the first `k`, in bits: how surprising it is that
/// somebody knows them.
///
/// Source: Zhou, Kuscsik, Liu, Medo, Wakeling, Zhang, "Solving the apparent diversity-accuracy dilemma of
/// recommender systems", PNAS 2010. Departure: an item nobody touched counts as touched once.
pub fn novelty(ranked: &[u32], popularity: &[u32], n_users: usize, k: usize) -> Option<f64> {
    let surprise = |item: &u32| {
        let popularity = popularity.get(*item as usize).copied().unwrap_or_default();
        (n_users.max(1) as f64 / f64::from(popularity.max(1))).log2()
    };
    mean(ranked.iter().take(k).map(surprise))
}

/// Mean number of users in the training data that have the first `k` items ("average recommendation
/// popularity": Yin, Cui, Li, Yao, Chen, "Challenging the long tail recommendation", VLDB 2012).
pub fn mean_popularity(ranked: &[u32], popularity: &[u32], k: usize) -> Option<f64> {
    let of = |item: &u32| f64::from(popularity.get(*item as usize).copied().unwrap_or_default());
    mean(ranked.iter().take(k).map(of))
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = values.len();
    (n > 0).then(|| values.sum::<f64>() / n as f64)
}

/// Items as directions, to say how alike they are.
#[derive(Clone, Debug)]
pub struct ItemVectors {
    /// `(n_items, n_dimensions)`, every row of length 1 or empty.
    rows: Csr,
    n_dimensions: usize,
}

impl ItemVectors {
    /// By who has them: the likeness of two items is the cosine of their columns, taken as 0 and 1, which
    /// is the number of users who have both over the root of the product of their popularities.
    pub fn by_users(matrix: &InteractionMatrix) -> Self {
        let items = (0..matrix.n_items() as u32).map(ItemIdx);
        let rows = Csr::from_rows(items.map(|item| unit(matrix.column(item).0)));
        Self { rows, n_dimensions: matrix.n_users() }
    }

    /// By their categories.
    pub fn by_categories(categories: &ItemCategories) -> Self {
        let items = 0..categories.rows.n_rows();
        let rows = Csr::from_rows(items.map(|item| unit(categories.rows.row(item).0)));
        Self { rows, n_dimensions: categories.n_categories }
    }

    /// The room that [`Self::diversity`] works in.
    pub fn scratch(&self) -> Vec<f32> {
        vec![0.0; self.n_dimensions]
    }

    /// Intra-list diversity: the mean of `1 − cosine` over the pairs of the first `k` items, one value for
    /// each of `ks`; `None` for fewer than two items. An item without a direction is like no other.
    ///
    /// Source: Smyth and `McClave`, "Similarity vs. diversity", ICCBR 2001. The cosines are summed by the
    /// linearity of the product, `Σ_{i<j} x_i·x_j = Σ_j (Σ_{i<j} x_i)·x_j`, in one pass over the items'
    /// rows. `scratch` is all 0 before and after.
    pub fn diversity(&self, ranked: &[u32], ks: &[usize], scratch: &mut [f32]) -> Vec<Option<f64>> {
        let longest = ks.iter().copied().max().unwrap_or(0).min(ranked.len());
        // Entry `n`: the sum of the cosines among the first `n` items.
        let mut sums = Vec::with_capacity(longest + 1);
        sums.push(0.0_f64);
        for &item in &ranked[..longest] {
            let cosines = meet(self.row(item), scratch);
            sums.push(sums.last().copied().unwrap_or_default() + cosines);
        }
        for &item in &ranked[..longest] {
            for &dimension in self.row(item).0 {
                scratch[dimension as usize] = 0.0;
            }
        }
        let of = |&k: &usize| {
            let n = k.min(ranked.len());
            let n_pairs = n * n.saturating_sub(1) / 2;
            (n_pairs > 0).then(|| 1.0 - sums[n] / n_pairs as f64)
        };
        ks.iter().map(of).collect()
    }

    fn row(&self, item: u32) -> (&[u32], &[f32]) {
        let item = item as usize;
        if item < self.rows.n_rows() { self.rows.row(item) } else { (&[], &[]) }
    }
}

/// The product of a row and `sums`, to which the row is then added.
fn meet((dimensions, values): (&[u32], &[f32]), sums: &mut [f32]) -> f64 {
    // Four partial sums, so that an addition need not wait for the one before it.
    let mut lanes = [0.0_f64; 4];
    let (dimension_chunks, dimensions_left) = dimensions.as_chunks::<4>();
    let (value_chunks, values_left) = values.as_chunks::<4>();
    let mut add = |lane: &mut f64, dimension: u32, value: f32| {
        let sum = &mut sums[dimension as usize];
        *lane += f64::from(*sum * value);
        *sum += value;
    };
    for (dimensions, values) in dimension_chunks.iter().zip(value_chunks) {
        for lane in 0..4 {
            add(&mut lanes[lane], dimensions[lane], values[lane]);
        }
    }
    for (&dimension, &value) in dimensions_left.iter().zip(values_left) {
        add(&mut lanes[0], dimension, value);
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
}

/// Equal coordinates in these dimensions, of length 1 together.
fn unit(dimensions: &[u32]) -> impl Iterator<Item = (u32, f32)> + '_ {
    let value = 1.0 / (dimensions.len() as f32).sqrt();
    dimensions.iter().map(move |&dimension| (dimension, value))
}

/// What kinds of thing each item is.
#[derive(Clone, Debug)]
pub struct ItemCategories {
    /// `(n_items, n_categories)`: 1 over the number of the item's categories.
    rows: Csr,
    n_categories: usize,
}

impl ItemCategories {
    /// Takes the categories of each item, by position; one that is named twice counts once.
    pub fn new(of_items: &[Vec<u32>]) -> Self {
        let row = |categories: &Vec<u32>| {
            let mut categories = categories.clone();
            categories.sort_unstable();
            categories.dedup();
            let share = 1.0 / categories.len().max(1) as f32;
            categories.into_iter().map(move |category| (category, share))
        };
        let n_categories = of_items.iter().flatten().max().map_or(0, |&last| last as usize + 1);
        Self { rows: Csr::from_rows(of_items.iter().map(row)), n_categories }
    }

    /// How far the mixture of categories in the first `k` is from that of the shopper's history:
    /// `KL(p ‖ (1 − α)·q + α·p) = Σ_g p_g ln(p_g / q̃_g)`, 0 if they are the same.
    ///
    /// Source: Steck, "Calibrated recommendations", `RecSys` 2018, with α = 0.01, weights of
    /// history as they are and of ranks alike. Items without a category and weights that are not above 0
    /// do not count; `None` if nothing is left on either side.
    pub fn calibration(&self, history: &[(u32, f32)], ranked: &[u32], k: usize) -> Option<f64> {
        let own = self.mixture(history.iter().copied())?;
        let listed = self.mixture(ranked.iter().take(k).map(|&item| (item, 1.0)))?;
        let term = |(&p, &q): (&f64, &f64)| {
            let smoothed = (1.0 - CALIBRATION_SMOOTHING) * q + CALIBRATION_SMOOTHING * p;
            if p > 0.0 { p * (p / smoothed).ln() } else { 0.0 }
        };
        Some(own.iter().zip(&listed).map(term).sum::<f64>().max(0.0))
    }

    /// Shares of the categories `(n_categories)` among weighted items; `None` without any.
    fn mixture(&self, items: impl Iterator<Item = (u32, f32)>) -> Option<Vec<f64>> {
        let mut sums = vec![0.0_f64; self.n_categories];
        for (item, weight) in items.filter(|&(_, weight)| weight > 0.0 && weight.is_finite()) {
            if (item as usize) < self.rows.n_rows() {
                for (category, share) in self.rows.cells(item as usize) {
                    sums[category as usize] += f64::from(weight) * f64::from(share);
                }
            }
        }
        let total: f64 = sums.iter().sum();
        (total > 0.0).then(|| sums.into_iter().map(|sum| sum / total).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::UserIdx;

    /// Sums of a few `f64`; where `f32` vectors come in, 7 digits.
    const TOLERANCE: f64 = 1e-12;
    const TOLERANCE_F32: f64 = 1e-6;

    #[test]
    fn concentration_by_hand() {
        // Rising 0, 1, 3: (−2·0 + 0·1 + 2·3) / (3·4).
        assert!((gini(&[1, 3, 0]) - 0.5).abs() < TOLERANCE);
        assert!(gini(&[4, 4, 4]).abs() < TOLERANCE);
        assert!((gini(&[0, 0, 0, 9]) - 0.75).abs() < TOLERANCE, "(n − 1)/n");
        assert!((entropy(&[2, 1, 1, 0]) - 1.5).abs() < TOLERANCE);
        assert!((coverage(&[2, 1, 1, 0]) - 0.75).abs() < TOLERANCE);
        for metric in [gini, entropy, coverage] {
            assert!(metric(&[]).abs() < TOLERANCE);
            assert!(metric(&[0, 0]).abs() < TOLERANCE);
        }
    }

    #[test]
    fn novelty_and_popularity_by_hand() {
        let popularity = [8, 2, 0];
        let close = |value: Option<f64>, expected: f64| {
            assert!((value.unwrap() - expected).abs() < TOLERANCE);
        };
        close(novelty(&[0, 1, 2], &popularity, 8, 2), 1.0);
        close(novelty(&[0, 1, 2], &popularity, 8, 9), 5.0 / 3.0);
        close(mean_popularity(&[0, 1, 2], &popularity, 2), 5.0);
        assert_eq!(novelty(&[], &popularity, 8, 2), None);
        assert_eq!(mean_popularity(&[1], &popularity, 0), None);
    }

    #[test]
    fn diversity_by_hand_and_again_in_the_same_room() {
        // Users of item 0: {0, 1}; of 1: {0, 1}; of 2: {1}; of 3: nobody.
        let cells = [(0, 0), (1, 0), (0, 1), (1, 1), (1, 2)];
        let cells = cells.map(|(user, item)| (UserIdx(user), ItemIdx(item), 3.0));
        let vectors = ItemVectors::by_users(&InteractionMatrix::from_cells(2, 4, cells));
        let mut scratch = vectors.scratch();
        for _ in 0..2 {
            let found = vectors.diversity(&[0, 1, 2, 3], &[1, 2, 3, 4], &mut scratch);
            let root = 0.5_f64.sqrt();
            let expected = [0.0, 1.0 - (1.0 + 2.0 * root) / 3.0, 1.0 - (1.0 + 2.0 * root) / 6.0];
            assert_eq!(found[0], None);
            for (found, expected) in found[1..].iter().zip(expected) {
                assert!((found.unwrap() - expected).abs() < TOLERANCE_F32);
            }
            assert!(scratch.iter().all(|&x| x.to_bits() == 0));
        }
    }

    #[test]
    fn calibration_by_hand() {
        let categories = ItemCategories::new(&[vec![0], vec![1], vec![1, 0, 1], vec![]]);
        // p = (0.75, 0.25), q = (0.5, 0.5).
        let history = [(0, 2.0), (2, 2.0), (3, 5.0), (1, -4.0)];
        let expected: f64 = [(0.75, 0.5), (0.25, 0.5)]
            .map(|(p, q): (f64, f64)| p * (p / (0.99 * q + 0.01 * p)).ln())
            .iter()
            .sum();
        let found = categories.calibration(&history, &[0, 1, 2], 2).unwrap();
        assert!((found - expected).abs() < TOLERANCE_F32);
        let same = categories.calibration(&history, &[0, 2], 9).unwrap();
        assert!(same.abs() < TOLERANCE_F32);
        assert_eq!(categories.calibration(&history, &[3], 9), None);
        assert_eq!(categories.calibration(&[(1, -1.0)], &[0], 9), None);
        let vectors = ItemVectors::by_categories(&categories);
        let alike = vectors.diversity(&[0, 2], &[2], &mut vectors.scratch())[0].unwrap();
        assert!((alike - (1.0 - 0.5_f64.sqrt())).abs() < TOLERANCE_F32);
    }
}
