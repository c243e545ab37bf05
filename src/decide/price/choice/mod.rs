//! Chooses a price among the legal ones.

pub mod case;

pub use case::{Case, ChoicePolicy, CompetitorIndex, ExplorePolicy, Goal, ItemLimits, Past, Stock};

use crate::domain::Cents;

/// A price and all that led to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// What the item is to cost; `None` if it has no price and none can be made.
    pub price: Option<Cents>,
}
