//! All that a price may depend on: the item, its market, the time and the ledger. Nothing in it names a person.
//!
//! A case is complete in itself and can be kept: the same case gives the same choice, on any machine, at any time.

use crate::{
    domain::{Cents, ItemId, Timestamp},
    learn::demand::response::DemandBelief,
};
use serde::{Deserialize, Serialize};

/// What a price is to be good for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Money left after costs.
    Profit,
    /// Money taken.
    Revenue,
    /// As many units as the margin floor allows.
    Units,
    /// This share of profit, 0 to 1, and the rest of revenue.
    Mixture(f64),
}

/// How prices may be tried out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplorePolicy {
    /// Whether prices are tried at all.
    pub enabled: bool,
    /// Expected profit, as a share of that of the best known price, that a trial may cost.
    pub loss_max: f64,
    /// Share of the items that may be on trial at once.
    pub share: f64,
    /// Least time that a price stays, in days; as long is nothing tried after a stock-out.
    pub dwell_days: f64,
}

/// The shop's rules for all items; ranges are checked with the settings they come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChoicePolicy {
    /// What prices are to be good for.
    pub goal: Goal,
    /// Lowest margin over cost, as a share of cost; at least 0.
    pub margin_floor: f64,
    /// Largest change of price at once, as a share of the price before it; 0 to 1.
    pub step_max: f64,
    /// Largest change within 30 days, as a share of the price 30 days ago; at least `step_max`.
    pub step_30d_max: f64,
    /// Last digits that a price may have, in minor units, each written as a label would: `[99, 95]` allows 12.99 and
    /// 12.95. Empty = every price.
    pub endings: Vec<u32>,
    /// Share of a price that goes to payment, marketplaces and expected returns; 0 to 1.
    pub fee_share: f64,
    /// What salvage of a left-over unit brings, as a share of its cost.
    pub salvage_share: f64,
    /// Between which shares of the competitors' index prices stay; `None` = anywhere.
    pub corridor: Option<[f64; 2]>,
    /// Trials.
    pub explore: ExplorePolicy,
}

/// What others ask for the same item, as far as it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompetitorIndex {
    /// Minor units; delivered.
    pub price: f64,
    /// Offers that it rests on.
    pub n_offers: u32,
    /// Age of the freshest, in hours.
    pub age_hours: f64,
    /// Whether prices may follow it: not while a rival merely answers our own moves.
    pub may_follow: bool,
}

/// What is known of the stock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    /// Units on hand.
    pub units: u64,
    /// Weeks until more can be had; `None` = never: the rest is to be sold by then or not at all is not known either.
    pub weeks_to_delivery: Option<f64>,
    /// Weeks until what is left must be sold; `None` = it keeps.
    pub weeks_to_end: Option<f64>,
}

/// What the merchant, a contract or the law says of this item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ItemLimits {
    /// Whether its price may not change for now.
    pub is_frozen: bool,
    /// Lowest price that may be advertised under a contract.
    pub advertised_min: Option<Cents>,
    /// Recommended price that must not be exceeded.
    pub recommended_max: Option<Cents>,
    /// The merchant's lowest price.
    pub price_min: Option<Cents>,
    /// The merchant's highest price.
    pub price_max: Option<Cents>,
    /// Whether it may be sold below its margin floor.
    pub is_clearance: bool,
    /// What its product line leaves it: a bigger pack is not dearer by the unit, variants of one group cost the same.
    pub line: Option<(Cents, Cents)>,
}

/// What the ledger says of the price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// The price in force; `None` if there is none yet.
    pub current: Option<Cents>,
    /// Since when it is.
    pub since: Option<Timestamp>,
    /// The price that a change now counts from: a day ago, or the merchant's own since then.
    pub day_ago: Option<Cents>,
    /// The price 30 days ago, or the merchant's own since then.
    pub month_ago: Option<Cents>,
    /// The last time known at which the item could not be bought: now, or when it came back.
    pub sold_out_at: Option<Timestamp>,
}

/// One item, whose price is to be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Which.
    pub item: ItemId,
    /// Where; prices of one market say nothing of another.
    pub market: String,
    /// When.
    pub at: Timestamp,
    /// The merchant's list price.
    pub list: Option<Cents>,
    /// What one unit costs the shop.
    pub cost: Option<Cents>,
    /// What the ledger says.
    pub past: Past,
    /// What may not be done.
    pub limits: ItemLimits,
    /// How demand answers; units in a week without a promotion. `None` if nothing was learned yet.
    pub demand: Option<DemandBelief>,
    /// What others ask.
    pub competitors: Option<CompetitorIndex>,
    /// What is on hand; `None` = not counted.
    pub stock: Option<Stock>,
    /// Whether this item is among those on trial in this slot of time: drawn by item, market and time.
    pub may_explore: bool,
    /// The shop's rules.
    pub policy: ChoicePolicy,
    /// Whether the item is shown more prominently than usual: what sells then says little of what its price does.
    pub is_promoted: bool,
}
