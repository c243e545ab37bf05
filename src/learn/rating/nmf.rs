//! Non-negative factors of ratings by multiplicative updates.
//!
//! Source: Luo, Zhou, Xia, Zhu, "An efficient non-negative matrix-factorization-based approach to
//! collaborative filtering for recommender systems", IEEE Transactions on Industrial Informatics 2014
//! (regularised single-element-based NMF): only the ratings that are there count, and
//! `p_uf ← p_uf · Σ_i q_if r_ui / (Σ_i q_if r̂_ui + |N(u)| λ p_uf)`, and the same for items. Both sides are
//! updated from the factors before, once an epoch.
//!
//! With `biased`, `r̂ = μ + b_u + b_i + p_u·q_i`, the biases by a step of gradient descent at each rating, as
//! in Hug, "Surprise: a Python library for recommender systems", Journal of Open Source Software 2020.
//!
//! An epoch visits users by rising position and a user's ratings in the order given, on one thread;
//! without biases the order does not matter but for rounding. The sums over ratings are held in `f64`.
//! Departures:
//!
//! - Ratings are counted from 0, or from the lower end of the scale if that is below, in units of a
//!   fifth of the upper end, so that factors that start between 0 and 1 suit every scale.
//! - An expectation below 0, which biases allow, counts in the numerator, so that factors stay
//!   non-negative.
//! - A user or item without ratings takes the mean factors of the others, weighted by ratings, times
//!   one number for both sides by which the mean user expects the mean rating of the mean item.

use super::factors::{self, Factors, Lists, Side};
use super::{RatingPredictor, Ratings};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::linalg::dot;
use crate::learn::recommenders::{FitError, Stop, check};
use multiversion::multiversion;
use rand_distr::Uniform;
use serde::{Deserialize, Serialize};

/// How the factors are found. The defaults are those of Hug's library.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatingNmfParams {
    /// Factors of a user or an item, 1 to 1,024.
    pub n_factors: usize,
    /// Passes over the ratings, 1 to 10,000.
    pub n_epochs: usize,
    /// Pull of a user's factors to 0, 0 to 100.
    pub user_regularization: f32,
    /// Pull of an item's factors to 0, 0 to 100.
    pub item_regularization: f32,
    /// Whether the factors explain what the mean and biases leave, instead of all. Fewer factors are
    /// needed then, and many overfit.
    pub biased: bool,
    /// Size of a step of the biases, above 0 up to 0.1.
    pub bias_learning_rate: f32,
    /// Pull of the biases to 0, 0 to 10.
    pub bias_regularization: f32,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for RatingNmfParams {
    fn default() -> Self {
        Self {
            n_factors: 15,
            n_epochs: 50,
            user_regularization: 0.06,
            item_regularization: 0.06,
            biased: false,
            bias_learning_rate: 0.005,
            bias_regularization: 0.02,
            seed: 7,
        }
    }
}

impl RatingNmfParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let (n, epochs, rate) = (self.n_factors, self.n_epochs, self.bias_learning_rate);
        check((1..=1_024).contains(&n), "n_factors", "between 1 and 1024", n)?;
        check((1..=10_000).contains(&epochs), "n_epochs", "between 1 and 10000", epochs)?;
        let (name, x) = ("user_regularization", self.user_regularization);
        check((0.0..=100.0).contains(&x), name, "between 0 and 100", x)?;
        let (name, x) = ("item_regularization", self.item_regularization);
        check((0.0..=100.0).contains(&x), name, "between 0 and 100", x)?;
        check(rate > 0.0 && rate <= 0.1, "bias_learning_rate", "above 0 up to 0.1", rate)?;
        let (name, x) = ("bias_regularization", self.bias_regularization);
        check((0.0..=10.0).contains(&x), name, "between 0 and 10", x)
    }
}

/// Non-negative factors of users and items, and biases if they were asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatingNmf {
    factors: Factors,
}

impl RatingNmf {
    /// `(n_factors)` of a user, none below 0; those of the mean user for one that was not met.
    pub fn user_factors(&self, user: UserIdx) -> &[f32] {
        self.factors.row(&self.factors.user_factors, user.0 as usize)
    }

    /// `(n_factors)` of an item, none below 0; those of the mean item for one that was not met.
    pub fn item_factors(&self, item: ItemIdx) -> &[f32] {
        self.factors.row(&self.factors.item_factors, item.0 as usize)
    }
}

