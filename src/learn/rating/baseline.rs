//! The mean of all ratings, and how far each user and each item lies off it.
//!
//! `b_ui = μ + b_u + b_i` with `Σ (r_ui − b_ui)² + λ_u Σ b_u² + λ_i Σ b_i²` least, by alternating least
//! squares: Koren, "Factor in the neighbors: scalable and accurate collaborative filtering", TKDD 2010.
//! The parameters of the default are those of Surprise (Hug, JOSS 2020).

use super::{RatingPredictor, Ratings};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::recommenders::{FitError, Stop, check};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Users or items that one task takes at least; below that handing out costs more than the work.
const ROWS_PER_TASK: usize = 256;

/// How biases are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaselineParams {
    /// How many ratings a user's bias is held back by, at least 0.
    pub user_regularization: f64,
    /// How many ratings an item's bias is held back by, at least 0.
    pub item_regularization: f64,
    /// Times that items and then users are solved, 1 to 10 000.
    pub n_epochs: usize,
}

impl Default for BaselineParams {
    fn default() -> Self {
        Self { user_regularization: 15.0, item_regularization: 10.0, n_epochs: 10 }
    }
}

impl BaselineParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let rule = "finite and at least 0";
        let (users, items) = (self.user_regularization, self.item_regularization);
        check(users.is_finite() && 0.0 <= users, "user_regularization", rule, users)?;
        check(items.is_finite() && 0.0 <= items, "item_regularization", rule, items)?;
        check(
            (1..=10_000).contains(&self.n_epochs),
            "n_epochs",
            "between 1 and 10000",
            self.n_epochs,
        )
    }
}

/// Fitted biases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    mean: f64,
    scale: (f32, f32),
    user_biases: Vec<f64>,
    item_biases: Vec<f64>,
}

/// Fits the biases; a user or an item without ratings has none.
pub fn fit(
    ratings: &Ratings,
    params: &BaselineParams,
    stop: Stop<'_>,
) -> Result<Baseline, FitError> {
    params.check()?;
    if ratings.all().is_empty() {
        return Err(FitError::NoData { model: "baseline" });
    }
    let mean = ratings.mean();
    let mut user_biases = vec![0.0; ratings.n_users()];
    let mut item_biases = vec![0.0; ratings.n_items()];
    for _ in 0..params.n_epochs {
        if stop() {
            return Err(FitError::Stopped);
        }
        item_biases.par_iter_mut().enumerate().with_min_len(ROWS_PER_TASK).for_each(|(i, bias)| {
            let rated = ratings.of_item(ItemIdx(i as u32));
            let terms = rated.map(|r| f64::from(r.value) - mean - user_biases[r.user.0 as usize]);
            *bias = shrunk_mean(terms, params.item_regularization);
        });
        user_biases.par_iter_mut().enumerate().with_min_len(ROWS_PER_TASK).for_each(|(u, bias)| {
            let rated = ratings.of_user(UserIdx(u as u32));
            let terms = rated.map(|r| f64::from(r.value) - mean - item_biases[r.item.0 as usize]);
            *bias = shrunk_mean(terms, params.user_regularization);
        });
    }
    let finite = user_biases.iter().chain(&item_biases).all(|bias| bias.is_finite());
    let fitted = Baseline { mean, scale: ratings.scale(), user_biases, item_biases };
    if finite { Ok(fitted) } else { Err(FitError::NotFinite { model: "baseline" }) }
}

/// `Σ t / (n + regularization)`; 0 of nothing.
fn shrunk_mean(terms: impl ExactSizeIterator<Item = f64>, regularization: f64) -> f64 {
    let n = terms.len();
    if n == 0 { 0.0 } else { terms.sum::<f64>() / (n as f64 + regularization) }
}

impl Baseline {
    /// `b_ui` before it is cut to the scale; an unknown side adds nothing.
    pub fn estimate(&self, user: UserIdx, item: ItemIdx) -> f64 {
        let bias = |biases: &[f64], at: u32| biases.get(at as usize).copied().unwrap_or(0.0);
        self.mean + bias(&self.user_biases, user.0) + bias(&self.item_biases, item.0)
    }

    /// The mean of all ratings.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// `b_u` of every user.
    pub fn user_biases(&self) -> &[f64] {
        &self.user_biases
    }

    /// `b_i` of every item.
    pub fn item_biases(&self) -> &[f64] {
        &self.item_biases
    }
}

impl RatingPredictor for Baseline {
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        (self.estimate(user, item) as f32).clamp(self.scale.0, self.scale.1)
    }

    fn n_bytes(&self) -> usize {
        size_of::<f64>() * (self.user_biases.len() + self.item_biases.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::{at_threads, table};
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;

    #[test]
    fn biases_solve_the_normal_equations() {
        let given = [(0, 0, 5.0), (0, 1, 3.0), (1, 0, 4.0), (1, 2, 1.0), (2, 1, 2.0), (2, 2, 2.0)];
        let ratings = table(3, 3, &given);
        let params = BaselineParams { n_epochs: 200, ..BaselineParams::default() };
        let model = fit(&ratings, &params, NEVER_STOP).unwrap();
        let residual =
            |u: u32, i: u32, r: f32| f64::from(r) - model.estimate(UserIdx(u), ItemIdx(i));
        for at in 0..3 {
            let of_user = given.iter().filter(|r| r.0 == at).map(|r| residual(r.0, r.1, r.2));
            let of_item = given.iter().filter(|r| r.1 == at).map(|r| residual(r.0, r.1, r.2));
            let user = of_user.sum::<f64>() - 15.0 * model.user_biases()[at as usize];
            let item = of_item.sum::<f64>() - 10.0 * model.item_biases()[at as usize];
            assert!(user.abs() < 1e-12 && item.abs() < 1e-12, "200 epochs: {user} {item}");
        }
    }

    #[test]
    fn one_epoch_solves_items_first() {
        let ratings = table(2, 1, &[(0, 0, 5.0), (1, 0, 4.0), (1, 0, 2.0)]);
        let params =
            BaselineParams { user_regularization: 1.0, item_regularization: 0.0, n_epochs: 1 };
        let model = fit(&ratings, &params, NEVER_STOP).unwrap();
        assert_eq!(model.item_biases(), [0.0], "(1.5 − 1.5)/2");
        assert_eq!(model.user_biases(), [0.75, -0.75], "±1.5/(1 + 1)");
        assert!((model.predict(UserIdx(9), ItemIdx(9)) - 3.5).abs() < 1e-6);
    }

    #[test]
    fn poor_data_and_threads_do_no_harm() {
        at_threads(|ratings| fit(ratings, &BaselineParams::default(), NEVER_STOP));
    }

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        let ratings = table(1, 1, &[(0, 0, 1.0)]);
        let refused =
            |params: BaselineParams| fit(&ratings, &params, NEVER_STOP).unwrap_err().to_string();
        let params = BaselineParams::default();
        assert!(
            refused(BaselineParams { user_regularization: -1.0, ..params })
                .starts_with("user_regularization")
        );
        assert!(
            refused(BaselineParams { item_regularization: f64::NAN, ..params })
                .starts_with("item_regularization")
        );
        assert!(refused(BaselineParams { n_epochs: 0, ..params }).starts_with("n_epochs"));
    }
}
