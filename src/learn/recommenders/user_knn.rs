//! User neighbours: what people like this shopper bought.
//!
//! Sources: Resnick, Iacovou, Suchak, Bergstrom, Riedl, "`GroupLens`: an open architecture
//! for collaborative filtering of netnews", CSCW 1994 (mean-centred prediction); Herlocker, Konstan, Borchers, Riedl, "An
//! algorithmic framework for performing collaborative filtering", SIGIR 1999 (top-k neighbours,
//! significance weighting).
//!
//! `rows (n_users, n_items)` keeps the positive weights; `inverted (n_items, n_users)` the same by item,
//! prepared for comparison. Neighbours are found when asked, so that a new shopper has some too. A query
//! costs at most `history · posting_max` additions to find neighbours and `n_neighbors` rows to use them.

use super::similarity::{
    CommonCosine, Correlation, Overlap, Overlaps, Preparation, Similarity, Weighting,
    keep_most_similar, norm, scattered,
};
use super::{FitError, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::linalg::{
    Csr,
    product::{Operand, RowSums},
};
use serde::{Deserialize, Serialize};

/// How the neighbours' ratings become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// Their mean.
    Mean,
    /// Their mean, weighted by similarity.
    WeightedMean,
    /// The shopper's mean plus the weighted mean of the neighbours' deviations from theirs.
    Centered,
}

/// How user neighbours are found and used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserKnnParams {
    /// The formula of likeness.
    pub similarity: Similarity,
    /// What is done to weights before.
    pub weighting: Weighting,
    /// Draws similarities with little ground towards 0; at least 0.
    pub shrinkage: f32,
    /// Most neighbours asked, 1 to 10,000.
    pub n_neighbors: usize,
    /// Least similarity of a neighbour, −1 to 1; 0 itself is no neighbour.
    pub min_similarity: f32,
    /// Power of a neighbour's similarity when scores are summed up, 0 (all alike) to 8; above 1 the nearest
    /// have more to say (case amplification: Breese, Heckerman, Kadie, "Empirical analysis of predictive
    /// algorithms for collaborative filtering", UAI 1998). Signs stay.
    pub similarity_exponent: f32,
    /// How ratings are put together.
    pub aggregation: Aggregation,
    /// Most users remembered for an item when neighbours are sought, 1 to 1,000,000. Of more, those with
    /// the lowest hash of their position stay: the same people for every item, so that what two shoppers
    /// have in common survives the cut.
    pub posting_max: usize,
}

impl Default for UserKnnParams {
    fn default() -> Self {
        Self {
            similarity: Similarity::Cosine,
            weighting: Weighting::TfIdf,
            shrinkage: 1.0,
            n_neighbors: 100,
            min_similarity: 0.0,
            similarity_exponent: 2.0,
            aggregation: Aggregation::Centered,
            posting_max: 10_000,
        }
    }
}

impl UserKnnParams {
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
        let power = self.similarity_exponent;
        check((0.0..=8.0).contains(&power), "similarity_exponent", "between 0 and 8", power)?;
        let most = self.posting_max;
        check((1..=1_000_000).contains(&most), "posting_max", "between 1 and 1000000", most)
    }
}

/// Everybody's rows, ready to be compared with anybody's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserKnn {
    params: UserKnnParams,
    n_items: usize,
    preparation: Preparation,
    /// Positive weights as they are in the matrix.
    rows: Csr,
    /// Prepared weights by item, at most `posting_max` each.
    inverted: Csr,
    /// Length of each whole prepared row.
    norms: Vec<f32>,
}

/// Takes over the matrix; linear in cells.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &UserKnnParams,
    stop: Stop<'_>,
) -> Result<UserKnn, FitError> {
    params.check()?;
    let users = (0..matrix.n_users() as u32).map(UserIdx);
    let rows =
        Csr::from_rows(users.map(|user| matrix.row_cells(user).filter(|&(_, value)| value > 0.0)));
    if rows.n_cells() == 0 {
        return Err(FitError::NoData { model: "user_knn" });
    }
    if stop() {
        return Err(FitError::Stopped);
    }
    let n_items = matrix.n_items();
    let preparation = Preparation::learn(&rows, n_items, params.similarity, params.weighting);
    let prepared = preparation.prepare(&rows);
    let norms: Vec<f32> = (0..prepared.n_rows())
        .map(|user| norm(prepared.row(user).1.iter().copied()) as f32)
        .collect();
    if !norms.iter().all(|norm| norm.is_finite()) {
        return Err(FitError::NotFinite { model: "user_knn" });
    }
    let by_item = prepared.transposed(n_items);
    let inverted = by_item.capped(params.posting_max, |_, user, _| scattered(user));
    Ok(UserKnn { params: *params, n_items, preparation, rows, inverted, norms })
}