/// Learns the factors, on one thread. Holds, beside the model, 8 bytes for each rating and 16 for
/// each factor of an item.
pub fn fit(
    ratings: &Ratings,
    params: &RatingNmfParams,
    stop: Stop<'_>,
) -> Result<RatingNmf, FitError> {
    params.check()?;
    if ratings.all().is_empty() {
        return Err(FitError::NoData { model: "rating nmf" });
    }
    let (n_users, n_items, n_factors) = (ratings.n_users(), ratings.n_items(), params.n_factors);
    let (low, unit) = zero_and_unit(ratings);
    let mean = (ratings.mean() - low) / unit;
    let lists = Lists::new(ratings, low, unit);
    let uniform = Uniform::new(0.0_f32, 1.0).expect("0 lies below 1");
    let mut rng = factors::random(params.seed);
    let mut draw = |n_rows| factors::draw_rows(n_rows, n_factors, &uniform, &mut rng);
    let mut users = Side::new(n_users, draw(n_users));
    let mut items = Side::new(n_items, draw(n_items));
    let base = if params.biased { mean as f32 } else { 0.0 };
    let mut sums = Sums::new(items.factors.len());
    let n_by_item: Vec<usize> = factors::n_by_item(ratings).collect();
    for _ in 0..params.n_epochs {
        if stop() {
            return Err(FitError::Stopped);
        }
        run_epoch(&lists, &mut users, &mut items, &mut sums, base, params);
        let width = factors::padded(n_factors);
        for (item, (row, &n)) in items.factors.chunks_exact_mut(width).zip(&n_by_item).enumerate() {
            let range = item * width..(item + 1) * width;
            let penalty = n as f64 * f64::from(params.item_regularization);
            multiply(row, &sums.above[range.clone()], &sums.below[range], penalty);
        }
    }
    let n_by_user: Vec<usize> = factors::n_by_user(ratings).collect();
    let unmet_user = mean_row(&users.factors, &n_by_user, n_factors);
    let unmet_item = mean_row(&items.factors, &n_by_item, n_factors);
    let [unmet_user, unmet_item] = if params.biased {
        [vec![0.0; n_factors], vec![0.0; n_factors]]
    } else {
        let expected: f64 = unmet_user.iter().zip(&unmet_item).map(|(p, q)| p * q).sum();
        let times = if expected > 0.0 { (mean / expected).sqrt() } else { 1.0 };
        [unmet_user, unmet_item].map(|row| row.iter().map(|x| (x * times) as f32).collect())
    };
    let finish = factors::finished_rows;
    let fitted = Factors {
        n_factors,
        offset: (low + unit * f64::from(base)) as f32,
        unit: unit as f32,
        scale: ratings.scale(),
        user_factors: finish(&users.factors, n_by_user.into_iter(), &unmet_user),
        item_factors: finish(&items.factors, n_by_item.into_iter(), &unmet_item),
        user_biases: if params.biased { users.biases } else { Vec::new() },
        item_biases: if params.biased { items.biases } else { Vec::new() },
    };
    if fitted.is_finite() {
        Ok(RatingNmf { factors: fitted })
    } else {
        Err(FitError::NotFinite { model: "rating nmf" })
    }
}

/// Where ratings are counted from, and the unit in which the scale ends at 5.
fn zero_and_unit(ratings: &Ratings) -> (f64, f64) {
    let (low, high) = ratings.scale();
    let low = f64::from(low).min(0.0);
    let width = f64::from(high) - low;
    (low, if width > 0.0 { (width / 5.0).max(f64::from(f32::MIN_POSITIVE)) } else { 1.0 })
}

/// Numerators and denominators of every factor of one side.
#[derive(Debug)]
struct Sums {
    above: Vec<f64>,
    below: Vec<f64>,
}

impl Sums {
    fn new(len: usize) -> Self {
        Self { above: vec![0.0; len], below: vec![0.0; len] }
    }

    fn clear(&mut self) {
        self.above.fill(0.0);
        self.below.fill(0.0);
    }
}

/// Sums up the items' numerators and denominators, and updates the users.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn run_epoch(
    lists: &Lists,
    users: &mut Side,
    items: &mut Side,
    item_sums: &mut Sums,
    base: f32,
    params: &RatingNmfParams,
) {
    let width = users.factors.len() / users.biases.len();
    let rate = params.bias_learning_rate;
    let kept = 1.0 - rate * params.bias_regularization;
    item_sums.clear();
    let mut sums = Sums::new(width);
    let rows = users.factors.chunks_exact_mut(width);
    for (user, (user_bias, row)) in users.biases.iter_mut().zip(rows).enumerate() {
        sums.clear();
        for &(item, value) in lists.of(user) {
            let (item, start) = (item as usize, item as usize * width);
            let item_row = &items.factors[start..][..width];
            let mut expected = base + dot(row, item_row);
            if params.biased {
                let item_bias = &mut items.biases[item];
                expected += *user_bias + *item_bias;
                let step = rate * (value - expected);
                *user_bias = kept * *user_bias + step;
                *item_bias = kept * *item_bias + step;
            }
            let (above, below) = (value - expected.min(0.0), expected.max(0.0));
            add(&mut sums.above, above, item_row);
            add(&mut sums.below, below, item_row);
            add(&mut item_sums.above[start..][..width], above, row);
            add(&mut item_sums.below[start..][..width], below, row);
        }
        let penalty = lists.of(user).len() as f64 * f64::from(params.user_regularization);
        multiply(row, &sums.above, &sums.below, penalty);
    }
}

/// Adds `a·x` to sums.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn add(sums: &mut [f64], a: f32, x: &[f32]) {
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum += f64::from(a * x);
    }
}

/// `x ← x · above / (below + penalty·x)`; what has neither stays.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn multiply(row: &mut [f32], above: &[f64], below: &[f64], penalty: f64) {
    for (x, (above, below)) in row.iter_mut().zip(above.iter().zip(below)) {
        let below = below + penalty * f64::from(*x);
        if below > 0.0 {
            *x = (f64::from(*x) * above / below) as f32;
        }
    }
}

/// The mean of padded rows, each as often as it has ratings, of which there is one.
fn mean_row(rows: &[f32], n_ratings: &[usize], n_factors: usize) -> Vec<f64> {
    let mut mean = vec![0.0; n_factors];
    let n_all: usize = n_ratings.iter().sum();
    for (row, &n) in rows.chunks_exact(factors::padded(n_factors)).zip(n_ratings) {
        let weight = n as f64 / n_all as f64;
        for (mean, &x) in mean.iter_mut().zip(row) {
            *mean += weight * f64::from(x);
        }
    }
    mean
}

impl RatingPredictor for RatingNmf {
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        self.factors.predict(user, item)
    }

    fn n_bytes(&self) -> usize {
        self.factors.n_bytes()
    }
}
