//! The models by name: one list that the compiler keeps complete.

use super::{
    FitError, ItemKnn, ItemKnnParams, Popularity, PopularityParams, Query, Recommender, Stop, Svd,
    SvdParams, UserKnn, UserKnnParams, item_knn, popularity, svd, user_knn,
};
use crate::learn::dataset::{InteractionMatrix, ItemIdx};
use serde::{Deserialize, Serialize};

/// Which algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// [`popularity`].
    Popularity,
    /// [`item_knn`].
    ItemKnn,
    /// [`user_knn`].
    UserKnn,
    /// [`svd`].
    Svd,
}

impl ModelKind {
    /// Every model.
    pub const ALL: [Self; 4] = [Self::Popularity, Self::ItemKnn, Self::UserKnn, Self::Svd];

    /// Its name in settings, answers and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Popularity => "popularity",
            Self::ItemKnn => "item_knn",
            Self::UserKnn => "user_knn",
            Self::Svd => "svd",
        }
    }
}

/// Parameters of all models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelParams {
    /// Of [`popularity`].
    pub popularity: PopularityParams,
    /// Of [`item_knn`].
    pub item_knn: ItemKnnParams,
    /// Of [`user_knn`].
    pub user_knn: UserKnnParams,
    /// Of [`svd`].
    pub svd: SvdParams,
}

impl ModelParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), ModelError> {
        ModelKind::ALL
            .into_iter()
            .try_for_each(|kind| self.check_kind(kind).map_err(|error| ModelError { kind, error }))
    }

    fn check_kind(&self, kind: ModelKind) -> Result<(), FitError> {
        match kind {
            ModelKind::Popularity => self.popularity.check(),
            ModelKind::ItemKnn => self.item_knn.check(),
            ModelKind::UserKnn => self.user_knn.check(),
            ModelKind::Svd => self.svd.check(),
        }
    }

    /// The same with other random numbers, for models that draw any.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.svd.seed = seed;
        self
    }
}

/// What is wrong with one model's parameters.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}: {error}", kind.name())]
pub struct ModelError {
    /// Which model.
    pub kind: ModelKind,
    /// What is wrong.
    pub error: FitError,
}

/// A fitted model of any kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FittedModel {
    /// A [`popularity`] model.
    Popularity(Popularity),
    /// An [`item_knn`] model.
    ItemKnn(ItemKnn),
    /// A [`user_knn`] model.
    UserKnn(Box<UserKnn>),
    /// An [`svd`] model.
    Svd(Svd),
}

impl FittedModel {
    /// Which algorithm it is.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::Popularity(_) => ModelKind::Popularity,
            Self::ItemKnn(_) => ModelKind::ItemKnn,
            Self::UserKnn(_) => ModelKind::UserKnn,
            Self::Svd(_) => ModelKind::Svd,
        }
    }

    /// The model, whichever it is.
    pub fn as_recommender(&self) -> &dyn Recommender {
        match self {
            Self::Popularity(model) => model,
            Self::ItemKnn(model) => model,
            Self::UserKnn(model) => model.as_ref(),
            Self::Svd(model) => model,
        }
    }
}

impl Recommender for FittedModel {
    fn n_items(&self) -> usize {
        self.as_recommender().n_items()
    }

    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        self.as_recommender().score_items(query, scores)
    }

    fn predict_rating(&self, query: Query<'_>, item: ItemIdx) -> Option<f32> {
        self.as_recommender().predict_rating(query, item)
    }

    fn contributions(&self, query: Query<'_>, item: ItemIdx) -> Vec<f32> {
        self.as_recommender().contributions(query, item)
    }

    fn n_bytes(&self) -> usize {
        self.as_recommender().n_bytes()
    }
}

/// Where a fit may set out from: models that were fitted before, on other data of the same shop.
///
/// The default is nothing, a fit from scratch. Models that are computed, not approached, take no notice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start<'a> {
    /// What was fitted before.
    pub models: &'a [FittedModel],
    /// For each item, its position then; empty = the same.
    pub item_positions: &'a [Option<u32>],
}

/// Fits one model from scratch, in parallel on the pool it is called in.
pub fn fit(
    kind: ModelKind,
    matrix: &InteractionMatrix,
    params: &ModelParams,
    stop: Stop<'_>,
) -> Result<FittedModel, FitError> {
    fit_from(kind, matrix, params, Start::default(), stop)
}

/// Fits one model, setting out from what was fitted before where that helps.
pub fn fit_from(
    kind: ModelKind,
    matrix: &InteractionMatrix,
    params: &ModelParams,
    start: Start<'_>,
    stop: Stop<'_>,
) -> Result<FittedModel, FitError> {
    let _ = start;
    Ok(match kind {
        ModelKind::Popularity => {
            FittedModel::Popularity(popularity::fit(matrix, &params.popularity, stop)?)
        }
        ModelKind::ItemKnn => FittedModel::ItemKnn(item_knn::fit(matrix, &params.item_knn, stop)?),
        ModelKind::UserKnn => {
            FittedModel::UserKnn(Box::new(user_knn::fit(matrix, &params.user_knn, stop)?))
        }
        ModelKind::Svd => FittedModel::Svd(svd::fit(matrix, &params.svd, stop)?),
    })
}
