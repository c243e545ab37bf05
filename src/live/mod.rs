//! What happened since the snapshot: shoppers' recent events, the catalogue with its stock and
//! prices. Bounded, in memory, rebuilt from the store at start.
//!
//! Writers are the committer (our own events, before their sender is answered) and the follower
//! (what other processes wrote). Deliberately not here: what any of it means for a list or a price.

pub mod catalogue;
pub mod follower;
pub mod shoppers;

use crate::{
    domain::{DirectiveKind, Event, ItemId, Sequence, StoredDirectives, Timestamp, UserId},
    record::{
        ingest::Committed,
        store::{Known, Store, StoreError},
    },
};
use arc_swap::ArcSwap;
use catalogue::Catalogue;
use shoppers::Shoppers;
use std::sync::Arc;

/// Everything live.
pub struct Live {
    /// Items, stock and prices.
    pub catalogue: Catalogue,
    /// Recent events by shopper.
    pub shoppers: Shoppers,
    /// What the shop's people want shown.
    pub rules: ArcSwap<StoredDirectives>,
    /// How they want prices to move.
    pub price_policies: ArcSwap<StoredDirectives>,
}

impl Live {
    /// All directives of a kind.
    pub fn directives(&self, kind: DirectiveKind) -> &ArcSwap<StoredDirectives> {
        match kind {
            DirectiveKind::Rule => &self.rules,
            DirectiveKind::PricePolicy => &self.price_policies,
        }
    }

    /// Takes over what has changed in the store since the known revision.
    pub async fn follow_directives(
        &self,
        store: &dyn Store,
        kind: DirectiveKind,
    ) -> Result<(), StoreError> {
        let directives = self.directives(kind);
        let known = directives.load().revision;
        let Some(changed) = store.directives(kind, known).await?.map(Arc::new) else {
            return Ok(());
        };
        // Another task may have been here with a newer one.
        let newer = |known: &Arc<StoredDirectives>| {
            if known.revision < changed.revision { changed.clone() } else { known.clone() }
        };
        directives.rcu(newer);
        Ok(())
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
