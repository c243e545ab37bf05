//! Biased factors of users and items by stochastic gradient descent, often called SVD.
//!
//! Source: Funk, "Netflix update: try this at home", 2006; Koren, Bell, Volinsky, "Matrix factorization
//! techniques for recommender systems", IEEE Computer 2009, equations 4 and 5. It expects
//! `μ + b_u + b_i + p_u·q_i` and takes, for each rating, a step against the gradient of
//! `e² + λ(b_u² + b_i² + ‖p_u‖² + ‖q_i‖²)`. All factors are learned together, not one after the other.
//!
//! An epoch visits users by rising position, and a user's ratings in the order given; it is one
//! sequence of steps, on one thread. Departure: steps are taken in units of a quarter of the scale's
//! width, so that the rates that suit 1 to 5 stars suit every other scale.

use super::factors::{self, BiasedFactors, Lists, Side, Steps};
use super::{RatingPredictor, Ratings};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::recommenders::{FitError, Stop, check};
use multiversion::multiversion;
use serde::{Deserialize, Serialize};

/// How the factors are found. The defaults are those of Hug, "Surprise: a Python library for
/// recommender systems", Journal of Open Source Software 2020.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FunkSvdParams {
    /// Factors of a user or an item, 1 to 1,024.
    pub n_factors: usize,
    /// Passes over the ratings, 1 to 10,000.
    pub n_epochs: usize,
    /// Size of a step, above 0 up to 0.1.
    pub learning_rate: f32,
    /// Pull of biases and factors to 0, 0 to 10.
    pub regularization: f32,
    /// Standard deviation of the factors at the start, above 0 up to 1.
    pub initial_deviation: f32,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for FunkSvdParams {
    fn default() -> Self {
        Self {
            n_factors: 100,
            n_epochs: 20,
            learning_rate: 0.005,
            regularization: 0.02,
            initial_deviation: 0.1,
            seed: 7,
        }
    }
}

impl FunkSvdParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let (n, epochs, rate) = (self.n_factors, self.n_epochs, self.learning_rate);
        let (penalty, deviation) = (self.regularization, self.initial_deviation);
        check((1..=1_024).contains(&n), "n_factors", "between 1 and 1024", n)?;
        check((1..=10_000).contains(&epochs), "n_epochs", "between 1 and 10000", epochs)?;
        check(rate > 0.0 && rate <= 0.1, "learning_rate", "above 0 up to 0.1", rate)?;
        check((0.0..=10.0).contains(&penalty), "regularization", "between 0 and 10", penalty)?;
        let fits = deviation > 0.0 && deviation <= 1.0;
        check(fits, "initial_deviation", "above 0 up to 1", deviation)
    }
}

/// Biases and factors of users and items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunkSvd {
    factors: BiasedFactors,
}

/// Learns biases and factors, on one thread. Holds, beside the model, 8 bytes for each rating.
pub fn fit(ratings: &Ratings, params: &FunkSvdParams, stop: Stop<'_>) -> Result<FunkSvd, FitError> {
    params.check()?;
    if ratings.all().is_empty() {
        return Err(FitError::NoData { model: "rating svd" });
    }
    let (n_users, n_items, n_factors) = (ratings.n_users(), ratings.n_items(), params.n_factors);
    let unit = factors::unit(ratings);
    let lists = Lists::new(ratings, ratings.mean(), unit);
    let deviation = params.initial_deviation;
    let mut rng = factors::random(params.seed);
    let mut draw = |n_rows| factors::draw_normal(n_rows, n_factors, deviation, &mut rng);
    let mut users = Side::new(n_users, draw(n_users));
    let mut items = Side::new(n_items, draw(n_items));
    let rate = params.learning_rate;
    let steps = Steps { rate, user_rate: rate, kept: 1.0 - rate * params.regularization };
    for _ in 0..params.n_epochs {
        if stop() {
            return Err(FitError::Stopped);
        }
        run_epoch(&lists, &mut users, &mut items, steps);
    }
    let unmet = Side::new(1, vec![0.0; n_factors]);
    let fitted =
        factors::finished(ratings, (ratings.mean(), unit), [users, items], [&unmet, &unmet]);
    if fitted.is_finite() {
        Ok(FunkSvd { factors: fitted })
    } else {
        Err(FitError::NotFinite { model: "rating svd" })
    }
}

/// One step for every rating.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn run_epoch(lists: &Lists, users: &mut Side, items: &mut Side, steps: Steps) {
    let width = users.factors.len() / users.biases.len();
    let vectors = users.factors.chunks_exact_mut(width);
    for (user, (bias, vector)) in users.biases.iter_mut().zip(vectors).enumerate() {
        factors::descend(lists.of(user), bias, vector, items, steps);
    }
}

