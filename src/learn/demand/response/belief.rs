//! What is believed about the demand for one item, complete in itself: what a price is chosen by, and what is kept with it.

use super::{
    evidence::Evidence,
    item::ETA_MAX,
    posterior::{Belief, Draw, Elasticity},
    symmetric::{Symmetric3, Triple},
    truncated::Truncated,
};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// Tries of a draw before it is brought to the bounds by force.
const TRIES_MAX: usize = 100;

/// The demand for one item in one period at full exposure, without a promotion unless one was
/// [added](DemandBelief::promoted).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DemandBelief {
    /// Means of level, elasticity and cross elasticity, before bounds. The level is the logarithm of units at the
    /// reference prices, the expected effect of the period included.
    pub coefficients: Triple,
    /// Their covariance.
    pub covariance: Symmetric3,
    /// Bounds of elasticity and of cross elasticity.
    pub bounds: [[f64; 2]; 2],
    /// The own price at which the level holds.
    pub reference_price: f64,
    /// The competitors' price at which it holds; `None` if none was known.
    pub reference_competitor: Option<f64>,
    /// `phi`: part of the variance of sales over their mean; at least 1.
    pub overdispersion: f64,
    /// `1/k`: part of the variance of sales over the square of their mean.
    pub overdispersion_squared: f64,
    /// What it rests on; `None` if the item has no sales of its own and all of it is its category's. The level is
    /// then no more than a guess.
    pub evidence: Option<Evidence>,
}

impl DemandBelief {
    /// The demand while the item is promoted; `effect` is what that adds to the logarithm of units.
    #[must_use]
    pub fn promoted(mut self, effect: Belief) -> Self {
        self.coefficients[0] += effect.mean;
        self.covariance.0[0] += effect.variance;
        self
    }

    /// The elasticity to the own price.
    pub fn elasticity(&self) -> Elasticity {
        self.bounded(1)
    }

    /// The elasticity to competitors' prices.
    pub fn cross_elasticity(&self) -> Elasticity {
        self.bounded(2)
    }

    fn bounded(&self, k: usize) -> Elasticity {
        let sd = self.covariance.at(k, k).max(0.0).sqrt();
        let truncated = Truncated::new(self.coefficients[k], sd, self.bounds[k - 1]);
        let (q05, q95) = (truncated.quantile(0.05), truncated.quantile(0.95));
        Elasticity { mean: truncated.mean(), q05, q95 }
    }

    /// The means within their bounds, as if they were a draw.
    pub fn centre(&self) -> Draw {
        let (own, cross) = (self.elasticity(), self.cross_elasticity());
        Draw([self.coefficients[0], own.mean, cross.mean])
    }

    /// Units expected if a draw were the truth; `competitor` `None` = as usual.
    pub fn units(&self, draw: Draw, price: f64, competitor: Option<f64>) -> f64 {
        let relative = |price: f64, reference: f64| {
            let log = (price / reference).ln();
            if log.is_nan() { 0.0 } else { log.clamp(-ETA_MAX, ETA_MAX) }
        };
        let competitor = competitor.zip(self.reference_competitor);
        let cross = competitor.map_or(0.0, |(price, reference)| relative(price, reference));
        let [level, own, gamma] = draw.0;
        let eta = level + own * relative(price, self.reference_price) + gamma * cross;
        eta.clamp(-ETA_MAX, ETA_MAX).exp()
    }

    /// The variance of sales of this mean.
    pub fn variance(&self, mean: f64) -> f64 {
        mean * (self.overdispersion + self.overdispersion_squared * mean)
    }

    /// Samples of the posterior within the bounds. The same seed and stream give the same draws.
    pub fn draws(&self, n: usize, seed: u64, stream: u64) -> Vec<Draw> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let root = self.covariance.cholesky();
        let mut sample = || {
            let z: Triple = std::array::from_fn(|_| StandardNormal.sample(&mut rng));
            let mut draw = self.coefficients;
            for (row, x) in draw.iter_mut().enumerate() {
                *x += (0..=row).map(|column| root.at(row, column) * z[column]).sum::<f64>();
            }
            draw
        };
        let inside = |draw: &Triple| {
            let bounded = draw[1..].iter().zip(self.bounds);
            bounded.into_iter().all(|(x, [low, high])| low <= *x && *x <= high)
        };
        let mut draws = Vec::with_capacity(n);
        for _ in 0..n {
            let mut draw = sample();
            for _ in 1..TRIES_MAX {
                if inside(&draw) {
                    break;
                }
                draw = sample();
            }
            for (x, [low, high]) in draw[1..].iter_mut().zip(self.bounds) {
                *x = x.clamp(low, high);
            }
            draws.push(Draw(draw));
        }
        draws
    }
}
