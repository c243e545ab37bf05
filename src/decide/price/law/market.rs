//! The rules of one market, as data.

use super::Zone;
use crate::domain::id::{IdError, check_id};
use serde::{Deserialize, Serialize};

/// Longest time that a rule may reach, in days: a year.
const DAYS_MAX: u16 = 366;

/// What is compared with where a good has not been on the market for as long as the prior price looks back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewGoods {
    /// Nothing: no reduction is announced until it has been. The careful choice.
    #[default]
    Wait,
    /// The lowest price since it came onto the market.
    TimeOnSale,
    /// The lowest price of so many days, fewer than for other goods; until then, nothing.
    Days(u16),
}

/// Whether a contract may keep a price from being advertised below some minimum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvertisedMinimum {
    /// Only where the merchant names the legal basis: the EU has long treated it as resale price maintenance.
    #[default]
    NeedsLegalBasis,
    /// Yes.
    Allowed,
}

/// What the law of a market asks of prices, as far as this service keeps it. Not legal advice.
///
/// What is not said in a file is as in the row `eu`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketLaw {
    /// The market's name, such as `fi`.
    pub name: String,
    /// Whose clock counts its days.
    pub time_zone: Zone,
    /// Days before a reduction whose lowest price is the prior price; 0 = the market has no such rule.
    #[serde(default = "prior_days")]
    pub prior_days: u16,
    /// What goods compare with that are newer than this.
    #[serde(default)]
    pub new_goods: NewGoods,
    /// Days for which the reductions of one announced campaign may grow and still compare with the price before its
    /// first; 0 = they may not, each compares with the days before itself.
    #[serde(default)]
    pub progressive_days: u16,
    /// Whether goods that soon perish may be announced as reduced without a prior price.
    #[serde(default)]
    pub perishables_exempt: bool,
    /// Whether contracts may keep advertised prices up.
    #[serde(default)]
    pub advertised_minimum: AdvertisedMinimum,
    /// The merchant's legal basis for that, where the market asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// What the row rests on, in words for people.
    #[serde(default)]
    pub basis: String,
}

fn prior_days() -> u16 {
    30
}

/// Why a row cannot be the law of a market.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LawError {
    /// The name is none.
    #[error("the name of a market {0}")]
    Name(#[source] IdError),
    /// Two rows have one name.
    #[error("the market {0:?} is there twice")]
    Twice(String),
    /// A number of days is out of range.
    #[error("{field} of the market {market:?} must be {rule}, not {days}")]
    Days {
        /// Of which market.
        market: String,
        /// Which number.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
        /// What it is.
        days: u16,
    },
    /// A legal basis says nothing.
    #[error("legal_basis of the market {0:?} must say what it is, or be left out")]
    LegalBasis(String),
}

impl MarketLaw {
    /// Refuses a row that contradicts itself.
    pub fn check(&self) -> Result<(), LawError> {
        check_id(&self.name).map_err(LawError::Name)?;
        let days = |fits: bool, field, rule, days| {
            let market = self.name.clone();
            if fits { Ok(()) } else { Err(LawError::Days { market, field, rule, days }) }
        };
        for (field, value) in
            [("prior_days", self.prior_days), ("progressive_days", self.progressive_days)]
        {
            days(value <= DAYS_MAX, field, "at most 366", value)?;
        }
        if let NewGoods::Days(fewer) = self.new_goods {
            let fits = 0 < fewer && fewer < self.prior_days;
            days(fits, "new_goods", "at least 1 and below prior_days", fewer)?;
        }
        match &self.legal_basis {
            Some(basis) if basis.trim().is_empty() => Err(LawError::LegalBasis(self.name.clone())),
            _ => Ok(()),
        }
    }

    /// Whether a minimum of advertised prices may be kept here.
    pub fn may_keep_advertised_minimum(&self) -> bool {
        let has_basis = self.legal_basis.as_ref().is_some_and(|basis| !basis.trim().is_empty());
        has_basis || self.advertised_minimum == AdvertisedMinimum::Allowed
    }
}
