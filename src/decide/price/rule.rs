//! Decides what an item is to cost from now on.

use super::{
    Bounds, PriceNote, PricePolicy,
    guard::{GuardRails, within_step},
};
use crate::{
    domain::{Cents, Item, PriceEntry, PriceReason, Timestamp},
    learn::demand::ItemDemand,
};

/// Doublings or halvings of demand beyond which a price does not follow: what sells five times better
/// than expected is more likely an event than a new level. Our choice.
const DOUBLINGS_MAX: f64 = 2.0;

/// A price and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What the item is to cost; `None` if it has no list price.
    pub price: Option<Cents>,
    /// Why, most important first.
    pub notes: Vec<PriceNote>,
    /// The guard-rails; `None` if there are none or they clash.
    pub bounds: Option<Bounds>,
    /// What the ledger says of the price if it differs from the one in force.
    pub reason: PriceReason,
}

/// Decides the price of an item; the ledger is to take it if it differs from the one in force.
///
/// `trail`: the item's ledger of the last 31 days, oldest first. The rules, strongest first:
///
/// 1. Pricing off, or neither cost nor bounds known: the list price, at once.
/// 2. Floor above ceiling: the price in force stays, and the note names the clash.
/// 3. Bounds: the price is never outside, even if it takes more than a day's step to get in. The
///    merchant set them, and days below cost are worse than a leap.
/// 4. Step: the price stays near the one of a day ago, also on the way back to the list price.
/// 5. Demand: what is wanted, rounded to whole minor units before the rules above.
pub fn decide_price(
    item: &Item,
    trail: &[PriceEntry],
    demand: Option<ItemDemand>,
    now: Timestamp,
    policy: &PricePolicy,
) -> Decision {
    let guard = GuardRails::of(&item.fields, policy);
    let bounds = guard.ok().map(|guard| guard.bounds);
    let Some(list) = item.fields.price else {
        let (notes, reason) = (vec![PriceNote::NoListPrice], PriceReason::BackToList);
        return Decision { price: None, notes, bounds, reason };
    };
    if !policy.enabled {
        return at_list(item, list, PriceNote::PricingDisabled, bounds);
    }
    let guard = match guard {
        Ok(guard) => guard,
        Err(note @ PriceNote::BoundsClash(_)) => {
            let open = trail.last().filter(|entry| entry.to.is_none());
            return Decision {
                price: item.price_in_force.or(Some(list)),
                notes: vec![note],
                bounds,
                reason: open.map_or(PriceReason::ListPrice, |entry| entry.reason),
            };
        }
        Err(note) => return at_list(item, list, note, bounds),
    };
    let target = target(list, demand, policy);
    let wanted = guard.bounds.clamp(target);
    let stepped = within_step(item, trail, now, policy).map_or(wanted, |step| step.clamp(wanted));
    let price = guard.bounds.clamp(stepped);

    let mut notes = vec![match demand {
        None => PriceNote::DemandUnknown,
        Some(_) if target > list => PriceNote::DemandHigh,
        Some(_) if target < list => PriceNote::DemandLow,
        Some(_) => PriceNote::DemandAsExpected,
    }];
    if price == guard.bounds.low && target.min(stepped) < price {
        notes.push(PriceNote::Floor(guard.floor));
    }
    if price == guard.bounds.high && target.max(stepped) > price {
        notes.push(PriceNote::Ceiling(guard.ceiling));
    }
    if price != wanted {
        notes.push(PriceNote::Step);
    }
    // Where the guard-rails alone put the list price, demand had no part in it.
    let railed = guard.bounds.clamp(list);
    let reason = match demand {
        _ if price == railed && railed != list => PriceReason::GuardRail,
        None => PriceReason::BackToList,
        Some(_) => PriceReason::Demand,
    };
    Decision { price: Some(price), notes, bounds, reason }
}

/// The list price, whatever was in force.
fn at_list(item: &Item, list: Cents, note: PriceNote, bounds: Option<Bounds>) -> Decision {
    let moved = item.price_in_force.is_some_and(|price| price != list);
    let (reason, also) = if moved {
        (PriceReason::BackToList, PriceNote::BackToList)
    } else {
        (PriceReason::ListPrice, PriceNote::ListPrice)
    };
    Decision { price: Some(list), notes: vec![also, note], bounds, reason }
}

/// The price that demand asks for: the list price and `sensitivity` of it per doubling of demand. What
/// costs something is never given away.
fn target(list: Cents, demand: Option<ItemDemand>, policy: &PricePolicy) -> Cents {
    let ratio = demand.map_or(1.0, |demand| demand.ratio);
    let doublings = ratio.log2().clamp(-DOUBLINGS_MAX, DOUBLINGS_MAX);
    list.scaled_by(1.0 + policy.sensitivity * doublings).max(list.min(Cents(1)))
}
