//! What recommendations were worth.

use super::EventKind;
use serde::{Deserialize, Serialize};

/// The list that an event follows from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// The place in the storefront; comes first, by which the store finds credited events.
    pub scenario: String,
    /// Where the list came from: `personal`, `session`, `related` or `popular`; not there if it is no longer known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The experiment that the shopper took part in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// The variant that the shopper saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Of an item whose place was left to chance: the chance that it had, in parts per million; absent also if the answer
    /// was no longer known and no event before told. Who asks later what would have come of other lists weighs the event
    /// by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance_ppm: Option<u32>,
}

/// Events of one kind that are credited to one kind of list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credited {
    /// To what.
    pub credit: Credit,
    /// What was done.
    pub kind: EventKind,
    /// How often.
    pub events: u64,
    /// How many items.
    pub units: u64,
    /// What was paid for them, in minor units; 0 where events carry no price.
    pub revenue_minor: i64,
}

/// What the shoppers of one variant did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VariantTally {
    /// The variant.
    pub variant: String,
    /// Shoppers with any credited event.
    pub users: u64,
    /// Those of them who bought.
    pub converted: u64,
    /// Impressions.
    pub impressions: u64,
    /// Clicks.
    pub clicks: u64,
    /// Items put into the cart.
    pub carts: u64,
    /// Purchases.
    pub purchases: u64,
    /// Revenue in minor units.
    pub revenue_minor: f64,
    /// Sum over shoppers of the square of their revenue.
    pub revenue_squares: f64,
}
