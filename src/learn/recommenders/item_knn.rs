//! Item neighbours: "who bought this also bought".
//!
//! Sources: Sarwar, Karypis, Konstan, Riedl, WWW 2001 (ratings: equation of section 3.2.1, weighted
//! sum); Deshpande and Karypis, "Item-based top-N recommendation algorithms", TOIS 2004 (ranking: sum of
//! similarities over the basket, lists cut to `k` and normalised).
//!
//! `neighbours (n_items, ≤ n_neighbors)`: for each item the most similar others. The score of `i` for a
//! history `h` is `Σ_{j ∈ h} w_j · s(j, i)` over the lists of the history's items: a query costs the
//! length of the history times `n_neighbors`. Fitting costs `Σ_u |row u|²` additions, with rows of at most
//! `row_max`; half as many where a square of all items is small enough to be held, else never an
//! `n_items²` table.

use super::similarity::{
    CommonCosine, Correlation, MostSimilar, Overlap, Overlaps, Preparation, Similarity, Weighting,
    keep_most_similar, norm, scattered,
};
use super::{FitError, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx};
use crate::learn::linalg::{
    Csr,
    gram::{self, lower_products, whole_rows},
    product::{Operand, RowSums},
};
use multiversion::multiversion;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Items whose neighbours are sought by one task, between two looks at `stop`.
const BLOCK: usize = 128;

/// Most items whose products are held as a square, in 256 MB of which half are touched.
const DENSE_ITEMS_MAX: usize = 8_000;

/// Least additions, as one over a part of the square, for which it pays to hold it.
const DENSE_PART: usize = 8;

/// How item neighbours are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ItemKnnParams {
    /// The formula of likeness.
    pub similarity: Similarity,
    /// What is done to weights before.
    pub weighting: Weighting,
    /// Draws similarities with little ground towards 0; at least 0.
    pub shrinkage: f32,
    /// Most neighbours kept for an item, 1 to 10,000.
    pub n_neighbors: usize,
    /// Least similarity of a neighbour, −1 to 1; 0 itself is never kept.
    pub min_similarity: f32,
    /// Most items of one user that are compared with each other, 2 to 100,000; of more (a reseller, a
    /// crawler), a part that differs from user to user.
    pub row_max: usize,
    /// Whether each list is scaled so that its similarities, without their signs, come to 1: items with many
    /// near neighbours then have no more to say than others.
    pub normalize: bool,
    /// Whether expected ratings are built from deviations from the items' means.
    pub centred_ratings: bool,
}

impl Default for ItemKnnParams {
    fn default() -> Self {
        Self {
            similarity: Similarity::Cosine,
            weighting: Weighting::TfIdf,
            shrinkage: 1.0,
            n_neighbors: 100,
            min_similarity: 0.0,
            row_max: 2_000,
            normalize: false,
            centred_ratings: true,
        }
    }
}

impl ItemKnnParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        self.similarity.check()?;
        self.weighting.check()?;
        let shrinkage = self.shrinkage;
        let fits = shrinkage.is_finite() && 0.0 <= shrinkage;
        check(fits, "shrinkage", "finite and at least 0", shrinkage)?;
        let n = self.n_neighbors;
        check((1..=10_000).contains(&n), "n_neighbors", "between 1 and 10000", n)?;
        let least = self.min_similarity;
        check((-1.0..=1.0).contains(&least), "min_similarity", "between -1 and 1", least)?;
        let most = self.row_max;
        check((2..=100_000).contains(&most), "row_max", "between 2 and 100000", most)
    }
}

/// The neighbours of every item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemKnn {
    /// Row `j`: items similar to `j`, rising.
    neighbours: Csr,
    mean_ratings: Vec<f32>,
    centred_ratings: bool,
}

