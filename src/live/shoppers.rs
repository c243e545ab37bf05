//! What each shopper did lately, newest last.

use crate::domain::{
    Credit, ErasureReceipt, Event, EventKind, ItemId, Merge, Sequence, ShopperId, Timestamp,
    UserId, person::id_hash,
};
use quick_cache::sync::Cache;
use rustc_hash::FxHashSet;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

/// One recent event, as far as a list cares.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveEvent {
    /// Its running number.
    pub sequence: Sequence,
    /// What was done.
    pub kind: EventKind,
    /// To what.
    pub item: ItemId,
    /// When.
    pub occurred_at: Timestamp,
    /// The rating, for a rating.
    pub value: Option<f64>,
    /// The list that it follows from.
    pub credit: Option<Arc<Credit>>,
}

/// Newest events that popularity looks at.
const LATEST_MAX: usize = 10_000;

/// Erasures remembered until a snapshot is trained without those people.
const ERASED_MAX: usize = 100_000;

/// Merges remembered until a snapshot is trained with them; and guests of one customer.
const MERGED_MAX: usize = 100_000;
const GUESTS_MAX: usize = 100;

/// A guest whose history is a customer's now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The id of a user, or of a session without one.
    pub id: String,
    /// The merge that made it so.
    pub merge: i64,
}

/// Recent events by shopper; bounded in shoppers and in events of each.
pub struct Shoppers {
    recent: Cache<ShopperId, Arc<[LiveEvent]>>,
    known: Cache<UserId, ()>,
    erased: Cache<String, Timestamp>,
    /// Guests of each customer, and the last merge of each guest.
    guests: Cache<UserId, Arc<[Guest]>>,
    merged: Cache<String, i64>,
    latest: Mutex<VecDeque<LiveEvent>>,
    events_max: usize,
    writing: Mutex<()>,
    last: AtomicI64,
}

impl Shoppers {
    /// Nobody yet; at most `shoppers_max` shoppers with `events_max` events each.
    pub fn new(shoppers_max: usize, events_max: usize) -> Self {
        Self {
            recent: Cache::new(shoppers_max),
            known: Cache::new(shoppers_max),
            erased: Cache::new(ERASED_MAX),
            guests: Cache::new(MERGED_MAX),
            merged: Cache::new(MERGED_MAX),
            latest: Mutex::default(),
            events_max,
            writing: Mutex::default(),
            last: AtomicI64::new(0),
        }
    }

    /// Remembers an event; one that is known already changes nothing.
    pub fn record(&self, sequence: Sequence, event: &Event) {
        if let Some(user) = &event.user {
            self.known.insert(user.clone(), ());
        }
        let (Some(shopper), Some(item)) = (event.shopper(), &event.item) else { return };
        let live = LiveEvent {
            sequence,
            kind: event.kind,
            item: item.clone(),
            occurred_at: event.occurred_at,
            value: event.value,
            credit: event.context.credit.clone().map(Arc::new),
        };
        // A poisoned lock guards nothing that could be half-done.
        let _one_writer = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.recent.get(&shopper).unwrap_or_default();
        if before.iter().any(|known| known.sequence == sequence) {
            return;
        }
        let mut events: Vec<LiveEvent> = before.iter().cloned().chain([live.clone()]).collect();
        events.sort_by_key(|event| (event.occurred_at, event.sequence));
        let surplus = events.len().saturating_sub(self.events_max);
        self.recent.insert(shopper, events.split_off(surplus).into());
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.push_back(live);
        if latest.len() > LATEST_MAX {
            latest.pop_front();
        }
        self.last.fetch_max(sequence.0, Ordering::AcqRel);
    }

    /// A shopper's recent events, in order of time.
    pub fn recent(&self, shopper: &ShopperId) -> Arc<[LiveEvent]> {
        self.recent.get(shopper).unwrap_or_default()
    }

    /// The newest event in memory, 0 if there is none.
    pub fn last_sequence(&self) -> Sequence {
        Sequence(self.last.load(Ordering::Acquire))
    }