impl UserKnn {
    /// Similarities of a history to all users it shares an item with, users rising; `query.user` is
    /// left out.
    pub fn similarities(&self, query: Query<'_>) -> Vec<(u32, f32)> {
        let mut similarities = match self.params.similarity {
            Similarity::Cosine | Similarity::AsymmetricCosine { .. } => self.products(query),
            Similarity::AdjustedCosine => self.overlaps::<CommonCosine>(query),
            Similarity::Pearson => self.overlaps::<Correlation>(query),
        };
        similarities.retain(|&(user, _)| query.user != Some(UserIdx(user)));
        similarities
    }

    /// The items of a history that the model knows, as they are compared.
    fn prepared(&self, history: &[(u32, f32)]) -> Vec<(u32, f32)> {
        let known = || history.iter().copied().filter(|&(j, _)| (j as usize) < self.n_items());
        let length = self.preparation.length(known().map(|cell| cell.1));
        known().map(|(j, weight)| (j, self.preparation.value(j, weight, length))).collect()
    }

    /// Similarities that follow from the product of two vectors.
    fn products(&self, query: Query<'_>) -> Vec<(u32, f32)> {
        let (items, values): (Vec<u32>, Vec<f32>) =
            self.prepared(query.history).into_iter().unzip();
        let mut similarities = Vec::new();
        let mut room = RowSums::new(self.rows.n_rows());
        room.collect((&items, &values), &Operand::unread(&self.inverted), &mut similarities);
        let (own, other) = self.params.similarity.norm_powers();
        let own = norm(values.iter().copied()).powf(own) as f32;
        let is_plain = (other - 1.0).abs() < f64::EPSILON;
        for (user, product) in &mut similarities {
            let norm = self.norms[*user as usize];
            let norm = if is_plain { norm } else { norm.powf(other as f32) };
            let under = own * norm + self.params.shrinkage;
            *product = if under > 0.0 { *product / under } else { 0.0 };
        }
        similarities
    }

    /// Similarities that need more of what two vectors share.
    fn overlaps<O: Overlap>(&self, query: Query<'_>) -> Vec<(u32, f32)> {
        let prepared = self.prepared(query.history);
        let own = norm(prepared.iter().map(|cell| cell.1));
        let mut overlaps = Overlaps::<O>::new(self.rows.n_rows());
        overlaps.meet(prepared.into_iter(), &self.inverted);
        let mut similarities = Vec::new();
        overlaps.drain(|user, sums| {
            let norms = own * f64::from(self.norms[user as usize]);
            let similarity = sums.similarity(norms, f64::from(self.params.shrinkage));
            similarities.push((user, similarity as f32));
        });
        similarities
    }

    /// The users to ask among those that `admits` lets through, in rising order.
    fn neighbours(&self, query: Query<'_>, admits: impl Fn(u32) -> bool) -> Vec<(u32, f32)> {
        let mut list = self.similarities(query);
        list.retain(|&(user, similarity)| {
            self.params.min_similarity <= similarity && similarity != 0.0 && admits(user)
        });
        keep_most_similar(&mut list, self.params.n_neighbors);
        list.sort_unstable_by_key(|neighbour| neighbour.0);
        list
    }
}

/// The mean, 0 of nothing.
fn mean(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let n = values.len().max(1) as f64;
    (values.map(f64::from).sum::<f64>() / n) as f32
}

impl Recommender for UserKnn {
    fn n_items(&self) -> usize {
        self.n_items
    }

