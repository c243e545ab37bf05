//! Rating prediction: what would this user give that item?
//!
//! Every model is fitted on [`Ratings`], explicit values on a scale, and is a [`RatingPredictor`].
//! Models of preference without ratings are [`super::recommenders`]; a low error here says little
//! about lists there (Cremonesi, Koren, Turrin, "Performance of recommender algorithms on top-n
//! recommendation tasks", `RecSys` 2010).

pub mod baseline;
pub mod bayesian;
pub mod co_clustering;
pub mod data;
pub mod descent;
#[cfg(test)]
mod factor_cases;
mod factors;
pub mod kind;
pub mod knn;
mod lists;
pub mod nmf;
mod pairs;
pub mod slope_one;
pub mod svd;
pub mod svdpp;

pub use baseline::{Baseline, BaselineParams};
pub use bayesian::{BayesianFactorization, BayesianParams};
pub use co_clustering::{CoClustering, CoClusteringParams};
pub use data::Ratings;
pub use descent::DescentParams;
pub use kind::{FittedRatingModel, RatingModelKind, RatingModelParams};
pub use knn::{Knn, KnnParams};
pub use nmf::{RatingNmf, RatingNmfParams};
pub use slope_one::{SlopeOne, SlopeOneParams};
pub use svd::FunkSvd;
pub use svdpp::SvdPp;

use super::dataset::{ItemIdx, UserIdx};

/// A fitted model of ratings.
pub trait RatingPredictor: Send + Sync {
    /// The expected rating, finite and within the scale of the ratings it was fitted on.
    ///
    /// A user or an item that the model has not met is allowed, also one beyond the fitted data: what
    /// is known of the other side, or the mean of all, decides.
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32;

    /// Bytes held on the heap.
    fn n_bytes(&self) -> usize;
}
