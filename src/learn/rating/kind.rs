//! The rating models by name: one list, from which everything that must know all of them follows.

use super::{
    BaselineParams, BayesianParams, CoClusteringParams, DescentParams, RatingNmfParams,
    RatingPredictor, Ratings, SlopeOneParams,
};
use crate::learn::{
    dataset::{ItemIdx, UserIdx},
    rating::knn::Centering,
    recommenders::{FitError, Stop},
};
use serde::{Deserialize, Serialize};

/// Writes down, for every model: its kind, its name, what fits it, its parameters and its fitted form.
macro_rules! models {
    ($($kind:ident as $name:ident: $module:ident::{$params:ident, $fitted:ident},)*) => {
        /// Which algorithm.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum RatingModelKind {
            $(#[doc = concat!("[`", stringify!($module), "`](super::", stringify!($module), ").")] $kind,)*
        }

        impl RatingModelKind {
            /// Every model.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Its name in settings, answers and logs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => stringify!($name),)* }
            }
        }

        /// Parameters of all models.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct RatingModelParams {
            $(#[doc = concat!("Of [`", stringify!($module), "`](super::", stringify!($module), ").")]
            pub $name: super::$module::$params,)*
        }

        impl RatingModelParams {
            /// Refuses parameters out of range.
            pub fn check(&self) -> Result<(), FitError> {
                $(self.$name.check()?;)*
                Ok(())
            }
        }

        /// A fitted model of any kind.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum FittedRatingModel {
            $(#[doc = concat!("A [`", stringify!($module), "`](super::", stringify!($module), ") model.")]
            $kind(Box<super::$module::$fitted>),)*
        }

        impl FittedRatingModel {
            /// Which algorithm it is.
            pub fn kind(&self) -> RatingModelKind {
                match self { $(Self::$kind(_) => RatingModelKind::$kind,)* }
            }

            fn as_predictor(&self) -> &dyn RatingPredictor {
                match self { $(Self::$kind(model) => model.as_ref(),)* }
            }
        }

        /// Fits one model, in parallel on the pool it is called in.
        pub fn fit(
            kind: RatingModelKind,
            ratings: &Ratings,
            params: &RatingModelParams,
            stop: Stop<'_>,
        ) -> Result<FittedRatingModel, FitError> {
            Ok(match kind {
                $(RatingModelKind::$kind => {
                    let model = super::$module::fit(ratings, &params.$name, stop)?;
                    FittedRatingModel::$kind(Box::new(model))
                })*
            })
        }
    };
}

models! {
    Baseline as baseline: baseline::{BaselineParams, Baseline},
    KnnBasic as knn_basic: knn::{KnnParams, Knn},
    KnnWithMeans as knn_with_means: knn::{KnnParams, Knn},
    KnnWithZScore as knn_with_z_score: knn::{KnnParams, Knn},
    KnnBaseline as knn_baseline: knn::{KnnParams, Knn},
    SlopeOne as slope_one: slope_one::{SlopeOneParams, SlopeOne},
    CoClustering as co_clustering: co_clustering::{CoClusteringParams, CoClustering},
    Nmf as nmf: nmf::{RatingNmfParams, RatingNmf},
    Svd as svd: svd::{DescentParams, FunkSvd},
    Svdpp as svdpp: svdpp::{DescentParams, SvdPp},
    Bayesian as bayesian: bayesian::{BayesianParams, BayesianFactorization},
}

impl Default for RatingModelParams {
    /// Those of each model; the neighbour models differ in what ratings are centred on.
    fn default() -> Self {
        let knn = |centering| super::knn::KnnParams { centering, ..Default::default() };
        Self {
            baseline: BaselineParams::default(),
            knn_basic: knn(Centering::Basic),
            knn_with_means: knn(Centering::Means),
            knn_with_z_score: knn(Centering::ZScore),
            knn_baseline: knn(Centering::Baseline),
            slope_one: SlopeOneParams::default(),
            co_clustering: CoClusteringParams::default(),
            nmf: RatingNmfParams::default(),
            svd: DescentParams::SVD,
            svdpp: DescentParams::SVDPP,
            bayesian: BayesianParams::default(),
        }
    }
}

