//! What may be varied of each model, and within which bounds.
//!
//! A point of a space is one number a dimension, in the dimension's own units: a logarithm where
//! what counts is the ratio, a position where there is a choice.

use crate::learn::recommenders::{
    ModelKind, ModelParams,
    similarity::{Similarity, Weighting},
};

/// How a dimension is walked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Walk {
    /// Evenly between two bounds.
    Linear(f64, f64),
    /// Evenly in the logarithm, between two bounds above 0.
    Log(f64, f64),
    /// One of so many.
    Choice(usize),
}

impl Walk {
    /// The least and the greatest coordinate.
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::Linear(low, high) => (low, high),
            Self::Log(low, high) => (low.ln(), high.ln()),
            Self::Choice(n) => (0.0, n as f64),
        }
    }

    fn value(self, coordinate: f64) -> f64 {
        match self {
            Self::Linear(low, high) => coordinate.clamp(low, high),
            Self::Log(low, high) => coordinate.exp().clamp(low, high),
            Self::Choice(n) => coordinate.floor().clamp(0.0, n.saturating_sub(1) as f64),
        }
    }

    fn coordinate(self, value: f64) -> f64 {
        let (low, high) = self.range();
        match self {
            Self::Linear(..) => value.clamp(low, high),
            Self::Log(from, _) => value.max(from).ln().clamp(low, high),
            // The middle of a bin, so that rounding cannot move it to the next.
            Self::Choice(_) => (value + 0.5).clamp(low, high),
        }
    }
}

/// One parameter that is searched.
#[derive(Clone, Copy, Debug)]
pub struct Dimension {
    /// The parameter's name, as in the settings.
    pub name: &'static str,
    /// How it is walked.
    pub walk: Walk,
    get: fn(&ModelParams) -> f64,
    set: fn(&mut ModelParams, f64),
}

/// Where these parameters lie in the space of a kind.
pub fn point(kind: ModelKind, params: &ModelParams) -> Vec<f64> {
    let place = |dimension: &Dimension| dimension.walk.coordinate((dimension.get)(params));
    dimensions(kind).iter().map(place).collect()
}

/// `base` with the kind's parameters at a point.
///
/// # Panics
///
/// In debug builds, if the point has another number of coordinates than the space.
#[must_use]
pub fn place(kind: ModelKind, base: &ModelParams, point: &[f64]) -> ModelParams {
    debug_assert_eq!(point.len(), dimensions(kind).len());
    let mut params = *base;
    for (dimension, &coordinate) in dimensions(kind).iter().zip(point) {
        (dimension.set)(&mut params, dimension.walk.value(coordinate));
    }
    params
}

/// A parameter that is a number.
macro_rules! number {
    ($model:ident.$field:ident: $type:ty, $walk:expr) => {
        Dimension {
            name: stringify!($field),
            walk: $walk,
            get: |params| f64::from(params.$model.$field),
            set: |params, value| params.$model.$field = value as $type,
        }
    };
}

/// A parameter that is a whole number.
macro_rules! count {
    ($model:ident.$field:ident, $walk:expr) => {
        Dimension {
            name: stringify!($field),
            walk: $walk,
            get: |params| params.$model.$field as f64,
            set: |params, value| params.$model.$field = value.round() as usize,
        }
    };
}

/// A parameter that is one of a list.
macro_rules! choice {
    ($model:ident.$field:ident, $list:ident) => {
        Dimension {
            name: stringify!($field),
            walk: Walk::Choice($list.len()),
            get: |params| {
                let place = $list.iter().position(|choice| *choice == params.$model.$field);
                place.unwrap_or(0) as f64
            },
            set: |params, value| params.$model.$field = $list[value as usize],
        }
    };
}

/// From plain cosine to one that favours what is popular (Aiolli, `RecSys` 2013), or what is rare.
const SIMILARITIES: [Similarity; 5] = [
    Similarity::Cosine,
    Similarity::AsymmetricCosine { own: 0.5, other: 0.3 },
    Similarity::AsymmetricCosine { own: 0.5, other: 0.1 },
    Similarity::AsymmetricCosine { own: 0.3, other: 0.3 },
    Similarity::AsymmetricCosine { own: 0.3, other: 0.5 },
];

/// Robertson and Zaragoza, "The probabilistic relevance framework", 2009, give 1.2 to 2 and .5 to .8.
const WEIGHTINGS: [Weighting; 6] = [
    Weighting::None,
    Weighting::TfIdf,
    Weighting::Bm25 { k1: 1.2, b: 0.75 },
    Weighting::InverseFrequency { exponent: 0.25 },
    Weighting::InverseFrequency { exponent: 0.5 },
    Weighting::InverseFrequency { exponent: 0.75 },
];

const NO_OR_YES: [bool; 2] = [false, true];

