//! Gamma-Poisson pooling: what few sales cannot tell about an item is borrowed from its category.
//!
//! With `n` sales in exposure `T` at an unknown rate of prior `Gamma(a, a/m)`, which has mean `m` and the
//! weight of `a` sales, the rate's posterior mean is `(a + n) / (a/m + T)` (Gelman et al., *Bayesian Data
//! Analysis*, 3rd ed. 2013, sections 2.6 and 2.7). It is used twice:
//!
//! 1. the baseline rate of an item, with `T` in days and `m` its category's rate;
//! 2. the ratio of recent to expected sales, with `T` the expected sales and `m` its category's ratio:
//!    the shrunk observed-to-expected ratio of `DuMouchel`, "Bayesian Data Mining in Large Frequency
//!    Tables", The American Statistician 53(3), 1999, with one gamma for a prior.
//!
//! The category's own `m` is drawn towards the shop's by the same formula. Departures: the weights `a`
//! are parameters, not fitted; a category's mean is taken over its *other* items, so that no sale counts
//! twice; and the shop's level leaves out the item that departs most from what was expected of it, so that
//! one item that takes off in a small shop does not pass for a season.

use super::{DemandOutlook, DemandParams, ItemDemand, tally::Tally};
use std::collections::BTreeMap;

/// Sales and the exposure they were made in: days, or expected sales.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    sales: f64,
    exposure: f64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.sales += other.sales;
        self.exposure += other.exposure;
    }

    /// The rest of a sum that held `part`.
    fn without(self, part: Self) -> Self {
        let rest = |whole: f64, part: f64| (whole - part).max(0.0);
        Self { sales: rest(self.sales, part.sales), exposure: rest(self.exposure, part.exposure) }
    }

    /// Posterior mean of the rate: the mean under a prior of this mean, weighing `weight` sales.
    fn rate(self, prior_mean: f64, weight: f64) -> f64 {
        (weight + self.sales) / (weight / prior_mean + self.exposure)
    }
}

/// One count per item: `None` = never sold.
type Counts = [Option<Count>];

/// The demand for each item, from `tallies (n_items)` and `category_of (n_items)`.
pub fn pool(
    tallies: &[Tally],
    category_of: &[Option<u32>],
    params: &DemandParams,
) -> DemandOutlook {
    let on_sale = |tally: &Tally| tally.sale_units > 0.0 && tally.recent_days > 0.0;
    let baseline: Vec<Option<Count>> = tallies
        .iter()
        .map(|tally| {
            on_sale(tally).then_some(Count { sales: tally.baseline, exposure: tally.baseline_days })
        })
        .collect();
    let shop = sum(baseline.iter().flatten());
    if shop.sales <= 0.0 || shop.exposure <= 0.0 {
        return DemandOutlook { items: vec![None; tallies.len()], ..DemandOutlook::default() };
    }
    let shop_rate = shop.sales / shop.exposure;
    let rates = pooled(&baseline, category_of, shop_rate, params.rate_prior_units);

    let expected = tallies.iter().zip(&rates).map(|(tally, rate)| {
        rate.map(|(_, rate)| Count { sales: tally.recent, exposure: rate * tally.recent_days })
    });
    let mut recent: Vec<Option<Count>> = expected.collect();
    let shop_ratio = level(&recent, params.prior_units);
    for count in recent.iter_mut().flatten() {
        count.exposure *= shop_ratio;
    }
    let ratios = pooled(&recent, category_of, 1.0, params.prior_units);

    let items = tallies.iter().zip(&recent).zip(&ratios).map(|((tally, count), ratio)| {
        let (count, (prior, ratio)) = (*count.as_ref()?, *ratio.as_ref()?);
        Some(ItemDemand {
            ratio,
            expected_units: count.exposure * tally.sale_units,
            sold_units: count.sales * tally.sale_units,
            certainty: count.exposure / (count.exposure + params.prior_units / prior),
        })
    });
    DemandOutlook { items: items.collect(), shop_ratio }
}

/// Each item's prior mean, taken from its category's other items, and its posterior mean.
fn pooled(
    counts: &Counts,
    category_of: &[Option<u32>],
    shop_mean: f64,
    weight: f64,
) -> Vec<Option<(f64, f64)>> {
    let mut categories = BTreeMap::<u32, Count>::new();
    for (count, category) in counts.iter().zip(category_of) {
        if let (Some(count), Some(category)) = (count, category) {
            categories.entry(*category).or_default().add(*count);
        }
    }
    let means = counts.iter().zip(category_of).map(|(count, category)| {
        let count = (*count)?;
        let of_category = category.and_then(|category| categories.get(&category));
        let prior =
            of_category.map_or(shop_mean, |whole| whole.without(count).rate(shop_mean, weight));
        Some((prior, count.rate(prior, weight)))
    });
    means.collect()
}

/// Recent over expected sales of the shop without its most surprising item, drawn towards 1.
fn level(recent: &Counts, weight: f64) -> f64 {
    let surprise = |count: &Count| (count.sales - count.exposure).abs();
    let most = recent.iter().flatten().copied().reduce(|most, count| {
        // Of equals the first one stays.
        if surprise(&count) > surprise(&most) { count } else { most }
    });
    sum(recent.iter().flatten()).without(most.unwrap_or_default()).rate(1.0, weight)
}

fn sum<'a>(counts: impl Iterator<Item = &'a Count>) -> Count {
    counts.fold(Count::default(), |mut sum, count| {
        sum.add(*count);
        sum
    })
}
