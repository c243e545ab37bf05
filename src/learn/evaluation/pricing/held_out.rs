//! Which model of demand foresees the weeks it has not seen: ours, one without prices, or one elasticity for all.
//!
//! The last weeks are held out for all items alike. Each model is fitted to the rest, and gives for every item in
//! every held-out week, at the price that was then asked, the probability of what was sold: negative binomial, its
//! mean averaged over draws of what the model believes. The better model gives the higher mean logarithm (Good,
//! "Rational decisions", Journal of the Royal Statistical Society B 1952).
//!
//! A season is no matter of price, and none of the models foresees one. So the same is measured once more with the
//! level of each held-out week given, one number for all items: what the model would say if the season were known.
//!
//! Differences are between sums over an item's weeks, so that their standard errors allow for an item being foreseen
//! badly in all of its weeks.

use crate::learn::{
    demand::response::{
        CoefficientPrior, DemandResponse, Draw, Offer, Panel, PanelBuilder, PanelRow,
        ResponseParams, fit,
    },
    evaluation::Estimate,
    recommenders::{FitError, Stop},
};
use rayon::prelude::*;
use statrs::function::gamma::ln_gamma;

/// Draws of what is believed that the probability of a week is averaged over. Our choice.
const N_DRAWS: usize = 100;
/// Deviation that stands for none.
const NO_SD: f64 = 1e-3;
/// Deviation of the one elasticity that all items have, before the data say otherwise: what shop, categories and
/// items have in the default prior together, and some more.
const SHARED_SD: f64 = 1.0;
/// Size of a negative binomial from which on it is Poisson to nine digits at any count of a week.
const SIZE_MAX: f64 = 1e7;

/// The models that are compared, in the order of [`HeldOut::models`].
pub const MODELS: [&str; 3] = ["own elasticities", "one elasticity for all", "no price"];

/// What a model gave the held-out weeks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Foresight {
    /// Mean log-likelihood of an item's week, natural logarithm; with its standard error over items.
    pub log_likelihood: Estimate,
    /// What ours has more of that; with its standard error over items.
    pub behind_ours: Estimate,
}

/// What the models gave the held-out weeks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOut {
    /// Items with weeks before and after.
    pub n_items: usize,
    /// Their held-out weeks.
    pub n_item_weeks: usize,
    /// Each of [`MODELS`], the level of the held-out weeks foreseen from the last ones.
    pub models: [Foresight; 3],
    /// The same with the level of each held-out week given.
    pub at_given_level: [Foresight; 3],
    /// The one elasticity of the model that has one.
    pub shared_elasticity: f64,
}

/// Fits and compares; the last `n_held_out` periods of the panel are held out.
///
/// # Errors
///
/// If a fit fails, or no week is left to fit to.
pub fn held_out(
    panel: &Panel,
    n_held_out: usize,
    params: &ResponseParams,
    stop: Stop<'_>,
) -> Result<HeldOut, FitError> {
    let first = panel.n_periods().saturating_sub(n_held_out);
    let known = before(panel, first);
    let fits = [*params, shared(params), without_price(params)]
        .map(|params| fit(&known, &params, stop))
        .into_iter()
        .collect::<Result<Vec<DemandResponse>, FitError>>()?;
    let items: Vec<(usize, Vec<PanelRow>)> = (0..panel.n_items())
        .filter(|&item| fits[0].item(item).is_some())
        .map(|item| {
            let later = panel.rows_of(item).filter(|row| row.period as usize >= first);
            (item, later.collect::<Vec<_>>())
        })
        .filter(|(_, weeks)| !weeks.is_empty())
        .collect();
    let levels: Vec<Vec<f64>> =
        fits.iter().map(|fit| levels(fit, &items, first, n_held_out)).collect();
    let sums = |fit: &DemandResponse, levels: &[f64]| -> Vec<f64> {
        let of = |(item, weeks): &(usize, Vec<PanelRow>)| {
            let draws = fit.draws(*item, N_DRAWS, 0);
            let log = |row: &PanelRow| {
                let level = levels.get(row.period as usize - first).copied().unwrap_or(1.0);
                log_predictive(fit, row, &draws, level)
            };
            weeks.iter().map(log).sum()
        };
        items.par_iter().map(of).collect()
    };
    let n_weeks: Vec<f64> = items.iter().map(|(_, weeks)| weeks.len() as f64).collect();
    let compared = |at_level: bool| -> [Foresight; 3] {
        let of_items: Vec<Vec<f64>> = fits
            .iter()
            .zip(&levels)
            .map(|(fit, levels)| sums(fit, if at_level { levels } else { &[] }))
            .collect();
        std::array::from_fn(|model| {
            let behind = of_items[0].iter().zip(&of_items[model]).map(|(ours, own)| ours - own);
            Foresight {
                log_likelihood: mean_by_week(&of_items[model], &n_weeks),
                behind_ours: mean_by_week(&behind.collect::<Vec<_>>(), &n_weeks),
            }
        })
    };
    Ok(HeldOut {
        n_items: items.len(),
        n_item_weeks: items.iter().map(|(_, weeks)| weeks.len()).sum(),
        models: compared(false),
        at_given_level: compared(true),
        shared_elasticity: fits[1].shop_elasticity.mean,
    })
}

