//! Elasticities from made-up sales of a few units a week, where the truth is known.
//!
//! The usual ways to take logarithms of counts that may be zero are measured beside counting: adding a
//! constant, and leaving the zeros out. (Silva and Tenreyro, "The log of gravity", Review of Economics and
//! Statistics 2006, measure the same for trade.)

use super::regress;
use crate::learn::{
    demand::response::{PanelBuilder, PanelRow, ResponseParams, fit},
    evaluation::Estimate,
    recommenders::{FitError, Stop},
};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, Poisson};

/// Weeks of every history.
pub const N_WEEKS: u32 = 104;
/// The elasticity that makes the sales.
pub const ELASTICITY: f64 = -3.0;
/// The logarithm of price is drawn evenly between this and its negative, anew every week.
const LOG_PRICE_MAX: f64 = 0.15;

/// Mean estimates of the elasticity over many histories, each with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowSellers {
    /// Units expected in a week at the middle price.
    pub units_per_week: f64,
    /// By a regression of `log(q + 1)`.
    pub log_plus_one: Estimate,
    /// By a regression of `log(q + 0.5)`.
    pub log_plus_half: Estimate,
    /// By a regression of `log q` on the weeks with sales.
    pub without_zeros: Estimate,
    /// By counting: every history alone, nothing pooled.
    pub counts: Estimate,
    /// Root mean squared error of counting.
    pub counts_rmse: f64,
    /// Root mean squared error of the pooled model as it is by default.
    pub pooled_rmse: f64,
}

/// Makes up `n_histories` of items that sell `units_per_week`, and estimates their elasticity in every way.
///
/// # Errors
///
/// If a fit is stopped, or there is nothing to fit.
pub fn slow_sellers(
    units_per_week: f64,
    n_histories: usize,
    seed: u64,
    stop: Stop<'_>,
) -> Result<SlowSellers, FitError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut builder = PanelBuilder::new(n_histories, N_WEEKS as usize);
    let mut by_logarithm: [Vec<f64>; 3] = std::array::from_fn(|_| Vec::with_capacity(n_histories));
    for item in 0..n_histories as u32 {
        let mut weeks = Vec::with_capacity(N_WEEKS as usize);
        for period in 0..N_WEEKS {
            let log_price = rng.random_range(-LOG_PRICE_MAX..LOG_PRICE_MAX);
            let mean = units_per_week * (ELASTICITY * log_price).exp();
            let units = Poisson::new(mean).map_or(0.0, |sales| sales.sample(&mut rng));
            weeks.push((log_price, units));
            builder.push(&PanelRow {
                item,
                period,
                units,
                price: log_price.exp(),
                competitor: None,
                promotion: 0.0,
                exposure: 1.0,
                randomised: None,
                is_decided: false,
            });
        }
        let sold: Vec<(f64, f64)> = weeks.iter().copied().filter(|week| week.1 > 0.0).collect();
        for (slopes, (weeks, constant)) in
            by_logarithm.iter_mut().zip([(&weeks, 1.0), (&weeks, 0.5), (&sold, 0.0)])
        {
            let line = regress(weeks, |week| [1.0, week.0], |week| (week.1 + constant).ln());
            slopes.extend(line.map(|line| line.coefficients[1]));
        }
    }
    let panel = builder.build(&vec![None; n_histories]);
    let estimates = |params: ResponseParams| -> Result<Vec<f64>, FitError> {
        let response = fit(&panel, &params, stop)?;
        let items = (0..n_histories).filter_map(|item| response.item(item));
        Ok(items.map(|item| item.coefficients[1]).collect())
    };
    let counts = estimates(ResponseParams::unpooled())?;
    let pooled = estimates(ResponseParams::default())?;
    let rmse = |estimates: &[f64]| {
        let errors: Vec<f64> = estimates.iter().map(|estimate| estimate - ELASTICITY).collect();
        super::root_mean_square(&errors)
    };
    let [log_plus_one, log_plus_half, without_zeros] =
        by_logarithm.map(|slopes| Estimate::of(&slopes));
    Ok(SlowSellers {
        units_per_week,
        log_plus_one,
        log_plus_half,
        without_zeros,
        counts_rmse: rmse(&counts),
        counts: Estimate::of(&counts),
        pooled_rmse: rmse(&pooled),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;

    #[test]
    fn counting_is_right_where_logarithms_halve_the_elasticity() {
        let few = slow_sellers(1.0, 500, 1, NEVER_STOP).unwrap();
        // 500 histories of deviation 1.15: a standard error of 0.05, of which this is three.
        assert!((few.counts.mean - ELASTICITY).abs() < 0.15, "{few:?}");
        assert!(few.log_plus_one.mean > -1.7 && few.without_zeros.mean > -1.7, "{few:?}");
        assert!(few.pooled_rmse < 0.25 * few.counts_rmse, "{few:?}");
    }
}
