//! Ready shelves of shoppers who come again, and what is popular now: bounded, and never stale, since
//! all that a shelf depends on is in its key.

use super::state::ApiState;
use crate::{
    decide::recommend::{Popular, Recent, Shelf, taste},
    domain::{EventKind, ItemId, Sequence, ShopperId},
    live::shoppers::{LiveEvent, Shoppers},
    snapshot::Snapshot,
};
use quick_cache::{Weighter, sync::Cache};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How old the popular list may be while events keep coming; a list as short as a new shop's is made
/// anew for every event.
const POPULAR_AGE_MAX: Duration = Duration::from_millis(250);
const POPULAR_SHORT: usize = 200;

/// Whose shelf, and as of when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ShelfKey {
    version: u64,
    shopper: Option<ShopperId>,
    /// Erased since the snapshot was trained, which therefore must not be asked about them.
    is_erased: bool,
    session: Option<ShopperId>,
    /// How many live events, and the last of them.
    stamp: (usize, Sequence),
    visited: Vec<ItemId>,
    context: Vec<ItemId>,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<ShelfKey, Arc<Shelf>> for Bytes {
    fn weight(&self, key: &ShelfKey, shelf: &Arc<Shelf>) -> u64 {
        let ids = size_of::<ItemId>() * (key.visited.len() + key.context.len());
        (size_of::<ShelfKey>() + ids + shelf.n_bytes()) as u64
    }
}

struct PopularNow {
    version: u64,
    last: Sequence,
    made: Instant,
    popular: Arc<Popular>,
}

/// Both caches.
pub struct Shelves {
    shelves: Cache<ShelfKey, Arc<Shelf>, Bytes>,
    popular: Mutex<Option<PopularNow>>,
}

impl Shelves {
    /// Empty, for at most `bytes_max` bytes of shelves.
    pub fn new(bytes_max: u64) -> Self {
        /// A guess at a shelf's size, from which the cache sizes its tables.
        const SHELF_BYTES: u64 = 4_096;
        let n = (bytes_max / SHELF_BYTES).max(1) as usize;
        Self { shelves: Cache::with_weighter(n, bytes_max, Bytes), popular: Mutex::default() }
    }

    /// Bytes held.
    pub fn n_bytes(&self) -> u64 {
        self.shelves.weight()
    }
}

/// Who asks, and what they said about themselves.
#[derive(Clone, Debug, Default)]
pub struct Asker {
    /// The customer, if known.
    pub shopper: Option<ShopperId>,
    /// The running visit, if named.
    pub session: Option<ShopperId>,
    /// Items that the storefront says were looked at.
    pub visited: Vec<ItemId>,
}

/// The shelf of whoever asks, from the cache or filled now.
pub fn shelf_of(
    state: &ApiState,
    snapshot: &Snapshot,
    asker: Asker,
    context: &[ItemId],
) -> Arc<Shelf> {
    let shoppers: &Shoppers = &state.live.shoppers;
    let live: Vec<Arc<[LiveEvent]>> = [&asker.shopper, &asker.session]
        .into_iter()
        .flatten()
        .map(|shopper| shoppers.recent(shopper))
        .collect();
    let since = || live.iter().flat_map(|e| e.iter()).filter(|e| e.sequence > snapshot.watermark);
    let stamp = since().fold((0, Sequence(0)), |(n, last), e| (n + 1, last.max(e.sequence)));
    let is_erased = |shopper| shoppers.is_erased(shopper, snapshot.trained_at);
    let key = ShelfKey {
        version: snapshot.version,
        is_erased: asker.shopper.as_ref().is_some_and(is_erased),
        shopper: asker.shopper,
        session: asker.session,
        stamp,
        visited: asker.visited,
        context: context.to_vec(),
    };
    if let Some(shelf) = state.shelves.shelves.get(&key) {
        return shelf;
    }
    let mut recent: Vec<Recent> = since()
        .map(|event| Recent {
            kind: event.kind,
            item: event.item.clone(),
            occurred_at: event.occurred_at,
            value: event.value,
        })
        .collect();
    recent.extend(key.visited.iter().map(|item| Recent {
        kind: EventKind::View,
        item: item.clone(),
        occurred_at: snapshot.as_of,
        value: None,
    }));
    let shopper = key.shopper.as_ref().filter(|_| !key.is_erased);
    let taste = taste(snapshot, shopper, &recent, context, &state.weighting);
    let shelf = Arc::new(Shelf::fill(snapshot, taste));
    state.shelves.shelves.insert(key, shelf.clone());
    state.metrics.list_cache_bytes.set(state.shelves.n_bytes() as i64);
    shelf
}

/// What is wanted now: the snapshot's popularity and the weight of the latest events since.
pub fn popular_now(state: &ApiState, snapshot: &Snapshot) -> Arc<Popular> {
    let last = state.live.shoppers.last_sequence();
    let mut cached = state.shelves.popular.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(now) = &*cached
        && now.version == snapshot.version
        && (now.last == last
            || (now.popular.n_boosted() > POPULAR_SHORT && now.made.elapsed() < POPULAR_AGE_MAX))
    {
        return now.popular.clone();
    }
    let latest = state.live.shoppers.latest_since(snapshot.watermark);
    let weighting = &state.weighting;
    let since = latest.into_iter().map(|event| {
        let age_ms = snapshot.as_of.since_ms(event.occurred_at);
        let weight = weighting.weight(event.kind, event.value) * weighting.decay(age_ms);
        (event.item, weight)
    });
    let popular = Arc::new(Popular::new(snapshot, since));
    let now = PopularNow {
        version: snapshot.version,
        last,
        made: Instant::now(),
        popular: popular.clone(),
    };
    *cached = Some(now);
    popular
}