/// The rows of the periods before `first`.
fn before(panel: &Panel, first: usize) -> Panel {
    let mut builder = PanelBuilder::new(panel.n_items(), first);
    for item in 0..panel.n_items() {
        let known = panel.rows_of(item).filter(|row| (row.period as usize) < first);
        known.for_each(|row| builder.push(&row));
    }
    let category = |item: usize| panel.categories()[panel.category_position(item)];
    builder.build(&(0..panel.n_items()).map(category).collect::<Vec<_>>())
}

fn fixed(mean: f64, shop_sd: f64, prior: CoefficientPrior) -> CoefficientPrior {
    CoefficientPrior {
        shop_mean: mean,
        shop_sd,
        category_sd: NO_SD,
        item_sd: NO_SD,
        item_sd_min: NO_SD,
        item_sd_max: NO_SD,
        ..prior
    }
}

/// One elasticity for all items.
fn shared(params: &ResponseParams) -> ResponseParams {
    let prior = params.elasticity;
    ResponseParams { elasticity: fixed(prior.shop_mean, SHARED_SD, prior), ..*params }
}

/// No answer to the own price.
fn without_price(params: &ResponseParams) -> ResponseParams {
    let bounds = CoefficientPrior { low: -1.0, high: 1.0, ..params.elasticity };
    ResponseParams { elasticity: fixed(0.0, NO_SD, bounds), ..*params }
}

fn offer(row: &PanelRow) -> Offer {
    Offer { competitor: row.competitor, promotion: row.promotion, ..Offer::at(row.price) }
}

/// By held-out period: units sold over units expected of all items; 1 where nothing is expected.
fn levels(
    fit: &DemandResponse,
    items: &[(usize, Vec<PanelRow>)],
    first: usize,
    n_held_out: usize,
) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); n_held_out];
    for (item, weeks) in items {
        for row in weeks {
            let (sold, expected) = &mut sums[row.period as usize - first];
            *sold += row.units;
            *expected += row.exposure * fit.predict(*item, &offer(row)).unwrap_or(0.0);
        }
    }
    let level = |(sold, expected)| if sold > 0.0 && expected > 0.0 { sold / expected } else { 1.0 };
    sums.into_iter().map(level).collect()
}

/// The logarithm of the mean probability of a week over the draws.
fn log_predictive(fit: &DemandResponse, row: &PanelRow, draws: &[Draw], level: f64) -> f64 {
    let item = row.item as usize;
    let Some(category) = fit.category_of(item) else { return 0.0 };
    let logs: Vec<f64> = draws
        .iter()
        .filter_map(|&draw| fit.predict_draw(item, draw, &offer(row)))
        .map(|units| {
            log_count(row.units, level * row.exposure * units, |mean| category.variance(mean))
        })
        .collect();
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
    largest + (sum / logs.len().max(1) as f64).ln()
}

/// The logarithm of the probability of a count under a negative binomial of this mean and variance; Poisson if the
/// variance is no larger.
pub fn log_count(units: f64, mean: f64, variance: impl Fn(f64) -> f64) -> f64 {
    let size = mean / (variance(mean) / mean - 1.0);
    let of_count = units * mean.ln() - ln_gamma(units + 1.0);
    if !(size > 0.0 && size < SIZE_MAX) {
        return of_count - mean;
    }
    of_count + ln_gamma(units + size) - ln_gamma(size) + size * size.ln()
        - (units + size) * (size + mean).ln()
}

