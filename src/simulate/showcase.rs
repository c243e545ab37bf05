//! Who and what is worth a first look.

use super::Simulation;
use crate::domain::{Event, EventKind, ItemFields, ItemId, SessionId, UserId};
use std::collections::BTreeMap;

/// Good examples to try a service on. Where nothing happened, the first of its kind stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Showcase {
    /// The customer who bought most often: there is much to learn from.
    pub active_user: UserId,
    /// The latest visit by somebody unknown that saw at least three items.
    pub guest_session: Option<SessionId>,
    /// The item bought most often of those for sale.
    pub popular_item: ItemId,
    /// The category bought from most often.
    pub category: String,
    /// An item bought together with its companion more often than any other.
    pub bundle_item: ItemId,
    /// Of the twenty items that sell most, the one whose sales a price moves most.
    pub price_item: ItemId,
    /// The item whose stock runs out first, by its true sales.
    pub reorder_item: ItemId,
    /// The item for sale that the fewest have bought: there is little to learn from.
    pub unknown_item: ItemId,
}

/// Finds good examples.
///
/// # Panics
///
/// If the simulation was robbed of its items.
pub fn showcase(simulation: &Simulation) -> Showcase {
    let (items, truth) = (&simulation.items, &simulation.truth);
    let places: BTreeMap<&ItemId, usize> =
        items.iter().enumerate().map(|(item_idx, (id, _))| (id, item_idx)).collect();
    let purchases: Vec<(&Event, usize)> = simulation
        .events
        .iter()
        .filter(|event| event.kind == EventKind::Purchase)
        .filter_map(|event| Some((event, *places.get(event.item.as_ref()?)?)))
        .collect();
    let mut n_sold = vec![0_u32; items.len()];
    let mut by_user: BTreeMap<&UserId, u32> = BTreeMap::new();
    let mut by_category: BTreeMap<&str, u32> = BTreeMap::new();
    let mut orders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &(event, item_idx) in &purchases {
        n_sold[item_idx] += 1;
        if let Some(user) = &event.user {
            *by_user.entry(user).or_default() += 1;
        }
        if let Some(category) = items[item_idx].1.categories.first() {
            *by_category.entry(category).or_default() += 1;
        }
        orders.entry(event.order.as_deref().unwrap_or_default()).or_default().push(item_idx);
    }
    let mut n_pairs = vec![0_u32; items.len()];
    for order in orders.values() {
        for &item_idx in order {
            n_pairs[item_idx] += u32::from(order.contains(&truth.items()[item_idx].companion_idx));
        }
    }

    let mut best: Vec<usize> =
        (0..items.len()).filter(|&item_idx| is_sellable(&items[item_idx].1)).collect();
    best.sort_by_key(|&item_idx| (std::cmp::Reverse(n_sold[item_idx]), item_idx));
    let least = |scores: &dyn Fn(usize) -> f64, among: &[usize]| -> ItemId {
        let found = among.iter().min_by(|&&left, &&right| scores(left).total_cmp(&scores(right)));
        items[found.copied().unwrap_or_default()].0.clone()
    };
    let days_left = |item_idx: usize| {
        let stock = items[item_idx].1.stock.unwrap_or_default() as f64;
        stock / truth.items()[item_idx].units_per_day.max(f64::MIN_POSITIVE)
    };
    Showcase {
        active_user: most(by_user)
            .or_else(|| truth.shopper_ids().next())
            .expect("a shop has shoppers")
            .clone(),
        guest_session: guest_session(&simulation.events),
        popular_item: least(&|_| 0.0, &best),
        category: most(by_category)
            .or_else(|| items[0].1.categories.first().map(String::as_str))
            .unwrap_or_default()
            .to_owned(),
        bundle_item: least(&|item_idx| -f64::from(n_pairs[item_idx]), &best),
        price_item: least(
            &|item_idx| truth.items()[item_idx].elasticity,
            &best[..best.len().min(20)],
        ),
        reorder_item: least(&days_left, &best),
        unknown_item: least(&|item_idx| f64::from(n_sold[item_idx]), &best),
    }
}

fn is_sellable(fields: &ItemFields) -> bool {
    fields.available.unwrap_or(true) && fields.stock != Some(0)
}

/// The key of the greatest count, the first of equals.
fn most<K: Copy + Ord>(counts: BTreeMap<K, u32>) -> Option<K> {
    counts
        .into_iter()
        .max_by_key(|&(key, count)| (count, std::cmp::Reverse(key)))
        .map(|best| best.0)
}

fn guest_session(events: &[Event]) -> Option<SessionId> {
    let mut n_seen: BTreeMap<&SessionId, u32> = BTreeMap::new();
    let views = events.iter().rev().filter(|event| event.kind == EventKind::View);
    for session in views.filter(|event| event.user.is_none()).filter_map(|e| e.session.as_ref()) {
        let seen = n_seen.entry(session).or_default();
        *seen += 1;
        if *seen == 3 {
            return Some(session.clone());
        }
    }
    None
}
