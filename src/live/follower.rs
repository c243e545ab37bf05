//! Keeps the live view up with the store: at start with everything, then with what other processes
//! wrote.

use super::{Live, catalogue::TRAIL_MS};
use crate::{
    domain::{Clock, DirectiveKind, PriceEntry, Sequence, Timestamp, UserId},
    record::store::{Store, StoreError},
    telemetry::Metrics,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Rows read at a time.
const PAGE: u32 = 5_000;
/// Entries of one item's ledger of late that are kept in memory.
const TRAIL_MAX: u32 = 1_000;

/// Reads events after `after` into the live view again, which keeps each once: for a snapshot that has
/// learned less than the one the view was filled for.
pub async fn recall(
    store: &dyn Store,
    live: &Live,
    (after, merge): (Sequence, i64),
) -> Result<(), StoreError> {
    follow_merges(store, live, merge).await?;
    let mut after = after;
    loop {
        let events = store.events_after(after, PAGE).await?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.sequence;
        for recorded in events {
            live.shoppers.record(recorded.sequence, &recorded.event);
        }
    }
}

/// Reads merges after `after` into the live view, before the events that they have moved; answers the last.
async fn follow_merges(store: &dyn Store, live: &Live, after: i64) -> Result<i64, StoreError> {
    let mut after = after;
    loop {
        let merges = store.merges_after(after, PAGE).await?;
        let Some(last) = merges.last() else { return Ok(after) };
        after = last.sequence;
        for merge in &merges {
            live.shoppers.merge(merge);
        }
    }
}

/// How long the store may take to answer a ping.
const PING_MAX: Duration = Duration::from_secs(1);

/// Asks every `period` whether the store is there; ends when it does not say so.
async fn silence(store: &dyn Store, period: Duration) -> StoreError {
    loop {
        tokio::time::sleep(period).await;
        match tokio::time::timeout(PING_MAX, store.ping()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(_) => return StoreError::Unavailable(sqlx::Error::PoolTimedOut),
        }
    }
}

/// Reads the store and tells the live view.
pub struct Follower {
    store: Arc<dyn Store>,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    watermark: Sequence,
    sequence: Sequence,
    revision: i64,
    erasure: i64,
    merge: i64,
}

impl Follower {
    /// Loads the catalogue, its prices of late, and the events since `watermark`.
    pub async fn load(
        store: Arc<dyn Store>,
        live: Arc<Live>,
        clock: &dyn Clock,
        (watermark, merge): (Sequence, i64),
        metrics: Arc<Metrics>,
    ) -> Result<Self, StoreError> {
        let sequence = watermark;
        let mut follower =
            Self { store, live, metrics, watermark, sequence, revision: 0, erasure: 0, merge };
        follower.follow().await?;
        follower.load_prices(clock).await?;
        Ok(follower)
    }

    async fn load_prices(&self, clock: &dyn Clock) -> Result<(), StoreError> {
        let from = clock.now().plus_ms(-TRAIL_MS);
        let mut after = None;
        loop {
            let page = self.store.prices_since(from, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.item.clone());
            for entries in page.chunk_by(|a: &PriceEntry, b| a.item == b.item) {
                self.live.catalogue.set_trail(&entries[0].item, entries.to_vec());
            }
        }
    }

    /// Reads what is new, to the end; erasures first: who is erased and comes back is a new person.
    pub async fn follow(&mut self) -> Result<(), StoreError> {
        loop {
            let receipts = self.store.erasures_after(self.erasure, PAGE).await?;
            let Some(last) = receipts.last() else { break };
            let erasure = last.sequence;
            for user in self.live.shoppers.forget(&receipts) {
                self.remember(&user).await?;
            }
            self.erasure = erasure;
        }
        self.merge = follow_merges(&*self.store, &self.live, self.merge).await?;
        loop {
            let items = self.store.items_after(self.revision, PAGE).await?;
            let Some(last) = items.last() else { break };
            self.revision = last.revision;
            for item in items {
                let known = self.live.catalogue.get(&item.item_id);
                let is_moved = known.is_some_and(|known| {
                    known.item.revision < item.revision
                        && known.item.price_in_force != item.price_in_force
                });
                let (item_id, at) = (item.item_id.clone(), item.updated_at);
                self.live.catalogue.apply(item);
                // Another process has moved the price; why, only the ledger knows.
                if is_moved {
                    let (from, to) = (at.plus_ms(-TRAIL_MS), Timestamp(i64::MAX));
                    let trail = self.store.price_history(&item_id, from, to, TRAIL_MAX).await?;
                    self.live.catalogue.set_trail(&item_id, trail);
                }
            }
        }
        for kind in DirectiveKind::ALL {
            self.live.follow_directives(&*self.store, kind).await?;
        }
        loop {
            let events = self.store.events_after(self.sequence, PAGE).await?;
            let Some(last) = events.last() else { break };
            self.sequence = last.sequence;
            for recorded in events {
                self.live.shoppers.record(recorded.sequence, &recorded.event);
            }
        }
        self.metrics.live_shoppers.set(self.live.shoppers.len() as i64);
        self.metrics.catalogue_items.set(self.live.catalogue.len() as i64);
        Ok(())
    }

    /// Reads again what somebody did since their erasure, which this process may have recorded before
    /// it saw the receipt.
    async fn remember(&self, user: &UserId) -> Result<(), StoreError> {
        let mut after = self.watermark;
        loop {
            let events = self.store.user_events(user, after, PAGE).await?;
            let Some(last) = events.last() else { return Ok(()) };
            after = last.sequence;
            for recorded in events {
                self.live.shoppers.record(recorded.sequence, &recorded.event);
            }
        }
    }

    /// Follows every `period` until `stop`; a store that is away is tried again next time.
    pub async fn run(mut self, period: Duration, stop: CancellationToken) {
        let mut tick = tokio::time::interval(period);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            // A page may take its time, a database that hangs must not be waited for.
            let store = self.store.clone();
            let followed = tokio::select! {
                () = stop.cancelled() => return,
                followed = self.follow() => followed,
                silence = silence(&*store, period) => Err(silence),
            };
            let was_up = self.metrics.store_up.set(i64::from(followed.is_ok())) == 1;
            if let Err(error) = followed
                && was_up
            {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the store does not answer; lists and prices go on from memory"
                );
            }
        }
    }
}
