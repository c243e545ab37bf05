//! A normal distribution cut off at both ends.
//!
//! Source: Johnson, Kotz, Balakrishnan, *Continuous Univariate Distributions*, 2nd ed. 1994, section 13.10.1.

use statrs::function::erf::{erfc, erfc_inv};
use std::f64::consts::{PI, SQRT_2};

/// A normal distribution of which only what lies between two bounds is believed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Truncated {
    mean: f64,
    sd: f64,
    low: f64,
    high: f64,
}

/// Chance above `z`.
fn above(z: f64) -> f64 {
    0.5 * erfc(z / SQRT_2)
}

fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

impl Truncated {
    /// Of the normal distribution of this mean and deviation; the lower bound first.
    pub(super) fn new(mean: f64, sd: f64, [low, high]: [f64; 2]) -> Self {
        Self { mean, sd, low, high }
    }

    /// The bound that all mass lies at, if none is left between them as far as `f64` can tell.
    fn point(&self) -> Option<f64> {
        // Beyond eight deviations less than 1e-15 is left, and ratios of it are noise.
        let far = 8.0 * self.sd;
        if self.sd <= 0.0 || self.mean + far < self.low || self.mean - far > self.high {
            return Some(self.mean.clamp(self.low, self.high));
        }
        None
    }

    /// The mean.
    pub(super) fn mean(&self) -> f64 {
        if let Some(point) = self.point() {
            return point;
        }
        let (a, b) = ((self.low - self.mean) / self.sd, (self.high - self.mean) / self.sd);
        // Turned over where needed, so that chances are taken in the tail, where they are exact.
        let inside = if a > 0.0 { above(a) - above(b) } else { above(-b) - above(-a) };
        let mean = self.mean + self.sd * (density(a) - density(b)) / inside;
        mean.clamp(self.low, self.high)
    }

    /// The value with the chance `p` below it.
    pub(super) fn quantile(&self, p: f64) -> f64 {
        if let Some(point) = self.point() {
            return point;
        }
        let (a, b) = ((self.low - self.mean) / self.sd, (self.high - self.mean) / self.sd);
        let z = if a > 0.0 {
            SQRT_2 * erfc_inv(2.0 * (above(a) * (1.0 - p) + above(b) * p))
        } else {
            -SQRT_2 * erfc_inv(2.0 * (above(-a) * (1.0 - p) + above(-b) * p))
        };
        (self.mean + self.sd * z).clamp(self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and chance below `x` by the midpoint rule with 200,000 steps of 4e-5: the mean is exact to 1e-9,
    /// the chance to the density times a step.
    fn integrate(cut: &Truncated, x: f64) -> (f64, f64) {
        let n = 200_000;
        let width = (cut.high - cut.low) / f64::from(n);
        let (mut mass, mut first, mut below) = (0.0, 0.0, 0.0);
        for step in 0..n {
            let at = cut.low + (f64::from(step) + 0.5) * width;
            let density = density((at - cut.mean) / cut.sd);
            mass += density;
            first += density * at;
            below += if at < x { density } else { 0.0 };
        }
        (first / mass, below / mass)
    }

    #[test]
    fn mean_and_quantiles_are_those_of_the_integral() {
        for (mean, sd) in [(-2.5, 0.6), (0.5, 0.9), (-8.5, 0.4), (1.5, 0.4), (-0.2, 5.0)] {
            let cut = Truncated::new(mean, sd, [-8.0, -0.2]);
            assert!((cut.mean() - integrate(&cut, 0.0).0).abs() < 1e-6, "{mean} {sd}");
            for p in [0.05, 0.5, 0.95] {
                let below = integrate(&cut, cut.quantile(p)).1;
                assert!((below - p).abs() < 1e-3, "{mean} {sd}: {p} is {below}");
            }
        }
    }

    #[test]
    fn what_lies_far_outside_is_at_the_bound() {
        let cut = Truncated::new(50.0, 0.5, [-8.0, -0.2]);
        assert_eq!((cut.mean(), cut.quantile(0.3)), (-0.2, -0.2));
        assert!((Truncated::new(-3.0, 0.0, [-8.0, -0.2]).mean() + 3.0).abs() < f64::EPSILON);
    }
}
