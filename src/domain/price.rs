//! Prices that were in force, and those that others ask.

use super::{Cents, ItemId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a price came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceReason {
    /// The merchant set the list price.
    ListPrice,
    /// It was taken from the shop's past sales by an import.
    Imported,
    /// Pricing moved it with demand, within its bounds.
    Demand,
    /// A guard-rail of the merchant's moved it away from where it would have been.
    GuardRail,
    /// Pricing was switched off, or has nothing to say about the item: back to the list price.
    BackToList,
}

impl PriceReason {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::ListPrice, Self::Imported, Self::Demand, Self::GuardRail, Self::BackToList];

    /// The name in the database and the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::ListPrice => "list_price",
            Self::Imported => "imported",
            Self::Demand => "demand",
            Self::GuardRail => "guard_rail",
            Self::BackToList => "back_to_list",
        }
    }

    /// The reason of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for PriceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A price that was in force from `from` (inclusive) to `to` (exclusive); open while it still is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceEntry {
    /// Of what.
    pub item: ItemId,
    /// How much.
    pub price: Cents,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None` = in force now.
    pub to: Option<Timestamp>,
    /// Why it came into force.
    pub reason: PriceReason,
}

/// What a competitor asked for an item at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompetitorPrice {
    /// Our item.
    pub item: ItemId,
    /// Who.
    pub competitor: String,
    /// How much.
    pub price: Cents,
    /// Seen when.
    pub observed_at: Timestamp,
}
