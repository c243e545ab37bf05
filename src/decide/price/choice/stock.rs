//! What stock does to a price: each unit has a shadow price beside its cost.
//!
//! Over a horizon of `T` weeks with `S` units and Poisson demand of mean `θ = T·u(p)`, the expected sales are
//! `g(θ) = E min(S, Poisson(θ))` and `g'(θ) = P(Poisson(θ) < S)`. Selling at `p` brings `g·(m(p) - v)` beyond the value
//! `v` of the units left over: their cost if they keep, their salvage if they do not. At the best price
//! `d/dp [g·(m - v)] = 0`, and that is the condition of the plain problem `u·(m - x)` with
//!
//! ```text
//! x = m(p) - (m(p) - v)·θ·g'(θ)/g(θ)
//! ```
//!
//! which lies between `v` (stock is ample) and `m(p)` (the last unit is certain to sell). The shadow price is `x - cost`:
//! markdown, scarcity and clearance in one number. The derivation is ours; the form, a cost of opportunity added to
//! marginal cost, is that of Gallego and van Ryzin, "Optimal dynamic pricing of inventories with stochastic demand over
//! finite horizons", Management Science 1994.

use super::{case::Stock, objective::Margin, sample::Sample};
use statrs::function::gamma::checked_gamma_ur;

/// Shortest horizon, in weeks: a day.
const WEEKS_MIN: f64 = 1.0 / 7.0;

/// Longest horizon, in weeks: beyond, a shop has no plan.
const WEEKS_MAX: f64 = 520.0;

/// Deviations of demand beyond which stock is certain to suffice, or to run out.
const FAR: f64 = 9.0;

/// Means up to which counts are reckoned one by one; beyond, demand is as good as its mean.
const THETA_MAX: f64 = 1e6;

/// Prices tried over the trusted range before the best is closed in on.
const N_COARSE: i32 = 24;

/// Steps of golden section search: each leaves 0.618 of an interval, so 20 leave 7e-5 of it.
const N_GOLDEN: usize = 20;

/// What stock and demand come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sales {
    /// Expected units sold.
    pub(super) expected: f64,
    /// Chance that one more customer still finds a unit.
    pub(super) chance_left: f64,
}

/// Sales of `units` on hand when demand is Poisson of this mean.
pub(super) fn sales(units: u64, mean: f64) -> Sales {
    let stock = units as f64;
    if units == 0 || mean.is_nan() || mean <= 0.0 {
        return Sales { expected: 0.0, chance_left: f64::from(u8::from(units > 0)) };
    }
    let far = FAR * mean.sqrt() + FAR;
    if stock > mean + far || mean > THETA_MAX && stock > mean {
        return Sales { expected: mean, chance_left: 1.0 };
    }
    if stock < mean - far || mean > THETA_MAX {
        return Sales { expected: stock, chance_left: 0.0 };
    }
    // P(Poisson(mean) <= k) is the upper regularised gamma function at k + 1.
    let at_most = |k: u64| {
        checked_gamma_ur(k as f64 + 1.0, mean).map_or(0.0, |chance| chance.clamp(0.0, 1.0))
    };
    let chance_left = at_most(units - 1);
    let below = if units >= 2 { at_most(units - 2) } else { 0.0 };
    Sales { expected: mean * below + stock * (1.0 - chance_left), chance_left }
}

/// A stock and the time that it is for.
#[derive(Clone, Copy, Debug)]
struct Horizon {
    units: u64,
    weeks: f64,
    /// What the goal counts for a unit left over.
    left_over: f64,
}

/// What the goal counts for a unit, its shadow price included, in place of `margin.offset`.
///
/// `salvage`: what the goal counts for what a unit left over brings.
pub(super) fn opportunity(
    stock: &Stock,
    sample: &Sample,
    margin: Margin,
    salvage: f64,
    trusted: [f64; 2],
) -> f64 {
    let cost = margin.offset;
    if stock.units == 0 || margin.is_units() {
        return cost;
    }
    let weeks = |weeks: Option<f64>| {
        weeks.filter(|weeks| !weeks.is_nan()).map(|weeks| weeks.clamp(WEEKS_MIN, WEEKS_MAX))
    };
    let (delivery, end) = (weeks(stock.weeks_to_delivery), weeks(stock.weeks_to_end));
    let over = |weeks: f64, left_over: f64| {
        let horizon = Horizon { units: stock.units, weeks, left_over };
        worth_of_unit(&horizon, sample, margin, trusted)
    };
    let delivery = delivery.filter(|&delivery| end.is_none_or(|end| delivery < end));
    // Units that can be had again before the end are worth their cost at most.
    let scarce = delivery.map_or(cost, |weeks| over(weeks, cost).max(cost));
    let at_end = end.map_or(cost, |weeks| over(weeks, salvage));
    if delivery.is_some() { scarce + (at_end - cost).min(0.0) } else { at_end }
}

