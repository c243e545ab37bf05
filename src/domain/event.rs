//! What shoppers do.

use super::{Cents, Credit, ItemId, SessionId, ShopperId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// What kind of thing a shopper did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum EventKind {
    /// Looked at an item's page.
    View = 1,
    /// Clicked an item in a list.
    Click = 2,
    /// Was shown an item in a list.
    Impression = 3,
    /// Searched the shop.
    Search = 4,
    /// Put an item into the cart.
    AddToCart = 5,
    /// Took an item out of the cart.
    RemoveFromCart = 6,
    /// Began to pay.
    Checkout = 7,
    /// Bought an item.
    Purchase = 8,
    /// Sent an item back.
    Return = 9,
    /// Put an item on a wish list.
    Wishlist = 10,
    /// Rated an item; `value` holds the rating.
    Rating = 11,
    /// Said not to want to see an item.
    Dislike = 12,
}

impl EventKind {
    /// Every kind, in the order of its code.
    pub const ALL: [Self; 12] = [
        Self::View,
        Self::Click,
        Self::Impression,
        Self::Search,
        Self::AddToCart,
        Self::RemoveFromCart,
        Self::Checkout,
        Self::Purchase,
        Self::Return,
        Self::Wishlist,
        Self::Rating,
        Self::Dislike,
    ];

    /// The number that stands for the kind in a database.
    pub fn code(self) -> i16 {
        i16::from(self as u8)
    }

    /// The kind that a database number stands for.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The name in the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Click => "click",
            Self::Impression => "impression",
            Self::Search => "search",
            Self::AddToCart => "add_to_cart",
            Self::RemoveFromCart => "remove_from_cart",
            Self::Checkout => "checkout",
            Self::Purchase => "purchase",
            Self::Return => "return",
            Self::Wishlist => "wishlist",
            Self::Rating => "rating",
            Self::Dislike => "dislike",
        }
    }

    /// Whether an event of this kind is about one item.
    pub fn needs_item(self) -> bool {
        !matches!(self, Self::Search | Self::Checkout)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where an event came from and what else the storefront said about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventContext {
    /// The recommendation answer that the shopper acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<String>,
    /// The place in the storefront.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// Web, app, shop floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The campaign that brought the shopper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// The list that the event follows from, as the service found when the event came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<Credit>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
}

impl EventContext {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One thing a shopper did; checked, so that every field is as the contract says.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The sender's own id, 1 to 128 bytes; makes a retry harmless.
    pub event_id: Option<String>,
    /// What was done.
    pub kind: EventKind,
    /// By whom, if known; `user` or `session` is always there.
    pub user: Option<UserId>,
    /// In which visit.
    pub session: Option<SessionId>,
    /// To what; there for every kind that [needs](EventKind::needs_item) an item.
    pub item: Option<ItemId>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// How many, at least 1.
    pub quantity: u32,
    /// Unit price paid or seen.
    pub price: Option<Cents>,
    /// The order it belongs to.
    pub order: Option<String>,
    /// The rating, for kind `rating`.
    pub value: Option<f64>,
    /// Where it came from.
    pub context: EventContext,
}

impl Event {
    /// Whose behaviour this is: the customer if known, else the visit.
    pub fn shopper(&self) -> Option<ShopperId> {
        self.user
            .clone()
            .map(ShopperId::User)
            .or_else(|| self.session.clone().map(ShopperId::Session))
    }
}

/// The store's running number of an event: unique, and rising for events stored one after another.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Sequence(pub i64);

/// An event as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEvent {
    /// Its running number.
    pub sequence: Sequence,
    /// What happened.
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_lead_back_to_their_kind() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_code(kind.code()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
