//! What is known of an item when its price is chosen.

use super::{
    Bounds, PriceNote, PricePolicy,
    choice::{Case, CompetitorIndex, ItemLimits, Past, Stock},
    guard::{CeilingRule, FloorRule, GuardRails, margin_floor, step_reference},
};
use crate::{
    domain::{
        Cents, Currency, Item, ItemFields, PriceEntry, PriceReason, Timestamp, money::CENTS_MAX,
        time::DAY_MS,
    },
    learn::demand::response::DemandBelief,
};
use serde_json::Value;

/// Days by which a week is counted.
const WEEK_DAYS: f64 = 7.0;

/// What was learned of an item, and what others ask for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Knowledge {
    /// How demand answers.
    pub demand: Option<DemandBelief>,
    /// What others ask.
    pub competitors: Option<CompetitorIndex>,
    /// Whether the item is on trial now.
    pub may_explore: bool,
    /// What its product line leaves it.
    pub line: Option<(Cents, Cents)>,
}

/// All that the price of an item depends on now.
///
/// Beside its fields, these attributes count; one that is not of its kind counts as absent:
///
/// | attribute | what it says |
/// | --- | --- |
/// | `price_frozen` (true) | the price may not change for now |
/// | `price_advertised_min`, `price_recommended_max` (amounts) | what a contract allows |
/// | `clearance` (true) | it may be sold below cost and margin |
/// | `sell_by` (time) | what is left then is salvage |
pub fn case_of(
    (item, trail): (&Item, &[PriceEntry]),
    knowledge: Knowledge,
    now: Timestamp,
    (policy, currency): (&PricePolicy, Currency),
) -> Case {
    let fields = &item.fields;
    Case {
        item: item.item_id.clone(),
        market: policy.market.clone(),
        at: now,
        list: fields.price,
        cost: fields.cost,
        past: past(item, trail, now),
        limits: ItemLimits { line: knowledge.line, ..limits(fields, policy, currency) },
        demand: knowledge.demand.map(|demand| anchored(demand, item)),
        competitors: knowledge.competitors,
        stock: stock(fields, now),
        may_explore: knowledge.may_explore,
        policy: policy.choice.clone(),
        is_promoted: item.is_promoted(),
    }
}

/// A belief without sales of the item's own holds around a price of 1, which says nothing; around the present price it
/// says how demand changes from here.
fn anchored(demand: DemandBelief, item: &Item) -> DemandBelief {
    let price = item.price_in_force.or(item.fields.price).filter(|price| price.0 > 0);
    match price {
        Some(price) if demand.evidence.is_none() => {
            DemandBelief { reference_price: price.0 as f64, ..demand }
        }
        _ => demand,
    }
}

fn past(item: &Item, trail: &[PriceEntry], now: Timestamp) -> Past {
    let open = trail.last().filter(|entry| entry.to.is_none());
    // What an operator brought back stays for a while, too.
    let is_ours = |entry: &&PriceEntry| {
        let reason = entry.reason;
        matches!(reason, PriceReason::Demand | PriceReason::Trial(_) | PriceReason::Restored)
    };
    Past {
        current: item.price_in_force,
        since: open.filter(is_ours).map(|entry| entry.from),
        day_ago: step_reference(item, trail, now, DAY_MS),
        month_ago: step_reference(item, trail, now, 30 * DAY_MS),
        // Another process's clock may be ahead; now means that it is sold out.
        sold_out_at: if item.is_sellable() {
            item.back_on_sale_at.map(|at| at.min(now.plus_ms(-1)))
        } else {
            Some(now)
        },
    }
}

