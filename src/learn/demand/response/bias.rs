//! Whether the elasticity that history shows is the one that experiments show.
//!
//! Prices are not set at random: who cuts them in good weeks, or when a competitor is sold out, reads the
//! reason of the cut for its effect. Where prices were drawn at random that cannot be. So the elasticity is
//! estimated twice for the same items, from the periods with random prices and from the others, and where the
//! two differ by more than two standard errors the experiment wins.
//!
//! Both are moment estimates with an intercept for every item, all else as fitted:
//! `sum of z·(y - mu)/(phi + alpha·mu) = 0` for the instrument `z`. From history `z` is the logarithm of
//! price itself, quasi-likelihood. From experiments it is the logarithm of price less that expected of the
//! lottery: residual on residual (Robinson, "Root-n-consistent semiparametric regression", Econometrica 1988)
//! for counts (Mullahy, "Instrumental-variable estimation of count data models", Review of Economics and
//! Statistics 1997). Departure: one elasticity for a whole category, because few items have enough random
//! periods of their own.

use super::{
    panel::{Panel, Row},
    posterior::{Belief, CategoryResponse, DemandResponse},
    symmetric::Triple,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Steps of the moment equation, which is solved to rounding in far fewer.
const N_STEPS: usize = 50;

/// Standard errors by which the two must differ before the experiment wins.
pub const ERRORS_APART: f64 = 2.0;

/// The same elasticity, estimated twice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bias {
    /// From the periods with prices as somebody set them.
    pub observational: Belief,
    /// From the periods with random prices.
    pub experimental: Belief,
}

impl Bias {
    /// Observational less experimental, with the variance of that.
    pub fn difference(&self) -> Belief {
        Belief {
            mean: self.observational.mean - self.experimental.mean,
            variance: self.observational.variance + self.experimental.variance,
        }
    }

    /// How far an estimate from all periods together lies from the experimental one: the difference, by the share that the
    /// observed periods have in it, each estimate weighed by its precision.
    pub fn excess(&self) -> Belief {
        let both = self.observational.variance + self.experimental.variance;
        let share = if both > 0.0 { self.experimental.variance / both } else { 0.0 };
        let Belief { mean, variance } = self.difference();
        Belief { mean: share * mean, variance: share * share * variance }
    }

    /// Whether they differ by more than two standard errors.
    pub fn experiment_wins(&self) -> bool {
        let difference = self.difference();
        difference.mean.abs() > ERRORS_APART * difference.standard_error()
    }
}

/// The bias of every category.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BiasMeter {
    /// By category, in the order of the panel; `None` where there are no experiments, or nothing beside them.
    pub categories: Vec<Option<Bias>>,
    /// Of the whole shop.
    pub shop: Option<Bias>,
}

/// Measures the bias, in parallel over categories on the pool it is called in.
pub fn bias_meter(panel: &Panel, response: &DemandResponse) -> BiasMeter {
    let mut items_of = vec![Vec::new(); panel.categories().len()];
    for item in 0..panel.n_items() {
        items_of[panel.category_position(item)].push(item);
    }
    let estimate = |items: &[usize], start: f64| -> Option<Bias> {
        let any = items.iter().any(|&item| panel.rows(item).iter().any(|row| row.is_randomised));
        let both = [false, true].map(|randomised| {
            if any { Moment { panel, response, randomised }.solve(items, start) } else { None }
        });
        Some(Bias { observational: both[0]?, experimental: both[1]? })
    };
    let categories = items_of.par_iter().zip(response.categories());
    let categories = categories.map(|(items, category)| estimate(items, category.elasticity.mean));
    let all: Vec<usize> = (0..panel.n_items()).collect();
    BiasMeter {
        categories: categories.collect(),
        shop: estimate(&all, response.shop_elasticity.mean),
    }
}

/// One of the two equations.
struct Moment<'a> {
    panel: &'a Panel,
    response: &'a DemandResponse,
    randomised: bool,
}