    /// `Σ_v s(u, v)^similarity_exponent · w_vi` over the neighbours `v`.
    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        debug_assert_eq!(scores.len(), self.n_items);
        let neighbours = self.neighbours(query, |_| true);
        if neighbours.is_empty() {
            return false;
        }
        scores.fill(0.0);
        let power = self.params.similarity_exponent;
        for (user, similarity) in neighbours {
            let similarity = similarity.signum() * similarity.abs().powf(power);
            let (items, weights) = self.rows.row(user as usize);
            for (&item, weight) in items.iter().zip(weights) {
                scores[item as usize] += similarity * weight;
            }
        }
        true
    }

    /// Asks the most similar of those who rated `item`.
    fn predict_rating(&self, query: Query<'_>, item: ItemIdx) -> Option<f32> {
        let rating_of = |user: u32| self.rows.get(user as usize, item.0);
        let neighbours = self.neighbours(query, |user| rating_of(user).is_some());
        let rated = neighbours.iter().filter_map(|&(user, s)| Some((user, s, rating_of(user)?)));
        let weights: f32 = neighbours.iter().map(|neighbour| neighbour.1.abs()).sum();
        if weights <= 0.0 {
            return None;
        }
        Some(match self.params.aggregation {
            Aggregation::Mean => {
                rated.map(|(_, _, rating)| rating).sum::<f32>() / neighbours.len() as f32
            }
            Aggregation::WeightedMean => {
                rated.map(|(_, similarity, rating)| similarity * rating).sum::<f32>() / weights
            }
            Aggregation::Centered => {
                let deviation = |user: u32, rating: f32| {
                    rating - mean(self.rows.row(user as usize).1.iter().copied())
                };
                let sum: f32 = rated.map(|(user, s, rating)| s * deviation(user, rating)).sum();
                mean(query.history.iter().map(|cell| cell.1)) + sum / weights
            }
        })
    }

    fn n_bytes(&self) -> usize {
        let lists = self.rows.n_bytes() + self.inverted.n_bytes();
        lists + 4 * self.norms.len() + self.preparation.n_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;

    const RATINGS: [[f32; 4]; 4] =
        [[4.0, 3.0, 2.0, 3.0], [3.0, 2.0, 4.0, 3.0], [5.0, 4.0, 3.0, 2.0], [2.0, 3.0, 4.0, 5.0]];

    const HISTORY: [(u32, f32); 4] = [(0, 4.0), (1, 3.0), (2, 2.0), (3, 3.0)];

    fn model(params: UserKnnParams) -> UserKnn {
        let cells = (0..16_u32).map(|at| {
            let (user, item) = (at / 4, at % 4);
            (UserIdx(user), ItemIdx(item), RATINGS[user as usize][item as usize])
        });
        let matrix = InteractionMatrix::from_cells(4, 4, cells);
        fit(&matrix, &params, NEVER_STOP).unwrap()
    }

    fn plain(aggregation: Aggregation) -> UserKnnParams {
        UserKnnParams {
            weighting: Weighting::None,
            shrinkage: 0.0,
            n_neighbors: 5,
            aggregation,
            ..UserKnnParams::default()
        }
    }

    #[test]
    fn similarities_and_ratings_agree_with_the_reference() {
        let model = model(plain(Aggregation::Mean));
        let similarities = model.similarities(Query { user: None, history: &HISTORY });
        let expected = [1.0, 0.921_052_6, 0.971_323_7, 0.883_021_6];
        for (user, &expected) in expected.iter().enumerate() {
            assert!((similarities[user].1 - expected).abs() < 1e-6, "f32 keeps 7 digits");
        }
        let query = Query { user: Some(UserIdx(0)), history: &HISTORY };
        let rating = model.predict_rating(query, ItemIdx(3)).unwrap();
        assert!((rating - 3.333_333_3).abs() < 1e-6);
        assert_eq!(model.similarities(query).len(), 3, "nobody is their own neighbour");
    }

    #[test]
    fn aggregations_agree_with_cases_by_hand() {
        let query = Query { user: Some(UserIdx(0)), history: &HISTORY };
        let s = [0.921_052_6, 0.971_323_7, 0.883_021_6_f32];
        let weighted = (s[0] * 3.0 + s[1] * 2.0 + s[2] * 5.0) / s.iter().sum::<f32>();
        let rating = model(plain(Aggregation::WeightedMean)).predict_rating(query, ItemIdx(3));
        assert!((rating.unwrap() - weighted).abs() < 1e-5);
        // Means 3, 3, 3.5, 3.5.
        let centred = 3.0 + (s[1] * -1.5 + s[2] * 1.5) / s.iter().sum::<f32>();
        let rating = model(plain(Aggregation::Centered)).predict_rating(query, ItemIdx(3));
        assert!((rating.unwrap() - centred).abs() < 1e-5);
    }

    #[test]
    fn near_neighbours_have_more_to_say_by_the_exponent() {
        let query = Query { user: Some(UserIdx(0)), history: &HISTORY };
        let s = [0.921_052_6, 0.971_323_7, 0.883_021_6_f32];
        for power in [0.0, 1.0, 3.0] {
            let params = UserKnnParams { similarity_exponent: power, ..plain(Aggregation::Mean) };
            let mut scores = [0.0; 4];
            assert!(model(params).score_items(query, &mut scores));
            let rows = RATINGS[1..].iter().zip(s);
            let expected: f32 = rows.map(|(row, s)| s.powf(power) * row[3]).sum();
            assert!((scores[3] - expected).abs() < 1e-5, "{power}");
        }
    }

    #[test]
    fn the_exponent_of_the_other_orders_neighbours_by_size() {
        let query = Query { user: None, history: &HISTORY };
        let of = |own, other| {
            let similarity = Similarity::AsymmetricCosine { own, other };
            let params = UserKnnParams { similarity, ..plain(Aggregation::Mean) };
            model(params).similarities(query)
        };
        // User 1's row is (3, 2, 4, 3); the shopper's (4, 3, 2, 3) has the same squares, 38.
        assert!((of(0.0, 0.0)[1].1 - 35.0).abs() < 1e-4);
        assert!((of(1.0, 0.0)[1].1 - 35.0 / 38.0).abs() < 1e-6);
        assert!((of(0.0, 1.0)[2].1 - 44.0 / 54.0).abs() < 1e-6, "44 is the product with user 2");
    }

    #[test]
    fn lists_that_are_too_long_keep_the_same_people() {
        let model = model(UserKnnParams { posting_max: 2, ..plain(Aggregation::Mean) });
        let kept: Vec<_> = (0..4).map(|item| model.inverted.row(item).0).collect();
        assert!(kept.iter().all(|users| users.len() == 2 && users == &kept[0]));
    }
}