fn limits(fields: &ItemFields, policy: &PricePolicy, currency: Currency) -> ItemLimits {
    let is_set = |name: &str| fields.attributes.get(name).and_then(Value::as_bool) == Some(true);
    let amount = |name: &str| {
        let text = match fields.attributes.get(name)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        currency.parse_amount(&text).ok().filter(|price| price.0 > 0)
    };
    let is_clearance = is_set("clearance");
    let mut limits = ItemLimits {
        is_frozen: is_set("price_frozen"),
        advertised_min: amount("price_advertised_min").filter(|_| policy.keeps_advertised_min),
        recommended_max: amount("price_recommended_max"),
        price_min: fields.price_min,
        price_max: fields.price_max,
        is_clearance,
        line: None,
    };
    // Where the merchant gave one side only, the careful stand-in of the guard-rails takes the other's place.
    if let Ok(guard) = GuardRails::of(fields, policy) {
        if guard.floor == FloorRule::ListPrice && !is_clearance {
            limits.price_min = Some(guard.bounds.low);
        }
        if guard.ceiling == CeilingRule::ListPrice {
            limits.price_max = Some(guard.bounds.high);
        }
    }
    limits
}

fn stock(fields: &ItemFields, now: Timestamp) -> Option<Stock> {
    Some(Stock {
        units: fields.stock?,
        weeks_to_delivery: fields.lead_time_days.map(|days| f64::from(days) / WEEK_DAYS),
        weeks_to_end: weeks_to_end(fields, now),
    })
}

/// Weeks until what is left of the item is salvage, at least 0; `None` if it keeps.
pub fn weeks_to_end(fields: &ItemFields, now: Timestamp) -> Option<f64> {
    let sell_by = fields.attributes.get("sell_by").and_then(Value::as_str);
    let end = sell_by.and_then(Timestamp::parse)?;
    Some((end.since_ms(now) as f64 / (WEEK_DAYS * DAY_MS as f64)).max(0.0))
}

/// The prices at which an item may be sold now, whatever demand says: frozen, contract, margin floor, and the merchant's
/// lowest and highest. `None` if they clash, or nothing bounds the price.
pub fn hard_bounds(item: &Item, policy: &PricePolicy, currency: Currency) -> Option<Bounds> {
    bounds_of(item, policy, currency, BoundsOf::ALL)
}

/// What bounds are made of, beside the merchant's lowest and highest price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BoundsOf {
    /// Cost with its margin.
    pub(super) margin: bool,
    /// What a contract allows.
    pub(super) contract: bool,
}

impl BoundsOf {
    /// Everything.
    pub(super) const ALL: Self = Self { margin: true, contract: true };
}

/// As [`hard_bounds`], of some of what they are made of.
pub(super) fn bounds_of(
    item: &Item,
    policy: &PricePolicy,
    currency: Currency,
    parts: BoundsOf,
) -> Option<Bounds> {
    let limits = limits(&item.fields, policy, currency);
    if let Some(price) = item.price_in_force.filter(|_| limits.is_frozen) {
        return Some(Bounds { low: price, high: price });
    }
    let margin = item.fields.cost.filter(|_| !limits.is_clearance && parts.margin);
    let margin = margin.map(|cost| margin_floor(cost, policy));
    let contract = |price: Option<Cents>| price.filter(|_| parts.contract);
    let lows = [contract(limits.advertised_min), margin, limits.price_min];
    let highs = [contract(limits.recommended_max), limits.price_max];
    let (low, high) = (lows.into_iter().flatten().max(), highs.into_iter().flatten().min());
    let bounds = match (low, high) {
        (None, None) => return None,
        (low, high) => {
            Bounds { low: low.unwrap_or(Cents(1)), high: high.unwrap_or(Cents(CENTS_MAX)) }
        }
    };
    (bounds.low <= bounds.high).then_some(bounds)
}

/// Whether the price may not change for now.
pub(super) fn is_frozen(item: &Item, policy: &PricePolicy, currency: Currency) -> bool {
    limits(&item.fields, policy, currency).is_frozen
}

/// Why no price can be chosen at all, before demand is looked at: pricing is off, or nothing bounds the price.
pub fn standstill(fields: &ItemFields, policy: &PricePolicy) -> Option<PriceNote> {
    if !policy.enabled {
        return Some(PriceNote::PricingDisabled);
    }
    match GuardRails::of(fields, policy) {
        Err(note @ PriceNote::NoGuardRails) => Some(note),
        _ => None,
    }
}
