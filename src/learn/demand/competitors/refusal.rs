//! Why an offer is not used, or used with a doubt.

use std::fmt;

/// Why an offer is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It was seen in the future.
    Future,
    /// There is a newer one of the same seller, or another of the same time.
    Superseded,
    /// Its price or its shipping is no price.
    NotAPrice,
    /// It is too old.
    Stale,
    /// It is out of stock.
    OutOfStock,
    /// It is in another condition.
    Condition,
    /// It may be another good.
    Match,
    /// Its price is about a hundred times ours, or a hundredth: cents taken for whole units.
    UnitMixUp,
    /// It is below the share of our cost that is believed.
    BelowCost,
    /// It is too far from our own price.
    FarFromOurs,
    /// It is too far from the other offers.
    Outlier,
    /// The seller only answers our own moves; found when deciding.
    Duel,
}

impl Refusal {
    /// The name in the HTTP contract.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Future => "future",
            Self::Superseded => "superseded",
            Self::NotAPrice => "not_a_price",
            Self::Stale => "stale",
            Self::OutOfStock => "out_of_stock",
            Self::Condition => "condition",
            Self::Match => "match",
            Self::UnitMixUp => "unit_mix_up",
            Self::BelowCost => "below_cost",
            Self::FarFromOurs => "far_from_ours",
            Self::Outlier => "outlier",
            Self::Duel => "duel",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Future => "The offer was seen in the future.",
            Self::Superseded => "There is another offer of this seller, as new or newer.",
            Self::NotAPrice => "The price must be above 0, and shipping not negative.",
            Self::Stale => "The offer is too old.",
            Self::OutOfStock => "The offer is out of stock.",
            Self::Condition => "The offer is in another condition than our good.",
            Self::Match => "It is not sure enough that the goods are the same.",
            Self::UnitMixUp => "The price looks like cents taken for whole units, or the reverse.",
            Self::BelowCost => "The price is too far below our cost.",
            Self::FarFromOurs => "The price is too far from ours.",
            Self::Outlier => "The price is too far from the other offers.",
            Self::Duel => "The seller only answers our own moves.",
        })
    }
}

/// A doubt about an offer that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferFlag {
    /// It differs from our price by a rate of value added tax.
    VatMixUp,
    /// What shipping costs is not known.
    ShippingAssumed,
    /// Whether it is in stock is not known.
    StockUnknown,
}

impl OfferFlag {
    /// The name in the HTTP contract.
    pub fn kind(self) -> &'static str {
        match self {
            Self::VatMixUp => "vat_mix_up",
            Self::ShippingAssumed => "shipping_assumed",
            Self::StockUnknown => "stock_unknown",
        }
    }
}
