//! Brings the prices of all items up to date with demand and their guard-rails.

use super::Rounds;
use crate::{
    decide::price::decide_price,
    record::store::{NewPrice, StoreError},
};

/// Prices written in one transaction.
const CHUNK: usize = 1_000;

/// Decides every item's price and writes those that changed to the ledger, then to memory; answers
/// how many changed. With pricing off this brings prices back to the list.
///
/// The same decision on the same data changes nothing, so several processes may do it.
pub async fn reprice(rounds: &Rounds) -> Result<usize, StoreError> {
    let (snapshot, now) = (rounds.snapshots.current(), rounds.clock.now());
    let (live, policy) = (rounds.live.clone(), rounds.policy.clone());
    let deciding = tokio::task::spawn_blocking(move || {
        let entries = live.catalogue.items().into_iter().filter(|entry| !entry.item.removed);
        let mut moved: Vec<NewPrice> = entries
            .filter_map(|entry| {
                let position = snapshot.item_position(&entry.item.item_id);
                let demand = position.and_then(|at| snapshot.demand.of(at));
                let decision = decide_price(&entry.item, &entry.trail, demand, now, &policy);
                let price =
                    decision.price.filter(|_| decision.price != entry.item.price_in_force)?;
                let (item, reason) = (entry.item.item_id.clone(), decision.reason);
                Some(NewPrice { item, price, reason })
            })
            .collect();
        moved.sort_by(|a, b| a.item.cmp(&b.item));
        moved
    });
    // A panic in a price rule costs this round; what is in force stays.
    let Ok(moved) = deciding.await else { return Ok(0) };
    for chunk in moved.chunks(CHUNK) {
        for item in rounds.store.set_prices(chunk, now).await? {
            // Sorted by item.
            if let Ok(at) = chunk.binary_search_by(|new| new.item.cmp(&item.item_id)) {
                rounds.live.catalogue.apply_priced(item, chunk[at].reason);
            }
        }
    }
    Ok(moved.len())
}
