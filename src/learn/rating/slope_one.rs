//! Slope One: a user's mean, plus how much better or worse an item does than what the user rated.
//!
//! Lemire and Maclachlan, "Slope One predictors for online rating-based collaborative filtering", SDM
//! 2005: `P(u)_i = r̄_u + mean over j of dev_ij`, or the weighted scheme. Where no
//! item of the user's was ever rated along with the one asked for, the [`Baseline`] answers.

use super::lists::Lists;
use super::pairs::{TwoWay, check_table, tabulate};
use super::{Baseline, BaselineParams, RatingPredictor, Ratings, baseline};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::recommenders::{FitError, Stop};
use serde::{Deserialize, Serialize};

/// How Slope One predicts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlopeOneParams {
    /// Whether items that many users rated along with the one asked for count more.
    pub weighted: bool,
    /// Bytes that the table of all pairs of items may take; it takes 8 a pair.
    pub matrix_bytes_max: usize,
}

impl Default for SlopeOneParams {
    fn default() -> Self {
        Self { weighted: false, matrix_bytes_max: 2 << 30 }
    }
}

impl SlopeOneParams {
    /// Refuses parameters out of range; the bytes depend on the data and are checked by [`fit`].
    pub fn check(&self) -> Result<(), FitError> {
        check_table(1, size_of::<Deviation>(), self.matrix_bytes_max)
    }
}

/// How one item is rated against another by those who rated both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Deviation {
    mean: f32,
    n_users: u32,
}

/// Fitted deviations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlopeOne {
    weighted: bool,
    scale: (f32, f32),
    /// `(n_items, n_items)`.
    deviations: Vec<Deviation>,
    n_items: usize,
    /// What each user rated, and how much.
    rated: Lists,
    /// For pairs without a deviation to go by.
    fallback: Baseline,
}

/// Fits the deviations of all pairs of items.
pub fn fit(
    ratings: &Ratings,
    params: &SlopeOneParams,
    stop: Stop<'_>,
) -> Result<SlopeOne, FitError> {
    params.check()?;
    if ratings.all().is_empty() {
        return Err(FitError::NoData { model: "slope_one" });
    }
    let n_items = ratings.n_items();
    check_table(n_items, size_of::<Deviation>(), params.matrix_bytes_max)?;
    let sorted = TwoWay::new(ratings, false, |_, _, value| value);
    let add = |sums: &mut (f64, u32), own: f32, other: f32| {
        sums.0 += f64::from(own) - f64::from(other);
        sums.1 += 1;
    };
    let finish = |&(sum, n_users): &(f64, u32)| Deviation {
        mean: (sum / f64::from(n_users.max(1))) as f32,
        n_users,
    };
    let mirror = |entry: Deviation| Deviation { mean: -entry.mean, ..entry };
    let deviations = tabulate(&sorted, add, finish, mirror, stop)?;
    if !deviations.iter().all(|entry| entry.mean.is_finite()) {
        return Err(FitError::NotFinite { model: "slope_one" });
    }
    let rated = ratings.by_user();
    let fallback = baseline::fit(ratings, &BaselineParams::default(), stop)?;
    let (weighted, scale) = (params.weighted, ratings.scale());
    Ok(SlopeOne { weighted, scale, deviations, n_items, rated, fallback })
}

impl SlopeOne {
    /// The prediction before it is cut to the scale; `None` if nobody rated the item along with one of the user's.
    fn estimate(&self, user: UserIdx, item: ItemIdx) -> Option<f64> {
        let (u, i) = (user.0 as usize, item.0 as usize);
        let rated = self.rated.get(u)?;
        let row = self.deviations.get(i * self.n_items..(i + 1) * self.n_items)?;
        if rated.is_empty() {
            return None;
        }
        let (mut sum, mut weights) = (0.0, 0.0);
        for &(j, value) in rated {
            let entry = row[j as usize];
            if entry.n_users > 0 {
                let (weight, base) = if self.weighted {
                    (f64::from(entry.n_users), f64::from(value))
                } else {
                    (1.0, 0.0)
                };
                sum += weight * (f64::from(entry.mean) + base);
                weights += weight;
            }
        }
        if weights == 0.0 {
            return None;
        }
        Some(sum / weights + if self.weighted { 0.0 } else { mean(rated) })
    }
}

fn mean(rated: &[(u32, f32)]) -> f64 {
    rated.iter().map(|rating| f64::from(rating.1)).sum::<f64>() / rated.len() as f64
}

impl RatingPredictor for SlopeOne {
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        let estimate = self.estimate(user, item);
        let estimate = estimate.unwrap_or_else(|| self.fallback.estimate(user, item));
        (estimate as f32).clamp(self.scale.0, self.scale.1)
    }

    fn n_bytes(&self) -> usize {
        size_of_val(&self.deviations[..]) + self.rated.n_bytes() + self.fallback.n_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::{at_threads, table};
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;

    #[test]
    fn the_example_of_the_paper_comes_out() {
        // Figure 1: user A rated I 1 and J 1.5, user B rated I 2; J is expected to be 2.5.
        let ratings = table(2, 2, &[(0, 0, 1.0), (0, 1, 1.5), (1, 0, 2.0)]).with_scale(0.0, 5.0);
        for weighted in [false, true] {
            let params = SlopeOneParams { weighted, ..SlopeOneParams::default() };
            let model = fit(&ratings, &params, NEVER_STOP).unwrap();
            assert!((model.predict(UserIdx(1), ItemIdx(1)) - 2.5).abs() < 1e-6);
        }
    }

    #[test]
    fn weights_are_the_numbers_of_common_users() {
        // dev(2, 0) = 1 by two users, dev(2, 1) = −2 by one; user 3 rated 3 and 3.
        let given = [
            (0, 0, 1.0),
            (0, 2, 2.0),
            (1, 0, 3.0),
            (1, 2, 4.0),
            (2, 1, 4.0),
            (2, 2, 2.0),
            (3, 0, 3.0),
            (3, 1, 3.0),
        ];
        let ratings = table(4, 3, &given);
        let predict = |weighted| {
            let params = SlopeOneParams { weighted, ..SlopeOneParams::default() };
            fit(&ratings, &params, NEVER_STOP).unwrap().predict(UserIdx(3), ItemIdx(2))
        };
        assert!((predict(false) - 2.5_f32).abs() < 1e-6, "3 + (1 − 2)/2");
        assert!((predict(true) - 3.0_f32).abs() < 1e-6, "(2·4 + 1·1)/3");
    }

    #[test]
    fn poor_data_and_threads_do_no_harm() {
        for weighted in [false, true] {
            let params = SlopeOneParams { weighted, ..SlopeOneParams::default() };
            at_threads(|ratings| fit(ratings, &params, NEVER_STOP));
        }
    }

    #[test]
    fn a_table_that_is_too_large_is_refused() {
        let params = SlopeOneParams { matrix_bytes_max: 31, ..SlopeOneParams::default() };
        let error = fit(&table(1, 2, &[(0, 0, 1.0)]), &params, NEVER_STOP).unwrap_err();
        let expected = "matrix_bytes_max must be at least the bytes of the table of all pairs, not 31 for 32 bytes";
        assert_eq!(error.to_string(), expected);
    }
}