impl Moment<'_> {
    /// The common elasticity of `items`; `None` if their prices never moved in these periods, or nothing was sold.
    fn solve(&self, items: &[usize], start: f64) -> Option<Belief> {
        let units = |&item: &usize| self.rows(item).map(|row| row.units).sum::<f64>();
        let items: Vec<usize> = items.iter().copied().filter(|item| units(item) > 0.0).collect();
        let mut levels: Vec<f64> = items
            .iter()
            .map(|&item| self.response.item(item).map_or(0.0, |item| item.coefficients[0]))
            .collect();
        let mut elasticity = start;
        let mut variance = f64::INFINITY;
        for _ in 0..N_STEPS {
            let (mut score, mut slope, mut noise) = (0.0, 0.0, 0.0);
            for (&item, level) in items.iter().zip(&mut levels) {
                let sums = self.item(item, level, elasticity);
                score += sums[0];
                slope += sums[1];
                noise += sums[2];
            }
            if slope.abs() <= f64::EPSILON || noise <= f64::EPSILON {
                return None;
            }
            let step = (score / slope).clamp(-1.0, 1.0);
            elasticity += step;
            variance = noise / (slope * slope);
            if step.abs() < 1e-9 {
                break;
            }
        }
        (elasticity.is_finite() && variance.is_finite())
            .then_some(Belief { mean: elasticity, variance })
    }

    fn rows(&self, item: usize) -> impl Iterator<Item = Row> + Clone + '_ {
        self.panel.rows(item).iter().filter(|row| row.is_randomised == self.randomised)
    }

    /// Score, slope and noise of the elasticity after a few steps of the item's level, which is eliminated from them.
    fn item(&self, item: usize, level: &mut f64, elasticity: f64) -> Triple {
        let (Some(of_item), Some(category)) =
            (self.response.item(item), self.response.category_of(item))
        else {
            return [0.0; 3];
        };
        let rest = |row: &Row| {
            elasticity * row.log_price
                + of_item.coefficients[2] * row.log_competitor
                + known(category, row)
        };
        // Given the elasticity the level follows from the units, but for the weights; two rounds suffice near the end.
        for _ in 0..2 {
            let (mut sold, mut expected) = (0.0, 0.0);
            for row in self.rows(item) {
                let mean = (*level + rest(&row)).min(30.0).exp();
                let precision = 1.0 / category.variance(mean).max(f64::MIN_POSITIVE) * mean;
                sold += row.units * precision;
                expected += mean * precision;
            }
            if sold > 0.0 && expected > 0.0 {
                *level += (sold / expected).ln().clamp(-2.0, 2.0);
            }
        }
        let (mut total, mut instrument, mut price) = (0.0, 0.0, 0.0);
        let mut terms = Vec::new();
        for row in self.rows(item) {
            let mean = (*level + rest(&row)).clamp(-30.0, 30.0).exp();
            let precision = mean / category.variance(mean);
            let z = if self.randomised { row.price_shock } else { row.log_price };
            let weight = mean * precision;
            total += weight;
            instrument += weight * z;
            price += weight * row.log_price;
            terms.push((weight, z, row.log_price, (row.units - mean) * precision));
        }
        if total <= 0.0 {
            return [0.0; 3];
        }
        let (instrument, price) = (instrument / total, price / total);
        terms.iter().fold([0.0; 3], |[score, slope, noise], &(weight, z, x, residual)| {
            let (z, x) = (z - instrument, x - price);
            [score + z * residual, slope + weight * z * x, noise + weight * z * z]
        })
    }
}

/// What the category adds to the logarithm of the mean, with the exposure.
fn known(category: &CategoryResponse, row: &Row) -> f64 {
    category.promotion.mean * row.promotion + category.effect(Some(row.period)) + row.log_exposure
}

