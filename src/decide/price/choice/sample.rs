//! Demand as a set of draws, made ready to be asked for many prices.

use super::exponential;
use crate::learn::demand::response::{DemandBelief, Evidence};

/// Draws that every mean is taken over.
pub(super) const N_DRAWS: usize = 200;

/// Draws of one item's demand at the competitors' present price.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    log_reference: f64,
    /// By draw: logarithm of units at the reference price.
    levels: Vec<f64>,
    /// By draw: at most 0, whatever the bounds of the belief: nobody sells more by asking more.
    elasticities: Vec<f64>,
}

impl Sample {
    /// Draws from a sound belief; the same seed gives the same draws.
    pub(super) fn of(belief: &DemandBelief, competitor: Option<f64>, seed: u64) -> Self {
        let reference = belief.reference_price;
        let draws = belief.draws(N_DRAWS, seed, 0);
        let level = |draw| belief.units(draw, reference, competitor).ln();
        Self {
            log_reference: reference.ln(),
            levels: draws.iter().map(|&draw| level(draw)).collect(),
            elasticities: draws.iter().map(|draw| draw.elasticity().min(0.0)).collect(),
        }
    }

    /// Units in a week, the mean over the draws; falls in `price` and is convex in it.
    pub(super) fn units(&self, price: f64) -> f64 {
        self.units_and_elasticity(price).0
    }

    /// Units in a week, and the elasticity of that mean, at `price`.
    pub(super) fn units_and_elasticity(&self, price: f64) -> (f64, f64) {
        let x = price.ln() - self.log_reference;
        let [sum, slope] = exponential::sums(&self.levels, &self.elasticities, x);
        (sum / self.levels.len() as f64, slope / sum)
    }

    /// Units in a week by draw.
    pub(super) fn units_by_draw(&self, price: f64) -> impl Iterator<Item = f64> {
        let x = price.ln() - self.log_reference;
        let draws = self.levels.iter().zip(&self.elasticities);
        draws.map(move |(level, own)| exponential::exp(level + own * x))
    }

    /// Elasticities by draw.
    pub(super) fn elasticities(&self) -> &[f64] {
        &self.elasticities
    }
}

/// Whether every number of the belief can be reckoned with.
pub(super) fn is_sound(belief: &DemandBelief) -> bool {
    let variances = [0, 1, 2].map(|k| belief.covariance.at(k, k));
    let bounds = belief.bounds;
    let is_price = |price: f64| price.is_finite() && price > 0.0;
    let has_prices = |evidence: &Evidence| {
        is_price(evidence.price_min)
            && is_price(evidence.price_max)
            && evidence.price_min <= evidence.price_max
    };
    belief.coefficients.iter().chain(&belief.covariance.0).all(|x| x.is_finite())
        && variances.iter().all(|&variance| variance >= 0.0)
        && bounds.iter().flatten().all(|x| x.is_finite())
        && bounds.iter().all(|[low, high]| low <= high)
        && is_price(belief.reference_price)
        && belief.reference_competitor.is_none_or(is_price)
        && belief.evidence.as_ref().is_none_or(has_prices)
}
