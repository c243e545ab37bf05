//! A chosen price and all that led to it.

use super::{
    explore::Drawn,
    note::ChoiceNote,
    rails::{Clash, Rail},
};
use crate::{decide::price::Bounds, domain::Cents};

/// What became of the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceStatus {
    /// It differs from the one in force.
    Moved,
    /// It is the one in force, or the list price if there is none.
    Kept,
    /// It was drawn, to learn from it; it may be the one in force all the same.
    Exploring,
    /// No price keeps these two guard-rails.
    Infeasible(Clash),
    /// Kept, as far as bounds allow, because nothing usable is known of demand.
    UnknownDemand,
    /// Kept, as far as bounds allow, because the cost is not known.
    CostUnknown,
    /// There is neither a price in force nor a list price.
    NoListPrice,
}

impl ChoiceStatus {
    /// The name in the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Kept => "kept",
            Self::Exploring => "exploring",
            Self::Infeasible(_) => "infeasible",
            Self::UnknownDemand => "unknown_demand",
            Self::CostUnknown => "cost_unknown",
            Self::NoListPrice => "no_list_price",
        }
    }
}

/// What is expected of one price; means over the draws, for a week.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// The price.
    pub price: Cents,
    /// Units asked for; stock may hold fewer.
    pub units: f64,
    /// Minor units of money.
    pub revenue: f64,
    /// After cost and fees; `None` if the cost is not known.
    pub profit: Option<f64>,
    /// What prices are compared by: as the goal, each unit at its shadow price. Minor units, or units if those are the
    /// goal.
    pub objective: f64,
}

/// What one guard-rail took away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RailEffect {
    /// Which.
    pub rail: Rail,
    /// Prices before it.
    pub before: Bounds,
    /// Prices after it.
    pub after: Bounds,
    /// The best price before it; `None` where nothing is known of demand.
    pub best_before: Option<Cents>,
    /// The best price after it.
    pub best_after: Option<Cents>,
    /// What it costs: expected objective of a week. `None` if the best price was allowed all the same.
    pub cost_per_week: Option<f64>,
}

/// What a change of price does to the objective of a week.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// Expected.
    pub mean: f64,
    /// Below it lies one chance in ten.
    pub q10: f64,
    /// Above it lies one chance in ten.
    pub q90: f64,
    /// Chance that the new price is better.
    pub probability_better: f64,
}

/// A price that was looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The price.
    pub price: Cents,
    /// Against the price in force; `None` if there is none.
    pub change: Option<Change>,
}

/// Why no trial was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTrial {
    /// The shop does not try prices out.
    Disabled,
    /// The item is not among those on trial now.
    NotDrawn,
    /// The price was changed a short while ago.
    Dwell,
    /// It cannot be bought.
    SoldOut,
    /// It could not be bought until a short while ago: those who waited buy at any price.
    CoolDown,
    /// It is promoted: what sells more does so for that.
    Promoted,
    /// The price cannot be chosen, or must be brought inside its bounds first.
    NotFree,
    /// No price is expected to bring anything that a share could be risked of.
    NothingToRisk,
    /// All draws lead to the same price.
    OnePrice,
}

impl NoTrial {
    /// The name in the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::NotDrawn => "not_drawn",
            Self::Dwell => "dwell",
            Self::SoldOut => "sold_out",
            Self::CoolDown => "cool_down",
            Self::Promoted => "promoted",
            Self::NotFree => "not_free",
            Self::NothingToRisk => "nothing_to_risk",
            Self::OnePrice => "one_price",
        }
    }
}

/// Whether the price was drawn, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exploration {
    /// Why it was not; `None` if it was.
    pub not_exploring: Option<NoTrial>,
    /// Chance that this price was to be drawn; 1 if nothing was drawn.
    pub propensity: f64,
    /// Mean of the prices that could have been drawn, weighted by their chances; `None` if nothing was drawn.
    pub expected_price: Option<f64>,
    /// The price without a trial.
    pub exploit: Option<Cents>,
    /// Expected loss against the price without a trial, as a share of its objective; less than 0 if the trial is
    /// expected to gain.
    pub loss_share: f64,
}

impl Exploration {
    /// No trial: the price is what it is.
    pub(super) fn none(why: NoTrial, price: Option<Cents>) -> Self {
        Self {
            not_exploring: Some(why),
            propensity: 1.0,
            expected_price: None,
            exploit: price,
            loss_share: 0.0,
        }
    }

    pub(super) fn drawn(drawn: Drawn, exploit: Cents, loss_share: f64) -> Self {
        Self {
            not_exploring: None,
            propensity: drawn.propensity,
            expected_price: Some(drawn.expected_price),
            exploit: Some(exploit),
            loss_share,
        }
    }

    /// Whether the price was drawn.
    pub fn is_exploring(&self) -> bool {
        self.not_exploring.is_none()
    }
}

/// A price and all that led to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// What the item is to cost; `None` if it has no price and none can be made.
    pub price: Option<Cents>,
    /// What became of the price.
    pub status: ChoiceStatus,
    /// Why, most important first.
    pub notes: Vec<ChoiceNote>,
    /// Lowest and highest price that the guard-rails leave; `None` if two of them clash.
    ///
    /// The price lies between them but where it is kept from before, no ending lies between them, or nothing can be
    /// chosen.
    pub bounds: Option<Bounds>,
    /// The prices that may be believed anything of: what was tried before and a step around it.
    pub trusted: Option<Bounds>,
    /// The best trusted price, were there no guard-rails.
    pub unconstrained: Option<Cents>,
    /// The best price that the guard-rails leave.
    pub best: Option<Candidate>,
    /// Expectations over the trusted prices with the right endings; sorted by price.
    pub curve: Vec<CurvePoint>,
    /// Guard-rails that took prices away, in their order.
    pub rails: Vec<RailEffect>,
    /// What the chosen price does against the one in force; `None` if there is none or nothing is known of demand.
    pub change: Option<Change>,
    /// What one unit of stock is worth above its cost; less than 0 where too many are on hand. Minor units.
    pub shadow_price: f64,
    /// Trials.
    pub exploration: Exploration,
}

impl Choice {
    /// A price that no demand had a part in.
    pub(super) fn plain(
        price: Option<Cents>,
        status: ChoiceStatus,
        notes: Vec<ChoiceNote>,
    ) -> Self {
        Self {
            price,
            status,
            notes,
            bounds: None,
            trusted: None,
            unconstrained: None,
            best: None,
            curve: Vec::new(),
            rails: Vec::new(),
            change: None,
            shadow_price: 0.0,
            exploration: Exploration::none(NoTrial::NotFree, price),
        }
    }
}
