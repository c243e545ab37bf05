//! Bayesian factorisation: ratings by factors of users, of items, and of the sets they occur in.
//!
//! ```text
//! r_ui = mean + p_u·g_i + b_u + b_i + ε_ui,         ε_ui ~ N(0, 1/(α·α_u))
//! p_u  = μ + v_u + |N(u)|^−½ Σ_{j ∈ N(u)} y_j,      v_uf ~ N(0, 1/λ_f),  y_jf ~ N(ν_f, 1/λ'_f)
//! ```
//!
//! `N(u)` are the items a user rated; `g_i` has the same form over the users who rated the item, and a
//! bias is one more factor whose other side is 1. Every precision has a Gamma prior, every mean a normal
//! one, and all of them are drawn too: nothing is left to tune but sizes.
//!
//! Sources: Salakhutdinov and Mnih, "Bayesian probabilistic matrix factorization using Markov chain Monte
//! Carlo", ICML 2008 (Gibbs sampling of whole rows); Rendle, "Factorization machines with libFM", TIST 2012
//! (priors for each factor of each block); Rendle, Zhang, Koren, "On the difficulty of
//! evaluating baselines", arXiv 2019 (sets of both sides, "SVD++ flipped"); Koren, "Factorization meets
//! the neighborhood", KDD 2008, equation 15 (the set of rated items and its norm); Lakshminarayanan,
//! Bouchard, Archambeau, "Robust Bayesian matrix factorisation", AISTATS 2011 (noise that differs between
//! users, `α_u ~ Gamma(ν/2, ν/2)`).
//!
//! Departures: only products of a user's and an item's side are modelled, where a factorization machine
//! also takes those within a side. A user's ratings enter the draws of `μ` and `y` through one small
//! matrix, `p_u` integrated out (`condense`), so that the sets cost as much as the ratings (the idea of
//! Rendle, "Scaling factorization machines to relational data", VLDB 2013) and the chain moves in longer
//! steps than with `p_u` held fixed (a partially collapsed sampler: Liu, "The collapsed Gibbs sampler in Bayesian
//! computations", JASA 1994). A kept sample holds the *expectation* of `p_u` given the
//! rest instead of a draw, which leaves the mean prediction as it is and lowers its variance
//! (Rao-Blackwell; Gelfand and Smith, JASA 1990). Ratings are brought to unit variance, so that the
//! priors mean the same on every scale.
//!
//! Cost of a sweep, `n` ratings, `d` factors: `n·d²` for the condensation, `n·d` for the sets, `d³` for each
//! user and item. Memory while fitting: about `4·(d+1)²` bytes for each user and item. A fitted model
//! keeps `4·(d+2)` bytes for each of them and each sample (100 samples of 15 factors: 6.8 kB), and a
//! prediction is one inner product of `n_samples·(d+2)` terms.
//!
//! Here: `data` lays ratings out, `algebra` has the kernels, `condense` and `side` draw one side given
//! the other, `sampler` alternates between them, `draw` has random numbers and conjugate draws.

mod algebra;
mod condense;
mod data;
mod draw;
mod sampler;
mod side;

use super::{RatingPredictor, Ratings};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::linalg::dot;
use crate::learn::recommenders::{FitError, Stop, check};
use multiversion::multiversion;
use sampler::Sampler;
use serde::{Deserialize, Serialize};
use side::Side;

/// How the posterior is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BayesianParams {
    /// Factors of a user or an item, 1 to 255; one less than a multiple of 8 wastes no register.
    pub n_factors: usize,
    /// Sweeps before the first sample is kept, at most 100,000.
    pub n_burn_in: usize,
    /// Samples that are kept, 1 to 10,000; a prediction is their mean.
    pub n_samples: usize,
    /// Sweeps from one kept sample to the next, 1 to 1,000.
    pub thinning: usize,
    /// Whether users are also described by the set of items they rated.
    pub user_sets: bool,
    /// Whether items are also described by the set of users who rated them.
    pub item_sets: bool,
    /// Degrees of freedom of the users' precisions, at least 0: the fewer, the more users may differ in
    /// how noisy their ratings are. With 0 all are taken to be equally noisy.
    pub user_noise_freedom: f64,
    /// Shape of the Gamma prior of every precision, above 0.
    pub precision_shape: f64,
    /// Rate of the Gamma prior of every precision, above 0.
    pub precision_rate: f64,
    /// Precision of the normal prior of every mean, above 0.
    pub mean_precision: f64,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for BayesianParams {
    /// The priors are those of Rendle 2012 (`α_0 = β_0 = α_λ = β_λ = γ_0 = 1`).
    fn default() -> Self {
        Self {
            n_factors: 15,
            n_burn_in: 20,
            n_samples: 100,
            thinning: 2,
            user_sets: true,
            item_sets: true,
            user_noise_freedom: 10.0,
            precision_shape: 0.5,
            precision_rate: 0.5,
            mean_precision: 1.0,
            seed: 7,
        }
    }
}

