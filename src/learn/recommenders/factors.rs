//! Item factors, and scores that are products with them.
//!
//! Up to [`EXACT_ITEMS_MAX`] items a catalogue is scanned exactly. Above, the factors are kept in one byte a number
//! as well ([`QuantisedRows`]): those are scanned, and the best are scored again exactly
//! ([`Blend::best_items`](super::Blend::best_items)). The bytes are not saved but made anew from the factors.

use crate::learn::linalg::quantised::QuantisedRows;
use crate::learn::linalg::{dot, rows};
use multiversion::multiversion;
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// Most items that are always scored exactly.
pub const EXACT_ITEMS_MAX: usize = 100_000;

/// Factors of every item `(n_items, n_factors)`, row by row; complete once made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Saved")]
pub struct ItemFactors {
    n_factors: usize,
    rows: Vec<f32>,
    #[serde(skip)]
    quantised: Option<QuantisedRows>,
}

/// What of [`ItemFactors`] is in a file, in the same order.
#[derive(Deserialize)]
struct Saved {
    n_factors: usize,
    rows: Vec<f32>,
}

impl From<Saved> for ItemFactors {
    fn from(saved: Saved) -> Self {
        Self::new(saved.rows, saved.n_factors)
    }
}

impl ItemFactors {
    /// Keeps `rows`, and bytes beside them if there are more than [`EXACT_ITEMS_MAX`].
    pub fn new(rows: Vec<f32>, n_factors: usize) -> Self {
        Self::with_exact_max(rows, n_factors, EXACT_ITEMS_MAX)
    }

    /// [`Self::new`] with another limit.
    fn with_exact_max(rows: Vec<f32>, n_factors: usize, exact_max: usize) -> Self {
        debug_assert!(rows.len().is_multiple_of(n_factors.max(1)), "factors are whole rows");
        let is_large = n_factors > 0 && rows.len() / n_factors > exact_max;
        let quantised = is_large.then(|| QuantisedRows::new(&rows, n_factors));
        Self { n_factors, rows, quantised }
    }

    /// Bytes held on the heap.
    pub fn n_bytes(&self) -> usize {
        4 * self.rows.len() + self.quantised.as_ref().map_or(0, QuantisedRows::n_bytes)
    }
}

impl Deref for ItemFactors {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.rows
    }
}

/// A shopper among the factors of a model: the score of item `i` is `y_i·x + b_i + offset`.
#[derive(Clone, Debug)]
pub struct FactorScores<'a> {
    /// `y (n_items, n_factors)`.
    pub factors: &'a ItemFactors,
    /// `x (n_factors)`, where the shopper is.
    pub x: Vec<f32>,
    /// `b (n_items)` and the offset, which is the same for all items; `None` if all are 0.
    pub biases: Option<(&'a [f32], f32)>,
}

/// Bytes of factors that are gone through for one shopper after another, so that they are read from memory once:
/// well within a core's own cache.
const TILE_BYTES: usize = 64 << 10;

