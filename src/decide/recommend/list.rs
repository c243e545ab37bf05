//! Scores, leaves out what must not be shown, cuts to the best.

use super::{
    popular::Popular,
    reasons::{Reason, reasons},
    shelf::{Shelf, scores},
};
use crate::{
    domain::{ItemId, Timestamp, time::DAY_MS},
    learn::{
        dataset::ItemIdx,
        recommenders::{Query, top_n::top_n},
    },
    snapshot::Snapshot,
};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// How many items.
    pub n: usize,
    /// Only items of this category.
    pub category: Option<String>,
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

/// What must not be shown, by the live catalogue.
pub trait Hidden {
    /// Whether the item can be sold now and, if a category is given, belongs to it.
    fn may_show(&self, item: &ItemId, category: Option<&str>) -> bool;
}

/// Recommends from a shelf. `popular` is for those about whom no model has anything to say;
/// `hide_purchased_days` is how long a purchase keeps an item out of its buyer's lists.
pub fn recommend(
    snapshot: &Snapshot,
    shelf: &Shelf,
    popular: &Popular,
    catalogue: &dyn Hidden,
    ask: &Ask,
    (now, hide_purchased_days): (Timestamp, u32),
) -> Answer {
    let taste = &shelf.taste;
    let hidden_from = now.plus_ms(-i64::from(hide_purchased_days) * DAY_MS);
    let bought_lately = |item: u32| {
        let at = taste.purchases.binary_search_by_key(&item, |purchase| purchase.0);
        hide_purchased_days > 0 && at.is_ok_and(|at| taste.purchases[at].1 >= hidden_from)
    };
    let category = ask.category.as_deref();
    let asked_out = |item: &ItemId| ask.exclude.contains(item) || ask.context.contains(item);
    let may_show = |item: &ItemId| !asked_out(item) && catalogue.may_show(item, category);
    let keep = |at: ItemIdx| !bought_lately(at.0) && may_show(&snapshot.items[at.0 as usize]);

    let picks: Vec<Pick> = if let Some(ranked) = &shelf.ranked {
        let mut best: Vec<_> =
            ranked.iter().copied().filter(|pick| keep(pick.0)).take(ask.n).collect();
        if best.len() < ask.n && !shelf.is_complete {
            best = scores(snapshot, taste).map_or(best, |scores| top_n(&scores, ask.n, keep));
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
        let lately = |item: &ItemId| {
            if let Some(at) = snapshot.item_position(item) {
                return bought_lately(at);
            }
            let mut bought = taste.new_purchases.iter().filter(|purchase| purchase.0 == *item);
            hide_purchased_days > 0 && bought.any(|purchase| purchase.1 >= hidden_from)
        };
        popular
            .iter(snapshot)
            .filter(|(item, _)| !lately(item) && may_show(item))
            .take(ask.n)
            .map(|(item, score)| Pick {
                item: item.clone(),
                score,
                reasons: if ask.explain { vec![Reason::popular()] } else { Vec::new() },
            })
            .collect()
    };
    let source = match (&shelf.ranked, taste.is_known, taste.is_recent) {
        (None, _, _) => Source::Popular,
        (Some(_), true, _) => Source::Personal,
        (Some(_), false, true) => Source::Session,
        (Some(_), false, false) => Source::Related,
    };
    let empty_because = picks.is_empty().then(|| {
        if popular.iter(snapshot).next().is_none() && snapshot.items.is_empty() {
            "no events have been recorded yet"
        } else if category.is_some() {
            "no sellable item of this category is left after exclusions"
        } else {
            "no sellable item is left after exclusions"
        }
    });
    Answer { picks, source, empty_because }
}
