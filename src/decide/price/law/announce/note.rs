//! Percentages as they are announced, and the reasons for an answer.

use crate::domain::Cents;
use std::fmt;

/// A reduction in tenths of a percent, as it may be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u16);

impl Percent {
    /// By how much `price` is below `reference`, rounded down: no more is promised than is given. `None` if it is
    /// above, or if there is nothing to be a part of.
    pub fn below(price: Cents, reference: Cents) -> Option<Self> {
        let (price, reference) = (i128::from(price.0.max(0)), i128::from(reference.0));
        if reference <= 0 || reference < price {
            return None;
        }
        u16::try_from((reference - price) * 1000 / reference).ok().map(Self)
    }

    /// In tenths of a percent, 0 to 1000.
    pub fn tenths(self) -> u16 {
        self.0
    }

    /// In percent.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 10.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} %", self.0 / 10, self.0 % 10)
    }
}

/// One reason for an answer. The *reference* is the prior price, or where a market asks for none, the price before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LawNote {
    /// It is below the reference.
    BelowReference,
    /// It is the reference.
    AtReference,
    /// It is above the reference.
    AboveReference,
    /// It is below the reference by less than can be announced.
    TooSmall,
    /// It is not above 0.
    NotAPrice,
    /// It is for members only.
    MembersOnly,
    /// It is for one person.
    Personal,
    /// The market has no rule on prior prices.
    NoRule,
    /// The good perishes, and the market exempts such goods.
    Perishable,
    /// The good has not been on the market for long enough.
    TooNew,
    /// The good is new, so the window is shorter.
    NewGood,
    /// The ledger begins within the window.
    LedgerTooShort,
    /// Nothing was asked before.
    NothingBefore,
    /// For a part of the window nothing was asked.
    Unpriced,
    /// The same reduction goes on.
    Continued,
    /// It is a further cut of a campaign that compares with the price before its first.
    Progressive,
    /// It is a further cut, and the market compares each with the days before itself.
    NoProgressiveRule,
    /// The campaign has run for longer than reductions may grow.
    CampaignTooLong,
    /// The price rose within the campaign, or would now.
    CampaignRose,
    /// The ledger has no price that came with the campaign.
    CampaignUnknown,
}

impl LawNote {
    /// The name in the HTTP contract.
    pub fn kind(self) -> &'static str {
        match self {
            Self::BelowReference => "below_reference",
            Self::AtReference => "at_reference",
            Self::AboveReference => "above_reference",
            Self::TooSmall => "too_small",
            Self::NotAPrice => "not_a_price",
            Self::MembersOnly => "members_only",
            Self::Personal => "personal",
            Self::NoRule => "no_rule",
            Self::Perishable => "perishable",
            Self::TooNew => "too_new",
            Self::NewGood => "new_good",
            Self::LedgerTooShort => "ledger_too_short",
            Self::NothingBefore => "nothing_before",
            Self::Unpriced => "unpriced",
            Self::Continued => "continued",
            Self::Progressive => "progressive",
            Self::NoProgressiveRule => "no_progressive_rule",
            Self::CampaignTooLong => "campaign_too_long",
            Self::CampaignRose => "campaign_rose",
            Self::CampaignUnknown => "campaign_unknown",
        }
    }
}

impl fmt::Display for LawNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BelowReference => "The price is below the one that it is compared with.",
            Self::AtReference => {
                "The price is the one that it is compared with, so there is no reduction to announce."
            }
            Self::AboveReference => {
                "The price is above the one that it is compared with, so there is no reduction to announce."
            }
            Self::TooSmall => "The price is lower by less than a tenth of a percent.",
            Self::NotAPrice => "A price must be above 0.",
            Self::MembersOnly => {
                "Prices for members are treated apart by the law; this table does not judge them."
            }
            Self::Personal => {
                "Personal prices are not made here; where they are, consumers must be told (Directive 2011/83/EU, \
                 Article 6(1)(ea))."
            }
            Self::NoRule => {
                "The market's row asks for no prior price, so the price just before is compared with."
            }
            Self::Perishable => {
                "The market exempts perishables, so the price just before is compared with."
            }
            Self::TooNew => "The good has not been on the market for as many days as the rule asks.",
            Self::NewGood => "The good is new, so the lowest price of a shorter time is compared with.",
            Self::LedgerTooShort => {
                "The ledger does not reach back far enough to know the lowest price of the days before."
            }
            Self::NothingBefore => "Nothing was asked in the days before, so there is nothing to reduce.",
            Self::Unpriced => "For a part of the days before nothing was asked.",
            Self::Continued => "The same reduction goes on, so the days before its start count.",
            Self::Progressive => {
                "It is a further cut of one campaign, so the days before its first cut count."
            }
            Self::NoProgressiveRule => {
                "The market's row lets no reduction grow, so the days before this cut count, the campaign's among them."
            }
            Self::CampaignTooLong => {
                "The campaign has run for longer than reductions may grow, so the days before this cut count."
            }
            Self::CampaignRose => {
                "The price rose within the campaign, so the days before this change count."
            }
            Self::CampaignUnknown => {
                "The ledger has no price that began with the campaign, so the days before this change count."
            }
        })
    }
}
