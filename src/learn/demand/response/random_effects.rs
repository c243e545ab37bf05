//! Many estimates of the same kind with known errors: how far they truly differ, and what each should be
//! believed to be.
//!
//! Source: `DerSimonian` and Laird, "Meta-analysis in clinical trials", Controlled Clinical Trials 1986: the
//! between-study variance by moments of Cochran's `Q`. `I²` is that of Higgins and Thompson, "Quantifying
//! heterogeneity in a meta-analysis", Statistics in Medicine 2002.

use super::posterior::Belief;

/// What estimates have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomEffects {
    /// Mean weighted by precision, as if all estimated the same.
    pub fixed_mean: f64,
    /// Mean over what is estimated.
    pub mean: Belief,
    /// Cochran's `Q`: squared distances from the fixed mean in units of the errors.
    pub q: f64,
    /// Variance of what is estimated, at least 0.
    pub tau_squared: f64,
    /// Share of the variance of the estimates that is not error.
    pub i_squared: f64,
    /// Each estimate drawn towards the mean as far as its error is large.
    pub shrunk: Vec<f64>,
}

/// Of estimates with their squared errors; those that are not finite, or without error, are left out of the
/// means and stay as they are. `None` if fewer than two are left.
pub fn random_effects(estimates: &[Belief]) -> Option<RandomEffects> {
    let usable = |estimate: &Belief| {
        estimate.mean.is_finite() && estimate.variance.is_finite() && estimate.variance > 0.0
    };
    let kept: Vec<&Belief> = estimates.iter().filter(|estimate| usable(estimate)).collect();
    if kept.len() < 2 {
        return None;
    }
    let mean_at = |tau_squared: f64| {
        let weight = |estimate: &Belief| 1.0 / (estimate.variance + tau_squared);
        let total: f64 = kept.iter().map(|estimate| weight(estimate)).sum();
        let sum: f64 = kept.iter().map(|estimate| weight(estimate) * estimate.mean).sum();
        Belief { mean: sum / total, variance: 1.0 / total }
    };
    let fixed = mean_at(0.0);
    let q: f64 =
        kept.iter().map(|estimate| (estimate.mean - fixed.mean).powi(2) / estimate.variance).sum();
    let degrees = (kept.len() - 1) as f64;
    let squares: f64 = kept.iter().map(|estimate| estimate.variance.powi(-2)).sum();
    let scale = 1.0 / fixed.variance - squares * fixed.variance;
    let tau_squared = if scale > 0.0 { ((q - degrees) / scale).max(0.0) } else { 0.0 };
    let mean = mean_at(tau_squared);
    let shrink = |estimate: &Belief| {
        if !usable(estimate) {
            return estimate.mean;
        }
        let share = tau_squared / (tau_squared + estimate.variance);
        mean.mean + share * (estimate.mean - mean.mean)
    };
    Some(RandomEffects {
        fixed_mean: fixed.mean,
        mean,
        q,
        tau_squared,
        i_squared: if q > 0.0 { ((q - degrees) / q).max(0.0) } else { 0.0 },
        shrunk: estimates.iter().map(shrink).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beliefs(pairs: &[(f64, f64)]) -> Vec<Belief> {
        pairs.iter().map(|&(mean, variance)| Belief { mean, variance }).collect()
    }

    #[test]
    fn the_moments_are_those_computed_by_hand() {
        let found = random_effects(&beliefs(&[(0.0, 1.0), (0.0, 1.0), (3.0, 0.5)])).unwrap();
        // Weights 1, 1, 2: fixed mean 6/4; Q = 2.25 + 2.25 + 2·2.25 = 9; C = 4 - 6/4 = 2.5; tau² = (9 - 2)/2.5.
        assert!((found.fixed_mean - 1.5).abs() < 1e-12 && (found.q - 9.0).abs() < 1e-12);
        assert!((found.tau_squared - 2.8).abs() < 1e-12);
        assert!((found.i_squared - 7.0 / 9.0).abs() < 1e-12);
        // Weights 1/3.8 twice and 1/3.3.
        let (a, b) = (1.0 / 3.8, 1.0 / 3.3);
        assert!((found.mean.mean - 3.0 * b / (2.0 * a + b)).abs() < 1e-12);
        assert!((found.mean.variance - 1.0 / (2.0 * a + b)).abs() < 1e-12);
        let expected = found.mean.mean * (1.0 - 2.8 / 3.8);
        assert!((found.shrunk[0] - expected).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_weighed_is_left_out() {
        assert_eq!(random_effects(&beliefs(&[(1.0, 1.0), (f64::NAN, 1.0), (2.0, 0.0)])), None);
        let equal =
            random_effects(&beliefs(&[(2.0, 1.0), (2.0, 3.0), (7.0, f64::INFINITY)])).unwrap();
        assert_eq!((equal.tau_squared, equal.i_squared, equal.shrunk[2]), (0.0, 0.0, 7.0));
        assert!((equal.mean.mean - 2.0).abs() < 1e-12);
    }
}
