//! Tells the price in force, and how long it will be kept.

use super::{Bounds, PriceNote, PricePolicy, guard::GuardRails};
use crate::domain::{
    Cents, Item, ItemId, PriceEntry, PriceReason, Timestamp, id::ID_BYTES_MAX, time::DAY_MS,
};

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

/// Until when quotes that are made now are good, and what names them: the same for all items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteTime(Timestamp);

impl QuoteTime {
    /// For quotes that hold for `ttl_ms`.
    pub fn of(now: Timestamp, ttl_ms: i64) -> Self {
        Self(valid_until(now, ttl_ms))
    }

    /// Until when.
    pub fn valid_until(self) -> Timestamp {
        self.0
    }

    /// When what was made of quotes of `now` is to be made anew: where the next ones would end later, and up to a quarter
    /// of `ttl_ms` after that, by `spread`, since not everything can be made anew in one moment. Quotes then hold for a
    /// quarter of `ttl_ms` at least.
    pub fn renewal(now: Timestamp, ttl_ms: i64, spread: u64) -> Timestamp {
        let ttl_ms = ttl_ms.max(1);
        // The first moment of a slot with less than half of it left.
        let half = ttl_ms - ttl_ms / 2 + 1;
        let turn = ((now.0 - half).div_euclid(ttl_ms) + 1).saturating_mul(ttl_ms) + half;
        let quarter = (ttl_ms / 4).max(1);
        Timestamp(turn).plus_ms(spread.rem_euclid(quarter.unsigned_abs()).cast_signed())
    }

    /// The id of a quote of this price.
    pub fn quote_id(self, item: &ItemId, price: Cents) -> String {
        id_of(item, price, self.0)
    }
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
    let time = QuoteTime::of(now, ttl_ms);
    Some(Quote {
        quote_id: time.quote_id(&item.item_id, price),
        price,
        valid_until: time.valid_until(),
        reasons: reasons(item, price, trail, policy, guard),
        bounds: guard.ok().map(|guard| guard.bounds),
        lowest_30d: lowest_30d(price, trail, now),
    })
}

/// The end of a time slot of `ttl_ms`: the present one, or the next if less than half of it is left.
/// So everybody who asks within a slot's length gets the same offer, good for half to one and a half of
/// `ttl_ms`; in a list that was made before ([`QuoteTime::renewal`]), for a quarter at least.
fn valid_until(now: Timestamp, ttl_ms: i64) -> Timestamp {
    let ttl_ms = ttl_ms.max(1);
    let left_ms = ttl_ms - now.0.rem_euclid(ttl_ms);
    let next_ms = if left_ms < ttl_ms / 2 { ttl_ms } else { 0 };
    now.plus_ms(left_ms).plus_ms(next_ms)
}

/// What becomes of a quote that a client comes back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The shop stands by it.
    Valid,
    /// Its time is over.
    Expired,
    /// Its id belongs to another item, price or time.
    Changed,
    /// At no time when it could have been made did the item cost this.
    NeverOffered,
}

impl Verdict {
    /// The name in the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Changed => "changed",
            Self::NeverOffered => "never_offered",
        }
    }
}

/// Whether the shop stands by a quote: it does if and only if the id is that of this item, price and time, the time is
/// not over, and the ledger has the price in force when such a quote could have been made. So nothing need be
/// remembered of quotes, and none can be made up that was not offered.
///
/// `trail`: the item's ledger of the last 31 days, oldest first.
pub fn verify(
    (quote_id, item): (&str, &ItemId),
    (price, valid_until): (Cents, Timestamp),
    trail: &[PriceEntry],
    (now, ttl_ms): (Timestamp, i64),
) -> Verdict {
    if quote_id != id_of(item, price, valid_until) {
        return Verdict::Changed;
    }
    if now >= valid_until {
        return Verdict::Expired;
    }
    // It ends with a slot, and is good for half to one and a half of `ttl_ms`, so it was made between these times.
    let ttl_ms = ttl_ms.max(1);
    if valid_until.0.rem_euclid(ttl_ms) != 0 {
        return Verdict::NeverOffered;
    }
    let earliest = valid_until.plus_ms(-(ttl_ms + ttl_ms / 2 + 1));
    let latest = valid_until.plus_ms(1 - ttl_ms / 2).min(now);
    let was_in_force = |entry: &&PriceEntry| {
        entry.from <= latest
            && entry.price == price
            && entry.to.is_none_or(|to| to > earliest)
            && earliest <= now
    };
    if trail.iter().any(|entry| was_in_force(&entry)) {
        Verdict::Valid
    } else {
        Verdict::NeverOffered
    }
}

fn id_of(item: &ItemId, price: Cents, valid_until: Timestamp) -> String {
    // In one piece: a hasher that waits for more takes twice as long, and every item of a list has a quote.
    let mut offer = [0; 2 * size_of::<i64>() + ID_BYTES_MAX];
    let item = item.as_str().as_bytes();
    let n_bytes = offer.len() - ID_BYTES_MAX + item.len();
    offer[..8].copy_from_slice(&price.0.to_le_bytes());
    offer[8..16].copy_from_slice(&valid_until.0.to_le_bytes());
    offer[16..n_bytes].copy_from_slice(item);
    blake3::hash(&offer[..n_bytes]).to_hex()[..32].to_owned()
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
        Some(PriceReason::Demand) => demand_notes(price, guard),
        Some(PriceReason::Trial(_)) => vec![PriceNote::Trial],
        Some(PriceReason::Restored) => vec![PriceNote::Restored],
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

/// That pricing chose the price, and the bound that it stands at. Between bounds that contradict each other nobody can tell
/// what demand did.
fn demand_notes(price: Cents, guard: Result<GuardRails, PriceNote>) -> Vec<PriceNote> {
    if let Err(PriceNote::BoundsClash(_)) = guard {
        return vec![];
    }
    let guard = guard.ok();
    let floor = guard.filter(|guard| price == guard.bounds.low).map(|guard| guard.floor);
    let ceiling = guard.filter(|guard| price == guard.bounds.high).map(|guard| guard.ceiling);
    let bounds = [floor.map(PriceNote::Floor), ceiling.map(PriceNote::Ceiling)];
    [PriceNote::Demand].into_iter().chain(bounds.into_iter().flatten()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_made_of_quotes_is_made_anew_while_they_hold(
            now in -10_000_000i64..10_000_000, ttl_ms in 1i64..4_000_000, spread: u64,
        ) {
            let now = Timestamp(now);
            let (ends, renewal) = (valid_until(now, ttl_ms), QuoteTime::renewal(now, ttl_ms, spread));
            prop_assert!(now < renewal && renewal < ends.plus_ms(1 - ttl_ms / 4), "{ends} {renewal}");
            // Not before there is something newer to be had.
            prop_assert!(ends < valid_until(renewal, ttl_ms));
        }
    }

    #[test]
    fn not_all_is_made_anew_at_once() {
        let renewals = (0..1_000).map(|n: u64| {
            QuoteTime::renewal(Timestamp(0), 1_800_000, n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).0
        });
        let (first, last) =
            renewals.fold((i64::MAX, i64::MIN), |(a, b), at| (a.min(at), b.max(at)));
        // The quarter after the half, nearly all of it.
        assert!((900_001..=910_000).contains(&first) && (1_340_000..1_350_001).contains(&last));
    }
}
