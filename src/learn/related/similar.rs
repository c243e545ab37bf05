//! What the same people take an interest in.
//!
//! Cosine over shoppers with TF-IDF weights, as in [`item_knn`](crate::learn::recommenders::item_knn), times
//! `n / (n + shrinkage)` for `n` common shoppers (Bell and Koren, ICDM 2007). A neighbour
//! model sums over many lists and can live with a fluke in one of them; a list that is shown as it is cannot. So
//! a pair needs `shoppers_min` shoppers who like both, and more of them than
//! [`chance`](super::chance) would bring, with a shopper's row for a basket.

use super::chance::{Chance, discovery_threshold};
use super::of_every_item;
use crate::learn::dataset::{InteractionMatrix, ItemIdx};
use crate::learn::linalg::Csr;
use crate::learn::recommenders::similarity::{
    Overlap, Overlaps, Preparation, Similarity, Weighting, keep_most_similar, norm, scattered,
};
use crate::learn::recommenders::{FitError, Stop, check};
use serde::{Deserialize, Serialize};

/// How similar items are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimilarParams {
    /// Most items kept for an item, 1 to 1,000.
    pub n_related: usize,
    /// What is done to weights before.
    pub weighting: Weighting,
    /// Draws similarities with few common shoppers towards 0; at least 0.
    pub shrinkage: f64,
    /// Fewest shoppers who must like both, at least 1.
    pub shoppers_min: u32,
    /// Most of an item's list that may be there by accident, as a share above 0 and below 1.
    pub false_discovery_rate: f64,
    /// Most items of one shopper that are compared with each other, 2 to 100,000; of more, a part.
    pub row_max: usize,
}

impl Default for SimilarParams {
    fn default() -> Self {
        Self {
            n_related: 100,
            weighting: Weighting::TfIdf,
            shrinkage: 10.0,
            shoppers_min: 2,
            false_discovery_rate: 0.05,
            row_max: 1_000,
        }
    }
}

impl SimilarParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        self.weighting.check()?;
        let n = self.n_related;
        check((1..=1_000).contains(&n), "n_related", "between 1 and 1000", n)?;
        let shrinkage = self.shrinkage;
        let fits = shrinkage.is_finite() && 0.0 <= shrinkage;
        check(fits, "shrinkage", "finite and at least 0", shrinkage)?;
        check(1 <= self.shoppers_min, "shoppers_min", "at least 1", self.shoppers_min)?;
        let rate = self.false_discovery_rate;
        let fits = 0.0 < rate && rate < 1.0;
        check(fits, "false_discovery_rate", "above 0 and below 1", rate)?;
        let most = self.row_max;
        check((2..=100_000).contains(&most), "row_max", "between 2 and 100000", most)
    }
}

/// The product of two vectors, and how many shoppers like both.
#[derive(Clone, Copy, Default)]
struct Common {
    shoppers: u32,
    product: f64,
}

impl Overlap for Common {
    #[inline]
    fn add(&mut self, x: f64, y: f64) {
        self.shoppers += u32::from(x > 0.0 && y > 0.0);
        self.product += x * y;
    }

    fn similarity(&self, norms: f64, shrinkage: f64) -> f64 {
        let n = f64::from(self.shoppers);
        if norms > 0.0 && n > 0.0 { self.product / norms * n / (n + shrinkage) } else { 0.0 }
    }
}

