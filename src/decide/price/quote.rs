//! Tells the price in force, and how long it will be kept.

use super::{Bounds, FloorRule, PriceNote, PricePolicy, guard::GuardRails};
use crate::domain::{Cents, Item, PriceEntry, PriceReason, Timestamp, time::DAY_MS};
use std::cmp::Ordering;

/// The days before a reduction whose lowest price must be shown with it: Directive 98/6/EC, Article
/// 6a(2), as inserted by Directive (EU) 2019/2161.
const PRIOR_MS: i64 = 30 * DAY_MS;

/// A price that the shop stands by for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Names this offer: the same item at the same price until the same time has the same id.
    pub quote_id: String,
    /// How much.
    pub price: Cents,
    /// Until when.
    pub valid_until: Timestamp,
    /// Why, most important first.
    pub reasons: Vec<PriceNote>,
    /// The guard-rails; `None` if there are none or they clash.
    pub bounds: Option<Bounds>,
    /// The prior price of [`lowest_30d`].
    pub lowest_30d: Option<Cents>,
}

/// Quotes the price in force; `None` if there is none.
///
/// `trail`: the item's ledger of the last 31 days, oldest first. `ttl_ms`: how long a quote holds.
pub fn quote(
    item: &Item,
    trail: &[PriceEntry],
    now: Timestamp,
    ttl_ms: i64,
    policy: &PricePolicy,
) -> Option<Quote> {
    let price = item.price_in_force?;
    let guard = GuardRails::of(&item.fields, policy);
    let valid_until = valid_until(now, ttl_ms);
    Some(Quote {
        quote_id: quote_id(item, price, valid_until),
        price,
        valid_until,
        reasons: reasons(item, price, trail, policy, guard),
        bounds: guard.ok().map(|guard| guard.bounds),
        lowest_30d: lowest_30d(price, trail, now),
    })
}

/// The end of a time slot of `ttl_ms`: the present one, or the next if less than half of it is left.
/// So everybody who asks within a slot's length gets the same offer, good for half to one and a half of
/// `ttl_ms`.
fn valid_until(now: Timestamp, ttl_ms: i64) -> Timestamp {
    let ttl_ms = ttl_ms.max(1);
    let left_ms = ttl_ms - now.0.rem_euclid(ttl_ms);
    let next_ms = if left_ms < ttl_ms / 2 { ttl_ms } else { 0 };
    now.plus_ms(left_ms).plus_ms(next_ms)
}

fn quote_id(item: &Item, price: Cents, valid_until: Timestamp) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&price.0.to_le_bytes());
    hasher.update(&valid_until.0.to_le_bytes());
    hasher.update(item.item_id.as_str().as_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}

/// What the ledger and the guard-rails say of the price in force.
fn reasons(
    item: &Item,
    price: Cents,
    trail: &[PriceEntry],
    policy: &PricePolicy,
    guard: Result<GuardRails, PriceNote>,
) -> Vec<PriceNote> {
    let open = trail.last().filter(|entry| entry.to.is_none()).map(|entry| entry.reason);
    let mut notes = match open {
        Some(PriceReason::Demand) => demand_notes(item, price, guard),
        Some(PriceReason::GuardRail) => guard_rail_notes(price, guard),
        Some(PriceReason::Imported) => vec![PriceNote::Imported],
        Some(PriceReason::BackToList) => vec![PriceNote::BackToList],
        Some(PriceReason::ListPrice) => vec![PriceNote::ListPrice],
        None if item.fields.price == Some(price) => vec![PriceNote::ListPrice],
        None => vec![],
    };
    if !policy.enabled {
        notes.push(PriceNote::PricingDisabled);
    } else if let Err(note) = guard {
        notes.push(note);
    }
    notes
}

/// Why pricing left the item at this price, told from where it lies: a price that stands at a bound on
/// the far side of the list price was pushed there by the bound, not by demand.
fn demand_notes(item: &Item, price: Cents, guard: Result<GuardRails, PriceNote>) -> Vec<PriceNote> {
    let Some(list) = item.fields.price else { return vec![] };
    // Between bounds that contradict each other nobody can tell what demand did.
    if let Err(PriceNote::BoundsClash(_)) = guard {
        return vec![];
    }
    let guard = guard.ok();
    let floor = guard.filter(|guard| price == guard.bounds.low).map(|guard| guard.floor);
    let floor = floor.filter(|&rule| rule != FloorRule::ListPrice);
    let ceiling = guard.filter(|guard| price == guard.bounds.high).map(|guard| guard.ceiling);
    let demand = match price.cmp(&list) {
        Ordering::Equal => Some(PriceNote::DemandAsExpected),
        Ordering::Greater => floor.is_none().then_some(PriceNote::DemandHigh),
        Ordering::Less => ceiling.is_none().then_some(PriceNote::DemandLow),
    };
    let bounds = [floor.map(PriceNote::Floor), ceiling.map(PriceNote::Ceiling)];
    demand.into_iter().chain(bounds.into_iter().flatten()).collect()
}

/// Which of the merchant's bounds holds the price; they may have moved since.
fn guard_rail_notes(price: Cents, guard: Result<GuardRails, PriceNote>) -> Vec<PriceNote> {
    let guard = guard.ok();
    let floor = guard.filter(|guard| price == guard.bounds.low);
    let ceiling = guard.filter(|guard| price == guard.bounds.high);
    let floor = floor.map(|guard| PriceNote::Floor(guard.floor));
    let ceiling = ceiling.map(|guard| PriceNote::Ceiling(guard.ceiling));
    let notes: Vec<PriceNote> = floor.into_iter().chain(ceiling).collect();
    if notes.is_empty() { vec![PriceNote::GuardRail] } else { notes }
}

/// The lowest price in force in the last 30 days before the present price; the present price if there
/// was no other, `None` if the ledger is empty.
///
/// A price counts if it was in force at any time in the 30 days before `now`, were it for an hour. The
/// present price does not count, from when it last came into force: a reduction is measured against
/// what was asked before it. The law counts the 30 days back from the reduction; counted from `now`, as
/// here, they see less of the past the longer the reduction lasts, which is what a ledger of 31 days can
/// answer.
pub fn lowest_30d(price: Cents, trail: &[PriceEntry], now: Timestamp) -> Option<Cents> {
    let known = trail.iter().filter(|entry| entry.from <= now);
    let known: Vec<&PriceEntry> = known.collect();
    known.first()?;
    let mut n_before = known.len();
    let mut until = None;
    while let Some(entry) = n_before.checked_sub(1).map(|at| known[at]) {
        // Entries that only renew the reason of an unchanged price belong to the present one.
        if entry.price != price || entry.to != until {
            break;
        }
        until = Some(entry.from);
        n_before -= 1;
    }
    let window_from = now.plus_ms(-PRIOR_MS);
    let in_force =
        |entry: &&&PriceEntry| entry.to.is_none_or(|to| to > window_from && to > entry.from);
    let before = known[..n_before].iter().filter(in_force).map(|entry| entry.price);
    Some(before.min().unwrap_or(price))
}
