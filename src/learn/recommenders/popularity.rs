//! What everybody likes: for shoppers of whom nothing is known, and as a ground to stand on.
//!
//! Score of `i`: the sum of the positive weights in its column. Weights fade with age where the matrix
//! is built, so what sells now leads. The expected rating is the item's mean, drawn towards the mean of
//! all ratings as if that had been given `shrinkage` times more (Koren, "Factor in the neighbors", TKDD
//! 2010, in closed form and without the user's part).

use super::{FitError, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx};
use serde::{Deserialize, Serialize};

/// How popularity is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PopularityParams {
    /// Ratings of the overall mean added to each item's before its mean is taken; at least 0.
    pub shrinkage: f32,
}

impl Default for PopularityParams {
    fn default() -> Self {
        Self { shrinkage: 10.0 }
    }
}

impl PopularityParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let fits = self.shrinkage.is_finite() && 0.0 <= self.shrinkage;
        check(fits, "shrinkage", "finite and at least 0", self.shrinkage)
    }
}

/// Popularity and mean rating of every item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Popularity {
    scores: Vec<f32>,
    mean_ratings: Vec<f32>,
}

/// Adds up each item's weights; linear in cells.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &PopularityParams,
    stop: Stop<'_>,
) -> Result<Popularity, FitError> {
    params.check()?;
    if matrix.n_interactions() == 0 {
        return Err(FitError::NoData { model: "popularity" });
    }
    if stop() {
        return Err(FitError::Stopped);
    }
    let items = (0..matrix.n_items() as u32).map(ItemIdx);
    let sums = items.clone().map(|item| {
        let values = matrix.column(item).1;
        let sum: f64 = values.iter().copied().map(f64::from).sum();
        (sum, values.len() as f64)
    });
    let sums: Vec<(f64, f64)> = sums.collect();
    let total: f64 = sums.iter().map(|item| item.0).sum();
    let mean = total / matrix.n_interactions() as f64;
    let shrinkage = f64::from(params.shrinkage);
    let mean_rating = |&(sum, n): &(f64, f64)| {
        if n == 0.0 { mean } else { (sum + shrinkage * mean) / (n + shrinkage) }
    };
    let score = |item| -> f64 {
        matrix.column_cells(item).map(|(_, value)| f64::from(value.max(0.0))).sum()
    };
    let fitted = Popularity {
        scores: items.map(|item| score(item) as f32).collect(),
        mean_ratings: sums.iter().map(|item| mean_rating(item) as f32).collect(),
    };
    let finite = fitted.scores.iter().chain(&fitted.mean_ratings).all(|x| x.is_finite());
    if finite { Ok(fitted) } else { Err(FitError::NotFinite { model: "popularity" }) }
}

impl Recommender for Popularity {
    fn n_items(&self) -> usize {
        self.scores.len()
    }

    /// The same for everybody; it always has something to say.
    fn score_items(&self, _query: Query<'_>, scores: &mut [f32]) -> bool {
        scores.copy_from_slice(&self.scores);
        true
    }

    fn predict_rating(&self, _query: Query<'_>, item: ItemIdx) -> Option<f32> {
        self.mean_ratings.get(item.0 as usize).copied()
    }

    fn n_bytes(&self) -> usize {
        4 * (self.scores.len() + self.mean_ratings.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::{dataset::UserIdx, recommenders::NEVER_STOP};

    #[test]
    fn dislikes_lower_the_rating_but_not_the_popularity() {
        let cells = [(0, 0, 4.0), (1, 0, -1.0), (1, 1, 3.0)];
        let cells = cells.map(|(user, item, value)| (UserIdx(user), ItemIdx(item), value));
        let matrix = InteractionMatrix::from_cells(2, 3, cells);
        let model = fit(&matrix, &PopularityParams { shrinkage: 1.0 }, NEVER_STOP).unwrap();
        assert_eq!(model.scores, [4.0, 3.0, 0.0]);
        assert_eq!(model.mean_ratings, [5.0 / 3.0, 2.5, 2.0]);
    }
}
