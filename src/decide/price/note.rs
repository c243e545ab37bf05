//! Why a price is what it is, for people and for programs.

use super::{CeilingRule, FloorRule};
use std::fmt;

/// One reason for a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceNote {
    /// It is the merchant's list price.
    ListPrice,
    /// It was taken from past sales.
    Imported,
    /// Pricing took it back to the list price.
    BackToList,
    /// A bound that the merchant has moved since brought it here.
    GuardRail,
    /// The shop has not turned pricing on.
    PricingDisabled,
    /// There is no list price to start from.
    NoListPrice,
    /// Neither cost nor bounds are known, so the price stays.
    NoGuardRails,
    /// It was chosen by how demand answers to the price.
    Demand,
    /// It is being tried out.
    Trial,
    /// An operator brought it back.
    Restored,
    /// It is the lowest one allowed.
    Floor(FloorRule),
    /// It is the highest one allowed.
    Ceiling(CeilingRule),
    /// This floor lies above the highest price, so the price stays.
    BoundsClash(FloorRule),
}

impl PriceNote {
    /// The name in the HTTP contract.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ListPrice => "list_price",
            Self::Imported => "imported",
            Self::BackToList => "back_to_list",
            Self::GuardRail => "guard_rail",
            Self::PricingDisabled => "pricing_disabled",
            Self::NoListPrice => "no_list_price",
            Self::NoGuardRails => "no_guard_rails",
            Self::Demand => "demand",
            Self::Trial => "trial",
            Self::Restored => "restored",
            Self::Floor(_) => "floor",
            Self::Ceiling(_) => "ceiling",
            Self::BoundsClash(_) => "bounds_clash",
        }
    }
}

impl fmt::Display for PriceNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ListPrice => "This is the list price.",
            Self::Imported => "This price was taken from past sales.",
            Self::BackToList => "The price went back to the list price.",
            Self::GuardRail => "The price was moved into the bounds of that time.",
            Self::PricingDisabled => "Pricing is not turned on for this item.",
            Self::NoListPrice => "The item has no list price.",
            Self::NoGuardRails => {
                "The price does not move because neither cost, nor price_min, nor price_max is known."
            }
            Self::Demand => "The price was chosen by how demand answers to it.",
            Self::Trial => "The price is being tried out, for everybody alike, to learn how demand answers to it.",
            Self::Restored => "An operator brought back an earlier price.",
            Self::Floor(FloorRule::PriceMin) => "The price is as low as price_min allows.",
            Self::Floor(FloorRule::Margin) => "The price is as low as the margin over cost allows.",
            Self::Floor(FloorRule::ListPrice) => {
                "The price does not go lower because neither cost nor price_min is known."
            }
            Self::Ceiling(CeilingRule::PriceMax) => "The price is as high as price_max allows.",
            Self::Ceiling(CeilingRule::ListPrice) => {
                "The price does not go higher above the list price because price_max is not known."
            }
            Self::BoundsClash(FloorRule::PriceMin | FloorRule::ListPrice) => {
                "The price does not move because price_min lies above price_max."
            }
            Self::BoundsClash(FloorRule::Margin) => {
                "The price does not move because cost and its margin lie above price_max."
            }
        })
    }
}
