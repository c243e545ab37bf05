//! Why an item is in a shopper's list, or which stage left it out: the same stages as for the list itself.

use super::{
    gate::{Gate, Removal},
    list::{Candidate, Source, arrange, pool, shown},
    popular::Popular,
    reasons::{Reason, reasons},
    shelf::{Shelf, with_scores},
};
use crate::{
    domain::ItemId,
    learn::{
        dataset::ItemIdx,
        recommenders::{Query, Recommender},
        sessions::{Scratch, SessionModel},
    },
};

/// What one model says of the item.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelScore {
    /// Which.
    pub model: &'static str,
    /// Its weight in the blend; the session model's beside it.
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
    /// How probable it was that chance would put it there, if chance did.
    pub propensity: Option<f64>,
    /// What each model says.
    pub models: Vec<ModelScore>,
    /// What of the shopper's history speaks for it.
    pub reasons: Vec<Reason>,
}

/// Goes through the stages for one item. Costs about as much as a list of all items that are better.
pub fn why(shelf: &Shelf, popular: &Popular, gate: &Gate<'_>, item: &ItemId) -> Why {
    let (snapshot, taste) = (gate.snapshot, &shelf.taste);
    let mut answer = Why {
        source: Source::of(shelf),
        removal: gate.admit(item).err(),
        score: None,
        rank: None,
        propensity: None,
        models: Vec::new(),
        reasons: Vec::new(),
    };
    let position = snapshot.item_position(item);
    let place = if shelf.ranked.is_some() {
        position.and_then(|at| {
            with_scores(snapshot, (taste, shelf.mix.as_ref()), |scores| {
                let own = scores[at as usize];
                let is_before = |cell: &(u32, &f32)| {
                    *cell.1 > own || (cell.1.total_cmp(&own).is_eq() && cell.0 < at)
                };
                let better = (0..).zip(scores).filter(is_before);
                let id = |cell: (u32, &f32)| &snapshot.items[cell.0 as usize];
                (own, better.map(id).filter(|other| gate.admit(other).is_ok()).count())
            })
        })
    } else {
        let mut n_better = 0;
        popular.iter(snapshot).find_map(|(other, weight)| {
            if other == item {
                return Some((weight, n_better));
            }
            n_better += usize::from(gate.admit(other).is_ok());
            None
        })
    };
    (answer.score, answer.rank) = place.map(|(score, n)| (score, n + 1)).unzip();
    arranged(&mut answer, shelf, popular, gate, item);
    let Some(at) = position.filter(|_| shelf.ranked.is_some()) else {
        answer.reasons = answer.score.iter().map(|_| Reason::popular()).collect();
        return answer;
    };
    let query = Query { user: taste.user, history: &taste.history };
    answer.reasons = reasons(snapshot, (taste, shelf.blend(snapshot)), query, ItemIdx(at));
    let mut scores = vec![0.0; snapshot.items.len()];
    for &(kind, weight) in &shelf.blend(snapshot).weights {
        let model = snapshot.models.iter().find(|model| model.kind() == kind);
        let has_scored = model.is_some_and(|model| model.score_items(query, &mut scores));
        let own = has_scored.then(|| scores[at as usize]);
        let rank = own.map(|own| 1 + scores.iter().filter(|&&score| score > own).count());
        answer.models.push(ModelScore { model: kind.name(), weight, score: own, rank });
    }
    if let Some(session) = snapshot.session.as_ref().filter(|_| !taste.visit.is_empty()) {
        let mut scratch = Scratch::default();
        let next = session.vmis.recommend(&taste.visit, usize::MAX, &mut scratch);
        let place = next.iter().position(|scored| scored.0 == at);
        answer.models.push(ModelScore {
            model: SessionModel::NAME,
            weight: session.weight(taste.is_known),
            score: place.map(|place| next[place].1),
            rank: place.map(|place| place + 1),
        });
    }
    answer
}

/// What variants and rules make of the item's place: they see the whole list, not one item.
fn arranged(answer: &mut Why, shelf: &Shelf, popular: &Popular, gate: &Gate<'_>, item: &ItemId) {
    // As many as it takes to reach the item, and as the list that is asked about had.
    let n = gate.ask.n;
    let pool = pool(shelf, popular, gate, answer.rank.unwrap_or(n).max(n));
    let own = gate.goods.item(item);
    let group = own.as_ref().and_then(|item| item.fields.group.as_deref());
    let of_group = |other: &&Candidate| {
        other.item.item_id != *item && other.item.fields.group.as_deref() == group
    };
    let in_pool = pool.iter().any(|other| other.item.item_id == *item);
    let variant = pool.iter().find(of_group).filter(|_| group.is_some() && !in_pool);
    let variant = variant.map(|other| other.item.item_id.clone());
    let whole = pool.len().max(n);
    let arranged = arrange(pool, gate, whole);
    let place = arranged.list.iter().position(|other| other.item.item_id == *item);
    if let Some(place) = place {
        // A pin may show what a later rule hides.
        answer.removal = None;
        answer.rank = Some(place + 1);
        answer.score = answer.score.or(Some(arranged.list[place].score));
    } else if answer.removal.is_none() {
        let capped = arranged.capped.into_iter().find(|capped| capped.0 == *item);
        let is_below = gate.policy.relevance_min > 0.0 && !in_pool && answer.score.is_some();
        answer.removal = capped
            .map(|capped| Removal::CappedByRule(capped.1))
            .or(variant.map(Removal::VariantShown))
            .or(is_below.then_some(Removal::BelowRelevance));
    }
    if gate.policy.exploration_position > 0 {
        left_to_chance(answer, shown(shelf, popular, gate), gate, item);
    }
}

/// What the draw for the place that is left to chance makes of an item: the one that was drawn is shown, and the one
/// that had the place is not.
fn left_to_chance(
    answer: &mut Why,
    (list, propensity): (Vec<Candidate>, Option<f64>),
    gate: &Gate<'_>,
    item: &ItemId,
) {
    let place = gate.policy.exploration_position as usize;
    let Some(propensity) = propensity else { return };
    if list[place - 1].item.item_id == *item {
        (answer.rank, answer.propensity) = (Some(place), Some(propensity));
    } else if answer.removal.is_none() && answer.rank == Some(place) {
        answer.removal = Some(Removal::LeftToChance(list[place - 1].item.item_id.clone()));
    }
}