impl BayesianParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let n = self.n_factors;
        check((1..=255).contains(&n), "n_factors", "between 1 and 255", n)?;
        let n = self.n_burn_in;
        check(n <= 100_000, "n_burn_in", "at most 100000", n)?;
        let n = self.n_samples;
        check((1..=10_000).contains(&n), "n_samples", "between 1 and 10000", n)?;
        let n = self.thinning;
        check((1..=1_000).contains(&n), "thinning", "between 1 and 1000", n)?;
        let freedom = self.user_noise_freedom;
        let fits = freedom.is_finite() && 0.0 <= freedom;
        check(fits, "user_noise_freedom", "finite and at least 0", freedom)?;
        for (name, value) in [
            ("precision_shape", self.precision_shape),
            ("precision_rate", self.precision_rate),
            ("mean_precision", self.mean_precision),
        ] {
            check((1e-6..=1e6).contains(&value), name, "between 0.000001 and 1000000", value)?;
        }
        Ok(())
    }
}

/// Samples of the posterior; predictions are averaged over them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BayesianFactorization {
    mean: f32,
    deviation: f32,
    scale: (f32, f32),
    n_samples: usize,
    /// Length of a row of `users` and `items`: `n_samples · (n_factors + 2)`.
    row_len: usize,
    /// `(n_users + 1, row_len)`: for each sample factors, bias, 1. The last row is a stranger's.
    users: Vec<f32>,
    /// `(n_items + 1, row_len)`: for each sample factors, 1, bias.
    items: Vec<f32>,
}

/// Samples the posterior, in parallel on the pool it is called in.
pub fn fit(
    ratings: &Ratings,
    params: &BayesianParams,
    stop: Stop<'_>,
) -> Result<BayesianFactorization, FitError> {
    params.check()?;
    if ratings.all().is_empty() {
        return Err(FitError::NoData { model: MODEL });
    }
    let mut sampler = Sampler::new(ratings, params);
    let place_len = params.n_factors + 2;
    let row_len = params.n_samples * place_len;
    let mut users = vec![0.0; (ratings.n_users() + 1) * row_len];
    let mut items = vec![0.0; (ratings.n_items() + 1) * row_len];
    for _ in 0..params.n_burn_in {
        sampler.sweep(stop)?;
    }
    for sample in 0..params.n_samples {
        for _ in 0..params.thinning {
            sampler.sweep(stop)?;
        }
        let place = sample * place_len..(sample + 1) * place_len;
        // Users were drawn last, given these items: their expectation belongs to them.
        let side = &sampler.users;
        keep(side, &side.expected, |bias| [bias, 1.0], users.chunks_exact_mut(row_len), &place);
        let side = &sampler.items;
        keep(side, &side.rows, |bias| [1.0, bias], items.chunks_exact_mut(row_len), &place);
    }
    if users.iter().chain(&items).all(|x| x.is_finite()) {
        let n_samples = params.n_samples;
        let (mean, deviation) = (ratings.mean() as f32, sampler.data.deviation as f32);
        let scale = ratings.scale();
        Ok(BayesianFactorization { mean, deviation, scale, n_samples, row_len, users, items })
    } else {
        Err(FitError::NotFinite { model: MODEL })
    }
}

/// The name in errors.
const MODEL: &str = "bayesian_factorization";

