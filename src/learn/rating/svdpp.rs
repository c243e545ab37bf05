//! Biased factors that also know which items a user rated (SVD++), by stochastic gradient descent.
//!
//! Source: Koren, "Factorization meets the neighborhood", KDD 2008, equation 15 and the steps after
//! it. It expects `μ + b_u + b_i + q_i·x_u` with `x_u = p_u + |N(u)|^-½ Σ_{j ∈ N(u)} y_j`, `N(u)` the items
//! that `u` rated.
//!
//! The paper's steps move every `y_j` of `N(u)` at every rating of `u`, which makes an epoch quadratic in
//! the ratings of a user. Here it is linear, and the steps are the same: an epoch visits users by rising
//! position, and while one is visited all `y_j` of `N(u)` shrink by the same factor `k = 1 - γλ` and
//! move by the same `γ·e·|N(u)|^-½·q_i`, so that `z = |N(u)|^-½ Σ y_j` follows `z ← k·z + γ·e·q_i`, the
//! very rule of `p_u`. So only the sum `x_u` is stepped, with `x ← k·x + 2γ·e·q_i`. After `n` ratings what
//! was added is `d = (x_n - kⁿ·x_0) / 2`, and `p_u ← kⁿ·p_u + d`, `y_j ← kⁿ·y_j + |N(u)|^-½·d` once.
//! This needs one rate and one penalty for all, as the paper's `γ₂` and `λ₇` are for `p`, `q` and `y`.
//!
//! A user's ratings are visited in the order given, on one thread. Departures: the biases take the same
//! rate and penalty as the factors; steps are taken in units of a quarter of the scale's width, so that
//! the rates that suit 1 to 5 stars suit every other scale.

use super::factors::{self, Factors, Lists, Side, Steps};
use super::{RatingPredictor, Ratings};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::linalg::kernels::add_scaled;
use crate::learn::recommenders::{FitError, Stop, check};
use multiversion::multiversion;
use rand_distr::Normal;
use serde::{Deserialize, Serialize};

/// How the factors are found. The defaults are those of Hug, "Surprise: a Python library for
/// recommender systems", Journal of Open Source Software 2020.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SvdPpParams {
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

impl Default for SvdPpParams {
    fn default() -> Self {
        Self {
            n_factors: 20,
            n_epochs: 20,
            learning_rate: 0.007,
            regularization: 0.02,
            initial_deviation: 0.1,
            seed: 7,
        }
    }
}

impl SvdPpParams {
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

/// Biases of users and items, the items' factors, and of every user `x_u`, what it is and what it
/// rated in one vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SvdPp {
    factors: Factors,
}

/// Learns biases and factors, on one thread. Holds, beside the model, 8 bytes for each rating and
/// as many factors again for what users rated.
pub fn fit(ratings: &Ratings, params: &SvdPpParams, stop: Stop<'_>) -> Result<SvdPp, FitError> {
    params.check()?;
    if ratings.all().is_empty() {
        return Err(FitError::NoData { model: "rating svd++" });
    }
    let (n_users, n_items, n_factors) = (ratings.n_users(), ratings.n_items(), params.n_factors);
    let unit = factors::unit(ratings);
    let lists = Lists::new(ratings, ratings.mean(), unit);
    let normal = Normal::new(0.0, params.initial_deviation).expect("the deviation was checked");
    let mut rng = factors::random(params.seed);
    let mut draw = |n_rows| factors::draw_rows(n_rows, n_factors, &normal, &mut rng);
    let mut users = Side::new(n_users, draw(n_users));
    let mut items = Side::new(n_items, draw(n_items));
    let mut implicit = draw(n_items);
    let rate = params.learning_rate;
    let kept = 1.0 - rate * params.regularization;
    let steps = Steps { rate, user_rate: 2.0 * rate, kept };
    for _ in 0..params.n_epochs {
        if stop() {
            return Err(FitError::Stopped);
        }
        run_epoch(&lists, &mut users, &mut items, &mut implicit, steps);
    }
    let width = factors::padded(n_factors);
    for (user, vector) in users.factors.chunks_exact_mut(width).enumerate() {
        add_implicit(lists.of(user), &implicit, vector);
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
        Ok(SvdPp { factors: fitted })
    } else {
        Err(FitError::NotFinite { model: "rating svd++" })
    }
}

/// One step for every rating.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn run_epoch(
    lists: &Lists,
    users: &mut Side,
    items: &mut Side,
    implicit: &mut [f32],
    steps: Steps,
) {
    let width = users.factors.len() / users.biases.len();
    let (mut start, mut vector) = (vec![0.0; width], vec![0.0; width]);
    let own = users.factors.chunks_exact_mut(width);
    for (user, (bias, own)) in users.biases.iter_mut().zip(own).enumerate() {
        let of_user = lists.of(user);
        if of_user.is_empty() {
            continue;
        }
        start.copy_from_slice(own);
        add_implicit(of_user, implicit, &mut start);
        vector.copy_from_slice(&start);
        factors::descend(of_user, bias, &mut vector, items, steps);
        let kept = (f64::from(steps.kept)).powf(of_user.len() as f64) as f32;
        for (moved, start) in vector.iter_mut().zip(&start) {
            *moved = (*moved - kept * start) / 2.0;
        }
        shift(own, kept, 1.0, &vector);
        let share = share(of_user);
        for &(item, _) in of_user {
            shift(&mut implicit[item as usize * width..][..width], kept, share, &vector);
        }
    }
}

/// Adds `|N(u)|^-½ Σ y_j` to a user's vector.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn add_implicit(of_user: &[(u32, f32)], implicit: &[f32], vector: &mut [f32]) {
    let (width, share) = (vector.len(), share(of_user));
    for &(item, _) in of_user {
        add_scaled(vector, share, &implicit[item as usize * width..][..width]);
    }
}

/// `|N(u)|^-½`.
fn share(of_user: &[(u32, f32)]) -> f32 {
    1.0 / (of_user.len() as f32).sqrt()
}

/// `row ← kept·row + share·moved`.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn shift(row: &mut [f32], kept: f32, share: f32, moved: &[f32]) {
    for (x, moved) in row.iter_mut().zip(moved) {
        *x = kept * *x + share * moved;
    }
}

impl RatingPredictor for SvdPp {
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        self.factors.predict(user, item)
    }

    fn n_bytes(&self) -> usize {
        self.factors.n_bytes()
    }
}
