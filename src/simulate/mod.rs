//! A shop that is made up, so that its truth is known: what shoppers like, how they react to a price,
//! what goes with what.
//!
//! Here: the kinds of goods (`assortment`), goods and past prices (`shop`, `prices`), shoppers
//! (`shoppers`), what they do (`behaviour`, `checkout`), and what was true all along (`truth`). Deliberately not
//! here: I/O, a clock, any model. Numbers are chosen to look like a small shop with regular customers, not
//! measured from one. Start with [`simulate`].
//!
//! Departure from life: shoppers are never sent what they dislike by a recommender, so nothing here
//! says how much a recommender would earn.

mod assortment;
mod behaviour;
mod checkout;
mod prices;
mod shop;
mod shoppers;
mod showcase;
mod truth;

pub use showcase::{Showcase, showcase};
pub use truth::{ItemTruth, Truth};

use crate::domain::time::DAY_MS;
use crate::domain::{Event, ItemFields, ItemId, PriceEntry, Timestamp};
use assortment::CATEGORIES;
use std::ops::RangeInclusive;

/// How large the shop is, how long it has been open, and which of all shops it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulationParams {
    /// Start of the random numbers.
    pub seed: u64,
    /// Items, at least one per category: 12 to 1,000,000.
    pub n_items: usize,
    /// Shoppers, 1 to 1,000,000.
    pub n_shoppers: usize,
    /// Days of history, 1 to 3,650.
    pub days: u32,
    /// When the history ends; nothing happens then or later.
    pub end: Timestamp,
}

/// Most shopper days and item days, either of them; the work grows with both.
const DAYS_TOTAL_MAX: usize = 100_000_000;

impl SimulationParams {
    /// A shop of 400 items, 2,000 shoppers and 120 days.
    pub fn new(seed: u64, end: Timestamp) -> Self {
        Self { seed, n_items: 400, n_shoppers: 2_000, days: 120, end }
    }

    /// When the history begins.
    pub fn start(&self) -> Timestamp {
        self.end.plus_ms(-(i64::from(self.days) * DAY_MS))
    }

    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), SimulationError> {
        let (items, shoppers, days) = (self.n_items, self.n_shoppers, self.days as usize);
        check_count("n_items", items, CATEGORIES.len()..=1_000_000)?;
        check_count("n_shoppers", shoppers, 1..=1_000_000)?;
        check_count("days", days, 1..=3_650)?;
        check_count("n_items * days", items * days, 1..=DAYS_TOTAL_MAX)?;
        check_count("n_shoppers * days", shoppers * days, 1..=DAYS_TOTAL_MAX)?;
        if self.start().is_representable() && self.end.is_representable() {
            Ok(())
        } else {
            Err(SimulationError::BadEnd(self.end))
        }
    }
}

fn check_count(
    name: &'static str,
    value: usize,
    range: RangeInclusive<usize>,
) -> Result<(), SimulationError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(SimulationError::OutOfRange { name, min: *range.start(), max: *range.end(), value })
}

/// Why a shop cannot be made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimulationError {
    /// A count is too small or too large.
    #[error("`{name}` must be between {min} and {max}, not {value}")]
    OutOfRange {
        /// Which count.
        name: &'static str,
        /// Least value taken.
        min: usize,
        /// Greatest value taken.
        max: usize,
        /// The value given.
        value: usize,
    },
    /// The history would begin or end outside the calendar.
    #[error("a history that ends at {0} does not fit the calendar")]
    BadEnd(Timestamp),
}

/// A shop, its history, and what was true all along.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// What the shop sells; positions are the item indices of [`Truth`].
    pub items: Vec<(ItemId, ItemFields)>,
    /// Every price that was in force, item by item, each in time order; the last one of an item is open and is
    /// the list price. Amounts are minor units: 1295 reads as 12.95 EUR or as 1,295 JPY.
    pub prices: Vec<PriceEntry>,
    /// What shoppers did, in time order; event ids are `sim-<seed>-<n>`.
    pub events: Vec<Event>,
    /// What a model can only guess.
    pub truth: Truth,
}

/// Makes up a shop and its history; same parameters, same simulation.
///
/// With the default size it makes some 100,000 events in a fraction of a second.
pub fn simulate(params: &SimulationParams) -> Result<Simulation, SimulationError> {
    params.check()?;
    let shop = shop::stock_up(params);
    let shoppers = shoppers::gather(params);
    let history = behaviour::play(params, &shop, &shoppers);
    let items = shop.goods.iter().zip(history.units_per_day);
    let items = items.map(|(good, units)| ItemTruth::new(good, units)).collect();
    Ok(Simulation {
        truth: Truth::new(shop.goods, items, shoppers),
        items: shop.items,
        prices: shop.ledger.into_iter().flatten().collect(),
        events: history.events,
    })
}
