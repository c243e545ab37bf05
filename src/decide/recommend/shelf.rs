//! A shopper's best items, before anything is left out: what is worth keeping between two requests.

use super::taste::Taste;
use crate::{
    domain::{ItemId, Timestamp},
    learn::{
        dataset::ItemIdx,
        recommenders::{Blend, Query, top_n::top_n},
        sessions,
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
    /// The models that were asked, if not those of the snapshot's blend.
    pub mix: Option<Blend>,
}

impl Shelf {
    /// Scores every item for a taste, by the models of `mix` if any of them is there, and keeps the best.
    pub fn fill(snapshot: &Snapshot, taste: Taste, mix: Option<Blend>) -> Self {
        let is_fitted = |mix: &Blend| snapshot.models.iter().any(|model| mix.has(model.kind()));
        let mix = mix.filter(is_fitted);
        let ranked = with_scores(snapshot, (&taste, mix.as_ref()), |scores| {
            top_n(scores, RANKED_MAX, |_| true)
        });
        let is_complete = ranked.as_ref().is_none_or(|r| r.len() == snapshot.items.len());
        Self { taste, ranked: ranked.map(Vec::into_boxed_slice), is_complete, mix }
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

thread_local! {
    /// Room for every item's score, twice, and for the running visit: one for each thread that answers, as
    /// long as the longest catalogue it has met.
    static ROOM: RefCell<(Vec<f32>, Vec<f32>, sessions::Scratch)> = RefCell::default();
}

/// What `look` makes of every item's score for a taste, by the snapshot's blend or another; `None` if no model has anything to say.
pub(super) fn with_scores<T>(
    snapshot: &Snapshot,
    (taste, mix): (&Taste, Option<&Blend>),
    look: impl FnOnce(&[f32]) -> T,
) -> Option<T> {
    let has_liked = taste.history.iter().any(|cell| cell.1 > 0.0);
    if !has_liked && taste.visit.is_empty() {
        return None;
    }
    let query = Query { user: taste.user, history: &taste.history };
    ROOM.with_borrow_mut(|(scores, scratch, visiting)| {
        let n_items = snapshot.items.len();
        scores.resize(n_items, 0.0);
        scratch.resize(n_items, 0.0);
        let is_liked = has_liked
            && mix.unwrap_or(&snapshot.blend).score_items(&snapshot.models, query, scores, scratch);
        if !is_liked {
            scores.fill(0.0);
        }
        let session = snapshot.session.as_ref();
        let is_next = session
            .is_some_and(|model| model.add_to(&taste.visit, taste.is_known, scores, visiting));
        (is_liked || is_next).then(|| look(scores))
    })
}
