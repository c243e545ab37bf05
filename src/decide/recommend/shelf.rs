//! A shopper's best items, before anything is left out: what is worth keeping between two requests.

use super::taste::Taste;
use crate::{
    domain::{ItemId, Timestamp},
    learn::{
        dataset::ItemIdx,
        recommenders::{Blend, EXACT_ITEMS_MAX, FittedModel, Query, ScoreRoom},
        sessions,
    },
    snapshot::Snapshot,
};
use std::cell::RefCell;

/// Most items kept: three times the longest list, and enough for rules to choose from.
const RANKED_MAX: usize = 300;
/// Fewest kept.
const RANKED_MIN: usize = 50;
/// Items kept for each one that is wanted or known to be left out, so that others seldom exhaust them.
const RANKED_EACH: usize = 3;

/// A shopper's taste and the items that the models put first for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shelf {
    /// What the shopper likes.
    pub taste: Taste,
    /// Positions and scores, best first; `None` if no model has anything to say.
    pub ranked: Option<Box<[(ItemIdx, f32)]>>,
    /// Whether `ranked` holds every item.
    pub is_complete: bool,
    /// The models that were asked, if not those of the snapshot's blend.
    pub mix: Option<Blend>,
}

impl Shelf {
    /// Scores every item for a taste, by the models of `mix` if any of them is there, and keeps the `n_ranked` best.
    pub fn fill(snapshot: &Snapshot, taste: Taste, mix: Option<Blend>, n_ranked: usize) -> Self {
        let is_fitted = |mix: &Blend| snapshot.models.iter().any(|model| mix.has(model.kind()));
        let mix = mix.filter(is_fitted);
        let ranked = best_items(snapshot, (&taste, mix.as_ref()), n_ranked, |_| true);
        let is_complete = ranked.as_ref().is_none_or(|r| r.len() == snapshot.items.len());
        Self { taste, ranked: ranked.map(Vec::into_boxed_slice), is_complete, mix }
    }

    /// How many items are to be kept where a list needs `n`; [`usize::MAX`] for as many as ever are. Of a large
    /// catalogue always so many: which of its items are scored exactly follows from how many are wanted, and the same
    /// request must have the same list whatever was asked before.
    pub fn n_ranked(n_items: usize, n: usize) -> usize {
        if n_items > EXACT_ITEMS_MAX {
            return RANKED_MAX;
        }
        n.saturating_mul(RANKED_EACH).clamp(RANKED_MIN, RANKED_MAX)
    }

    /// Whether as many items are kept as a list needs, or as ever are.
    pub fn holds(&self, n: usize) -> bool {
        let n = n.min(RANKED_MAX);
        self.is_complete || self.ranked.as_ref().is_none_or(|ranked| ranked.len() >= n)
    }

    /// A taste for which there was no time to ask any model.
    pub fn without_scores(taste: Taste) -> Self {
        Self { taste, ranked: None, is_complete: true, mix: None }
    }

    /// The models that were asked.
    pub fn blend<'a>(&'a self, snapshot: &'a Snapshot) -> &'a Blend {
        self.mix.as_ref().unwrap_or(&snapshot.blend)
    }

    /// Bytes held, the fixed part included.
    pub fn n_bytes(&self) -> usize {
        let taste = self.taste.history.len() * 8
            + self.taste.purchases.len() * 16
            + self.taste.new_purchases.len() * size_of::<(ItemId, Timestamp)>()
            + self.taste.visit.len() * 4
            + self.taste.shown.len() * size_of::<(ItemId, Timestamp)>()
            + self.taste.seen.len() * size_of::<(ItemId, Option<Timestamp>)>();
        size_of::<Self>() + taste + self.ranked.as_ref().map_or(0, |ranked| ranked.len() * 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_shelf_that_was_filled_for_a_list_holds_it_and_the_pages_after_it(
            n in 1..101_usize, n_items in 400..200_000_usize,
        ) {
            let n_ranked = Shelf::n_ranked(n_items, n);
            let ranked = (0..n_ranked as u32).map(|at| (ItemIdx(at), 0.0)).collect();
            let shelf = Shelf { ranked: Some(ranked), is_complete: false, ..Shelf::without_scores(Taste::default()) };
            prop_assert!(shelf.holds(n) && shelf.holds((3 * n).min(300)));
            prop_assert_eq!(shelf.holds(usize::MAX), n_ranked == RANKED_MAX);
            prop_assert!(n_items <= EXACT_ITEMS_MAX || shelf.holds(usize::MAX));
            prop_assert!(Shelf::n_ranked(n_items, usize::MAX) == RANKED_MAX);
        }
    }
}

/// Room to work in.
#[derive(Default)]
struct Room {
    scores: ScoreRoom,
    visiting: sessions::Scratch,
}

thread_local! {
    /// One for each thread that answers, as large as the longest catalogue it has met.
    static ROOM: RefCell<Room> = RefCell::default();
}

/// The `n` best items for a taste that `keep` admits, by the snapshot's blend or another; `None` if no model has
/// anything to say. `keep` must not ask for scores.
pub(super) fn best_items(
    snapshot: &Snapshot,
    (taste, mix): (&Taste, Option<&Blend>),
    n: usize,
    keep: impl FnMut(ItemIdx) -> bool,
) -> Option<Vec<(ItemIdx, f32)>> {
    asked(snapshot, taste, mix, |blend, models, query, add, room| {
        let add = (snapshot.items.len(), add);
        blend.best_items(models, query, add, (n, keep), room)
    })
}

/// What `look` makes of every item's exact score for a taste; `None` if no model has anything to say. In large
/// catalogues much slower than [`best_items`].
pub(super) fn with_scores<T>(
    snapshot: &Snapshot,
    (taste, mix): (&Taste, Option<&Blend>),
    look: impl FnOnce(&[f32]) -> T,
) -> Option<T> {
    asked(snapshot, taste, mix, |blend, models, query, add, room| {
        let add = (snapshot.items.len(), add);
        blend.all_scores(models, query, add, room).map(look)
    })
}

/// Hands over whom to ask and with what: the models, unless nothing is liked, and the running visit.
fn asked<T>(
    snapshot: &Snapshot,
    taste: &Taste,
    mix: Option<&Blend>,
    ask: impl FnOnce(
        &Blend,
        &[FittedModel],
        Query<'_>,
        &mut dyn FnMut(&mut [f32]) -> bool,
        &mut ScoreRoom,
    ) -> Option<T>,
) -> Option<T> {
    let is_liked = taste.history.iter().any(|cell| cell.1 > 0.0);
    if !is_liked && taste.visit.is_empty() {
        return None;
    }
    let models: &[FittedModel] = if is_liked { &snapshot.models } else { &[] };
    let query = Query { user: taste.user, history: &taste.history };
    ROOM.with_borrow_mut(|Room { scores, visiting }| {
        let session = snapshot.session.as_ref();
        let mut add = |scores: &mut [f32]| {
            let add = |model: &sessions::SessionModel| {
                model.add_to(&taste.visit, taste.is_known, scores, visiting)
            };
            session.is_some_and(add)
        };
        ask(mix.unwrap_or(&snapshot.blend), models, query, &mut add, scores)
    })
}
