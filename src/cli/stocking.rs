//! Puts a shop that is made up into an empty store.

use crate::{
    domain::{Event, ItemChange, ItemId, Timestamp},
    record::store::{ChangeTerms, NothingKnown, Store, StoreError},
    simulate::Simulation,
};

/// Events and items written in one transaction.
const CHUNK: usize = 10_000;

/// Writes its prices, items and events.
pub(super) async fn stock(
    store: &dyn Store,
    shop: &Simulation,
    now: Timestamp,
) -> Result<(), StoreError> {
    store.backfill_prices(&shop.prices).await?;
    let replace = |(item, fields): &(ItemId, _)| {
        let fields: &crate::domain::ItemFields = fields;
        (item.clone(), ItemChange::Replace(Box::new(fields.clone())))
    };
    for items in shop.items.chunks(CHUNK) {
        let changes: Vec<_> = items.iter().map(replace).collect();
        store.change_items(&changes, ChangeTerms::ANY, now).await?;
    }
    for events in shop.events.chunks(CHUNK) {
        let events: &[Event] = events;
        store.append_events(events, now, &NothingKnown).await?;
    }
    Ok(())
}
