//! What a shopper likes, as the models understand it: a history of items with weights.

use crate::{
    domain::{EventKind, ItemId, ShopperId, Timestamp},
    learn::dataset::{UserIdx, Weighting},
    snapshot::Snapshot,
};

/// Something the shopper did since the snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Recent {
    /// What was done.
    pub kind: EventKind,
    /// To what.
    pub item: ItemId,
    /// When.
    pub occurred_at: Timestamp,
    /// The rating, for a rating.
    pub value: Option<f64>,
}

/// A shopper's taste.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taste {
    /// The shopper's row in the snapshot.
    pub user: Option<UserIdx>,
    /// Items, rising, with weights.
    pub history: Vec<(u32, f32)>,
    /// Items, rising, with the time of the last purchase.
    pub purchases: Vec<(u32, Timestamp)>,
    /// Purchases since the snapshot of items that it does not know.
    pub new_purchases: Vec<(ItemId, Timestamp)>,
    /// What the shopper dealt with in this visit, items rising, and when last; no time if the storefront says so itself.
    pub seen: Vec<(ItemId, Option<Timestamp>)>,
    /// What the shopper was shown lately and did not deal with since, and when last.
    pub shown: Vec<(ItemId, Timestamp)>,
    /// Positions of the items of the running visit, oldest first.
    pub visit: Vec<u32>,
    /// When the visit is over if nothing more happens.
    pub visit_ends: Option<Timestamp>,
    /// Whether anything comes from before the snapshot.
    pub is_known: bool,
    /// Whether anything comes from since the snapshot.
    pub is_recent: bool,
}

impl Taste {
    /// When everything that the shopper bought was bought last.
    pub fn purchase_times(&self) -> impl Iterator<Item = Timestamp> {
        let new = self.new_purchases.iter().map(|purchase| purchase.1);
        self.purchases.iter().map(|purchase| purchase.1).chain(new)
    }

    /// Whether the shopper bought anything.
    pub fn has_purchases(&self) -> bool {
        self.purchase_times().next().is_some()
    }
}

/// Joins a shopper's row, and those of guests who became this shopper, with what they did since, and with the items on the page.
///
/// What happened after the snapshot's `as_of` counts in full, as it will when that is learned from;
/// what happened before but arrived later has faded like everything else. `context` items count as
/// much as something put into the cart. Items that the snapshot does not know are left out, but for
/// their purchases: no model has anything to say about them.
pub fn taste(
    snapshot: &Snapshot,
    (shopper, guests): (Option<&ShopperId>, &[ShopperId]),
    recent: &[Recent],
    context: &[ItemId],
    weighting: &Weighting,
) -> Taste {
    let user = shopper.and_then(|shopper| snapshot.shopper_position(shopper));
    let mut history = user.map_or_else(Vec::new, |user| snapshot.history_of(user).to_vec());
    let mut purchases = user.map_or_else(Vec::new, |user| snapshot.purchases_of(user).to_vec());
    for guest in guests.iter().filter_map(|guest| snapshot.shopper_position(guest)) {
        history.extend_from_slice(snapshot.history_of(guest));
        purchases.extend_from_slice(snapshot.purchases_of(guest));
    }
    let mut new_purchases = Vec::new();
    let is_known = !history.is_empty();
    for event in recent {
        let Some(item) = snapshot.item_position(&event.item) else {
            if event.kind == EventKind::Purchase {
                new_purchases.push((event.item.clone(), event.occurred_at));
            }
            continue;
        };
        let decay = weighting.decay(snapshot.age_days(event.occurred_at));
        history.push((item, weighting.weight(event.kind, event.value) * decay));
        if event.kind == EventKind::Purchase {
            purchases.push((item, event.occurred_at));
        }
    }
    let in_cart = weighting.weight(EventKind::AddToCart, None);
    history.extend(context.iter().filter_map(|i| Some((snapshot.item_position(i)?, in_cart))));

    history.sort_by_key(|cell| cell.0);
    history.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    history.retain(|cell| cell.1 != 0.0);
    for cell in &mut history {
        cell.1 = weighting.joined(cell.1);
    }
    purchases.sort_unstable();
    purchases.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = kept.1.max(next.1);
        }
        same
    });
    let is_recent = !recent.is_empty();
    Taste { user, history, purchases, new_purchases, is_known, is_recent, ..Taste::default() }
}
