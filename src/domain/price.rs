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
    /// Pricing tried it, to learn how demand answers.
    Trial(Lottery),
    /// An operator took a pricing run back, or stopped pricing.
    Restored,
}

/// How a price on trial was drawn: what makes it an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lottery {
    /// Mean of the prices that could have been drawn, by their chances.
    pub expected: Cents,
    /// The chance that this price had, in parts per million.
    pub chance_ppm: u32,
}

impl PriceReason {
    /// The name in the database and the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::ListPrice => "list_price",
            Self::Imported => "imported",
            Self::Demand => "demand",
            Self::GuardRail => "guard_rail",
            Self::BackToList => "back_to_list",
            Self::Trial(_) => "trial",
            Self::Restored => "restored",
        }
    }

    /// Whether a rule chose it, by what was known before: whoever lists a price may have seen what the week would be.
    pub fn is_decided(self) -> bool {
        !matches!(self, Self::ListPrice | Self::Imported)
    }

    /// How it was drawn, if it was.
    pub fn lottery(self) -> Option<Lottery> {
        if let Self::Trial(lottery) = self { Some(lottery) } else { None }
    }

    /// The reason of this name; a trial needs its lottery.
    pub fn from_name(name: &str, lottery: Option<Lottery>) -> Option<Self> {
        Some(match name {
            "list_price" => Self::ListPrice,
            "imported" => Self::Imported,
            "demand" => Self::Demand,
            "guard_rail" => Self::GuardRail,
            "back_to_list" => Self::BackToList,
            "restored" => Self::Restored,
            "trial" => Self::Trial(lottery?),
            _ => return None,
        })
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
