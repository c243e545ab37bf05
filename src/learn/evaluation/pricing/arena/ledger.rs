//! What a policy has seen: prices, competitors' prices and sales of the weeks so far.

use super::shop::Shop;
use crate::learn::demand::response::{Panel, PanelBuilder, PanelRow};

/// One week, by item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PastWeek {
    /// Prices asked; minor units.
    pub prices: Vec<f64>,
    /// What competitors asked; minor units.
    pub competitors: Vec<f64>,
    /// Units sold.
    pub units: Vec<f64>,
}

/// The weeks so far, and what does not change.
#[derive(Clone, Debug)]
pub struct Ledger {
    costs: Vec<f64>,
    categories: Vec<Option<u32>>,
    step_max: f64,
    refit_weeks: usize,
    history_weeks: usize,
    weeks: Vec<PastWeek>,
}

impl Ledger {
    /// Of a shop that has not opened yet.
    pub(super) fn new(shop: &Shop) -> Self {
        Self {
            costs: shop.items().iter().map(|item| item.cost).collect(),
            categories: shop.items().iter().map(|item| Some(item.category)).collect(),
            step_max: shop.params().step_max,
            refit_weeks: shop.params().refit_weeks.max(1),
            history_weeks: shop.params().history_weeks,
            weeks: Vec::with_capacity(shop.params().n_weeks()),
        }
    }

    pub(super) fn push(&mut self, week: PastWeek) {
        self.weeks.push(week);
    }

    /// Cost of a unit, by item; minor units.
    pub fn costs(&self) -> &[f64] {
        &self.costs
    }

    /// Category of each item.
    pub fn categories(&self) -> &[Option<u32>] {
        &self.categories
    }

    /// Largest change of a price, as a share of it.
    pub fn step_max(&self) -> f64 {
        self.step_max
    }

    /// Weeks between two fits.
    pub fn refit_weeks(&self) -> usize {
        self.refit_weeks
    }

    /// All weeks, oldest first.
    pub fn weeks(&self) -> &[PastWeek] {
        &self.weeks
    }

    /// Prices in force; empty before the first week.
    pub fn current(&self) -> &[f64] {
        self.weeks.last().map_or(&[], |week| &week.prices)
    }

    /// Sales by item and week.
    pub fn panel(&self) -> Panel {
        let mut builder = PanelBuilder::new(self.costs.len(), self.weeks.len());
        for item in 0..self.costs.len() {
            for (period, week) in self.weeks.iter().enumerate() {
                builder.push(&PanelRow {
                    item: item as u32,
                    period: period as u32,
                    units: week.units[item],
                    price: week.prices[item],
                    competitor: Some(week.competitors[item]),
                    promotion: 0.0,
                    exposure: 1.0,
                    randomised: None,
                    is_decided: period >= self.history_weeks,
                });
            }
        }
        builder.build(&self.categories)
    }
}
