//! One item, given its category: a Newton step on its coefficients, and how well they are known.
//!
//! The score of a count with mean `mu = exp(eta)` and variance `phi·mu + alpha·mu²` is
//! `(y - mu) / (phi + alpha·mu)` by unit of `eta`, the information `mu / (phi + alpha·mu)` (quasi-likelihood:
//! `McCullagh` and Nelder, *Generalized Linear Models*, 2nd ed. 1989, chapter 9). `alpha = 0` is Poisson with
//! overdispersion, `phi = 1` is negative binomial.

use super::{
    panel::{ItemRows, Row},
    state::{Category, Population},
    symmetric::{Symmetric3, Triple},
};

/// Bounds of the logarithm of a mean: beyond e^30 = 1e13 units there is no shop, and e^-30 is none.
pub(super) const ETA_MAX: f64 = 30.0;

/// Longest step of a coefficient: Newton's overshoots from afar, where the mean is far below the counts.
const STEP_MAX: f64 = 1.5;

/// What a row says at the present coefficients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fitted {
    /// Expected units.
    pub(super) mean: f64,
    /// Derivative of the quasi-likelihood by `eta`.
    pub(super) score: f64,
    /// Expected second derivative, negative.
    pub(super) weight: f64,
    /// `1 / (phi + alpha·mean)`.
    pub(super) precision: f64,
}

impl Category {
    /// The expectation of a row, its exposure and promotion included.
    #[inline]
    pub(super) fn fitted(&self, row: &Row, coefficients: Triple) -> Fitted {
        let [level, own, cross] = coefficients;
        let eta = level
            + own * row.log_price
            + cross * row.log_competitor
            + self.promotion * row.promotion
            + self.effects[row.period]
            + row.log_exposure;
        let mean = eta.clamp(-ETA_MAX, ETA_MAX).exp();
        let precision = 1.0 / (self.phi + self.alpha * mean);
        Fitted { mean, score: (row.units - mean) * precision, weight: mean * precision, precision }
    }
}

/// One item after a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) coefficients: Triple,
    /// Covariance at the coefficients before the step, the means of the category taken for known.
    pub(super) covariance: Symmetric3,
}

/// One Newton step from `coefficients`.
///
/// The second derivative of the quasi-likelihood is the information times `(phi + alpha·y) / (phi + alpha·mu)`. Below a
/// count the information alone would make a step too long, and two steps may go to and fro for ever; above it the second
/// derivative would. The larger of the two does neither.
///
/// In the covariance the category's effect of a period is itself uncertain: what the item says about it and its price
/// together counts only as far as the rest of the category, or the prior, tells the effect apart. With `w` the
/// item's information and `p` that of the rest, `w·p / (w + p)` is left, the Schur complement of the effect.
pub(super) fn step(
    rows: ItemRows<'_>,
    coefficients: Triple,
    category: &Category,
    population: &Population,
) -> Step {
    let mut gradient = [0.0; 3];
    let mut curvature = Symmetric3::default();
    let mut known = Symmetric3::default();
    for row in rows.iter() {
        let z = [1.0, row.log_price, row.log_competitor];
        let fitted = category.fitted(&row, coefficients);
        gradient.iter_mut().zip(z).for_each(|(sum, z)| *sum += fitted.score * z);
        let beyond = (category.phi + category.alpha * row.units) * fitted.precision;
        curvature.add_outer(fitted.weight * beyond.max(1.0), z);
        let rest = category.rest_of_period(row.period, fitted.weight);
        known.add_outer(fitted.weight * rest, z);
    }
    let precision = population.variance.map(|variance| 1.0 / variance);
    for k in 0..3 {
        gradient[k] -= (coefficients[k] - population.mean[k]) * precision[k];
    }
    curvature.add_diagonal(precision);
    known.add_diagonal(precision);
    let step = curvature.solve(gradient);
    let longest = step.iter().fold(STEP_MAX, |longest, step| longest.max(step.abs()));
    let mut moved = coefficients;
    for (coefficient, step) in moved.iter_mut().zip(step) {
        *coefficient += step * (STEP_MAX / longest);
    }
    Step { coefficients: moved, covariance: known.inverse() }
}