impl RatingPredictor for FittedRatingModel {
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        self.as_predictor().predict(user, item)
    }

    fn n_bytes(&self) -> usize {
        self.as_predictor().n_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::{rating::data::Rating, recommenders::NEVER_STOP};

    fn ratings(n_users: u32, n_items: u32, value: impl Fn(u32, u32) -> Option<f32>) -> Ratings {
        let pairs = (0..n_users * n_items).map(|at| (at / n_items, at % n_items));
        let given = pairs.filter_map(|(user, item)| {
            let value = value(user, item)?;
            Some(Rating { user: UserIdx(user), item: ItemIdx(item), value })
        });
        Ratings::new(n_users as usize, n_items as usize, given)
    }

    /// Ratings 1 to 5: some users give more than others, some items get more, one in five is missing.
    fn typical() -> Ratings {
        ratings(24, 16, |u, i| ((u + 7 * i) % 5 != 0).then_some((1 + u % 3 + i % 3) as f32))
    }

    fn small() -> RatingModelParams {
        let mut params = RatingModelParams::default();
        params.bayesian.n_samples = 10;
        params.bayesian.n_burn_in = 5;
        params
    }

    #[test]
    fn every_model_is_finite_within_the_scale_and_repeats() {
        let data = typical();
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        for &kind in RatingModelKind::ALL {
            let model = pool(1).install(|| fit(kind, &data, &small(), NEVER_STOP)).unwrap();
            let again = pool(3).install(|| fit(kind, &data, &small(), NEVER_STOP)).unwrap();
            assert!(model == again, "same data, same seed, other {}", kind.name());
            assert_eq!(model.kind(), kind);
            assert!(model.n_bytes() > 0);
            let bytes = postcard::to_stdvec(&model).unwrap();
            assert!(postcard::from_bytes::<FittedRatingModel>(&bytes).unwrap() == model);
            for (user, item) in [(0, 0), (3, 5), (24, 0), (0, 16), (999, 4_000_000_000)] {
                let value = model.predict(UserIdx(user), ItemIdx(item));
                assert!((1.0..=5.0).contains(&value), "{}: {value}", kind.name());
            }
        }
    }

    #[test]
    fn every_model_beats_the_mean_on_what_it_was_fitted_on() {
        let data = typical();
        let error = |predict: &dyn Fn(&Rating) -> f32| -> f64 {
            data.all().iter().map(|rating| f64::from(rating.value - predict(rating)).powi(2)).sum()
        };
        let of_mean = error(&|_| data.mean() as f32);
        for &kind in RatingModelKind::ALL {
            let model = fit(kind, &data, &small(), NEVER_STOP).unwrap();
            let of_model = error(&|rating| model.predict(rating.user, rating.item));
            assert!(of_model < of_mean, "{}: {of_model} against {of_mean}", kind.name());
        }
    }

    #[test]
    fn bad_data_gives_a_clear_refusal_or_a_sane_model() {
        let data = [
            ("nothing", ratings(3, 3, |_, _| None)),
            ("one rating", ratings(3, 3, |u, i| (u == 1 && i == 2).then_some(4.0))),
            ("one user", ratings(1, 20, |_, i| Some((i % 5) as f32))),
            ("one item", ratings(20, 1, |u, _| Some((u % 5) as f32))),
            ("all equal", ratings(8, 8, |_, _| Some(3.0))),
            ("zeros and below", ratings(8, 8, |u, i| Some((u % 3) as f32 - (i % 3) as f32))),
            ("huge", ratings(8, 8, |u, i| Some(1e30 * (u + i) as f32))),
        ];
        for (name, data) in data {
            for &kind in RatingModelKind::ALL {
                let model = match fit(kind, &data, &small(), NEVER_STOP) {
                    Ok(model) => model,
                    Err(FitError::NoData { .. } | FitError::NotFinite { .. }) => continue,
                    Err(error) => panic!("{} on {name}: {error}", kind.name()),
                };
                let (low, high) = data.scale();
                for (user, item) in [(0, 0), (1, 2), (7, 7), (99, 99)] {
                    let value = model.predict(UserIdx(user), ItemIdx(item));
                    assert!((low..=high).contains(&value), "{} on {name}: {value}", kind.name());
                }
            }
        }
    }

    #[test]
    fn whoever_stops_a_fit_is_obeyed() {
        for &kind in RatingModelKind::ALL {
            let stopped = fit(kind, &typical(), &small(), &|| true);
            assert_eq!(stopped.unwrap_err(), FitError::Stopped, "{}", kind.name());
        }
    }
}
