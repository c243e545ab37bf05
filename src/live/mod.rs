//! What happened since the snapshot: shoppers' recent events, the catalogue with its stock and
//! prices. Bounded, in memory, rebuilt from the store at start.
//!
//! Writers are the committer (our own events, before their sender is answered) and the follower
//! (what other processes wrote). Deliberately not here: what any of it means for a list or a price.

pub mod catalogue;
pub mod follower;
pub mod shoppers;

use crate::{
    domain::{Event, ItemId, Sequence, StoredRules, Timestamp, UserId},
    record::{ingest::Committed, store::Known},
};
use arc_swap::ArcSwap;
use catalogue::Catalogue;
use shoppers::Shoppers;

/// Everything live.
pub struct Live {
    /// Items, stock and prices.
    pub catalogue: Catalogue,
    /// Recent events by shopper.
    pub shoppers: Shoppers,
    /// What the shop's people want shown.
    pub rules: ArcSwap<StoredRules>,
}

impl Live {
    /// Takes the rules as the store has them; an older revision than the known one changes nothing.
    pub fn apply_rules(&self, rules: StoredRules) {
        let rules = std::sync::Arc::new(rules);
        self.rules.rcu(
            |known| {
                if known.revision < rules.revision { rules.clone() } else { known.clone() }
            },
        );
    }
}

impl Committed for Live {
    fn committed(&self, events: &[(Sequence, Event)], received_at: Timestamp) {
        for (sequence, event) in events {
            self.shoppers.record(*sequence, event);
            if let Some(item) = &event.item {
                self.catalogue.ensure(item, received_at);
            }
        }
    }
}

impl Known for Live {
    fn user(&self, user: &UserId) -> bool {
        self.shoppers.is_known(user)
    }
    fn item(&self, item: &ItemId) -> bool {
        self.catalogue.get(item).is_some()
    }
}