const ITEM_KNN: &[Dimension] = &[
    count!(item_knn.n_neighbors, Walk::Log(20.0, 1_000.0)),
    number!(item_knn.shrinkage: f32, Walk::Log(0.1, 500.0)),
    choice!(item_knn.similarity, SIMILARITIES),
    choice!(item_knn.weighting, WEIGHTINGS),
    choice!(item_knn.normalize, NO_OR_YES),
];

const USER_KNN: &[Dimension] = &[
    count!(user_knn.n_neighbors, Walk::Log(20.0, 1_000.0)),
    number!(user_knn.shrinkage: f32, Walk::Log(0.1, 500.0)),
    choice!(user_knn.similarity, SIMILARITIES),
    choice!(user_knn.weighting, WEIGHTINGS),
    number!(user_knn.similarity_exponent: f32, Walk::Linear(1.0, 4.0)),
];

const RP3BETA: &[Dimension] = &[
    number!(rp3beta.alpha: f32, Walk::Linear(0.3, 2.0)),
    number!(rp3beta.beta: f32, Walk::Linear(0.0, 1.0)),
    count!(rp3beta.n_neighbors, Walk::Log(30.0, 1_000.0)),
];

const SVD: &[Dimension] = &[
    count!(svd.n_factors, Walk::Log(8.0, 256.0)),
    number!(svd.regularization: f32, Walk::Log(1.0, 10_000.0)),
    number!(svd.popularity_scaling: f32, Walk::Linear(0.4, 1.2)),
];

const ALS: &[Dimension] = &[
    count!(als.n_factors, Walk::Log(16.0, 256.0)),
    number!(als.regularization: f32, Walk::Log(3e-4, 0.1)),
    number!(als.unobserved_weight: f32, Walk::Log(0.02, 3.0)),
    number!(als.confidence_exponent: f32, Walk::Linear(0.0, 1.0)),
];

const EASE: &[Dimension] = &[
    number!(ease.regularization: f32, Walk::Log(10.0, 10_000.0)),
    number!(ease.dropout: f32, Walk::Linear(0.0, 0.6)),
    number!(ease.user_exponent: f32, Walk::Linear(0.0, 1.0)),
    number!(ease.target_exponent: f32, Walk::Linear(0.3, 1.0)),
];

const BPR: &[Dimension] = &[
    count!(bpr.n_factors, Walk::Log(16.0, 128.0)),
    number!(bpr.regularization: f32, Walk::Log(1e-3, 0.1)),
    number!(bpr.learning_rate: f32, Walk::Log(0.02, 0.3)),
];

const LOGISTIC_MF: &[Dimension] = &[
    count!(logistic_mf.n_factors, Walk::Log(16.0, 128.0)),
    number!(logistic_mf.regularization: f32, Walk::Log(1.0, 100.0)),
    number!(logistic_mf.alpha: f32, Walk::Log(0.3, 10.0)),
];

const NMF: &[Dimension] = &[
    count!(nmf.n_factors, Walk::Log(8.0, 128.0)),
    number!(nmf.confidence_exponent: f32, Walk::Linear(0.0, 1.0)),
];

/// What is searched of a kind; nothing of popularity.
pub fn dimensions(kind: ModelKind) -> &'static [Dimension] {
    match kind {
        ModelKind::Popularity => &[],
        ModelKind::ItemKnn => ITEM_KNN,
        ModelKind::UserKnn => USER_KNN,
        ModelKind::Rp3beta => RP3BETA,
        ModelKind::Svd => SVD,
        ModelKind::Als => ALS,
        ModelKind::Ease => EASE,
        ModelKind::Bpr => BPR,
        ModelKind::LogisticMf => LOGISTIC_MF,
        ModelKind::Nmf => NMF,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_and_its_parameters_are_the_same_thing() {
        for &kind in ModelKind::ALL {
            let base = ModelParams::default();
            let middle: Vec<f64> = dimensions(kind)
                .iter()
                .map(|dimension| {
                    let (low, high) = dimension.walk.range();
                    low + 0.6 * (high - low)
                })
                .collect();
            let params = place(kind, &base, &middle);
            assert_eq!(place(kind, &base, &point(kind, &params)), params, "{}", kind.name());
        }
    }

    #[test]
    fn every_corner_of_every_space_is_allowed() {
        for &kind in ModelKind::ALL {
            let dimensions = dimensions(kind);
            for corner in 0..1_usize << dimensions.len() {
                let side = |(at, dimension): (usize, &Dimension)| {
                    let (low, high) = dimension.walk.range();
                    if corner >> at & 1 == 1 { high } else { low }
                };
                let corner: Vec<f64> = dimensions.iter().enumerate().map(side).collect();
                let params = place(kind, &ModelParams::default(), &corner);
                params.check().unwrap_or_else(|error| panic!("{}: {error}", kind.name()));
            }
        }
    }
}
