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

use super::factors::{self, Factors, Lists, Side, Steps};
use super::{RatingPredictor, Ratings};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::recommenders::{FitError, Stop, check};
use multiversion::multiversion;
use rand_distr::Normal;
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
    factors: Factors,
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
    let normal = Normal::new(0.0, params.initial_deviation).expect("the deviation was checked");
    let mut rng = factors::random(params.seed);
    let drawn = factors::draw_rows(n_users, n_factors, &normal, &mut rng);
    let mut users = Side::new(n_users, drawn);
    let drawn = factors::draw_rows(n_items, n_factors, &normal, &mut rng);
    let mut items = Side::new(n_items, drawn);
    let rate = params.learning_rate;
    let steps = Steps { rate, user_rate: rate, kept: 1.0 - rate * params.regularization };
    for _ in 0..params.n_epochs {
        if stop() {
            return Err(FitError::Stopped);
        }
        run_epoch(&lists, &mut users, &mut items, steps);
    }
    let unmet = vec![0.0; n_factors];
    let (n_by_user, n_by_item) = (factors::n_by_user(ratings), factors::n_by_item(ratings));
    let fitted = Factors {
        n_factors,
        offset: ratings.mean() as f32,
        unit: unit as f32,
        scale: ratings.scale(),
        user_factors: factors::finished_rows(&users.factors, n_by_user, &unmet),
        item_factors: factors::finished_rows(&items.factors, n_by_item, &unmet),
        user_biases: users.biases,
        item_biases: items.biases,
    };
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