/// Finds the neighbours of every item, in parallel on the pool it is called in.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &ItemKnnParams,
    stop: Stop<'_>,
) -> Result<ItemKnn, FitError> {
    params.check()?;
    if matrix.n_interactions() == 0 {
        return Err(FitError::NoData { model: "item_knn" });
    }
    let items = || (0..matrix.n_items() as u32).map(ItemIdx);
    let columns = Csr::from_rows(items().map(|item| matrix.column_cells(item)));
    let n_users = matrix.n_users();
    let preparation = Preparation::learn(&columns, n_users, params.similarity, params.weighting);
    let columns = preparation.prepare(&columns);
    let norms: Vec<f64> =
        (0..columns.n_rows()).map(|item| norm(columns.row(item).1.iter().copied())).collect();
    // The item's place in the scattered order is moved by the user's, or all would keep the same items.
    let order = |user, item, _| scattered(item ^ scattered(user));
    let rows = columns.transposed(n_users).capped(params.row_max, order);
    let is_cut = rows.n_cells() < columns.n_cells();
    let columns = if is_cut { rows.transposed(matrix.n_items()) } else { columns };
    let (own, other) = params.similarity.norm_powers();
    let powers = |power| norms.iter().map(|norm| norm.powf(power)).collect::<Vec<_>>();
    let lists = Lists {
        columns: &columns,
        rows: &rows,
        operand: Operand::new(&rows),
        own: &powers(own),
        other: &powers(other),
        params,
    };
    let neighbours = match params.similarity {
        Similarity::Cosine | Similarity::AsymmetricCosine { .. } => {
            let rows = (0..rows.n_rows()).map(|row| rows.row(row).0.len());
            let n_products: usize = rows.map(|n| n * n).sum();
            let n_pairs = matrix.n_items().pow(2);
            if matrix.n_items() <= DENSE_ITEMS_MAX && n_pairs <= n_products * DENSE_PART {
                lists.find_symmetric(stop)
            } else {
                lists.find(Lists::products, stop)
            }
        }
        Similarity::AdjustedCosine => lists.find(Lists::overlaps::<CommonCosine>, stop),
        Similarity::Pearson => lists.find(Lists::overlaps::<Correlation>, stop),
    }?;
    let mean = |item| {
        let values = matrix.column(item).1;
        let sum: f64 = values.iter().copied().map(f64::from).sum();
        (sum / values.len().max(1) as f64) as f32
    };
    let mean_ratings: Vec<f32> = items().map(mean).collect();
    let similarities = (0..neighbours.n_rows()).flat_map(|item| neighbours.row(item).1);
    if !similarities.chain(&mean_ratings).all(|x| x.is_finite()) {
        return Err(FitError::NotFinite { model: "item_knn" });
    }
    Ok(ItemKnn { neighbours, mean_ratings, centred_ratings: params.centred_ratings })
}

/// Takes one item's candidates with their similarities.
type Each<'a> = &'a mut dyn FnMut(&mut Vec<(u32, f32)>);

/// What the lists `(n_items, ≤ n_neighbors)` are made from.
struct Lists<'a> {
    /// `(n_items, n_users)`, prepared.
    columns: &'a Csr,
    /// The same by user.
    rows: &'a Csr,
    operand: Operand<'a>,
    /// What an item's length counts for when it is asked with, and when it is found.
    own: &'a [f64],
    other: &'a [f64],
    params: &'a ItemKnnParams,
}

impl Lists<'_> {
    /// All lists; `of_block` hands each item of a range, and all that may be near it, to its last argument.
    fn find(
        &self,
        of_block: impl Fn(&Self, Range<usize>, Each<'_>) + Sync,
        stop: Stop<'_>,
    ) -> Result<Csr, FitError> {
        let n_items = self.columns.n_rows();
        let blocks: Result<Vec<_>, FitError> = (0..n_items.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                if stop() {
                    return Err(FitError::Stopped);
                }
                let mut lists = Vec::with_capacity(BLOCK);
                let items = block * BLOCK..n_items.min((block + 1) * BLOCK);
                of_block(self, items, &mut |candidates| lists.push(self.cut(candidates)));
                Ok(lists)
            })
            .collect();
        Ok(Csr::from_rows(blocks?.into_iter().flatten()))
    }

    /// All lists, from products that are made once for both items of a pair.
    fn find_symmetric(&self, stop: Stop<'_>) -> Result<Csr, FitError> {
        let n = self.columns.n_rows();
        let lower = lower_products(self.columns, &self.operand, stop).ok_or(FitError::Stopped)?;
        let blocks: Result<Vec<_>, FitError> = (0..n.div_ceil(gram::BLOCK))
            .into_par_iter()
            .map_init(
                || (Vec::new(), MostSimilar::new(self.params.n_neighbors)),
                |(whole, best), block| {
                    if stop() {
                        return Err(FitError::Stopped);
                    }
                    let items = block * gram::BLOCK..n.min((block + 1) * gram::BLOCK);
                    whole_rows(&lower, n, items.clone(), whole);
                    let lists = items.zip(whole.chunks_exact_mut(n)).map(|(item, products)| {
                        let shrinkage = self.params.shrinkage;
                        similarities(products, self.own[item], self.other, shrinkage);
                        products[item] = 0.0;
                        for (other, &similarity) in (0..).zip(&*products) {
                            if best.is_wanted(similarity) && self.counts(similarity) {
                                best.offer(other, similarity);
                            }
                        }
                        self.list(best.drain().collect())
                    });
                    Ok(lists.collect::<Vec<_>>())
                },
            )
            .collect();
        Ok(Csr::from_rows(blocks?.into_iter().flatten()))
    }

    fn counts(&self, similarity: f32) -> bool {
        self.params.min_similarity <= similarity && similarity != 0.0
    }

    /// The most similar of the candidates, rising.
    fn cut(&self, candidates: &mut Vec<(u32, f32)>) -> Vec<(u32, f32)> {
        candidates.retain(|candidate| self.counts(candidate.1));
        keep_most_similar(candidates, self.params.n_neighbors);
        // The room of all candidates is used again; what is kept has its own.
        self.list(candidates.clone())
    }

    /// Neighbours as they are kept.
    fn list(&self, mut neighbours: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
        neighbours.sort_unstable_by_key(|neighbour| neighbour.0);
        if self.params.normalize {
            let sizes = neighbours.iter().map(|neighbour| f64::from(neighbour.1.abs()));
            let factor = (1.0 / sizes.sum::<f64>()) as f32;
            for neighbour in &mut neighbours {
                neighbour.1 *= factor;
            }
        }
        neighbours
    }

    /// Similarities that follow from the product of two vectors, for a range of items.
    fn products(&self, items: Range<usize>, each: Each<'_>) {
        let (mut room, rows) = (RowSums::new(self.columns.n_rows()), &self.operand);
        let mut cells = Vec::new();
        for item in items {
            room.collect(self.columns.row(item), rows, &mut cells);
            let (own, shrinkage) = (self.own[item], self.params.shrinkage);
            cells.retain_mut(|(other, product)| {
                *product = likeness(*product, own * self.other[*other as usize], shrinkage);
                *other as usize != item
            });
            each(&mut cells);
        }
    }

    /// Similarities that need more of what two vectors share, for a range of items.
    fn overlaps<O: Overlap>(&self, items: Range<usize>, each: Each<'_>) {
        let mut overlaps = Overlaps::<O>::new(self.columns.n_rows());
        let mut candidates = Vec::new();
        let shrinkage = f64::from(self.params.shrinkage);
        for item in items {
            candidates.clear();
            overlaps.meet(self.columns.cells(item), self.rows);
            overlaps.drain(|other, sums| {
                let norms = self.own[item] * self.other[other as usize];
                if other as usize != item {
                    candidates.push((other, sums.similarity(norms, shrinkage) as f32));
                }
            });
            each(&mut candidates);
        }
    }
}

