//! What a competitor asks, with all that tells whether it can be compared with our own price.

use super::{Cents, ItemId, Timestamp};
use serde::{Deserialize, Serialize};

/// What state a good is in.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Never used.
    #[default]
    New,
    /// Used.
    Used,
    /// Used, and put in order by somebody.
    Refurbished,
}

/// A competitor's offer of one of our items, as it was seen at some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompetitorOffer {
    /// Who.
    pub competitor: String,
    /// How much, without shipping.
    pub price: Cents,
    /// What shipping costs; `None` = not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Cents>,
    /// Whether it can be bought; `None` = not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<bool>,
    /// In what state.
    #[serde(default)]
    pub condition: Condition,
    /// How sure it is that the goods are the same, 0 to 1; `None` = somebody matched them by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_confidence: Option<f64>,
    /// Seen when.
    pub observed_at: Timestamp,
}

/// A competitor's offer, and the item of ours that it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct CompetitorPrice {
    /// Our item.
    pub item: ItemId,
    /// What is asked.
    pub offer: CompetitorOffer,
}

impl Condition {
    /// Every condition.
    pub const ALL: [Self; 3] = [Self::New, Self::Used, Self::Refurbished];

    /// The name in the database and the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Used => "used",
            Self::Refurbished => "refurbished",
        }
    }

    /// The condition of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|condition| condition.name() == name)
    }
}
