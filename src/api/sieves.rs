//! The filters that are asked of whole catalogues, each with a bit for every item of the served snapshot.
//!
//! A filter that few items pass would otherwise be asked about every item for every list. Bits are set when a filter
//! first needs it, and again whenever an item changes, before anybody is told that it has changed. Bounded: the
//! filters that were needed last, of the served snapshot only.

use crate::{
    decide::filter::{FILTER_BYTES_MAX, Filter, ItemView, Sieve},
    domain::{Item, ItemId, Timestamp},
    live::catalogue::{Catalogue, ItemWatch},
    snapshot::Snapshot,
};
use arc_swap::ArcSwap;
use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicU64, Ordering},
};

/// Filters kept: at a million items, 8 MB of bits.
const SIEVES_MAX: usize = 64;
/// Fewer items are as quickly asked one by one.
const ITEMS_MIN: usize = 4_096;

/// A sieve and when it was needed last.
struct Kept {
    sieve: Arc<Sieve>,
    /// Gone once nobody is served by it.
    snapshot: Weak<Snapshot>,
    needed: AtomicU64,
}

impl Kept {
    /// Whether it is this very snapshot's: one that was loaded again has the same version, but its changes went by
    /// those that nobody was served by.
    fn is_of(&self, snapshot: &Arc<Snapshot>) -> bool {
        std::ptr::eq(self.snapshot.as_ptr(), Arc::as_ptr(snapshot))
    }
}

/// The filters that were needed last.
#[derive(Default)]
pub struct Sieves {
    kept: ArcSwap<Vec<Arc<Kept>>>,
    /// Held while the list is changed; one sieve is filled at a time.
    making: Mutex<()>,
    turn: AtomicU64,
}