impl RatingPredictor for FunkSvd {
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        self.factors.predict(user, item)
    }

    fn n_bytes(&self) -> usize {
        self.factors.n_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::factor_cases as cases;
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;

    fn quick() -> FunkSvdParams {
        FunkSvdParams { n_factors: 8, n_epochs: 60, learning_rate: 0.02, ..Default::default() }
    }

    #[test]
    fn planted_factors_are_recovered() {
        let (given, held_out) = cases::planted();
        let error_after = |n_epochs| {
            let model = fit(&given, &FunkSvdParams { n_epochs, ..quick() }, NEVER_STOP).unwrap();
            (cases::training_error(&model, &given), cases::error(&model, &held_out))
        };
        let [first, second, last] = [1, 20, 60].map(error_after);
        assert!(second.0 < 0.2 * first.0 && last.0 < second.0, "{first:?} {second:?} {last:?}");
        assert!(
            last.1 < 0.3 * first.1,
            "one epoch is about the mean, {} against {}",
            last.1,
            first.1
        );
    }

    #[test]
    fn an_epoch_is_the_steps_of_the_paper_one_by_one() {
        let (given, _) = cases::planted();
        let given = given.with_scale(1.0, 5.0);
        let expected = cases::descend_stepwise(&given, false, (5, 3, 0.01, 0.05, 3));
        let params = FunkSvdParams {
            n_factors: 5,
            n_epochs: 3,
            learning_rate: 0.01,
            regularization: 0.05,
            initial_deviation: 0.1,
            seed: 3,
        };
        let model = fit(&given, &params, NEVER_STOP).unwrap();
        for (rating, expected) in given.all().iter().zip(expected) {
            let predicted = f64::from(model.predict(rating.user, rating.item));
            assert!((predicted - expected).abs() < 1e-5, "f32 keeps 7 digits");
        }
    }

    #[test]
    fn the_scale_does_not_matter() {
        let (given, held_out) = cases::planted();
        let wider = |value: f32| 64.0 * (value - 3.0) - 128.0;
        let rows: Vec<_> =
            given.all().iter().map(|r| (r.user.0, r.item.0, wider(r.value))).collect();
        let near = fit(&given, &quick(), NEVER_STOP).unwrap();
        let far = fit(&cases::ratings(60, 40, &rows), &quick(), NEVER_STOP).unwrap();
        for &(user, item, _) in &held_out {
            let (user, item) = (UserIdx(user), ItemIdx(item));
            let difference = wider(near.predict(user, item)) - far.predict(user, item);
            assert!(difference.abs() < 0.1, "rounding of 7 digits over 60 epochs, of 256 wide");
        }
    }

    #[test]
    fn any_data_gives_a_sane_model() {
        cases::assert_sane(|ratings| fit(ratings, &quick(), NEVER_STOP));
    }

    #[test]
    fn the_unmet_are_judged_by_the_other_side() {
        let rows = [(0, 0, 5.0), (1, 0, 5.0), (0, 1, 1.0), (1, 1, 1.0), (0, 2, 3.0)];
        let model = fit(&cases::ratings(3, 4, &rows), &quick(), NEVER_STOP).unwrap();
        for user in [UserIdx(2), UserIdx(9)] {
            assert!(model.predict(user, ItemIdx(0)) > model.predict(user, ItemIdx(3)) + 0.5);
            assert!((model.predict(user, ItemIdx(3)) - 3.0).abs() < 1e-6, "the mean of all");
            assert!(model.predict(user, ItemIdx(1)) < model.predict(user, ItemIdx(9)) - 0.5);
        }
    }

    #[test]
    fn the_seed_decides_and_a_stop_is_heard() {
        let (given, _) = cases::planted();
        let fit_from = |seed| fit(&given, &FunkSvdParams { seed, ..quick() }, NEVER_STOP).unwrap();
        assert_eq!(fit_from(1), fit_from(1));
        assert_ne!(fit_from(1), fit_from(2));
        assert_eq!(fit(&given, &quick(), &|| true), Err(FitError::Stopped));
    }

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        let base = FunkSvdParams::default();
        assert_eq!(base.check(), Ok(()));
        let refused = |params: FunkSvdParams, name| cases::assert_refused(params.check(), name);
        refused(FunkSvdParams { n_factors: 0, ..base }, "n_factors");
        refused(FunkSvdParams { n_epochs: 0, ..base }, "n_epochs");
        refused(FunkSvdParams { learning_rate: f32::NAN, ..base }, "learning_rate");
        refused(FunkSvdParams { regularization: -0.1, ..base }, "regularization");
        refused(FunkSvdParams { initial_deviation: 0.0, ..base }, "initial_deviation");
        assert!(serde_json::from_str::<FunkSvdParams>(r#"{"epochs": 3}"#).is_err());
    }
}