impl DemandResponse {
    /// The same response, without the bias of those categories in which the experiment wins.
    ///
    /// What history shows of every item of a category is taken to be off by the category's bias, and so is
    /// moved by it; its variance grows by that of the bias.
    #[must_use]
    pub fn without_bias(&self, meter: &BiasMeter) -> Self {
        let mut corrected = self.clone();
        let bias_of = |category: usize| {
            let bias = meter.categories.get(category).copied().flatten();
            bias.filter(Bias::experiment_wins).map(|bias| bias.difference())
        };
        for item in corrected.items.iter_mut().flatten() {
            if let Some(bias) = bias_of(item.category as usize) {
                item.coefficients[1] -= bias.mean;
                item.covariance.add_outer(bias.variance, [0.0, 1.0, 0.0]);
            }
        }
        for (at, category) in corrected.categories.iter_mut().enumerate() {
            if let Some(bias) = bias_of(at) {
                category.elasticity.mean -= bias.mean;
                category.elasticity.variance += bias.variance;
            }
        }
        corrected
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::{
        demand::response::{PanelBuilder, PanelRow, Randomised, ResponseParams, fit},
        recommenders::NEVER_STOP,
    };
    use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
    use rand_distr::{Distribution, Poisson, StandardNormal};

    /// 30 items of elasticity -2 over 60 weeks. Every item has good weeks of its own, and `follows` says how far
    /// its price falls in them; in every fourth week the price is moved at random by up to 10 %.
    fn panel(follows: f64, with_experiments: bool) -> Panel {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let mut builder = PanelBuilder::new(30, 60);
        for item in 0..30 {
            for period in 0..60 {
                let luck: f64 = StandardNormal.sample(&mut rng);
                let noise: f64 = rng.random_range(-0.05..0.05);
                let planned = noise - follows * luck;
                let is_random = with_experiments && period % 4 == 0;
                let shock = if is_random { rng.random_range(-0.1..0.1) } else { 0.0 };
                let mean = (3.0 - 2.0 * (planned + shock) + 0.3 * luck).exp();
                builder.push(&PanelRow {
                    is_decided: is_random,
                    item,
                    period,
                    units: Poisson::new(mean).unwrap().sample(&mut rng),
                    price: 10.0 * (planned + shock).exp(),
                    competitor: None,
                    promotion: 0.0,
                    exposure: 1.0,
                    randomised: is_random
                        .then_some(Randomised { expected_price: Some(10.0 * planned.exp()) }),
                });
            }
        }
        builder.build(&[Some(1); 30])
    }

    #[test]
    fn cuts_in_an_items_good_weeks_are_told_from_the_effect_of_the_cuts() {
        let panel = panel(0.05, true);
        let response = fit(&panel, &ResponseParams::default(), NEVER_STOP).unwrap();
        let meter = bias_meter(&panel, &response);
        let bias = meter.categories[0].unwrap();
        let off = (bias.experimental.mean + 2.0).abs() / bias.experimental.standard_error();
        assert!(off < 3.0, "the experiment is right: {bias:?}");
        assert!(bias.observational.mean < -4.0 && bias.experiment_wins(), "{bias:?}");
        // One category is the shop; the search starts elsewhere and ends within its tolerance.
        let shop = meter.shop.unwrap();
        assert!((shop.experimental.mean - bias.experimental.mean).abs() < 1e-6);
        assert!((shop.observational.mean - bias.observational.mean).abs() < 1e-6);
        let corrected = response.without_bias(&meter);
        let difference = bias.difference();
        for item in 0..30 {
            let (before, after) = (response.item(item).unwrap(), corrected.item(item).unwrap());
            let moved = after.coefficients[1] - before.coefficients[1];
            assert!((moved + difference.mean).abs() < 1e-12);
            let grown = after.covariance.at(1, 1) - before.covariance.at(1, 1);
            assert!((grown - difference.variance).abs() < 1e-12);
        }
    }

    #[test]
    fn where_prices_follow_nothing_both_agree_and_nothing_is_moved() {
        let panel = panel(0.0, true);
        let response = fit(&panel, &ResponseParams::default(), NEVER_STOP).unwrap();
        let meter = bias_meter(&panel, &response);
        let bias = meter.categories[0].unwrap();
        assert!(!bias.experiment_wins(), "{bias:?}");
        assert!((bias.observational.mean + 2.0).abs() < 3.5 * bias.observational.standard_error());
        assert_eq!(response.without_bias(&meter), response);
    }

    #[test]
    fn without_experiments_there_is_no_meter() {
        let panel = panel(0.0, false);
        let response = fit(&panel, &ResponseParams::default(), NEVER_STOP).unwrap();
        let meter = bias_meter(&panel, &response);
        assert_eq!((meter.categories, meter.shop), (vec![None], None));
    }

    #[test]
    fn the_experiment_wins_beyond_two_errors() {
        let bias = |mean| Bias {
            observational: Belief { mean, variance: 0.09 },
            experimental: Belief { mean: -2.0, variance: 0.16 },
        };
        assert!(!bias(-2.99).experiment_wins() && bias(-3.01).experiment_wins());
    }
}