impl Sieves {
    /// The positions of `snapshot` that pass; makes the sieve if there is none yet. `None` if the filter has to be
    /// asked item by item: what passes changes with time, there are few items, or another sieve is being made.
    pub fn of(
        &self,
        filter: &Filter,
        snapshot: &Arc<Snapshot>,
        catalogue: &Catalogue,
    ) -> Option<Arc<Sieve>> {
        let is_long = filter.as_str().len() > FILTER_BYTES_MAX;
        if is_long || filter.depends_on_time() || snapshot.items.len() < ITEMS_MIN {
            return None;
        }
        let find = || {
            let kept = self.kept.load();
            let same = |kept: &&Arc<Kept>| kept.is_of(snapshot) && kept.sieve.filter() == filter;
            kept.iter().find(same).cloned()
        };
        let known = find().or_else(|| {
            let _making = self.making.try_lock().ok()?;
            find().or_else(|| Some(self.make(filter, snapshot, catalogue)))
        })?;
        known.needed.store(self.turn.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        known.sieve.is_ready().then(|| known.sieve.clone())
    }

    fn make(&self, filter: &Filter, snapshot: &Arc<Snapshot>, catalogue: &Catalogue) -> Arc<Kept> {
        let sieve = Sieve::new(filter.clone(), snapshot.items.len());
        let made = Arc::new(Kept {
            sieve: Arc::new(sieve),
            snapshot: Arc::downgrade(snapshot),
            needed: AtomicU64::new(self.turn.load(Ordering::Relaxed)),
        });
        let mut kept: Vec<Arc<Kept>> = self.kept.load().iter().cloned().collect();
        kept.retain(|other| other.is_of(snapshot));
        if kept.len() >= SIEVES_MAX {
            let needed = |at: &usize| kept[*at].needed.load(Ordering::Relaxed);
            if let Some(oldest) = (0..kept.len()).min_by_key(needed) {
                kept.swap_remove(oldest);
            }
        }
        kept.push(made.clone());
        // Known before it is filled: what changes meanwhile is looked at again.
        self.kept.store(Arc::new(kept));
        let item = |at: usize| catalogue.item(&snapshot.items[at]);
        made.sieve.fill(|at| item(at).is_some_and(|item| passes(filter, &item)));
        made
    }

    /// Bytes held.
    pub fn n_bytes(&self) -> usize {
        self.kept.load().iter().map(|kept| kept.sieve.n_bytes()).sum()
    }
}

impl ItemWatch for Sieves {
    fn changed(&self, item: &ItemId, catalogue: &Catalogue) {
        for kept in self.kept.load().iter() {
            let Some(snapshot) = kept.snapshot.upgrade() else { continue };
            let Some(at) = snapshot.item_position(item) else { continue };
            let filter = kept.sieve.filter();
            let passes = || catalogue.item(item).is_some_and(|item| passes(filter, &item));
            kept.sieve.update(at as usize, passes);
        }
    }
}

fn passes(filter: &Filter, item: &Item) -> bool {
    // The time is not looked at: filters that do are not kept.
    filter.matches(&ItemView { item, now: Timestamp(0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Cents, ItemFields},
        snapshot::Contents,
    };

    const N: usize = 5_000;

    fn id(at: usize) -> ItemId {
        ItemId::new(format!("sku-{at}")).unwrap()
    }

    fn item(at: usize, price: i64, revision: i64) -> Item {
        Item {
            item_id: id(at),
            fields: ItemFields { price: Some(Cents(price)), ..ItemFields::default() },
            price_in_force: Some(Cents(price)),
            first_seen_at: Timestamp(0),
            updated_at: Timestamp(0),
            removed: false,
            back_on_sale_at: None,
            revision,
        }
    }

    fn snapshot(version: u64, n: usize) -> Arc<Snapshot> {
        let items = (0..n).map(id).collect();
        Arc::new(Contents { version, items, ..Contents::default() }.into())
    }

    fn shop() -> (Catalogue, Arc<Sieves>) {
        let (catalogue, sieves) = (Catalogue::new(N), Arc::new(Sieves::default()));
        catalogue.watch(sieves.clone());
        (0..N).for_each(|at| catalogue.apply(item(at, at as i64, 1)));
        (catalogue, sieves)
    }

    fn sieve(
        (catalogue, sieves): &(Catalogue, Arc<Sieves>),
        filter: &str,
        snapshot: &Arc<Snapshot>,
    ) -> Option<Arc<Sieve>> {
        sieves.of(&Filter::parse(filter, 2).unwrap(), snapshot, catalogue)
    }

    #[test]
    fn a_changed_item_passes_or_not_at_once() {
        let (shop, snapshot) = (shop(), snapshot(1, N));
        let cheap = sieve(&shop, "price < 1", &snapshot).unwrap();
        assert!((0..N).all(|at| cheap.holds(at) == (at < 100)));
        shop.0.apply(item(3, 400, 2));
        shop.0.apply(item(4_000, 4, 2));
        // Older than what is known: nothing changes.
        shop.0.apply(item(5, 700, 0));
        assert!(!cheap.holds(3) && cheap.holds(4_000) && cheap.holds(5));
        let again = sieve(&shop, "price<1.00", &snapshot).unwrap();
        assert!(Arc::ptr_eq(&cheap, &again));
    }

    #[test]
    fn what_time_changes_and_what_is_short_is_asked_item_by_item() {
        let shop = shop();
        assert!(sieve(&shop, "price < 1 and age_days < 3", &snapshot(1, N)).is_none());
        assert!(sieve(&shop, "price < 1", &snapshot(1, 100)).is_none());
    }

    #[test]
    fn only_the_served_snapshot_has_sieves_and_only_so_many() {
        let (shop, first, second) = (shop(), snapshot(1, N), snapshot(2, N));
        let old = sieve(&shop, "price < 1", &first).unwrap();
        assert!(sieve(&shop, "price < 2", &second).is_some());
        let one = old.n_bytes();
        assert_eq!(shop.1.n_bytes(), one);
        for price in 3..(SIEVES_MAX + 10) {
            assert!(sieve(&shop, &format!("price < {price}"), &second).is_some());
            // Needed all the time, so that it stays.
            sieve(&shop, "price < 2", &second).unwrap();
        }
        // Some filters have a digit more.
        assert_eq!(shop.1.n_bytes() / one, SIEVES_MAX);
        let kept = shop.1.kept.load();
        assert!(kept.iter().any(|kept| kept.sieve.filter().as_str() == "price < 2"));
        drop((first, second));
        shop.0.apply(item(3, 400, 9));
        assert!(old.holds(3), "nobody is served by its snapshot");
        // It is loaded again: what passes is looked at anew.
        let again = sieve(&shop, "price < 1", &self::snapshot(1, N)).unwrap();
        assert!(!again.holds(3) && again.holds(4));
    }
}