/// The similarity of two items by the product of their vectors and of their lengths.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn likeness(product: f32, norms: f64, shrinkage: f32) -> f32 {
    let norms = norms as f32 + shrinkage;
    if norms > 0.0 { product / norms } else { 0.0 }
}

/// Makes the products of an item with all others similarities.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn similarities(products: &mut [f32], own: f64, others: &[f64], shrinkage: f32) {
    for (product, &other) in products.iter_mut().zip(others) {
        *product = likeness(*product, own * other, shrinkage);
    }
}

impl ItemKnn {
    /// The items most similar to `item`, best first, ties by lower position; none for an item that
    /// the model does not know.
    pub fn similar_items(&self, item: ItemIdx, n: usize) -> Vec<(ItemIdx, f32)> {
        if item.0 as usize >= self.n_items() {
            return Vec::new();
        }
        let mut list: Vec<(u32, f32)> = self.neighbours.cells(item.0 as usize).collect();
        keep_most_similar(&mut list, n);
        list.sort_unstable_by(|x, y| y.1.total_cmp(&x.1).then(x.0.cmp(&y.0)));
        list.into_iter().map(|(item, similarity)| (ItemIdx(item), similarity)).collect()
    }

    /// `s(j, i)`, 0 unless `i` is in the list of `j`.
    fn similarity(&self, j: u32, i: ItemIdx) -> f32 {
        if j as usize >= self.n_items() {
            return 0.0;
        }
        self.neighbours.get(j as usize, i.0).unwrap_or(0.0)
    }
}

impl Recommender for ItemKnn {
    fn n_items(&self) -> usize {
        self.neighbours.n_rows()
    }

    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        debug_assert_eq!(scores.len(), self.n_items());
        let lists = || {
            let known = query.history.iter().filter(|(j, _)| (*j as usize) < self.n_items());
            known.map(|&(j, weight)| (self.neighbours.row(j as usize), weight))
        };
        if lists().all(|((items, _), _)| items.is_empty()) {
            return false;
        }
        scores.fill(0.0);
        for ((items, similarities), weight) in lists() {
            for (&item, similarity) in items.iter().zip(similarities) {
                scores[item as usize] += weight * similarity;
            }
        }
        true
    }

    /// The mean of the history's ratings, weighted by similarity to `item`.
    fn predict_rating(&self, query: Query<'_>, item: ItemIdx) -> Option<f32> {
        let mean_of = |item: u32| {
            if self.centred_ratings { self.mean_ratings[item as usize] } else { 0.0 }
        };
        let (mut sum, mut weights) = (0.0, 0.0);
        for &(j, rating) in query.history {
            let similarity = self.similarity(j, item);
            if similarity != 0.0 {
                sum += similarity * (rating - mean_of(j));
                weights += similarity.abs();
            }
        }
        (weights > 0.0).then(|| mean_of(item.0) + sum / weights)
    }

    fn contributions(&self, query: Query<'_>, item: ItemIdx) -> Vec<f32> {
        query.history.iter().map(|&(j, weight)| weight * self.similarity(j, item)).collect()
    }

    fn n_bytes(&self) -> usize {
        self.neighbours.n_bytes() + 4 * self.mean_ratings.len()
    }
}

#[cfg(test)]
mod tests;
