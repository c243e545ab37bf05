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
//! - A user or item without ratings takes the mean bias and factors of its side, weighted by ratings;
//!   what the mean user then misses of the mean rating of the mean item is shared by these two biases.

use super::factors::{self, BiasedFactors, Side};
use super::lists::Lists;
use super::{RatingPredictor, Ratings};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::linalg::dot;
use crate::learn::recommenders::{FitError, Stop, check};
use multiversion::multiversion;
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

/// Non-negative factors of users and items, and biases, which are 0 for all that were met unless they
/// were asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatingNmf {
    factors: BiasedFactors,
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
    let lists = factors::lists(ratings, low, unit);
    let mut rng = factors::random(params.seed);
    let mut draw = |n_rows| factors::draw_uniform(n_rows, n_factors, &mut rng);
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
    let mut unmet_user = mean_row(&users, &n_by_user, n_factors);
    let mut unmet_item = mean_row(&items, &n_by_item, n_factors);
    let expected = dot(&unmet_user.factors, &unmet_item.factors);
    let missing = mean as f32 - base - unmet_user.biases[0] - unmet_item.biases[0] - expected;
    unmet_user.biases[0] += missing / 2.0;
    unmet_item.biases[0] += missing / 2.0;
    let offset = low + unit * f64::from(base);
    let unmet = [&unmet_user, &unmet_item];
    let factors = factors::finished(ratings, (offset, unit), [users, items], unmet)
        .ok_or(FitError::NotFinite { model: "rating nmf" })?;
    Ok(RatingNmf { factors })
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

/// The mean bias and factors of a side, each row as often as it has ratings, of which there is one.
fn mean_row(side: &Side, n_ratings: &[usize], n_factors: usize) -> Side {
    let mut factors = vec![0.0_f64; n_factors];
    let mut bias = 0.0;
    let n_all: usize = n_ratings.iter().sum();
    let rows = side.factors.chunks_exact(factors::padded(n_factors)).zip(&side.biases);
    for ((row, &of_row), &n) in rows.zip(n_ratings) {
        let weight = n as f64 / n_all as f64;
        bias += weight * f64::from(of_row);
        for (mean, &x) in factors.iter_mut().zip(row) {
            *mean += weight * f64::from(x);
        }
    }
    Side { biases: vec![bias as f32], factors: factors.into_iter().map(|x| x as f32).collect() }
}

impl RatingPredictor for RatingNmf {
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

    fn quick(biased: bool) -> RatingNmfParams {
        let (user_regularization, item_regularization) = (0.01, 0.01);
        RatingNmfParams {
            n_factors: 5,
            n_epochs: 150,
            user_regularization,
            item_regularization,
            biased,
            bias_learning_rate: 0.02,
            ..Default::default()
        }
    }

    #[test]
    fn planted_factors_are_recovered_and_none_is_negative() {
        let (given, held_out) = cases::planted();
        let mean = given.mean() as f32;
        let squared = held_out.iter().map(|row| f64::from(row.2 - mean).powi(2));
        let of_mean = (squared.sum::<f64>() / held_out.len() as f64).sqrt();
        for biased in [false, true] {
            let fit = |n_epochs| {
                fit(&given, &RatingNmfParams { n_epochs, ..quick(biased) }, NEVER_STOP).unwrap()
            };
            let [first, last] = [1, 400].map(fit);
            let errors = [&first, &last].map(|model| cases::training_error(model, &given));
            assert!(errors[1] < 0.5 * errors[0], "{errors:?}");
            let error = cases::error(&last, &held_out);
            assert!(error < 0.5 * of_mean, "{error} against {of_mean} of the mean, {errors:?}");
            for model in [first, last] {
                assert!((0..61).all(|u| model.user_factors(UserIdx(u)).iter().all(|&x| x >= 0.0)));
                assert!((0..41).all(|i| model.item_factors(ItemIdx(i)).iter().all(|&x| x >= 0.0)));
            }
        }
    }

