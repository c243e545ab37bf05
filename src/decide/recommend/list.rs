//! Scores, leaves out what must not be shown, cuts to the best.

use super::{
    gate::Gate,
    popular::Popular,
    reasons::{Reason, reasons},
    shelf::{Shelf, with_scores},
};
use crate::{
    decide::filter::Filter,
    domain::ItemId,
    learn::{
        dataset::ItemIdx,
        recommenders::{Query, top_n::top_n},
    },
};

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
    let picks: Vec<Pick> = if let Some(ranked) = &shelf.ranked {
        let keep = |at: ItemIdx| gate.admits(&snapshot.items[at.0 as usize]);
        let mut best: Vec<_> =
            ranked.iter().copied().filter(|pick| keep(pick.0)).take(ask.n).collect();
        if best.len() < ask.n && !shelf.is_complete {
            let all = with_scores(snapshot, taste, |scores| top_n(scores, ask.n, keep));
            best = all.unwrap_or(best);
        }
        let query = Query { user: taste.user, history: &taste.history };
        let why = |at| if ask.explain { reasons(snapshot, taste, query, at) } else { Vec::new() };
        best.into_iter()
            .map(|(at, score)| Pick {
                item: snapshot.items[at.0 as usize].clone(),
                score,
                reasons: why(at),
            })
            .collect()
    } else {
        popular
            .iter(snapshot)
            .filter(|(item, _)| gate.admits(item))
            .take(ask.n)
            .map(|(item, score)| Pick {
                item: item.clone(),
                score,
                reasons: if ask.explain { vec![Reason::popular()] } else { Vec::new() },
            })
            .collect()
    };
    let empty_because = picks.is_empty().then(|| {
        if popular.iter(snapshot).next().is_none() && snapshot.items.is_empty() {
            "no events have been recorded yet"
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

impl Source {
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