/// The `x` of the module's text.
fn worth_of_unit(horizon: &Horizon, sample: &Sample, margin: Margin, [low, high]: [f64; 2]) -> f64 {
    let left_over = horizon.left_over;
    let most = horizon.weeks * sample.units(low);
    if horizon.units as f64 > most + FAR * most.sqrt() + FAR {
        return left_over;
    }
    let gain = |price: f64| {
        let mean = horizon.weeks * sample.units(price);
        let money = margin.slope * price;
        (money - left_over) * sales(horizon.units, mean).expected
    };
    let price = highest(gain, low, high);
    let mean = horizon.weeks * sample.units(price);
    let sold = sales(horizon.units, mean);
    let money = margin.slope * price;
    let share = if sold.expected > 0.0 { mean * sold.chance_left / sold.expected } else { 1.0 };
    // A price at which even the first unit loses is no measure of the last one's worth.
    if money <= left_over { left_over } else { money - (money - left_over) * share.clamp(0.0, 1.0) }
}

/// Where a function of one hump is highest: a coarse look by ratio, then golden section search.
pub(super) fn highest(of: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    let at = |step: i32| low * (high / low).powf(f64::from(step) / f64::from(N_COARSE));
    let mut best = (0, f64::NEG_INFINITY);
    for step in 0..=N_COARSE {
        let value = of(at(step));
        if value > best.1 {
            best = (step, value);
        }
    }
    let (mut low, mut high) = (at((best.0 - 1).max(0)), at((best.0 + 1).min(N_COARSE)));
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let mut inner = [high - golden * (high - low), low + golden * (high - low)];
    let mut values = inner.map(&of);
    for _ in 0..N_GOLDEN {
        if values[0] >= values[1] {
            high = inner[1];
            inner = [high - golden * (high - low), inner[0]];
            values = [of(inner[0]), values[0]];
        } else {
            low = inner[0];
            inner = [inner[1], low + golden * (high - low)];
            values = [values[1], of(inner[1])];
        }
    }
    let top = 0.5 * (low + high);
    // At an end of the range the hump lies outside, and the end itself is highest.
    if of(top) >= best.1 { top } else { at(best.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sales_are_those_of_all_counts_summed(units in 0_u64..120, mean in 0.0..150.0_f64) {
            let mut chance = (-mean).exp();
            let (mut expected, mut below) = (0.0, 0.0);
            for count in 0..units {
                expected += count as f64 * chance;
                below += chance;
                chance *= mean / (count + 1) as f64;
            }
            expected += units as f64 * (1.0 - below);
            let sold = sales(units, mean);
            // The gamma function is good to some 1e-12; what lies nine deviations out is left out.
            prop_assert!((sold.expected - expected).abs() < 1e-9 * (1.0 + expected), "{:?} {}", sold, expected);
            prop_assert!((sold.chance_left - below).abs() < 1e-9, "{:?} {}", sold, below);
        }
    }

    #[test]
    fn large_counts_are_as_good_as_their_mean() {
        assert_eq!(sales(10, f64::INFINITY), Sales { expected: 10.0, chance_left: 0.0 });
        assert_eq!(sales(u64::MAX, 1e9), Sales { expected: 1e9, chance_left: 1.0 });
        assert_eq!(sales(10, f64::NAN), Sales { expected: 0.0, chance_left: 1.0 });
    }

    #[test]
    fn the_highest_place_of_a_hump_is_found_and_so_is_an_end() {
        assert!((highest(|x| -(x - 3.0).powi(2), 1.0, 9.0) - 3.0).abs() < 1e-3);
        assert!((highest(|x| x, 1.0, 9.0) - 9.0).abs() < 1e-12);
        assert!((highest(|x| -x, 1.0, 9.0) - 1.0).abs() < 1e-12);
    }
}
