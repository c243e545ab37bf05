//! Items as they are now, with the prices that were in force lately.

use crate::domain::{
    Cents, Item, ItemFields, ItemId, PriceEntry, PriceReason, Timestamp, time::DAY_MS,
};
use dashmap::DashMap;
use foldhash::quality::RandomState;
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// How far back prices are kept in memory: the 30 days of the law, and a day for clocks.
pub const TRAIL_MS: i64 = 31 * DAY_MS;

/// An item and its prices of late, oldest first; replaced as a whole, so readers never wait.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The item.
    pub item: Arc<Item>,
    /// Prices in force in the last 31 days.
    pub trail: Arc<[PriceEntry]>,
}

/// The catalogue in memory.
pub struct Catalogue {
    entries: DashMap<ItemId, Entry, RandomState>,
    items_max: usize,
    epoch: AtomicU64,
    watch: OnceLock<Arc<dyn ItemWatch>>,
}

/// Wants to know of every change before anybody can tell that the catalogue has changed.
pub trait ItemWatch: Send + Sync {
    /// The item is now this one.
    fn changed(&self, item: &ItemId, catalogue: &Catalogue);
}

impl Catalogue {
    /// Empty, for at most `items_max` items.
    pub fn new(items_max: usize) -> Self {
        Self {
            entries: DashMap::default(),
            items_max,
            epoch: AtomicU64::new(0),
            watch: OnceLock::new(),
        }
    }

    /// From now on, `watch` is told of every change; only the first one ever is.
    pub fn watch(&self, watch: Arc<dyn ItemWatch>) {
        let is_first = self.watch.set(watch).is_ok();
        debug_assert!(is_first, "somebody watches already");
    }

    /// The item as it is now, also a removed one.
    pub fn get(&self, item: &ItemId) -> Option<Entry> {
        self.entries.get(item).map(|entry| entry.value().clone())
    }

    /// Makes sure that an item first seen in an event exists.
    pub fn ensure(&self, item: &ItemId, seen_at: Timestamp) {
        if self.entries.contains_key(item) {
            return;
        }
        self.apply(Item {
            item_id: item.clone(),
            fields: ItemFields::default(),
            price_in_force: None,
            first_seen_at: seen_at,
            updated_at: seen_at,
            removed: false,
            back_on_sale_at: None,
            revision: 0,
        });
    }

    /// Takes an item as the store has it; an older revision than the known one changes nothing.
    pub fn apply(&self, item: Item) {
        let item_id = item.item_id.clone();
        if self.take(item) {
            // Before anybody is told: a list of the new epoch must not be made from bits of the old one.
            if let Some(watch) = self.watch.get() {
                watch.changed(&item_id, self);
            }
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The item as it is now, also a removed one, without its prices.
    pub fn item(&self, item: &ItemId) -> Option<Arc<Item>> {
        self.entries.get(item).map(|entry| entry.value().item.clone())
    }

    /// Whether the item is there now. One that is older than what is known counts too: whoever brings it must not be told
    /// before the newer one is seen by all.
    fn take(&self, item: Item) -> bool {
        let room = self.entries.len() < self.items_max;
        match self.entries.entry(item.item_id.clone()) {
            dashmap::Entry::Occupied(mut known) => {
                let before = known.get();
                if item.revision < before.item.revision {
                    return true;
                }
                let trail = follow_price(before, &item);
                known.insert(Entry { item: Arc::new(item), trail });
                true
            }
            dashmap::Entry::Vacant(free) if room => {
                let trail = item.price_in_force.map(|price| PriceEntry {
                    item: item.item_id.clone(),
                    price,
                    from: item.updated_at,
                    to: None,
                    reason: PriceReason::ListPrice,
                });
                free.insert(Entry { item: Arc::new(item), trail: trail.into_iter().collect() });
                true
            }
            dashmap::Entry::Vacant(_full) => {
                tracing::warn!(
                    "catalogue.items_max is reached: a new item is stored but not shown"
                );
                false
            }
        }
    }

    /// Takes an item whose price in force this process has just moved, with the reason that the ledger
    /// has for it since `at`.
    pub fn apply_priced(&self, item: Item, reason: PriceReason, at: Timestamp) {
        let (item_id, price) = (item.item_id.clone(), item.price_in_force);
        self.apply(item);
        let Some(mut entry) = self.entries.get_mut(&item_id) else { return };
        let open = entry.trail.last().filter(|last| last.to.is_none());
        // The follower may have been here first, and can only guess.
        let is_new = |open: &PriceEntry| {
            open.reason != reason || reason.lottery().is_some() && open.from < at
        };
        if open.is_some_and(|open| Some(open.price) == price && is_new(open)) {
            let mut trail = entry.trail.to_vec();
            // A drawn price begins anew, though it is the one in force.
            if reason.lottery().is_some() && trail.last().is_some_and(|last| last.from < at) {
                let Some(last) = trail.last_mut() else { return };
                last.to = Some(at);
                let renewed = PriceEntry { from: at, to: None, reason, ..last.clone() };
                trail.push(renewed);
            } else if let Some(last) = trail.last_mut() {
                last.reason = reason;
            }
            entry.trail = trail.into();
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Takes an item's prices as the ledger has them, oldest first.
    pub fn set_trail(&self, item: &ItemId, trail: Vec<PriceEntry>) {
        if let Some(mut entry) = self.entries.get_mut(item) {
            entry.trail = trail.into();
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Rises with every change: what was made from the catalogue at this number is true while it
    /// stays.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Number of items in memory, removed ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All items, in no particular order.
    pub fn items(&self) -> Vec<Entry> {
        self.entries.iter().map(|entry| entry.value().clone()).collect()
    }
}

/// The trail after a change: a new price closes the open entry and opens another.
fn follow_price(before: &Entry, item: &Item) -> Arc<[PriceEntry]> {
    let open: Option<Cents> = before.trail.last().filter(|e| e.to.is_none()).map(|e| e.price);
    if open == item.price_in_force {
        return before.trail.clone();
    }
    let at = item.updated_at;
    let horizon = at.plus_ms(-TRAIL_MS);
    let mut trail: Vec<PriceEntry> =
        before.trail.iter().filter(|e| e.to.is_none_or(|to| to > horizon)).cloned().collect();
    if let Some(last) = trail.last_mut().filter(|e| e.to.is_none()) {
        last.to = Some(at);
    }
    trail.retain(|e| e.to.is_none_or(|to| to > e.from));
    if let Some(price) = item.price_in_force {
        // The ledger knows the reason; here it follows from who moved what.
        let fields = &item.fields;
        let is_listed = fields.price == Some(price);
        let is_pushed = (fields.price_max == Some(price) && fields.price > Some(price))
            || (fields.price_min == Some(price) && fields.price < Some(price));
        let reason = if is_listed && fields.price != before.item.fields.price {
            PriceReason::ListPrice
        } else if is_listed {
            PriceReason::BackToList
        } else if is_pushed {
            PriceReason::GuardRail
        } else {
            PriceReason::Demand
        };
        trail.push(PriceEntry { item: item.item_id.clone(), price, from: at, to: None, reason });
    }
    trail.into()
}