/// Writes a side's factors and biases to a place in each row of `kept`, and the centre to the last row.
fn keep<'a>(
    side: &Side,
    rows: &[f32],
    biases: impl Fn(f32) -> [f32; 2],
    kept: impl Iterator<Item = &'a mut [f32]>,
    place: &std::ops::Range<usize>,
) {
    let n_factors = side.order - 1;
    let rows = rows.chunks_exact(side.width).chain(std::iter::once(&side.centre[..]));
    for (values, kept) in rows.zip(kept) {
        let (factors, bias) = kept[place.clone()].split_at_mut(n_factors);
        factors.copy_from_slice(&values[..n_factors]);
        bias.copy_from_slice(&biases(values[n_factors]));
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn long_dot(x: &[f32], y: &[f32]) -> f32 {
    dot(x, y)
}

impl RatingPredictor for BayesianFactorization {
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        let n = self.row_len;
        let row = |rows: &[f32], at: u32| (at as usize).min(rows.len() / n - 1) * n;
        let user = &self.users[row(&self.users, user.0)..][..n];
        let item = &self.items[row(&self.items, item.0)..][..n];
        let mean = self.mean + self.deviation * (long_dot(user, item) / self.n_samples as f32);
        mean.clamp(self.scale.0, self.scale.1)
    }

    fn n_bytes(&self) -> usize {
        4 * (self.users.len() + self.items.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::rating::data::Rating;
    use crate::learn::recommenders::NEVER_STOP;

    fn rating(user: u32, item: u32, value: f32) -> Rating {
        Rating { user: UserIdx(user), item: ItemIdx(item), value }
    }

    fn small_params() -> BayesianParams {
        BayesianParams { n_factors: 3, n_burn_in: 20, n_samples: 20, ..BayesianParams::default() }
    }

    fn fitted(ratings: &Ratings, params: &BayesianParams) -> BayesianFactorization {
        fit(ratings, params, NEVER_STOP).expect("the data and the parameters are fine")
    }

    /// 60 × 40 of two planted factors, with a little noise; a third of the cells withheld.
    fn planted() -> (Ratings, Vec<Rating>) {
        let unit = |x: u32| {
            let x = (x ^ 0x5bd1).wrapping_mul(2_654_435_761);
            (x ^ x >> 15).wrapping_mul(2_246_822_519) as f32 / u32::MAX as f32 - 0.5
        };
        let cells = (0..2_400_u32).map(|at| {
            let (u, i) = (at / 40, at % 40);
            let factor = |k| unit(u * 2 + k) * unit(5_000 + i * 2 + k);
            rating(u, i, 3.0 + 6.0 * (factor(0) + factor(1)) + 0.1 * unit(9_000 + at))
        });
        let (held, given): (Vec<_>, Vec<_>) =
            cells.partition(|r| unit(r.user.0 * 977 + r.item.0 + 20_000) < -0.17);
        (Ratings::new(60, 40, given), held)
    }

    fn rmse(held: &[Rating], predict: impl Fn(&Rating) -> f32) -> f32 {
        let sum: f32 = held.iter().map(|r| (predict(r) - r.value).powi(2)).sum();
        (sum / held.len() as f32).sqrt()
    }

    #[test]
    fn planted_factors_are_found() {
        let (ratings, held) = planted();
        let model = fitted(&ratings, &small_params());
        let error = rmse(&held, |r| model.predict(r.user, r.item));
        let base = rmse(&held, |_| ratings.mean() as f32);
        assert!(held.len() > 500);
        assert!(error < 0.25 * base, "{error} is not far below the {base} of the mean");
    }

    #[test]
    fn threads_do_not_change_the_model() {
        let (ratings, _) = planted();
        let params = BayesianParams { n_burn_in: 2, n_samples: 3, ..small_params() };
        let at = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| fitted(&ratings, &params))
        };
        let model = at(1);
        assert_eq!(model, at(3));
        assert_ne!(model, fitted(&ratings, &BayesianParams { seed: 8, ..params }));
    }

    #[test]
    fn every_parameter_matters() {
        let (ratings, _) = planted();
        let params = BayesianParams { n_burn_in: 1, n_samples: 2, thinning: 1, ..small_params() };
        let model = fitted(&ratings, &params);
        for other in [
            BayesianParams { n_factors: 2, ..params },
            BayesianParams { n_burn_in: 2, ..params },
            BayesianParams { n_samples: 3, ..params },
            BayesianParams { thinning: 2, ..params },
            BayesianParams { user_sets: false, ..params },
            BayesianParams { item_sets: false, ..params },
            BayesianParams { user_noise_freedom: 0.0, ..params },
            BayesianParams { user_noise_freedom: 3.0, ..params },
            BayesianParams { precision_shape: 5.0, ..params },
            BayesianParams { precision_rate: 5.0, ..params },
            BayesianParams { mean_precision: 50.0, ..params },
        ] {
            assert_ne!(model, fitted(&ratings, &other), "{other:?}");
        }
    }

    #[test]
    fn strangers_get_what_is_known_of_the_other_side() {
        // Item 0 is loved, item 1 is not.
        let given = (0..30).flat_map(|u| {
            [rating(u, 0, 5.0 - (u % 2) as f32), rating(u, 1, 1.0 + (u % 3 / 2) as f32)]
        });
        let model = fitted(&Ratings::new(30, 2, given), &small_params());
        let stranger = UserIdx(u32::MAX);
        assert!(model.predict(stranger, ItemIdx(0)) > 3.5);
        assert!(model.predict(stranger, ItemIdx(1)) < 2.5);
        let of_all = model.predict(stranger, ItemIdx(u32::MAX));
        assert!((2.0..=4.0).contains(&of_all), "{of_all} is near the mean of all");
    }

    #[test]
    fn odd_data_gives_finite_predictions_on_the_scale() {
        let cases = [
            vec![rating(0, 0, 4.0)],
            (0..9).map(|at| rating(at / 3, at % 3, 2.0)).collect(),
            (0..4).map(|item| rating(0, item, item as f32)).collect(),
            (0..4).map(|user| rating(user, 0, -(user as f32))).collect(),
            vec![rating(0, 0, f32::MAX), rating(3, 1, f32::MIN)],
            vec![rating(0, 0, 1e-30), rating(3, 1, 2e-30), rating(3, 0, 3e-30)],
        ];
        for given in cases {
            let ratings = Ratings::new(4, 4, given);
            let model = fitted(&ratings, &small_params());
            let (low, high) = ratings.scale();
            for at in 0..36 {
                let prediction = model.predict(UserIdx(at / 6), ItemIdx(at % 6));
                assert!(low <= prediction && prediction <= high, "{prediction} in {low}..={high}");
            }
        }
        let empty = fit(&Ratings::new(2, 2, []), &small_params(), NEVER_STOP);
        assert_eq!(empty, Err(FitError::NoData { model: MODEL }));
        assert_eq!(fit(&planted().0, &small_params(), &|| true), Err(FitError::Stopped));
    }

    #[test]
    fn a_saved_model_is_the_same() {
        let model = fitted(&planted().0, &BayesianParams { n_samples: 2, ..small_params() });
        let saved = postcard::to_stdvec(&model).unwrap();
        assert_eq!(postcard::from_bytes::<BayesianFactorization>(&saved).unwrap(), model);
        assert_eq!(model.n_bytes(), 4 * (61 + 41) * 2 * 5);
    }

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        let params = BayesianParams::default();
        assert_eq!(params.check(), Ok(()));
        for (name, wrong) in [
            ("n_factors", BayesianParams { n_factors: 0, ..params }),
            ("n_burn_in", BayesianParams { n_burn_in: 100_001, ..params }),
            ("n_samples", BayesianParams { n_samples: 0, ..params }),
            ("thinning", BayesianParams { thinning: 0, ..params }),
            ("user_noise_freedom", BayesianParams { user_noise_freedom: -1.0, ..params }),
            ("precision_shape", BayesianParams { precision_shape: 0.0, ..params }),
            ("precision_rate", BayesianParams { precision_rate: f64::NAN, ..params }),
            ("mean_precision", BayesianParams { mean_precision: f64::INFINITY, ..params }),
        ] {
            let refused = wrong.check();
            assert!(
                matches!(refused, Err(FitError::Parameter { parameter, .. }) if parameter == name)
            );
        }
    }
}
