//! Why a price was chosen, for people and for programs.

use super::rails::{Clash, Rail};
use std::fmt;

/// One reason for a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceNote {
    /// It has the greatest expected objective of all legal prices.
    Best,
    /// The price in force already is the best.
    AlreadyBest,
    /// Another price is better by so little, or so uncertainly, that it is not worth a change.
    GainIsNoise,
    /// The price was changed a short while ago.
    Dwell,
    /// It is a trial.
    Trial,
    /// There is neither a price in force nor a list price.
    NoListPrice,
    /// The price is 0 or less.
    NotAPrice,
    /// Neither cost nor any bound is known.
    NoGuardRails,
    /// The cost is not known, so profit is not.
    CostUnknown,
    /// Nothing is known of demand.
    DemandUnknown,
    /// What is said of demand cannot be reckoned with.
    DemandBroken,
    /// The price lies so far from all prices tried that they must be of another unit or currency.
    EvidenceElsewhere,
    /// How demand answers to the price cannot be told from the item's own sales.
    NoEvidence,
    /// The rules are not numbers.
    PolicyBroken,
    /// The best price lies at the end of what was tried before.
    EvidenceRange,
    /// It stands at this guard-rail.
    AtRail(Rail),
    /// The price in force is outside of this guard-rail.
    Breach(Rail),
    /// The price was brought inside this guard-rail at once.
    BroughtInside(Rail),
    /// No ending lies within a step, so the next one beyond was allowed.
    StepWidened,
    /// No ending lies within a step, nor near enough beyond.
    StepTooSmall,
    /// The price comes to meet no ending.
    NoEnding,
    /// No price keeps these two guard-rails.
    Clash(Clash),
    /// Competitors' prices cannot be of this item.
    CompetitorsOdd,
    /// Competitors' prices are not followed for now.
    CompetitorsNotFollowed,
    /// Stock runs out before more can be had.
    StockScarce,
    /// More is on hand than will be sold in time.
    StockAmple,
}

impl ChoiceNote {
    /// The name in the HTTP contract.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::AlreadyBest => "already_best",
            Self::GainIsNoise => "gain_is_noise",
            Self::Dwell => "dwell",
            Self::Trial => "trial",
            Self::NoListPrice => "no_list_price",
            Self::NotAPrice => "not_a_price",
            Self::NoGuardRails => "no_guard_rails",
            Self::CostUnknown => "cost_unknown",
            Self::DemandUnknown => "demand_unknown",
            Self::DemandBroken => "demand_broken",
            Self::EvidenceElsewhere => "evidence_elsewhere",
            Self::NoEvidence => "no_evidence",
            Self::PolicyBroken => "policy_broken",
            Self::EvidenceRange => "evidence_range",
            Self::AtRail(_) => "at_rail",
            Self::Breach(_) => "breach",
            Self::BroughtInside(_) => "brought_inside",
            Self::StepWidened => "step_widened",
            Self::StepTooSmall => "step_too_small",
            Self::NoEnding => "no_ending",
            Self::Clash(_) => "clash",
            Self::CompetitorsOdd => "competitors_odd",
            Self::CompetitorsNotFollowed => "competitors_not_followed",
            Self::StockScarce => "stock_scarce",
            Self::StockAmple => "stock_ample",
        }
    }

    /// The guard-rail it tells of; the weaker of two that clash.
    pub fn rail(&self) -> Option<Rail> {
        match self {
            Self::AtRail(rail) | Self::Breach(rail) | Self::BroughtInside(rail) => Some(*rail),
            Self::Clash(clash) => Some(clash.second),
            _ => None,
        }
    }
}

impl fmt::Display for ChoiceNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Best => "Of all prices allowed this one promises most.",
            Self::AlreadyBest => "No other price allowed promises more than the present one.",
            Self::GainIsNoise => {
                "Another price promises more, but too little or too uncertainly to change for."
            }
            Self::Dwell => "The price was changed a short while ago and stays for now.",
            Self::Trial => "The price is being tried out, to learn how demand answers to it.",
            Self::NoListPrice => "The item has neither a price nor a list price.",
            Self::NotAPrice => "The price does not move because it is not above 0.",
            Self::NoGuardRails => "The price does not move because neither cost nor any bound is known.",
            Self::CostUnknown => "The price does not move because the cost is not known.",
            Self::DemandUnknown => "Too little is known about how the item sells.",
            Self::DemandBroken => "What was learned about how the item sells cannot be used.",
            Self::EvidenceElsewhere => {
                "The price lies so far from all that were tried that they say nothing about it."
            }
            Self::NoEvidence => "The item's own sales do not yet show how demand answers to its price.",
            Self::PolicyBroken => "The price does not move because the shop's rules hold no numbers.",
            Self::EvidenceRange => {
                "A price farther from those tried before might promise more; nothing is known of it yet."
            }
            Self::StepWidened => "The largest step holds no allowed ending; the next ending was taken.",
            Self::StepTooSmall => "The price stays because the largest step holds no allowed ending.",
            Self::NoEnding => "The price has none of the allowed endings because none lies between its bounds.",
            Self::CompetitorsOdd => "Competitors' prices were left out: they cannot be of this item.",
            Self::CompetitorsNotFollowed => "Competitors' prices are not followed for now.",
            Self::StockScarce => "The stock will run out before more comes, which makes each unit dearer.",
            Self::StockAmple => "More is in stock than will be sold in time, which makes each unit cheaper.",
            Self::AtRail(rail) => {
                return write!(f, "The price goes as far as {} {} it.", rail.phrase(), rail.lets());
            }
            Self::Breach(rail) => {
                return write!(f, "The present price does not keep to {}.", rail.phrase());
            }
            Self::BroughtInside(rail) => {
                return write!(f, "The price was brought at once to where {} {} it.", rail.phrase(), rail.lets());
            }
            Self::Clash(Clash { first, second }) if first == second => {
                return write!(f, "The price does not move because {} cannot both be kept.", first.phrase());
            }
            Self::Clash(Clash { first, second }) => {
                let (first, second) = (first.phrase(), second.phrase());
                return write!(f, "The price does not move because no price keeps to both {first} and {second}.");
            }
        })
    }
}
