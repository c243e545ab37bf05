//! Why an item is in a list; only what truly moved its score.

use super::taste::Taste;
use crate::{
    domain::ItemId,
    learn::{
        dataset::ItemIdx,
        recommenders::{Blend, Query, Recommender},
        sessions::Scratch,
    },
    snapshot::Snapshot,
};

/// Most items of the history that a reason names.
const NAMED_MAX: usize = 2;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `buy_again`, `seen_before`, `because_you_bought`, `because_you_liked`, `people_like_you`,
    /// `popular`, `pinned`.
    pub kind: &'static str,
    /// The items of the history that caused it.
    pub items: Vec<ItemId>,
}

impl Reason {
    /// The shop's people want it there.
    pub fn pinned() -> Self {
        Self { kind: "pinned", items: Vec::new() }
    }

    /// Many want it.
    pub fn popular() -> Self {
        Self { kind: "popular", items: Vec::new() }
    }
}

/// The reasons for `item`: the items of the history that added most to its score, summed over the
/// models of the blend by their weight and each scaled to the size of its own contributions.
pub fn reasons(
    snapshot: &Snapshot,
    (taste, blend): (&Taste, &Blend),
    query: Query<'_>,
    item: ItemIdx,
) -> Vec<Reason> {
    let mut added = vec![0.0_f32; taste.history.len()];
    for model in &snapshot.models {
        let weight = blend.weights.iter().find(|w| w.0 == model.kind()).map_or(0.0, |w| w.1);
        let parts = model.contributions(query, item);
        let size: f32 = parts.iter().map(|part| part.abs()).sum();
        if size > 0.0 {
            for (sum, part) in added.iter_mut().zip(parts) {
                *sum += weight * part / size;
            }
        }
    }
    if let Some(session) = snapshot.session.as_ref().filter(|_| !taste.visit.is_empty()) {
        let parts = session.vmis.contributions(&taste.visit, item.0, &mut Scratch::default());
        let (size, weight) = (parts.iter().sum::<f32>(), session.weight(taste.is_known));
        if size > 0.0 {
            for (visited, part) in taste.visit.iter().zip(parts) {
                if let Ok(at) = taste.history.binary_search_by_key(visited, |cell| cell.0) {
                    added[at] += weight * part / size;
                }
            }
        }
    }
    let mut causes: Vec<(u32, f32)> = taste
        .history
        .iter()
        .zip(added)
        .filter(|(cell, part)| *part > 0.0 && cell.1 > 0.0 && cell.0 != item.0)
        .map(|(cell, part)| (cell.0, part))
        .collect();
    causes.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    causes.truncate(NAMED_MAX);
    let is_bought = |at: u32| taste.purchases.binary_search_by_key(&at, |p| p.0).is_ok();
    let (bought, liked): (Vec<u32>, Vec<u32>) =
        causes.into_iter().map(|cause| cause.0).partition(|&at| is_bought(at));
    let named = |kind, items: Vec<u32>| {
        let items = items.into_iter().map(|at| snapshot.items[at as usize].clone()).collect();
        Reason { kind, items }
    };
    let mut reasons = Vec::new();
    if taste.history.iter().any(|cell| cell.0 == item.0 && cell.1 > 0.0) {
        let kind = if is_bought(item.0) { "buy_again" } else { "seen_before" };
        reasons.push(named(kind, Vec::new()));
    }
    if !bought.is_empty() {
        reasons.push(named("because_you_bought", bought));
    }
    if !liked.is_empty() {
        reasons.push(named("because_you_liked", liked));
    }
    if reasons.is_empty() {
        reasons.push(named("people_like_you", Vec::new()));
    }
    reasons
}
