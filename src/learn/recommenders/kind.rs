//! The models by name: one list, from which everything that must know all of them follows.

use super::{FactorScores, FitError, Query, Recommender, Stop};
use crate::learn::dataset::{InteractionMatrix, ItemIdx};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Writes down, for every model: its kind, its name, its parameters, its fitted form, and how it is
/// fitted from scratch. A model's module has the name that settings, answers and logs use.
macro_rules! models {
    ($($kind:ident in $module:ident with $params:ident,)*) => {
        /// Which algorithm.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ModelKind {
            $(#[doc = concat!("[`", stringify!($module), "`](super::", stringify!($module), ").")] $kind,)*
        }

        impl ModelKind {
            /// Every model.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Its name in settings, answers and logs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => stringify!($module),)* }
            }
        }

        /// Parameters of all models.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct ModelParams {
            $(#[doc = concat!("Of [`", stringify!($module), "`](super::", stringify!($module), ").")]
            pub $module: super::$module::$params,)*
        }

        impl ModelParams {
            /// The same with another's parameters of one model.
            #[must_use]
            pub fn with(mut self, kind: ModelKind, other: &Self) -> Self {
                match kind { $(ModelKind::$kind => self.$module = other.$module,)* }
                self
            }

            fn check_kind(&self, kind: ModelKind) -> Result<(), FitError> {
                match kind { $(ModelKind::$kind => self.$module.check(),)* }
            }
        }

        /// A fitted model of any kind.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum FittedModel {
            $(#[doc = concat!("A [`", stringify!($module), "`](super::", stringify!($module), ") model.")]
            $kind(Box<super::$module::$kind>),)*
        }

        impl FittedModel {
            /// Which algorithm it is.
            pub fn kind(&self) -> ModelKind {
                match self { $(Self::$kind(_) => ModelKind::$kind,)* }
            }

            /// The model, whichever it is.
            pub fn as_recommender(&self) -> &dyn Recommender {
                match self { $(Self::$kind(model) => model.as_ref(),)* }
            }
        }

        /// Fits one model from scratch, in parallel on the pool it is called in.
        pub fn fit(
            kind: ModelKind,
            matrix: &InteractionMatrix,
            params: &ModelParams,
            stop: Stop<'_>,
        ) -> Result<FittedModel, FitError> {
            Ok(match kind {
                $(ModelKind::$kind => {
                    let model = super::$module::fit(matrix, &params.$module, stop)?;
                    FittedModel::$kind(Box::new(model))
                })*
            })
        }
    };
}

models! {
    Popularity in popularity with PopularityParams,
    ItemKnn in item_knn with ItemKnnParams,
    UserKnn in user_knn with UserKnnParams,
    Rp3beta in rp3beta with Rp3betaParams,
    Svd in svd with SvdParams,
    Nmf in nmf with NmfParams,
    Als in als with AlsParams,
    Ease in ease with EaseParams,
    Bpr in bpr with BprParams,
    LogisticMf in logistic_mf with LogisticMfParams,
}

impl ModelKind {
    /// The model of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether the model draws random numbers, so that another seed makes another model.
    pub const fn is_random(self) -> bool {
        matches!(self, Self::Svd | Self::Nmf | Self::Als | Self::Bpr | Self::LogisticMf)
    }
}

impl ModelParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), ModelError> {
        ModelKind::ALL
            .iter()
            .try_for_each(|&kind| self.check_kind(kind).map_err(|error| ModelError { kind, error }))
    }

    /// The same with other random numbers, for models that draw any.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.svd.seed = seed;
        self.als.seed = seed;
        self.nmf.seed = seed;
        self.bpr.seed = seed;
        self.logistic_mf.seed = seed;
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

impl Recommender for FittedModel {
    fn n_items(&self) -> usize {
        self.as_recommender().n_items()
    }

    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        self.as_recommender().score_items(query, scores)
    }

    fn factor_scores(&self, query: Query<'_>) -> Option<FactorScores<'_>> {
        self.as_recommender().factor_scores(query)
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
    /// For each item, its position then; none if it was not there.
    pub item_positions: &'a [Option<u32>],
}

/// Part of the epochs that is taken from factors that were fitted before: a choice, not a measurement.
const WARM_EPOCHS_SHARE: f64 = 0.5;

/// Fits one model, setting out from what was fitted before where that helps: matrix factorization by
/// alternating least squares begins with the items' last factors and takes half the epochs.
pub fn fit_from(
    kind: ModelKind,
    matrix: &InteractionMatrix,
    params: &ModelParams,
    start: Start<'_>,
    stop: Stop<'_>,
) -> Result<FittedModel, FitError> {
    let before = start.models.iter().find_map(|model| match model {
        FittedModel::Als(before) if kind == ModelKind::Als => Some(before.as_ref()),
        _ => None,
    });
    let same = before.filter(|before| before.n_factors() == params.als.n_factors);
    let Some(before) = same else { return fit(kind, matrix, params, stop) };
    let mut factors = Array2::zeros((matrix.n_items(), params.als.n_factors));
    for (mut row, position) in factors.rows_mut().into_iter().zip(start.item_positions) {
        if let Some(known) = position.and_then(|at| before.item_factors(ItemIdx(at))) {
            row.iter_mut().zip(known).for_each(|(factor, &known)| *factor = known);
        }
    }
    let mut params = params.als;
    params.n_epochs = ((params.n_epochs as f64 * WARM_EPOCHS_SHARE).ceil() as usize).max(1);
    let model = super::als::fit_from(matrix, &params, Some(factors.view()), stop)?;
    Ok(FittedModel::Als(Box::new(model)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_know_every_model_by_its_name() {
        for &kind in ModelKind::ALL {
            let name = serde_json::to_value(kind).unwrap();
            assert_eq!(name, kind.name());
            assert_eq!(ModelKind::named(kind.name()), Some(kind));
            let params = serde_json::to_value(ModelParams::default()).unwrap();
            assert!(params[kind.name()].is_object(), "{name}");
            assert_eq!(kind.is_random(), params[kind.name()]["seed"].is_u64(), "{name}");
        }
        assert_eq!(ModelKind::named("euclid"), None);
    }
}