/// The mean over all weeks of sums over each item's; the standard error is that of a ratio of two sums over items
/// (Cochran, *Sampling Techniques*, 3rd ed. 1977, section 6.4).
fn mean_by_week(sums: &[f64], n_weeks: &[f64]) -> Estimate {
    let (n, all) = (sums.len(), n_weeks.iter().sum::<f64>());
    if n == 0 {
        return Estimate::default();
    }
    let mean = sums.iter().sum::<f64>() / all;
    let squares = sums.iter().zip(n_weeks).map(|(sum, n_weeks)| (sum - mean * n_weeks).powi(2));
    let correction = n as f64 / n.saturating_sub(1).max(1) as f64;
    Estimate { mean, standard_error: (squares.sum::<f64>() * correction).sqrt() / all, n }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;
    use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
    use rand_distr::{Distribution, Poisson};

    const N_ITEMS: u32 = 150;

    /// 30 weeks of items in three categories, whose elasticities are given by item.
    fn panel(elasticity: impl Fn(u32) -> f64) -> Panel {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut builder = PanelBuilder::new(N_ITEMS as usize, 30);
        for item in 0..N_ITEMS {
            let usual = 4.0 + f64::from(item % 9);
            for period in 0..30 {
                let log_price: f64 = rng.random_range(-0.35..0.35);
                let mean = usual * (elasticity(item) * log_price).exp();
                builder.push(&PanelRow {
                    item,
                    period,
                    units: Poisson::new(mean).unwrap().sample(&mut rng),
                    price: 10.0 * log_price.exp(),
                    competitor: None,
                    promotion: 0.0,
                    exposure: 1.0,
                    randomised: None,
                    is_decided: false,
                });
            }
        }
        builder.build(&(0..N_ITEMS).map(|item| Some(item % 3)).collect::<Vec<_>>())
    }

    fn found(elasticity: impl Fn(u32) -> f64) -> HeldOut {
        held_out(&panel(elasticity), 8, &ResponseParams::default(), NEVER_STOP).unwrap()
    }

    /// How many standard errors ours is ahead of a model.
    fn ahead(found: &HeldOut, model: usize) -> f64 {
        let behind = found.models[model].behind_ours;
        behind.mean / behind.standard_error
    }

    #[test]
    fn where_items_differ_ours_wins() {
        let found = found(|item| -0.8 - 0.5 * f64::from(item % 7));
        assert_eq!((found.n_items, found.n_item_weeks), (150, 1_200));
        assert!(ahead(&found, 1) > 3.0 && ahead(&found, 2) > 3.0, "{found:?}");
        assert!(found.models[1].log_likelihood.mean > found.models[2].log_likelihood.mean);
        assert_eq!(found.models[0].behind_ours.mean.to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn where_all_are_alike_one_elasticity_is_as_good_and_it_is_found() {
        let found = found(|_| -2.0);
        assert!(ahead(&found, 1) < 2.0 && ahead(&found, 2) > 3.0, "{found:?}");
        assert!((found.shared_elasticity + 2.0).abs() < 0.1, "{found:?}");
    }

    #[test]
    fn where_price_does_nothing_the_model_without_price_wins() {
        let found = found(|_| 0.0);
        assert!(ahead(&found, 2) < 0.0, "{found:?}");
    }

    #[test]
    fn a_season_that_none_foresees_costs_nothing_once_its_level_is_given() {
        let (calm, later) = (panel(|_| -2.0), 22);
        let mut builder = PanelBuilder::new(N_ITEMS as usize, 30);
        for row in (0..N_ITEMS as usize).flat_map(|item| calm.rows_of(item)) {
            let times = if row.period >= later { 3.0 } else { 1.0 };
            builder.push(&PanelRow { units: times * row.units, ..row });
        }
        let categories: Vec<_> = (0..N_ITEMS).map(|item| Some(item % 3)).collect();
        let (panel, params) = (builder.build(&categories), ResponseParams::default());
        let found = held_out(&panel, 8, &params, NEVER_STOP).unwrap();
        for (foreseen, given) in found.models.iter().zip(&found.at_given_level) {
            assert!(given.log_likelihood.mean > foreseen.log_likelihood.mean + 1.0, "{found:?}");
        }
    }

    #[test]
    fn probabilities_of_counts_add_up_to_one_and_have_the_mean() {
        for (phi, alpha) in [(1.0, 0.0), (2.5, 0.0), (1.0, 0.4), (1.7, 0.2)] {
            let chance = |units: u32| {
                log_count(f64::from(units), 3.0, |mean| mean * (phi + alpha * mean)).exp()
            };
            let sum = |power: i32| -> f64 {
                (0..2_000).map(|units| chance(units) * f64::from(units).powi(power)).sum()
            };
            let variance = sum(2) - sum(1).powi(2);
            assert!((sum(0) - 1.0).abs() < 1e-9 && (sum(1) - 3.0).abs() < 1e-8, "{phi} {alpha}");
            assert!((variance - 3.0 * (phi + 3.0 * alpha)).abs() < 1e-6, "{phi} {alpha}");
        }
    }

    #[test]
    fn with_nothing_to_fit_to_there_is_no_answer() {
        let params = ResponseParams::default();
        assert!(held_out(&panel(|_| -1.0), 30, &params, NEVER_STOP).is_err());
        let none = held_out(&panel(|_| -1.0), 0, &params, NEVER_STOP).unwrap();
        assert_eq!(none.n_item_weeks, 0);
    }

    #[test]
    fn the_error_of_a_ratio_is_the_one_by_hand() {
        // Items of one week each: the standard error of a mean. Differences 1, 1, 4: variance 3 over 3 items.
        let mean = mean_by_week(&[1.0, 1.0, 4.0], &[1.0; 3]);
        assert!((mean.mean - 2.0).abs() < 1e-12 && (mean.standard_error - 1.0).abs() < 1e-12);
        let mean = mean_by_week(&[2.0, 4.0], &[1.0, 2.0]);
        assert!((mean.mean - 2.0).abs() < 1e-12 && mean.standard_error < 1e-12);
    }
}
