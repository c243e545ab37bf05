//! Biased factors by stochastic gradient descent: what [`svd`](super::svd) and [`svdpp`](super::svdpp) share.
//!
//! An epoch visits users by rising position, and a user's ratings in the order given; it is one
//! sequence of steps, on one thread. Steps are taken in units of a quarter of the scale's width, so
//! that the rates that suit 1 to 5 stars suit every other scale.

use super::Ratings;
use super::factors::{self, BiasedFactors, Side};
use super::lists::Lists;
use crate::learn::linalg::dot;
use crate::learn::recommenders::{FitError, check};
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How the factors are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescentParams {
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

impl DescentParams {
    /// Defaults of [`svd`](super::svd): those of Hug, "Surprise: a Python library for recommender systems",
    /// Journal of Open Source Software 2020.
    pub const SVD: Self = Self {
        n_factors: 100,
        n_epochs: 20,
        learning_rate: 0.005,
        regularization: 0.02,
        initial_deviation: 0.1,
        seed: 7,
    };

    /// Defaults of [`svdpp`](super::svdpp), of the same source.
    pub const SVDPP: Self = Self { n_factors: 20, learning_rate: 0.007, ..Self::SVD };

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

/// A fit on its way.
#[derive(Debug)]
pub(super) struct Descent {
    /// Ratings less their mean, in units.
    pub lists: Lists,
    /// What users are.
    pub users: Side,
    /// What items are.
    pub items: Side,
    unit: f64,
    n_factors: usize,
    rng: ChaCha8Rng,
    deviation: f32,
}

impl Descent {
    /// From random factors; `model` is the name in errors.
    pub(super) fn start(
        ratings: &Ratings,
        params: &DescentParams,
        model: &'static str,
    ) -> Result<Self, FitError> {
        params.check()?;
        if ratings.all().is_empty() {
            return Err(FitError::NoData { model });
        }
        let unit = factors::unit(ratings);
        let mut started = Self {
            lists: factors::lists(ratings, ratings.mean(), unit),
            users: Side::new(ratings.n_users(), Vec::new()),
            items: Side::new(ratings.n_items(), Vec::new()),
            unit,
            n_factors: params.n_factors,
            rng: factors::random(params.seed),
            deviation: params.initial_deviation,
        };
        started.users.factors = started.draw(ratings.n_users());
        started.items.factors = started.draw(ratings.n_items());
        Ok(started)
    }

    /// More padded rows of random factors.
    pub(super) fn draw(&mut self, n_rows: usize) -> Vec<f32> {
        factors::draw_normal(n_rows, self.n_factors, self.deviation, &mut self.rng)
    }

    /// The fitted form: who was not met has neither bias nor factors.
    pub(super) fn finish(
        self,
        ratings: &Ratings,
        model: &'static str,
    ) -> Result<BiasedFactors, FitError> {
        let unmet = Side::new(1, vec![0.0; self.n_factors]);
        let scale = (ratings.mean(), self.unit);
        factors::finished(ratings, scale, [self.users, self.items], [&unmet, &unmet])
            .ok_or(FitError::NotFinite { model })
    }
}

/// Steps of gradient descent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    /// Of biases and of an item's factors.
    pub rate: f32,
    /// Of the user's vector.
    pub user_rate: f32,
    /// What is left of a bias or a factor after a step: `1 - rate · regularization`.
    pub kept: f32,
}

/// Visits a user's ratings, in order: for the error `e = r - b_u - b_i - x·q_i`,
/// `b ← kept·b + rate·e` of both sides, `x ← kept·x + user_rate·e·q_i` and
/// `q_i ← kept·q_i + rate·e·x`, the last two from the values before.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
pub(super) fn descend(
    ratings: &[(u32, f32)],
    bias: &mut f32,
    vector: &mut [f32],
    items: &mut Side,
    steps: Steps,
) {
    let width = vector.len();
    let Steps { rate, user_rate, kept } = steps;
    let mut user_bias = *bias;
    for &(item, value) in ratings {
        let item = item as usize;
        let factors = &mut items.factors[item * width..][..width];
        let item_bias = &mut items.biases[item];
        let error = value - user_bias - *item_bias - dot(vector, factors);
        user_bias = kept * user_bias + rate * error;
        *item_bias = kept * *item_bias + rate * error;
        let (user_step, item_step) = (user_rate * error, rate * error);
        for (x, q) in vector.iter_mut().zip(factors) {
            let before = *x;
            *x = kept * before + user_step * *q;
            *q = kept * *q + item_step * before;
        }
    }
    *bias = user_bias;
}

#[cfg(test)]
mod tests {
    use super::super::factor_cases::assert_refused;
    use super::*;

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        let base = DescentParams::SVD;
        assert_eq!((base.check(), DescentParams::SVDPP.check()), (Ok(()), Ok(())));
        for (params, name) in [
            (DescentParams { n_factors: 0, ..base }, "n_factors"),
            (DescentParams { n_factors: 1_025, ..base }, "n_factors"),
            (DescentParams { n_epochs: 0, ..base }, "n_epochs"),
            (DescentParams { learning_rate: 0.0, ..base }, "learning_rate"),
            (DescentParams { learning_rate: f32::NAN, ..base }, "learning_rate"),
            (DescentParams { regularization: -0.1, ..base }, "regularization"),
            (DescentParams { regularization: f32::INFINITY, ..base }, "regularization"),
            (DescentParams { initial_deviation: 0.0, ..base }, "initial_deviation"),
            (DescentParams { initial_deviation: 2.0, ..base }, "initial_deviation"),
        ] {
            assert_refused(params.check(), name);
        }
        // Which defaults would be meant is not known, so that none is taken.
        assert!(serde_json::from_str::<DescentParams>(r#"{"n_epochs": 3}"#).is_err());
    }
}
