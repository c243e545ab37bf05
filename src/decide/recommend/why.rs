//! Why an item is in a shopper's list, or which stage left it out: the same stages as for the list itself.

use super::{
    gate::{Gate, Removal},
    list::Source,
    popular::Popular,
    reasons::{Reason, reasons},
    shelf::{Shelf, with_scores},
};
use crate::{
    domain::ItemId,
    learn::{
        dataset::ItemIdx,
        recommenders::{ModelKind, Query, Recommender},
    },
};

/// What one model says of the item.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelScore {
    /// Which.
    pub model: ModelKind,
    /// Its weight in the blend.
    pub weight: f32,
    /// Its own score; `None` if it has nothing to say about this shopper.
    pub score: Option<f32>,
    /// Place among all items by this score, from 1.
    pub rank: Option<usize>,
}

/// Everything about one item and one shopper.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// Where the shopper's list comes from.
    pub source: Source,
    /// The stage that keeps the item out, whatever its score.
    pub removal: Option<Removal>,
    /// Its score; `None` if nothing is known by which to score it.
    pub score: Option<f32>,
    /// Its place among the items that may be shown, from 1; where it would be if it were admitted.
    pub rank: Option<usize>,
    /// What each model says.
    pub models: Vec<ModelScore>,
    /// What of the shopper's history speaks for it.
    pub reasons: Vec<Reason>,
}

/// Goes through the stages for one item. Costs about as much as a list, and a look at each better item.
pub fn why(shelf: &Shelf, popular: &Popular, gate: &Gate<'_>, item: &ItemId) -> Why {
    let (snapshot, taste) = (gate.snapshot, &shelf.taste);
    let mut answer = Why {
        source: Source::of(shelf),
        removal: gate.removal(item),
        score: None,
        rank: None,
        models: Vec::new(),
        reasons: Vec::new(),
    };
    if shelf.ranked.is_none() {
        let mut rank = 1;
        for (other, weight) in popular.iter(snapshot) {
            if other == item {
                answer.score = Some(weight);
                answer.rank = Some(rank);
                answer.reasons = vec![Reason::popular()];
                break;
            }
            rank += usize::from(gate.admits(other));
        }
        return answer;
    }
    let Some(at) = snapshot.item_position(item) else { return answer };
    let place = with_scores(snapshot, taste, |scores| {
        let own = scores[at as usize];
        let is_before = |other: u32, score: f32| score > own || (score == own && other < at);
        let better = (0..).zip(scores).filter(|&(other, &score)| is_before(other, score));
        let admitted = better.filter(|cell| gate.admits(&snapshot.items[cell.0 as usize]));
        (own, admitted.count() + 1)
    });
    let query = Query { user: taste.user, history: &taste.history };
    (answer.score, answer.rank) = place.unzip();
    answer.reasons = reasons(snapshot, taste, query, ItemIdx(at));
    let mut scores = vec![0.0; snapshot.items.len()];
    for &(kind, weight) in &snapshot.blend.weights {
        let model = snapshot.models.iter().find(|model| model.kind() == kind);
        let has_scored = model.is_some_and(|model| model.score_items(query, &mut scores));
        let own = has_scored.then(|| scores[at as usize]);
        let rank = own.map(|own| 1 + scores.iter().filter(|&&score| score > own).count());
        answer.models.push(ModelScore { model: kind, weight, score: own, rank });
    }
    answer
}
