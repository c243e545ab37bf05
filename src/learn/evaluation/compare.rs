//! Whether a difference between two models is more than chance.
//!
//! Two models that were asked about the same shoppers are compared shopper by shopper: what makes a
//! shopper easy or hard for both cancels out, so that much smaller differences can be told from chance
//! than by comparing two means with their standard errors.
//!
//! Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993: standard error of a mean
//! (chapter 5, with `n − 1`), percentile interval (chapter 13), test of a mean (section 16.4).

use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use rayon::prelude::*;

/// A mean and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The mean; 0 of nothing.
    pub mean: f64,
    /// Sample deviation over the root of `n`; 0 for fewer than two values.
    pub standard_error: f64,
    /// Number of values.
    pub n: usize,
}

impl Estimate {
    /// Of independent values, summed in their order.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n.max(1) as f64;
        let square = |value: &f64| (value - mean).powi(2);
        let variance = values.iter().map(square).sum::<f64>() / n.saturating_sub(1).max(1) as f64;
        Self { mean, standard_error: (variance / n.max(1) as f64).sqrt(), n }
    }
}

/// The mean of `a − b` over pairs; its standard error is that of the paired t test.
///
/// # Panics
///
/// If there are not as many `a` as `b`.
pub fn paired_difference(a: &[f64], b: &[f64]) -> Estimate {
    Estimate::of(&differences(a, b))
}

fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    assert_eq!(a.len(), b.len(), "a paired comparison needs pairs");
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// What resampling says about the mean of `a − b`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedBootstrap {
    /// The mean itself.
    pub difference: f64,
    /// Deviation of the resampled means.
    pub standard_error: f64,
    /// Below it lie 2.5 % of the resampled means.
    pub low: f64,
    /// Above it lie 2.5 % of the resampled means.
    pub high: f64,
    /// Achieved significance level, two-sided: the share of resampled means, had the true one been 0, at
    /// least as far from 0; never below one over the resamples plus 1.
    pub p_value: f64,
}

/// Draws the pairs `n_resamples` times with replacement; `None` without pairs or resamples.
///
/// Each resample has its own stream of random numbers, so that threads do not change the result.
///
/// # Panics
///
/// If there are not as many `a` as `b`.
pub fn paired_bootstrap(
    a: &[f64],
    b: &[f64],
    n_resamples: usize,
    seed: u64,
) -> Option<PairedBootstrap> {
    let differences = differences(a, b);
    let n = differences.len();
    if n == 0 || n_resamples == 0 {
        return None;
    }
    let resample = |stream: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64);
        (0..n).map(|_| differences[rng.random_range(0..n)]).sum::<f64>() / n as f64
    };
    let mut means: Vec<f64> = (0..n_resamples).into_par_iter().map(resample).collect();
    let difference = Estimate::of(&differences).mean;
    let spread = Estimate::of(&means).standard_error * (n_resamples as f64).sqrt();
    // Around 0 the resampled means would lie as they lie around the observed one.
    let as_far =
        means.iter().filter(|&&mean| (mean - difference).abs() >= difference.abs()).count();
    means.sort_unstable_by(f64::total_cmp);
    let tail = (n_resamples as f64 * 0.025).floor() as usize;
    Some(PairedBootstrap {
        difference,
        standard_error: spread,
        low: means[tail],
        high: means[n_resamples - 1 - tail],
        p_value: (as_far + 1) as f64 / (n_resamples + 1) as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paired_difference_by_hand() {
        // Differences 1, 1, 4: mean 2, variance 3.
        let found = paired_difference(&[2.0, 5.0, 9.0], &[1.0, 4.0, 5.0]);
        assert_eq!(found, Estimate { mean: 2.0, standard_error: 1.0, n: 3 });
        assert_eq!(Estimate::of(&[]), Estimate::default());
        assert_eq!(Estimate::of(&[7.0]), Estimate { mean: 7.0, standard_error: 0.0, n: 1 });
    }

    #[test]
    fn resampling_agrees_with_the_formula_and_finds_what_is_no_chance() {
        let n = 400;
        let noise = |at: usize| ((at * 7_919) % 101) as f64 / 101.0;
        let base: Vec<f64> = (0..n).map(noise).collect();
        let better: Vec<f64> =
            base.iter().enumerate().map(|(at, x)| x + 0.2 * noise(at + 13)).collect();
        let found = paired_bootstrap(&better, &base, 2_000, 1).unwrap();
        let exact = paired_difference(&better, &base);
        assert!((found.difference - exact.mean).abs() < 1e-12);
        // The deviation of 2,000 resamples is known to 1/√4000, 1.6 %; four times that.
        assert!((found.standard_error / exact.standard_error - 1.0).abs() < 0.065);
        // The interval of a mean of hundreds is that of the normal distribution, ±1.96.
        let width = (found.high - found.low) / exact.standard_error;
        assert!((width - 3.92).abs() < 0.3, "{width}");
        assert!(found.p_value < 0.001);
        let shuffled: Vec<f64> = (0..n).map(|at| base[(at * 3 + 1) % n]).collect();
        assert!(paired_bootstrap(&shuffled, &base, 2_000, 1).unwrap().p_value > 0.3);
    }

    #[test]
    fn threads_do_not_change_a_bootstrap_and_no_difference_is_no_find() {
        let (a, b) = ([1.0, 2.0, 3.0, 7.0], [0.5, 2.5, 1.0, 1.0]);
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        let on = |n| pool(n).install(|| paired_bootstrap(&a, &b, 100, 3));
        assert_eq!(on(1), on(3));
        let same = paired_bootstrap(&a, &a, 100, 3).unwrap();
        assert!((same.p_value - 1.0).abs() < 1e-12);
        assert_eq!(paired_bootstrap(&[], &[], 100, 3), None);
        assert_eq!(paired_bootstrap(&a, &b, 0, 3), None);
    }
}