/// Finds the items most similar to every item, in parallel on the pool it is called in; row `i` of the result
/// is best first.
///
/// Cost: `Σ_u |row u|²` additions over rows of at most `row_max`; 17 bytes an item for each thread.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &SimilarParams,
    stop: Stop<'_>,
) -> Result<Csr, FitError> {
    params.check()?;
    let (n_users, n_items) = (matrix.n_users(), matrix.n_items());
    let columns = (0..n_items as u32).map(|item| matrix.column_cells(ItemIdx(item)));
    let columns = Csr::from_rows(columns);
    let preparation = Preparation::learn(&columns, n_users, Similarity::Cosine, params.weighting);
    let columns = preparation.prepare(&columns);
    let norms: Vec<f64> =
        (0..n_items).map(|item| norm(columns.row(item).1.iter().copied())).collect();
    // The item's place in the scattered order is moved by the user's, or all would keep the same items.
    let order = |user, item, _| scattered(item ^ scattered(user));
    let rows = columns.transposed(n_users).capped(params.row_max, order);
    let columns = rows.transposed(n_items);
    let n_liked = |values: &[f32]| values.iter().filter(|&&value| value > 0.0).count();
    let counts: Vec<u32> = (0..n_items).map(|item| n_liked(columns.row(item).1) as u32).collect();
    let sizes = (0..n_users).map(|user| n_liked(rows.row(user).1));
    let chance = Chance::of(sizes, &counts);
    let n_others = counts.iter().filter(|&&n| n > 0).count().saturating_sub(1);

    let list = |overlaps: &mut Overlaps<Common>, item: u32| {
        let own = counts[item as usize];
        if own < params.shoppers_min {
            return Vec::new();
        }
        let mut list = Vec::new();
        let mut p_values = Vec::new();
        overlaps.meet(columns.cells(item as usize), &rows);
        overlaps.drain(|other, common| {
            if other == item || common.shoppers < params.shoppers_min {
                return;
            }
            let expected = chance.expected(item, other);
            let norms = norms[item as usize] * norms[other as usize];
            let similarity = common.similarity(norms, params.shrinkage) as f32;
            if 0.0 < similarity {
                list.push((other, similarity));
                p_values.push(chance.tail(common.shoppers, expected));
            }
        });
        let mut sorted = p_values.clone();
        let threshold = discovery_threshold(&mut sorted, n_others, params.false_discovery_rate);
        let mut p_values = p_values.into_iter();
        list.retain(|_| p_values.next().is_some_and(|p| threshold.is_some_and(|t| p <= t)));
        keep_most_similar(&mut list, params.n_related);
        list.sort_unstable_by(|x, y| y.1.total_cmp(&x.1).then(x.0.cmp(&y.0)));
        list
    };
    let lists = Csr::from_rows(of_every_item(n_items, stop, || Overlaps::new(n_items), list)?);
    if !(0..n_items).flat_map(|item| lists.row(item).1).all(|x| x.is_finite()) {
        return Err(FitError::NotFinite { model: "similar" });
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::{dataset::UserIdx, recommenders::NEVER_STOP};

    fn matrix(n_users: usize, n_items: usize, cells: &[(u32, u32, f32)]) -> InteractionMatrix {
        let cells = cells.iter().map(|&(u, i, value)| (UserIdx(u), ItemIdx(i), value));
        InteractionMatrix::from_cells(n_users, n_items, cells)
    }

    fn pairs() -> Vec<(u32, u32, f32)> {
        (0..100).flat_map(|u| [(u, u % 10 * 2, 1.0), (u, u % 10 * 2 + 1, 1.0)]).collect()
    }

    #[test]
    fn what_the_same_people_like_is_similar() {
        let params = SimilarParams { weighting: Weighting::None, ..SimilarParams::default() };
        let lists = fit(&matrix(100, 20, &pairs()), &params, NEVER_STOP).unwrap();
        for item in 0..20_u32 {
            let list: Vec<(u32, f32)> = lists.cells(item as usize).collect();
            assert_eq!(list.len(), 1);
            // Cosine 1, of 10 shoppers: 10 / (10 + 10).
            assert!(list[0].0 == item ^ 1 && (list[0].1 - 0.5).abs() < 1e-6, "{list:?}");
        }
    }

    #[test]
    fn a_common_dislike_and_a_single_shopper_say_nothing() {
        let mut cells = pairs();
        cells.extend((0..100).filter(|u| u % 3 == 0).flat_map(|u| [(u, 20, -1.0), (u, 21, -1.0)]));
        cells.extend([(5, 22, 1.0), (5, 23, 1.0)]);
        let lists = fit(&matrix(100, 24, &cells), &SimilarParams::default(), NEVER_STOP).unwrap();
        for item in 20..24 {
            assert_eq!(lists.row(item).0, [0; 0]);
        }
    }

    #[test]
    fn little_or_no_data_makes_empty_lists() {
        let params = SimilarParams { shoppers_min: 1, ..SimilarParams::default() };
        for (users, items, cells) in
            [(0, 0, &[][..]), (1, 2, &[(0, 0, 1.0), (0, 1, 1e30)]), (2, 1, &[(1, 0, -5.0)])]
        {
            let lists = fit(&matrix(users, items, cells), &params, NEVER_STOP).unwrap();
            assert_eq!((lists.n_rows(), lists.n_cells()), (items, 0));
        }
    }

    #[test]
    fn threads_do_not_change_the_lists_and_a_stop_is_heard() {
        let matrix = matrix(100, 400, &pairs());
        let on = |n| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            pool.install(|| fit(&matrix, &SimilarParams::default(), NEVER_STOP))
        };
        assert_eq!(on(1), on(4));
        assert_eq!(fit(&matrix, &SimilarParams::default(), &|| true), Err(FitError::Stopped));
        let wrong = SimilarParams { row_max: 1, ..SimilarParams::default() };
        assert!(matches!(wrong.check(), Err(FitError::Parameter { .. })));
    }
}