    /// The latest events of everybody with a sequence above `after`, at most ten thousand.
    pub fn latest_since(&self, after: Sequence) -> Vec<LiveEvent> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.iter().filter(|event| event.sequence > after).cloned().collect()
    }

    /// Whether the user surely exists in the store.
    pub fn is_known(&self, user: &UserId) -> bool {
        self.known.get(user).is_some()
    }

    /// Forgets the people whom erasure receipts name; answers who of them were in memory.
    pub fn forget(&self, receipts: &[ErasureReceipt]) -> Vec<UserId> {
        for receipt in receipts {
            self.erased.insert(receipt.user_hash.clone(), receipt.erased_at);
        }
        let hashes: FxHashSet<&str> =
            receipts.iter().map(|receipt| receipt.user_hash.as_str()).collect();
        let is_named = |id: &str| hashes.contains(id_hash(id).as_str());
        let users = self.recent.iter().filter_map(|(shopper, _)| shopper.user().cloned());
        let found: Vec<UserId> = users.filter(|user| is_named(user.as_str())).collect();
        self.known.retain(|user, ()| !is_named(user.as_str()));
        self.guests.retain(|user, _| !is_named(user.as_str()));
        self.recent.retain(|shopper, _| !is_named(shopper.as_str()));
        found
    }

    /// Whether the shopper was erased at `since` or later: a snapshot of before must not know them.
    pub fn is_erased(&self, shopper: &ShopperId, since: Timestamp) -> bool {
        let erased_at = || self.erased.get(id_hash(shopper.as_str()).as_str());
        !self.erased.is_empty() && erased_at().is_some_and(|at| at >= since)
    }

    /// Makes what a guest did lately the customer's; a merge that is known already changes nothing.
    pub fn merge(&self, merge: &Merge) {
        // A poisoned lock guards nothing that could be half-done.
        let _one_writer = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut guests = self.guests.get(&merge.into).unwrap_or_default().to_vec();
        if let Ok(user) = UserId::new(merge.from.as_str()) {
            guests.extend(self.guests.get(&user).unwrap_or_default().iter().cloned());
            self.known.remove(&user);
        }
        guests.push(Guest { id: merge.from.clone(), merge: merge.sequence });
        guests.sort_by(|a, b| a.merge.cmp(&b.merge).then_with(|| a.id.cmp(&b.id)));
        guests.dedup();
        let surplus = guests.len().saturating_sub(GUESTS_MAX);
        self.guests.insert(merge.into.clone(), guests.split_off(surplus).into());
        self.merged.insert(merge.from.clone(), merge.sequence);

        let customer = ShopperId::User(merge.into.clone());
        let mut events = self.recent(&customer).to_vec();
        for guest in ShopperId::named(&merge.from) {
            let (moved, later): (Vec<LiveEvent>, Vec<LiveEvent>) = self
                .recent(&guest)
                .iter()
                .cloned()
                .partition(|event| event.sequence <= merge.moved_until);
            if !moved.is_empty() {
                events.extend(moved);
                self.recent.insert(guest, later.into());
            }
        }
        events.sort_by_key(|event| (event.occurred_at, event.sequence));
        events.dedup_by_key(|event| event.sequence);
        let surplus = events.len().saturating_sub(self.events_max);
        self.recent.insert(customer, events.split_off(surplus).into());
    }

    /// Guests who have become this customer after the given merge.
    pub fn guests_since(&self, shopper: &ShopperId, merge: i64) -> Vec<Guest> {
        let guests = shopper.user().and_then(|user| self.guests.get(user)).unwrap_or_default();
        guests.iter().filter(|guest| guest.merge > merge).cloned().collect()
    }

    /// Whether what the shopper did has become somebody else's after the given merge.
    pub fn is_merged_since(&self, shopper: &ShopperId, merge: i64) -> bool {
        !self.merged.is_empty() && self.merged.get(shopper.as_str()).is_some_and(|at| at > merge)
    }

    /// How many shoppers are in memory.
    pub fn len(&self) -> usize {
        self.recent.len()
    }

    /// Whether nobody is in memory.
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty()
    }
}
