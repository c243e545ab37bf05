//! Several models as one: a weighted sum of their standardised scores.
//!
//! Scores of different models lie on different scales, so each model's scores for a shopper are first
//! brought to mean 0 and deviation 1 over all items (z-score; Fox and Shaw, "Combination of multiple
//! searches", TREC-2 1994, for the sum; Wu, Crestani, Bi, "Evaluating score normalization methods in data
//! fusion", AIRS 2006, for this way to normalise). The weights are learnt by
//! [`crate::learn::evaluation::learn_blend`].

use super::{FittedModel, ModelKind, Query, Recommender};
use serde::{Deserialize, Serialize};

/// Which models count, and how much.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Blend {
    /// Each kind at most once; weights are finite and above 0.
    pub weights: Vec<(ModelKind, f32)>,
}

impl Blend {
    /// One model alone.
    pub fn single(kind: ModelKind) -> Self {
        Self { weights: vec![(kind, 1.0)] }
    }

    /// Whether a model counts.
    pub fn has(&self, kind: ModelKind) -> bool {
        self.weights.iter().any(|part| part.0 == kind)
    }

    /// Overwrites `scores (n_items)` with the weighted sum; `scratch` has the same length and is
    /// overwritten.
    ///
    /// A model that is not among `models`, or has nothing to say, is left out. Returns `false`, with
    /// `scores` untouched, if that is all of them.
    pub fn score_items(
        &self,
        models: &[FittedModel],
        query: Query<'_>,
        scores: &mut [f32],
        scratch: &mut [f32],
    ) -> bool {
        debug_assert_eq!(scores.len(), scratch.len());
        let mut spoken = false;
        for &(kind, weight) in &self.weights {
            let model = models.iter().find(|model| model.kind() == kind);
            if !model.is_some_and(|model| model.score_items(query, scratch)) {
                continue;
            }
            if !spoken {
                scores.fill(0.0);
                spoken = true;
            }
            let scale = Scale::of(scratch);
            for (sum, &score) in scores.iter_mut().zip(&*scratch) {
                *sum += weight * scale.apply(score);
            }
        }
        spoken
    }
}

/// The models of a blend, asked as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Blended {
    /// The models.
    pub models: Vec<FittedModel>,
    /// How they are joined.
    pub blend: Blend,
}

impl Recommender for Blended {
    fn n_items(&self) -> usize {
        self.models.first().map_or(0, Recommender::n_items)
    }

    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        let mut scratch = vec![0.0; scores.len()];
        self.blend.score_items(&self.models, query, scores, &mut scratch)
    }

    fn n_bytes(&self) -> usize {
        self.models.iter().map(Recommender::n_bytes).sum()
    }
}

/// How one model's scores for one shopper are brought to mean 0 and deviation 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    mean: f32,
    factor: f32,
}

impl Scale {
    /// Measures `scores`, in `f64`. Scores that are all the same say nothing and become 0.
    pub(crate) fn of(scores: &[f32]) -> Self {
        let n = scores.len().max(1) as f64;
        let mean = scores.iter().copied().map(f64::from).sum::<f64>() / n;
        let square = |score: &f32| (f64::from(*score) - mean).powi(2);
        let deviation = (scores.iter().map(square).sum::<f64>() / n).sqrt();
        // Less than the last digit of an f32 is rounding, not a preference.
        let constant = deviation <= mean.abs() * f64::from(f32::EPSILON);
        let factor = if constant { 0.0 } else { (1.0 / deviation) as f32 };
        Self { mean: mean as f32, factor: if factor.is_finite() { factor } else { 0.0 } }
    }

    /// The standard score.
    pub(crate) fn apply(self, score: f32) -> f32 {
        (score - self.mean) * self.factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_scores_have_mean_0_and_deviation_1() {
        let scale = Scale::of(&[1.0, 2.0, 3.0]);
        let expected = 1.5_f32.sqrt();
        assert!((scale.apply(3.0) - expected).abs() < 1e-6);
        assert!((scale.apply(1.0) + expected).abs() < 1e-6);
        let constant = Scale::of(&[0.3; 7]);
        assert!(constant.apply(0.3).abs() < f32::EPSILON);
    }
}
