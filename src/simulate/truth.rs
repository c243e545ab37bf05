//! What is true of the shop, and what a model can only guess.

use super::{shop::Good, shoppers::Shopper};
use crate::domain::UserId;

/// What is true of one item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ItemTruth {
    /// Per cent of sales per per cent of price, relative to the list price; constant, negative.
    ///
    /// The chance that a view leads to a sale is that at the list price times
    /// `(price / list price)^elasticity`, without exception.
    pub elasticity: f64,
    /// Units a day that the views of the history were expected to sell at the list price, had it never been sold out.
    pub units_per_day: f64,
    /// The item, by position, that shoppers tend to take along with it.
    pub companion_idx: usize,
}

impl ItemTruth {
    pub(super) fn new(good: &Good, units_per_day: f64) -> Self {
        let &Good { elasticity, companion_idx, .. } = good;
        Self { elasticity, units_per_day, companion_idx }
    }
}

/// What is true of every item and every shopper.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    goods: Vec<Good>,
    items: Vec<ItemTruth>,
    shoppers: Vec<Shopper>,
}

impl Truth {
    pub(super) fn new(goods: Vec<Good>, items: Vec<ItemTruth>, shoppers: Vec<Shopper>) -> Self {
        Self { goods, items, shoppers }
    }

    /// The truth of every item, in the order of the simulation's items.
    pub fn items(&self) -> &[ItemTruth] {
        &self.items
    }

    /// Number of shoppers.
    pub fn n_shoppers(&self) -> usize {
        self.shoppers.len()
    }

    /// Every shopper's id, in order; those who never came, or never signed in, have no events of their own.
    pub fn shopper_ids(&self) -> impl ExactSizeIterator<Item = &UserId> {
        self.shoppers.iter().map(|shopper| &shopper.id)
    }

    /// How much a shopper likes an item at its list price; 0 is indifference, and every step of 1
    /// multiplies the chance to look at it by the same factor.
    ///
    /// # Panics
    ///
    /// If there is no such shopper or item.
    pub fn utility(&self, shopper_idx: usize, item_idx: usize) -> f64 {
        self.shoppers[shopper_idx].utility(&self.goods[item_idx])
    }
}
