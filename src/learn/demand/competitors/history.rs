//! What competitors asked over the past, for the model of demand.

use super::{OwnFacts, TrustPolicy, believe, believe::supersedes, index_price, seller};
use crate::{
    domain::{CompetitorOffer, Timestamp},
    learn::demand::response::weeks::CompetitorSpell,
};
use std::collections::BTreeMap;

/// The index of one item as a step function of time: spells with a price in minor units, oldest first, none
/// overlapping, each with an end.
///
/// `offers`: all that was ever seen of the item, in any order. `own`: what was known of our own item at a time.
///
/// At each time only what had been seen by then counts, by the rules of [`believe()`]. All weights halve at the same
/// pace, so the index changes only where an offer is seen or becomes stale. Staleness closes a spell: where nobody
/// looked, there is no price. O(n·m²) in offers and sellers.
pub fn spells(
    item: u32,
    offers: &[CompetitorOffer],
    own: impl Fn(Timestamp) -> OwnFacts,
    policy: &TrustPolicy,
) -> Vec<CompetitorSpell> {
    let mut by_time: Vec<&CompetitorOffer> = offers.iter().collect();
    by_time.sort_by_key(|offer| offer.observed_at);
    let stale_from =
        |offer: &&CompetitorOffer| offer.observed_at.plus_ms(policy.max_age_ms()).plus_ms(1);
    let seen = by_time.iter().map(|offer| offer.observed_at);
    let mut times: Vec<Timestamp> = seen.chain(by_time.iter().map(stale_from)).collect();
    times.sort_unstable();
    times.dedup();
    let mut newest: BTreeMap<String, &CompetitorOffer> = BTreeMap::new();
    let mut rest = &by_time[..];
    let mut spells: Vec<CompetitorSpell> = vec![];
    let mut open: Option<(Timestamp, f64)> = None;
    for time in times {
        while let Some((offer, later)) =
            rest.split_first().filter(|seen| seen.0.observed_at <= time)
        {
            let known = newest.entry(seller(&offer.competitor)).or_insert(offer);
            if supersedes(offer, known) {
                *known = offer;
            }
            rest = later;
        }
        // A stale offer would be refused at every later time, too.
        newest.retain(|_, offer| time < stale_from(&&**offer));
        let believed = believe(newest.values().copied(), time, &own(time), policy);
        let price = index_price(&believed.used, policy.quantile);
        match (open, price) {
            (Some((_, before)), Some(after)) if before.to_bits() == after.to_bits() => {}
            (before, after) => {
                spells.extend(before.map(|(from, price)| CompetitorSpell {
                    item,
                    from,
                    to: Some(time),
                    price,
                }));
                open = after.map(|price| (time, price));
            }
        }
    }
    // Only at the end of time is a spell still open, where staleness lies beyond it.
    spells.extend(open.map(|(from, price)| CompetitorSpell { item, from, to: None, price }));
    spells
}

#[cfg(test)]
mod tests;
