//! A shopper's best items, before anything is left out: what is worth keeping between two requests.

use super::taste::Taste;
use crate::{
    domain::{ItemId, Timestamp},
    learn::{
        dataset::ItemIdx,
        recommenders::{Query, top_n::top_n},
    },
    snapshot::Snapshot,
};

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
        let ranked = scores(snapshot, &taste).map(|scores| top_n(&scores, RANKED_MAX, |_| true));
        let is_complete = ranked.as_ref().is_none_or(|r| r.len() == snapshot.items.len());
        Self { taste, ranked: ranked.map(Vec::into_boxed_slice), is_complete }
    }

    /// Bytes held, the fixed part included.
    pub fn n_bytes(&self) -> usize {
        let taste = self.taste.history.len() * 8
            + self.taste.purchases.len() * 16
            + self.taste.new_purchases.len() * size_of::<(ItemId, Timestamp)>();
        size_of::<Self>() + taste + self.ranked.as_ref().map_or(0, |ranked| ranked.len() * 8)
    }
}

/// Every item's score for a taste; `None` if no model has anything to say.
pub(super) fn scores(snapshot: &Snapshot, taste: &Taste) -> Option<Vec<f32>> {
    if !taste.history.iter().any(|cell| cell.1 > 0.0) {
        return None;
    }
    let query = Query { user: taste.user, history: &taste.history };
    let mut scores = vec![0.0; snapshot.items.len()];
    let mut scratch = vec![0.0; snapshot.items.len()];
    let is_scored = snapshot.blend.score_items(&snapshot.models, query, &mut scores, &mut scratch);
    is_scored.then_some(scores)
}
