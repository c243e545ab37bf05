//! A shopper's best items, before anything is left out: what is worth keeping between two requests.

use super::taste::Taste;
use crate::{
    domain::{ItemId, Timestamp},
    learn::{
        dataset::ItemIdx,
        recommenders::{Query, ScoreRoom},
    },
    snapshot::Snapshot,
};
use std::cell::RefCell;

/// Items kept; three times the longest list, so that exclusions seldom exhaust it.
const RANKED_MAX: usize = 300;

/// A shopper's taste and the items that the models put first for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shelf {
    /// What the shopper likes.
    pub taste: Taste,
    /// Positions and scores, best first; `None` if no model has anything to say.
    pub ranked: Option<Box<[(ItemIdx, f32)]>>,
    /// Whether `ranked` holds every item.
    pub is_complete: bool,
}

impl Shelf {
    /// Scores every item for a taste and keeps the best.
    pub fn fill(snapshot: &Snapshot, taste: Taste) -> Self {
        let ranked = best_items(snapshot, &taste, RANKED_MAX, |_| true);
        let is_complete = ranked.as_ref().is_none_or(|r| r.len() == snapshot.items.len());
        Self { taste, ranked: ranked.map(Vec::into_boxed_slice), is_complete }
    }

    /// Bytes held, the fixed part included.
    pub fn n_bytes(&self) -> usize {
        let taste = self.taste.history.len() * 8
            + self.taste.purchases.len() * 16
            + self.taste.new_purchases.len() * size_of::<(ItemId, Timestamp)>()
            + self.taste.seen.len() * size_of::<(ItemId, Option<Timestamp>)>();
        size_of::<Self>() + taste + self.ranked.as_ref().map_or(0, |ranked| ranked.len() * 8)
    }
}

thread_local! {
    /// One for each thread that answers.
    static ROOM: RefCell<ScoreRoom> = const { RefCell::new(ScoreRoom::new()) };
}

/// The `n` best items for a taste that `keep` admits; `None` if no model has anything to say. `keep` must not ask
/// for scores.
pub(super) fn best_items(
    snapshot: &Snapshot,
    taste: &Taste,
    n: usize,
    keep: impl FnMut(ItemIdx) -> bool,
) -> Option<Vec<(ItemIdx, f32)>> {
    let query = query(taste)?;
    ROOM.with_borrow_mut(|room| snapshot.blend.best_items(&snapshot.models, query, n, keep, room))
}

/// What `look` makes of every item's exact score for a taste; `None` if no model has anything to say. In large
/// catalogues much slower than [`best_items`].
pub(super) fn with_scores<T>(
    snapshot: &Snapshot,
    taste: &Taste,
    look: impl FnOnce(&[f32]) -> T,
) -> Option<T> {
    let query = query(taste)?;
    ROOM.with_borrow_mut(|room| snapshot.blend.all_scores(&snapshot.models, query, room).map(look))
}

/// Nothing to ask with if nothing is liked.
fn query(taste: &Taste) -> Option<Query<'_>> {
    let is_liked = |cell: &(u32, f32)| cell.1 > 0.0;
    let history = &taste.history;
    history.iter().any(is_liked).then_some(Query { user: taste.user, history })
}
