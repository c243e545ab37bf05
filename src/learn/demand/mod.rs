//! How each item sells now against what was expected of it: the signal that moves prices.
//!
//! An item's *baseline* rate is expected to hold in the *recent* window; the ratio of what was sold to
//! what was expected is drawn towards the item's category, and so to 1, as far as the item's own sales
//! are too few to tell. [`tally`] counts the two windows, [`pool`] holds the statistics and their
//! sources; start with [`outlook`].
//!
//! Ratios are relative to the level of the whole shop, which is kept apart ([`DemandOutlook::shop_ratio`]):
//! a season lifts all items alike, says nothing about any one of them, and would otherwise raise every
//! price at once.
//!
//! How demand answers to price, elasticity, is learned in [`response`], from weeks instead of two windows. What
//! [`competitors`] ask is a term of it.
//!
//! Deliberately not here: forecasts with season. A model of those replaces the body of [`outlook`]; what
//! deciding reads is only [`ItemDemand`].

pub mod competitors;
pub mod pool;
pub mod response;
pub mod tally;

use crate::{
    domain::Timestamp,
    learn::recommenders::{FitError, check},
};
use serde::{Deserialize, Serialize};

/// How demand is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DemandParams {
    /// Length of the window that ends now, whose sales are compared with the expected ones; days.
    pub recent_days: f64,
    /// Longest time before the recent window from which an item's expected rate is taken; days.
    pub baseline_days: f64,
    /// Expected sales at which an item's own ratio counts as much as its category's; a "sale" is one
    /// of the item's usual size.
    pub prior_units: f64,
    /// Baseline sales at which an item's own rate counts as much as its category's. Items of one
    /// category sell at very different rates, so the category knows little: a small number.
    pub rate_prior_units: f64,
}

impl Default for DemandParams {
    fn default() -> Self {
        Self { recent_days: 7.0, baseline_days: 56.0, prior_units: 20.0, rate_prior_units: 2.0 }
    }
}

impl DemandParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let days = "above 0 and at most 3650";
        let units = "above 0 and at most 1000000";
        for (value, max, parameter, rule) in [
            (self.recent_days, 3_650.0, "recent_days", days),
            (self.baseline_days, 3_650.0, "baseline_days", days),
            (self.prior_units, 1e6, "prior_units", units),
            (self.rate_prior_units, 1e6, "rate_prior_units", units),
        ] {
            check(0.0 < value && value <= max, parameter, rule, value)?;
        }
        Ok(())
    }
}

/// One line of an order, or its return.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sale {
    /// Position of the item.
    pub item: u32,
    /// When.
    pub at: Timestamp,
    /// How much; negative for a return.
    pub units: f64,
}

/// How one item sells now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemDemand {
    /// Posterior mean of the recent rate over the expected one; above 0, and 1 = as expected.
    pub ratio: f64,
    /// Units expected in the recent window, at the level of the whole shop.
    pub expected_units: f64,
    /// Units sold in the recent window less those returned, at least 0; the sale that brought the item
    /// into the data only starts its clock and is not counted.
    pub sold_units: f64,
    /// Share of the item's own sales in `ratio`, 0 to 1; the rest is its category's.
    pub certainty: f64,
}

/// How every item sells now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DemandOutlook {
    items: Vec<Option<ItemDemand>>,
    shop_ratio: f64,
}

impl Default for DemandOutlook {
    /// Knows nothing.
    fn default() -> Self {
        Self { items: Vec::new(), shop_ratio: 1.0 }
    }
}

impl DemandOutlook {
    /// Bytes held on the heap.
    pub fn n_bytes(&self) -> usize {
        self.items.capacity() * size_of::<Option<ItemDemand>>()
    }

    /// The demand for the item at this position; `None` if nothing can be expected of it.
    pub fn of(&self, item: u32) -> Option<ItemDemand> {
        self.items.get(item as usize).copied().flatten()
    }

    /// Number of items it was measured over; those without sales included.
    pub fn n_items(&self) -> usize {
        self.items.len()
    }

    /// Recent over expected sales of the whole shop: season and growth. No item's `ratio` holds it.
    pub fn shop_ratio(&self) -> f64 {
        self.shop_ratio
    }
}

/// Measures demand as of `now`; sorts the sales, else linear.
///
/// `category_of (n_items)` gives each item's category, any number. `sales` come in any order; those
/// after `now`, of items beyond `n_items`, or of a size that no order has are left out. The more of
/// the past they cover, the better it is known since when an item sells, though no rate is taken from
/// before the baseline. `now` is the caller's: on data that ended long ago the present hour would see
/// an empty recent window, and the time of the last event is right.
pub fn outlook(
    sales: &[Sale],
    category_of: &[Option<u32>],
    now: Timestamp,
    params: &DemandParams,
) -> Result<DemandOutlook, FitError> {
    params.check()?;
    let tallies = tally::tally(sales, category_of.len(), now, params);
    let pooled = pool::pool(&tallies, category_of, params);
    let finite = |demand: &ItemDemand| {
        [demand.ratio, demand.expected_units, demand.sold_units, demand.certainty]
            .iter()
            .all(|number| number.is_finite())
    };
    if pooled.shop_ratio.is_finite() && pooled.items.iter().flatten().all(finite) {
        Ok(pooled)
    } else {
        Err(FitError::NotFinite { model: "demand" })
    }
}
