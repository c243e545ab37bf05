//! Policies that learn nothing.

use super::{ledger::Ledger, season::Policy, shop::Shop};
use crate::learn::recommenders::FitError;

/// Knows every true elasticity, and goes to the best price as fast as steps allow. With constant elasticities
/// profit has one peak, so that nothing earns more.
#[derive(Clone, Debug)]
pub struct Oracle(Vec<f64>);

impl Oracle {
    /// Of this shop.
    pub fn new(shop: &Shop) -> Self {
        Self(shop.items().iter().map(super::shop::ShopItem::best_price).collect())
    }
}

impl Policy for Oracle {
    fn prices(&mut self, _: &Ledger, _: &[f64]) -> Result<Vec<f64>, FitError> {
        Ok(self.0.clone())
    }
}

/// Never changes a price.
#[derive(Clone, Copy, Debug)]
pub struct Keep;

impl Policy for Keep {
    fn prices(&mut self, ledger: &Ledger, _: &[f64]) -> Result<Vec<f64>, FitError> {
        Ok(ledger.current().to_vec())
    }
}

/// Asks so many times the cost.
#[derive(Clone, Copy, Debug)]
pub struct CostPlus(pub f64);

impl CostPlus {
    /// The best price if all items had this elasticity, which is below -1.
    pub fn of_elasticity(elasticity: f64) -> Self {
        Self(elasticity / (1.0 + elasticity))
    }
}

impl Policy for CostPlus {
    fn prices(&mut self, ledger: &Ledger, _: &[f64]) -> Result<Vec<f64>, FitError> {
        Ok(ledger.costs().iter().map(|cost| self.0 * cost).collect())
    }
}

/// Asks this share of what competitors ask.
#[derive(Clone, Copy, Debug)]
pub struct Match(pub f64);

impl Policy for Match {
    fn prices(&mut self, _: &Ledger, competitors: &[f64]) -> Result<Vec<f64>, FitError> {
        Ok(competitors.iter().map(|price| self.0 * price).collect())
    }
}
