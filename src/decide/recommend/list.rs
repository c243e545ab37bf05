//! Scores, leaves out what must not be shown, cuts to the best.

use super::{
    gate::Gate,
    popular::Popular,
    reasons::{Reason, reasons},
    reorder::reorder,
    shelf::{Shelf, best_items},
};
use crate::{
    decide::{
        filter::{Filter, Sieve},
        rules::{apply_caps, boosted, one_per_group, place_pins},
    },
    domain::{Item, ItemId, RuleId},
    learn::{dataset::ItemIdx, recommenders::Query},
};
use std::sync::Arc;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// How many items.
    pub n: usize,
    /// Only items of this category.
    pub category: Option<String>,
    /// Only items that pass.
    pub filter: Option<Filter>,
    /// Never these.
    pub exclude: Vec<ItemId>,
    /// Items on the page or in the cart: steer the list, are not in it.
    pub context: Vec<ItemId>,
    /// Whether to say why.
    pub explain: bool,
    /// What chance is drawn from, for the place that is left to it.
    pub seed: u64,
}

/// Where a list comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The shopper's own history.
    Personal,
    /// What somebody unknown did in this visit.
    Session,
    /// The items on the page.
    Related,
    /// What everybody wants.
    Popular,
}

/// One item of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    /// What.
    pub item: ItemId,
    /// Preference; comparable within one answer only.
    pub score: f32,
    /// Why, if asked.
    pub reasons: Vec<Reason>,
    /// How probable it was that this item came to this place, if it was left to chance.
    pub propensity: Option<f64>,
}

/// A list and what it is based on.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Best first.
    pub picks: Vec<Pick>,
    /// Where it comes from.
    pub source: Source,
    /// Why there is nothing, if there is nothing.
    pub empty_because: Option<&'static str>,
}

/// Recommends from a shelf what `gate` admits. `popular` is for those about whom no model has anything to
/// say.
pub fn recommend(shelf: &Shelf, popular: &Popular, gate: &Gate<'_>) -> Answer {
    let (snapshot, taste, ask) = (gate.snapshot, &shelf.taste, gate.ask);
    let explored = gate.policy.exploration_position as usize;
    let (list, propensity) = shown(shelf, popular, gate);
    let query = Query { user: taste.user, history: &taste.history };
    let why = |candidate: &Candidate| {
        let position = snapshot.item_position(&candidate.item.item_id).map(ItemIdx);
        let mut why: Vec<Reason> = candidate.pinned_by.iter().map(|_| Reason::pinned()).collect();
        match position.filter(|_| shelf.ranked.is_some() && !candidate.is_filler) {
            Some(at) => why.extend(reasons(snapshot, (taste, shelf.blend(snapshot)), query, at)),
            _ if candidate.pinned_by.is_none() => why.push(Reason::popular()),
            _ => {}
        }
        why
    };
    let picks: Vec<Pick> = list
        .iter()
        .zip(1..)
        .map(|(candidate, place)| Pick {
            propensity: propensity.filter(|_| place == explored),
            item: candidate.item.item_id.clone(),
            score: candidate.score,
            reasons: if ask.explain { why(candidate) } else { Vec::new() },
        })
        .collect();
    let empty_because = picks.is_empty().then(|| {
        if popular.iter(snapshot).next().is_none() && snapshot.items.is_empty() {
            "no events have been recorded yet"
        } else if !gate.rules.is_empty() {
            "no sellable item is left after exclusions and the rules of this scenario"
        } else if ask.filter.is_some() {
            "no sellable item that passes the filter is left after exclusions"
        } else if ask.category.is_some() {
            "no sellable item of this category is left after exclusions"
        } else {
            "no sellable item is left after exclusions"
        }
    });
    Answer { picks, source: Source::of(shelf), empty_because }
}

/// An item that may be in the list.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) item: Arc<Item>,
    pub(super) score: f32,
    /// The rule that pins it.
    pub(super) pinned_by: Option<RuleId>,
    /// Whether it takes a place for which there was nothing relevant.
    pub(super) is_filler: bool,
}

/// Candidates among which rules boost and cap; more than any list is long.
const RULED_MAX: usize = 300;

/// Items that are refused one by one before it is worth asking what filters keep out.
const REFUSED_MAX: usize = 500;

/// Variants of one product that may crowd the best items before a list gets short.
const VARIANTS_MAX: usize = 64;

/// Candidates of whom one is drawn for the place that is left to chance.
const EXPLORED_AMONG: usize = 50;