    #[test]
    fn an_update_agrees_with_the_one_worked_by_hand() {
        let ratings = cases::ratings(2, 1, &[(0, 0, 5.0), (1, 0, 2.0)]);
        let params = RatingNmfParams {
            n_factors: 1,
            n_epochs: 1,
            user_regularization: 0.5,
            item_regularization: 0.25,
            ..Default::default()
        };
        let model = fit(&ratings, &params, NEVER_STOP).unwrap();
        let mut rng = factors::random(params.seed);
        let users = factors::draw_uniform(2, 1, &mut rng);
        let (p, v) = (users[0], users[factors::padded(1)]);
        let q = factors::draw_uniform(1, 1, &mut rng)[0];
        let user = p * (5.0 * q) / (p * q * q + 0.5 * p);
        assert!((model.user_factors(UserIdx(0))[0] / user - 1.0).abs() < 1e-5);
        let below = p * p * q + v * v * q + 2.0 * 0.25 * q;
        let item = q * (5.0 * p + 2.0 * v) / below;
        assert!((model.item_factors(ItemIdx(0))[0] / item - 1.0).abs() < 1e-5);
    }

    #[test]
    fn the_scale_does_not_matter() {
        let (given, held_out) = cases::planted();
        let rows: Vec<_> =
            given.all().iter().map(|r| (r.user.0, r.item.0, 64.0 * r.value)).collect();
        let near = fit(&given, &quick(false), NEVER_STOP).unwrap();
        let far = fit(&cases::ratings(60, 40, &rows), &quick(false), NEVER_STOP).unwrap();
        for &(user, item, _) in &held_out {
            let (user, item) = (UserIdx(user), ItemIdx(item));
            let difference = 64.0 * near.predict(user, item) - far.predict(user, item);
            assert!(difference.abs() < 0.1, "rounding of 7 digits over 150 epochs, of 256 wide");
        }
    }

    #[test]
    fn any_data_gives_a_sane_model() {
        for biased in [false, true] {
            cases::assert_sane(|ratings| fit(ratings, &quick(biased), NEVER_STOP));
        }
    }

    #[test]
    fn the_unmet_are_judged_by_the_other_side() {
        let rows = [(0, 0, 5.0), (1, 0, 5.0), (0, 1, 1.0), (1, 1, 1.0), (0, 2, 3.0)];
        let ratings = cases::ratings(3, 4, &rows);
        for biased in [false, true] {
            let model = fit(&ratings, &quick(biased), NEVER_STOP).unwrap();
            for user in [UserIdx(2), UserIdx(9)] {
                let [high, low, unmet] = [0, 1, 3].map(|item| model.predict(user, ItemIdx(item)));
                assert!(high > unmet + 0.3 && unmet > low + 0.3, "{high} {unmet} {low}");
                assert!((unmet - 3.0).abs() < 1e-5, "the mean of all, up to rounding");
            }
        }
    }

    #[test]
    fn the_seed_decides_and_a_stop_is_heard() {
        let (given, _) = cases::planted();
        let fit_from = |seed| {
            fit(&given, &RatingNmfParams { seed, n_epochs: 5, ..quick(true) }, NEVER_STOP).unwrap()
        };
        assert_eq!(fit_from(1), fit_from(1));
        assert_ne!(fit_from(1), fit_from(2));
        assert_eq!(fit(&given, &quick(false), &|| true), Err(FitError::Stopped));
    }

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        let base = RatingNmfParams::default();
        assert_eq!(base.check(), Ok(()));
        let refused = |params: RatingNmfParams, name| cases::assert_refused(params.check(), name);
        refused(RatingNmfParams { n_factors: 0, ..base }, "n_factors");
        refused(RatingNmfParams { n_epochs: 0, ..base }, "n_epochs");
        refused(RatingNmfParams { user_regularization: -1.0, ..base }, "user_regularization");
        refused(RatingNmfParams { item_regularization: f32::NAN, ..base }, "item_regularization");
        refused(RatingNmfParams { bias_learning_rate: 0.0, ..base }, "bias_learning_rate");
        refused(RatingNmfParams { bias_regularization: 11.0, ..base }, "bias_regularization");
        assert!(serde_json::from_str::<RatingNmfParams>(r#"{"epochs": 3}"#).is_err());
    }
}
