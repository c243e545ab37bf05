//! Biased factors of users and items by stochastic gradient descent, often called SVD.
//!
//! Source: Funk, "Netflix update: try this at home", 2006; Koren, Bell, Volinsky, "Matrix factorization
//! techniques for recommender systems", IEEE Computer 2009, equations 4 and 5. It expects
//! `μ + b_u + b_i + p_u·q_i` and takes, for each rating, a step against the gradient of
//! `e² + λ(b_u² + b_i² + ‖p_u‖² + ‖q_i‖²)`. All factors are learned together, not one after the other.
//! In what order, and in which units, `descent` says.

use super::descent::{Descent, Steps, descend};
use super::factors::{BiasedFactors, Side};
use super::lists::Lists;
use super::{RatingPredictor, Ratings};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::recommenders::{FitError, Stop};
use multiversion::multiversion;
use serde::{Deserialize, Serialize};

pub use super::descent::DescentParams;

/// The name in errors.
const MODEL: &str = "rating svd";

/// Biases and factors of users and items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunkSvd {
    factors: BiasedFactors,
}

/// Learns biases and factors, on one thread. Holds, beside the model, 8 bytes for each rating.
pub fn fit(ratings: &Ratings, params: &DescentParams, stop: Stop<'_>) -> Result<FunkSvd, FitError> {
    let mut descent = Descent::start(ratings, params, MODEL)?;
    let rate = params.learning_rate;
    let steps = Steps { rate, user_rate: rate, kept: 1.0 - rate * params.regularization };
    for _ in 0..params.n_epochs {
        if stop() {
            return Err(FitError::Stopped);
        }
        run_epoch(&descent.lists, &mut descent.users, &mut descent.items, steps);
    }
    Ok(FunkSvd { factors: descent.finish(ratings, MODEL)? })
}

/// One step for every rating.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn run_epoch(lists: &Lists, users: &mut Side, items: &mut Side, steps: Steps) {
    let width = users.factors.len() / users.biases.len();
    let vectors = users.factors.chunks_exact_mut(width);
    for (user, (bias, vector)) in users.biases.iter_mut().zip(vectors).enumerate() {
        descend(lists.of(user), bias, vector, items, steps);
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

    fn quick() -> DescentParams {
        DescentParams { n_factors: 8, n_epochs: 60, learning_rate: 0.02, ..DescentParams::SVD }
    }

    #[test]
    fn planted_factors_are_recovered() {
        let (given, held_out) = cases::planted();
        let error_after = |n_epochs| {
            let model = fit(&given, &DescentParams { n_epochs, ..quick() }, NEVER_STOP).unwrap();
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
        let params = DescentParams {
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
        let fit_from = |seed| fit(&given, &DescentParams { seed, ..quick() }, NEVER_STOP).unwrap();
        assert_eq!(fit_from(1), fit_from(1));
        assert_ne!(fit_from(1), fit_from(2));
        assert_eq!(fit(&given, &quick(), &|| true), Err(FitError::Stopped));
    }
}
