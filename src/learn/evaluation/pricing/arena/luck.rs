//! Sales drawn from what is expected: a shopper's whims, the same for every policy.
//!
//! Every item has in every week one number between 0 and 1, and sells the least count whose probability of not
//! being exceeded is above it. So two policies that ask the same price sell the same, and one that expects more
//! never sells less: policies are compared under the same luck.

use super::shop::N_STREAMS;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

/// Beyond this mean, steps of the sum below would begin at what is no number; a Poisson count is then as good as
/// normal.
const MEAN_MAX: f64 = 500.0;

/// Random numbers that depend on the seed and the position alone.
pub(super) fn stream(seed: u64, position: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(position);
    rng
}

/// The luck of items in one week, by item: between 0 and 1.
pub(super) fn of_week(seed: u64, week: usize, n_items: usize) -> Vec<f64> {
    let mut rng = stream(seed, N_STREAMS + week as u64);
    (0..n_items).map(|_| rng.random_range(0.0..1.0)).collect()
}

/// The Poisson count of this mean at this luck.
pub(super) fn units(mean: f64, luck: f64) -> f64 {
    if mean > MEAN_MAX {
        let z = std::f64::consts::SQRT_2 * statrs::function::erf::erf_inv(2.0 * luck - 1.0);
        return (mean + mean.sqrt() * z.clamp(-9.0, 9.0)).round().max(0.0);
    }
    let mut chance = (-mean).exp();
    let (mut below, mut units) = (chance, 0.0);
    // A sum that rounding keeps under 1 would otherwise never pass a luck beside 1.
    while below <= luck && units < mean + 40.0 * (mean.sqrt() + 1.0) {
        units += 1.0;
        chance *= mean / units;
        below += chance;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_mean_and_the_variance_of_poisson() {
        for mean in [0.3, 4.0, 80.0, 900.0] {
            let n = 20_000;
            let counts: Vec<f64> =
                (0..n).map(|at| units(mean, (f64::from(at) + 0.5) / f64::from(n))).collect();
            let seen = counts.iter().sum::<f64>() / f64::from(n);
            let variance = counts.iter().map(|x| (x - seen).powi(2)).sum::<f64>() / f64::from(n);
            assert!((seen / mean - 1.0).abs() < 2e-3, "{mean}: {seen}");
            assert!((variance / mean - 1.0).abs() < 1e-2, "{mean}: {variance}");
        }
    }

    #[test]
    fn more_is_expected_no_less_is_sold_and_luck_is_bounded() {
        for luck in [0.0, 0.2, 0.999, 1.0 - f64::EPSILON / 2.0] {
            let counts = [0.0, 0.5, 2.0, 30.0, 499.0, 501.0].map(|mean| units(mean, luck));
            assert!(counts.is_sorted(), "{luck}: {counts:?}");
            assert!(counts.iter().all(|units| units.is_finite()));
        }
        assert_eq!(of_week(7, 3, 5), of_week(7, 3, 5));
        assert_ne!(of_week(7, 3, 5), of_week(7, 4, 5));
    }
}