/// The list, an item drawn for the place that is left to chance, and how probable that was.
pub(super) fn shown(
    shelf: &Shelf,
    popular: &Popular,
    gate: &Gate<'_>,
) -> (Vec<Candidate>, Option<f64>) {
    let place = gate.policy.exploration_position as usize;
    let n = if place == 0 { gate.ask.n } else { gate.ask.n + EXPLORED_AMONG };
    let mut list = arrange(pool(shelf, popular, gate, n), gate, n).list;
    let propensity = explore(&mut list, place, gate);
    (list, propensity)
}

/// Draws the item for the place that is left to chance from those that come behind the list, and cuts the list to
/// what was asked; answers how probable the draw was. Pinned items keep their places.
fn explore(list: &mut Vec<Candidate>, place: usize, gate: &Gate<'_>) -> Option<f64> {
    let n = gate.ask.n;
    let behind = if place == 0 { Vec::new() } else { list.split_off(list.len().min(n)) };
    let is_free = (1..=list.len()).contains(&place) && list[place - 1].pinned_by.is_none();
    if behind.is_empty() || !is_free {
        list.truncate(n);
        return None;
    }
    let drawn = (gate.ask.seed % behind.len() as u64) as usize;
    list[place - 1] = behind[drawn].clone();
    Some(1.0 / behind.len() as f64)
}

/// The candidates in the order that the policy wants, without those that are not relevant enough.
pub(super) fn pool(shelf: &Shelf, popular: &Popular, gate: &Gate<'_>, n: usize) -> Vec<Candidate> {
    let policy = gate.policy;
    let mut pool = candidates(shelf, popular, gate, n);
    if policy.relevance_min > 0.0 {
        let least = pool.first().map_or(0.0, |best| best.score * policy.relevance_min);
        // A score below 0 is worse than that of an average item, whatever the best one's is.
        pool.retain(|candidate| 0.0 < candidate.score && least <= candidate.score);
    }
    reorder(&mut pool, gate);
    if policy.fill && shelf.ranked.is_some() && pool.len() < n {
        let worst = pool.iter().map(|candidate| candidate.score).fold(0.0, f32::min);
        let wanted = admitted(popular.iter(gate.snapshot), gate, n + pool.len());
        let is_new = |filler: &Candidate| {
            let same = |other: &Candidate| other.item.item_id == filler.item.item_id;
            !pool.iter().any(same)
        };
        let fillers: Vec<Candidate> = wanted.into_iter().filter(is_new).collect();
        let filler = |filler| Candidate { score: worst, is_filler: true, ..filler };
        pool.extend(fillers.into_iter().map(filler));
    }
    pool
}

/// What the gate admits, best first: at least `n` if there are so many, and more for rules to choose from.
pub(super) fn candidates(
    shelf: &Shelf,
    popular: &Popular,
    gate: &Gate<'_>,
    n: usize,
) -> Vec<Candidate> {
    let snapshot = gate.snapshot;
    let is_plain = gate.rules.is_empty() && !gate.policy.rearranges();
    let most = if is_plain { n } else { n.max(RULED_MAX) };
    let Some(ranked) = &shelf.ranked else {
        return admitted(popular.iter(snapshot), gate, most);
    };
    let named = |&(at, score): &(ItemIdx, f32)| (&snapshot.items[at.0 as usize], score);
    let mut best = admitted(ranked.iter().map(named), gate, most);
    if shelf.is_complete {
        return best;
    }
    // Exclusions have used up what was kept: all items are looked at, further while variants crowd them.
    let mut wanted = most;
    let sieves = if best.len() < n { gate.sieves() } else { Vec::new() };
    // Further than any shelf goes, whatever is wanted: a list must not depend on how the shelf was filled.
    let wanted_max = (most * VARIANTS_MAX).max(2 * RULED_MAX);
    while best.len() < n && wanted <= wanted_max {
        let keep = |at: ItemIdx| {
            let at = at.0 as usize;
            sieves.iter().all(|sieve| sieve.holds(at)) && gate.admit(&snapshot.items[at]).is_ok()
        };
        let all = best_items(snapshot, (&shelf.taste, shelf.mix.as_ref()), wanted, keep);
        let Some(all) = all else { return best };
        best = admitted(all.iter().map(named), gate, most);
        if all.len() < wanted {
            return best;
        }
        wanted *= 2;
    }
    best
}

fn admitted<'a>(
    ordered: impl Iterator<Item = (&'a ItemId, f32)>,
    gate: &Gate<'_>,
    n: usize,
) -> Vec<Candidate> {
    let found = first_admitted(ordered, gate, n).into_iter();
    found
        .map(|(item, score)| Candidate { item, score, pinned_by: None, is_filler: false })
        .collect()
}

