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
    /// The item sells better than expected.
    DemandHigh,
    /// The item sells worse than expected.
    DemandLow,
    /// The item sells so much as expected that the price does not move.
    DemandAsExpected,
    /// Too little is known about the item's sales.
    DemandUnknown,
    /// It is the lowest one allowed.
    Floor(FloorRule),
    /// It is the highest one allowed.
    Ceiling(CeilingRule),
    /// It is as near to the wanted one as a day's step allows.
    Step,
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
            Self::DemandHigh => "demand_high",
            Self::DemandLow => "demand_low",
            Self::DemandAsExpected => "demand_as_expected",
            Self::DemandUnknown => "demand_unknown",
            Self::Floor(_) => "floor",
            Self::Ceiling(_) => "ceiling",
            Self::Step => "step",
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
            Self::PricingDisabled => "The shop has not turned on pricing.",
            Self::NoListPrice => "The item has no list price.",
            Self::NoGuardRails => {
                "The price does not move because neither cost, nor price_min, nor price_max is known."
            }
            Self::DemandHigh => "The item sells better than expected.",
            Self::DemandLow => "The item sells worse than expected.",
            Self::DemandAsExpected => "The item sells as expected.",
            Self::DemandUnknown => "Too little is known about how the item sells.",
            Self::Floor(FloorRule::PriceMin) => "The price is as low as price_min allows.",
            Self::Floor(FloorRule::Margin) => "The price is as low as the margin over cost allows.",
            Self::Floor(FloorRule::ListPrice) => {
                "The price does not go lower because neither cost nor price_min is known."
            }
            Self::Ceiling(CeilingRule::PriceMax) => "The price is as high as price_max allows.",
            Self::Ceiling(CeilingRule::ListPrice) => {
                "The price does not go higher above the list price because price_max is not known."
            }
            Self::Step => "The price has moved as far as it may within a day.",
            Self::BoundsClash(FloorRule::PriceMin | FloorRule::ListPrice) => {
                "The price does not move because price_min lies above price_max."
            }
            Self::BoundsClash(FloorRule::Margin) => {
                "The price does not move because cost and its margin lie above price_max."
            }
        })
    }
}