impl FactorScores<'_> {
    /// Overwrites a row of scores `(n_items)` for each shopper by those of [`Self::score_all`], bit for bit, reading the
    /// factors once.
    ///
    /// # Panics
    ///
    /// If a row is of another length.
    pub fn score_jointly(shoppers: &[Self], rows: &mut [&mut [f32]]) {
        Self::score_in_tiles(shoppers, rows, TILE_BYTES);
    }

    fn score_in_tiles(shoppers: &[Self], rows: &mut [&mut [f32]], tile_bytes: usize) {
        assert_eq!(shoppers.len(), rows.len(), "there is a row for each shopper");
        for (placed, row) in shoppers.iter().zip(&*rows) {
            assert_eq!(
                placed.factors.len(),
                placed.x.len() * row.len(),
                "and a score for each item"
            );
        }
        let n_items = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let n_factors = shoppers.iter().map(|placed| placed.x.len()).max().unwrap_or(0);
        let tile = (tile_bytes / (size_of::<f32>() * n_factors.max(1))).max(1);
        for first in (0..n_items).step_by(tile) {
            let items = first..(first + tile).min(n_items);
            for (placed, row) in shoppers.iter().zip(&mut *rows) {
                let n_factors = placed.x.len();
                let factors = &placed.factors[items.start * n_factors..items.end * n_factors];
                rows::times_vector(factors, &placed.x, &mut row[items.clone()]);
            }
        }
        for (placed, row) in shoppers.iter().zip(rows) {
            placed.add_biases(row);
        }
    }

    /// Whether [`Self::score_roughly`] is faster than [`Self::score_all`], and less exact.
    pub fn is_large(&self) -> bool {
        self.factors.quantised.is_some()
    }

    /// Overwrites `scores (n_items)`.
    pub fn score_all(&self, scores: &mut [f32]) {
        rows::times_vector(self.factors, &self.x, scores);
        self.add_biases(scores);
    }

    /// Overwrites `scores (n_items)` by scores off by at most [`QuantisedRows::error_max`] if the catalogue is large,
    /// by exact ones otherwise.
    pub fn score_roughly(&self, scores: &mut [f32]) {
        match &self.factors.quantised {
            Some(quantised) => {
                quantised.times_vector(&self.x, scores);
                self.add_biases(scores);
            }
            None => self.score_all(scores),
        }
    }

    /// Overwrites `scores` by those of `items`: what [`Self::score_all`] gives them, bit for bit.
    ///
    /// # Panics
    ///
    /// If there is no such item.
    pub fn score_some(&self, items: &[u32], scores: &mut [f32]) {
        debug_assert_eq!(items.len(), scores.len());
        products(&self.factors.rows, &self.x, items, scores);
        if let Some((biases, offset)) = self.biases {
            for (score, &item) in scores.iter_mut().zip(items) {
                *score += offset + biases[item as usize];
            }
        }
    }

    fn add_biases(&self, scores: &mut [f32]) {
        if let Some((biases, offset)) = self.biases {
            for (score, bias) in scores.iter_mut().zip(biases) {
                *score += offset + bias;
            }
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn products(factors: &[f32], x: &[f32], items: &[u32], products: &mut [f32]) {
    for (product, &item) in products.iter_mut().zip(items) {
        *product = dot(&factors[item as usize * x.len()..][..x.len()], x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(n_items: usize, n_factors: usize, exact_max: usize) -> ItemFactors {
        let value = |at: usize| ((at * 7_919 % 1_013) as f32 - 506.0) / 97.0;
        let rows = (0..n_items * n_factors).map(value).collect();
        ItemFactors::with_exact_max(rows, n_factors, exact_max)
    }

    #[test]
    fn some_are_scored_as_all_are() {
        let biases: Vec<f32> = (0..77).map(|at| at as f32 / 7.0).collect();
        for (n_factors, biases) in
            [(1, None), (16, Some((&biases[..], 0.25))), (37, Some((&biases[..], -2.0)))]
        {
            for exact_max in [77, 76] {
                let factors = factors(77, n_factors, exact_max);
                let x = (0..n_factors).map(|at| 0.3 - at as f32 / 20.0).collect();
                let placed = FactorScores { factors: &factors, x, biases };
                assert_eq!(placed.is_large(), exact_max == 76);
                let mut all = vec![f32::NAN; 77];
                placed.score_all(&mut all);
                let others = FactorScores { x: vec![-0.5; n_factors], ..placed.clone() };
                let mut all_others = vec![f32::NAN; 77];
                others.score_all(&mut all_others);
                // All in one tile; tiles of 10 items and a rest of 7; of one item each.
                for tile_bytes in [TILE_BYTES, 4 * n_factors * 10, 1] {
                    let (mut first, mut second) = (vec![f32::NAN; 77], vec![f32::NAN; 77]);
                    let rows = &mut [&mut first[..], &mut second[..]];
                    let shoppers = [placed.clone(), others.clone()];
                    FactorScores::score_in_tiles(&shoppers, rows, tile_bytes);
                    assert_eq!((&first, &second), (&all, &all_others));
                }
                let mut some = [f32::NAN; 3];
                placed.score_some(&[76, 0, 41], &mut some);
                assert_eq!(some.map(f32::to_bits), [all[76], all[0], all[41]].map(f32::to_bits));
                let mut roughly = vec![f32::NAN; 77];
                placed.score_roughly(&mut roughly);
                assert_eq!(roughly == all, exact_max == 77);
                for (item, (score, rough)) in all.iter().zip(roughly).enumerate() {
                    let quantised = factors.quantised.as_ref();
                    let most = quantised.map_or(0.0, |rows| rows.error_max(item, &placed.x));
                    assert!((score - rough).abs() <= most + 1e-4, "f32 keeps 7 digits of 100");
                }
            }
        }
    }

    #[test]
    fn bytes_are_kept_above_the_limit_and_not_saved() {
        let n = EXACT_ITEMS_MAX;
        assert!(ItemFactors::new(vec![1.0; n], 1).quantised.is_none());
        let large = ItemFactors::new((0..=n).map(|at| at as f32).collect(), 1);
        assert!(large.quantised.is_some());
        assert_eq!(large.n_bytes(), 4 * large.len() + large.quantised.as_ref().unwrap().n_bytes());
        let saved = postcard::to_stdvec(&large).unwrap();
        assert!(saved.len() < 4 * large.len() + 16, "no more than the factors");
        assert_eq!(postcard::from_bytes::<ItemFactors>(&saved).unwrap(), large);
        assert!(ItemFactors::new(Vec::new(), 0).is_empty());
    }
}