/// The first `n` of a given order that `gate` admits, with what each comes with; variants once.
pub fn first_admitted<'a, T>(
    ordered: impl Iterator<Item = (&'a ItemId, T)>,
    gate: &Gate<'_>,
    n: usize,
) -> Vec<(Arc<Item>, T)> {
    let mut groups = Groups::default();
    let (mut n_refused, mut sieves) = (0, Vec::new());
    let admitted = ordered.filter_map(|(item, with)| {
        let at = if sieves.is_empty() { None } else { gate.snapshot.item_position(item) };
        if at.is_some_and(|at| !sieves.iter().all(|sieve: &Arc<Sieve>| sieve.holds(at as usize))) {
            return None;
        }
        let admitted = gate.admit(item);
        if admitted.is_err() {
            n_refused += 1;
            if n_refused == REFUSED_MAX {
                sieves = gate.sieves();
            }
        }
        Some((admitted.ok().filter(|item| groups.is_new(item))?, with))
    });
    let mut list = Vec::with_capacity(n);
    list.extend(admitted.take(n));
    list
}

/// The groups that have an item in the list.
#[derive(Default)]
struct Groups(Vec<Arc<Item>>);

impl Groups {
    /// Whether the item's group has none yet; from now on it has.
    fn is_new(&mut self, item: &Arc<Item>) -> bool {
        let Some(group) = &item.fields.group else { return true };
        let is_new = !self.0.iter().any(|shown| shown.fields.group.as_ref() == Some(group));
        if is_new {
            self.0.push(item.clone());
        }
        is_new
    }
}

/// A list, and what the rules took out of it.
pub(super) struct Arranged {
    pub(super) list: Vec<Candidate>,
    pub(super) capped: Vec<(ItemId, RuleId)>,
}

/// Lets the rules work on candidates: boosts, pins, caps; cut to `n`.
pub(super) fn arrange(mut pool: Vec<Candidate>, gate: &Gate<'_>, n: usize) -> Arranged {
    let rules = gate.rules;
    if rules.is_empty() {
        pool.truncate(n);
        return Arranged { list: pool, capped: Vec::new() };
    }
    boost(&mut pool, gate);
    let known: Vec<(ItemId, Arc<Item>)> = rules
        .pinned_items()
        .filter_map(|item| Some((item.clone(), gate.sellable(item).ok()?)))
        .collect();
    let view = |item: &ItemId| {
        known.iter().find(|known| known.0 == *item).map(|known| gate.view(&known.1))
    };
    let pins: Vec<(u32, Candidate)> = rules
        .pins(view)
        .into_iter()
        .filter_map(|pin| {
            let item = known.iter().find(|known| known.0 == *pin.item)?.1.clone();
            let score = pool.iter().find(|other| other.item.item_id == item.item_id);
            let score = score.map_or(0.0, |other| other.score);
            Some((
                pin.position,
                Candidate { item, score, pinned_by: Some(pin.rule.clone()), is_filler: false },
            ))
        })
        .collect();
    let pinned: Vec<Arc<Item>> = pins.iter().map(|pin| pin.1.item.clone()).collect();
    let pinned = || pinned.iter().map(|item| &**item);
    let pool: Vec<&Candidate> = one_per_group(pinned(), pool.iter().collect(), |c| &*c.item);
    let caps = rules.caps();
    let capped = apply_caps(pinned(), pool, &caps, n, |c| &*c.item);
    let removed = capped.removed.iter();
    let removed = removed.map(|(c, rule)| (c.item.item_id.clone(), (*rule).clone())).collect();
    let kept = capped.kept.into_iter().cloned();
    let list = place_pins(kept, pins, n, |c| c.item.item_id.clone());
    Arranged { list, capped: removed }
}

/// Ranks by what boosts make of the scores; the scores themselves stay what the models said.
fn boost(pool: &mut [Candidate], gate: &Gate<'_>) {
    let scores = || pool.iter().map(|candidate| candidate.score);
    let (min, max) =
        (scores().fold(f32::INFINITY, f32::min), scores().fold(f32::NEG_INFINITY, f32::max));
    pool.sort_by_cached_key(|candidate| {
        let factor = gate.rules.effect(&gate.view(&candidate.item)).factor;
        // Not negative, so that its bits order like it; the sort is stable.
        std::cmp::Reverse(boosted(candidate.score, min, max, factor).to_bits())
    });
}

impl Source {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Personal, Self::Session, Self::Related, Self::Popular];

    /// Where lists from this shelf come from.
    pub fn of(shelf: &Shelf) -> Self {
        match (&shelf.ranked, shelf.taste.is_known, shelf.taste.is_recent) {
            (None, _, _) => Self::Popular,
            (Some(_), true, _) => Self::Personal,
            (Some(_), false, true) => Self::Session,
            (Some(_), false, false) => Self::Related,
        }
    }

    /// The name in the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Session => "session",
            Self::Related => "related",
            Self::Popular => "popular",
        }
    }
}
