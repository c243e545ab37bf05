//! Lists as they go over the wire, kept while nothing that they depend on has changed.

use super::{
    deadline::Deadline,
    error::ApiError,
    policies::Chosen,
    prices::ListQuotes,
    recommendations::{Explored, ListItem, ListReason},
    shelves::{ShelfKey, n_needed, popular_now, shelf_of},
    state::ApiState,
};
use crate::{
    decide::{
        filter::Filter,
        price::QuoteTime,
        recommend::{
            Ask, Pick, Policy, Popular, Shelf, Source, reasons::Reason, recommend,
            reorder::next_rise,
        },
    },
    domain::{ItemId, Timestamp, time::SECOND_MS},
    snapshot::Snapshot,
};
use axum::{
    body::Bytes,
    http::header,
    response::{IntoResponse, Response},
};
use quick_cache::Weighter;
use rustc_hash::FxBuildHasher;
use serde::Serialize;
use serde_json::value::RawValue;
use std::{
    hash::{BuildHasher, Hash},
    sync::Arc,
};

/// All that a list depends on but the catalogue, popularity and time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RenderKey {
    shelf: ShelfKey,
    n: usize,
    category: Option<String>,
    filter: Option<Filter>,
    exclude: Vec<ItemId>,
    explain: bool,
    price: bool,
    /// The policy.
    policy: u32,
    /// The rules' revision, and where they are asked about, if there are any.
    rules: (i64, Option<String>),
}

/// A list in JSON, and how long it is true.
#[derive(Debug)]
pub struct Rendered {
    /// The items, a JSON array.
    pub items: Arc<RawValue>,
    /// The same, with their scores.
    pub picks: Arc<[(ItemId, f32)]>,
    /// The one that chance put there, and the chance that it had, in parts per million.
    pub explored: Option<(ItemId, u32)>,
    /// Where the list comes from.
    pub source: Source,
    /// Whether there was no time to score items.
    pub is_hurried: bool,
    /// Why it is empty, if it is.
    pub empty_because: Option<&'static str>,
    /// The catalogue it was made from.
    epoch: u64,
    /// When its quotes are to be made anew, or a hidden purchase runs out.
    until: Timestamp,
    /// The popularity it was made from, if it was.
    popular: Option<Arc<Popular>>,
}

/// Weighs lists by their text.
#[derive(Clone)]
pub struct RenderedBytes;

impl Weighter<RenderKey, Arc<Rendered>> for RenderedBytes {
    fn weight(&self, key: &RenderKey, list: &Arc<Rendered>) -> u64 {
        let ids = size_of::<ItemId>() * key.exclude.len();
        let picks = size_of::<(ItemId, f32)>() * list.picks.len();
        (size_of::<RenderKey>() + size_of::<Rendered>() + ids + picks + list.items.get().len())
            as u64
            + key.shelf.n_bytes()
    }
}

/// The list for whoever asks: a ready one if it is still true, else made now.
///
/// A new event of the shopper is in the key; a change of the catalogue or of what is popular makes a ready list untrue,
/// and so does, some while later, a new period of quotes.
pub fn list_of(
    state: &ApiState,
    snapshot: &Snapshot,
    wanted: (&ShelfKey, &Ask, bool, &str),
    (chosen, deadline): (&Chosen, Deadline),
    now: Timestamp,
) -> Arc<Rendered> {
    let (shelf_key, ask, price, scenario) = wanted;
    // Read before anything else: a change while the list is made must make it untrue.
    let epoch = state.live.catalogue.epoch();
    let book = state.rule_book();
    let mut key = RenderKey {
        shelf: shelf_key.clone(),
        n: ask.n,
        category: ask.category.clone(),
        filter: ask.filter.clone(),
        exclude: ask.exclude.clone(),
        explain: ask.explain,
        price,
        policy: chosen.number,
        rules: (book.revision, (!book.is_empty()).then(|| scenario.to_owned())),
    };
    let is_true = |list: &Rendered, popular: Option<&Arc<Popular>>| {
        let same_popular = match (&list.popular, popular) {
            (None, _) => true,
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (Some(_), None) => false,
        };
        list.epoch == epoch && now < list.until && same_popular
    };
    if let Some(list) = state.shelves.rendered.get(&key).filter(|list| is_true(list, None)) {
        return list;
    }
    let named = (&key.shelf, n_needed(state, ask, &chosen.policy));
    let (shelf, is_hurried) = shelf_of(state, snapshot, named, (chosen, deadline), now);
    // Only a stranger, or a list that is to be filled, needs what is popular, and strangers share a list.
    let popular = needs_popular(&shelf, chosen).then(|| popular_now(state, snapshot));
    let is_plain = chosen.policy.exploration_position == 0 && shelf.taste.shown.is_empty();
    let is_stranger = !shelf.taste.has_purchases() && shelf.taste.seen.is_empty();
    if shelf.ranked.is_none() && !is_hurried && is_plain && is_stranger {
        key.shelf = ShelfKey::of_strangers(snapshot, &ask.context);
    }
    let known = popular.as_ref().and_then(|_| state.shelves.rendered.get(&key));
    if let Some(list) = known.filter(|list| is_true(list, popular.as_ref())) {
        return list;
    }
    let made = (&*shelf, popular, ask, chosen);
    let quotes_end = quotes_end(state, &key, now);
    let mut list = render(state, snapshot, made, (epoch, price, 1, scenario), (now, quotes_end));
    if is_hurried {
        // Whoever has time must not be given it.
        list.is_hurried = true;
        return Arc::new(list);
    }
    let list = Arc::new(list);
    state.shelves.rendered.insert(key, list.clone());
    state.metrics.list_cache_bytes.set(state.shelves.n_bytes() as i64);
    list
}

/// A page that begins at `first_rank`, never kept: `ask` excludes what the pages before it showed.
pub fn page_of(
    state: &ApiState,
    snapshot: &Snapshot,
    wanted: (&ShelfKey, &Ask, bool, &str),
    (first_rank, chosen, deadline): (usize, &Chosen, Deadline),
    now: Timestamp,
) -> Rendered {
    let (shelf_key, ask, price, scenario) = wanted;
    let epoch = state.live.catalogue.epoch();
    let named = (shelf_key, n_needed(state, ask, &chosen.policy));
    let (shelf, is_hurried) = shelf_of(state, snapshot, named, (chosen, deadline), now);
    let popular = needs_popular(&shelf, chosen).then(|| popular_now(state, snapshot));
    let made = (&*shelf, popular, ask, chosen);
    let list = render(state, snapshot, made, (epoch, price, first_rank, scenario), (now, now));
    Rendered { is_hurried, ..list }
}

fn render(
    state: &ApiState,
    snapshot: &Snapshot,
    (shelf, popular, ask, chosen): (&Shelf, Option<Arc<Popular>>, &Ask, &Chosen),
    (epoch, price, first_rank, scenario): (u64, bool, usize, &str),
    (now, quotes_end): (Timestamp, Timestamp),
) -> Rendered {
    let nobody = Popular::default();
    let popularity = popular.as_deref().unwrap_or(&nobody);
    let book = state.rule_book();
    let rules = book.in_force(scenario, now);
    let gate = state.gate((snapshot, &shelf.taste), ask, (&rules, &chosen.policy), now);
    let list = recommend(shelf, popularity, &gate);
    let picks = list.picks.iter().map(|pick| (pick.item.clone(), pick.score)).collect();
    let ppm = |propensity: f64| (propensity * 1e6).round() as u32;
    let explored =
        list.picks.iter().find_map(|pick| Some((pick.item.clone(), ppm(pick.propensity?))));
    let quotes = price.then(|| ListQuotes::at(state, now));
    let items: Vec<ListItem> = list
        .picks
        .into_iter()
        .zip(first_rank..)
        .map(|(pick, rank)| list_item(state, pick, rank, quotes.as_ref()))
        .collect();
    let items = serde_json::value::to_raw_value(&items).unwrap_or_else(|_| {
        debug_assert!(false, "plain fields: nothing to fail at");
        RawValue::NULL.to_owned()
    });
    Rendered {
        items: items.into(),
        picks,
        explored,
        source: list.source,
        is_hurried: false,
        empty_because: list.empty_because,
        epoch,
        until: true_until(state, shelf, (quotes_end, &chosen.policy, book.next_turn(now)), now),
        popular,
    }
}

/// An answer of about `n_bytes` as it goes over the wire: written at once, where a body that grows is copied again and
/// again.
pub(super) fn written(answer: &impl Serialize, n_bytes: usize) -> Result<Bytes, ApiError> {
    let mut body = Vec::with_capacity(n_bytes);
    let done = serde_json::to_writer(&mut body, answer);
    done.map(|()| body.into()).map_err(|error| ApiError::Internal(error.to_string()))
}

/// A response with a body of JSON.
pub(super) fn json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// When the quotes of what is kept under `key` are made anew.
pub(super) fn quotes_end(state: &ApiState, key: &impl Hash, now: Timestamp) -> Timestamp {
    let ttl_ms = i64::from(state.config.pricing.quote_seconds) * SECOND_MS;
    QuoteTime::renewal(now, ttl_ms, FxBuildHasher.hash_one(key))
}

/// When the list may change without anybody doing anything: when quotes are made anew, when something has been hidden
/// for long enough, or when a rule begins or ends.
fn true_until(
    state: &ApiState,
    shelf: &Shelf,
    (quotes_end, policy, rules_turn): (Timestamp, &Policy, Option<Timestamp>),
    now: Timestamp,
) -> Timestamp {
    let (taste, hide) = (&shelf.taste, policy.hide(state.hide_policy()));
    let rise = policy.rotates().then(|| next_rise(&taste.shown, policy.rotation_minutes, now));
    let turn = state.policies.next_turn(now).into_iter().chain(rise.flatten());
    let bought = taste.purchase_times().map(|at| hide.purchase_ends(at));
    let seen = taste.seen.iter().filter_map(|seen| seen.1).map(|at| hide.sight_ends(at));
    bought
        .chain(seen)
        .chain(rules_turn)
        .chain(taste.visit_ends)
        .chain(turn)
        .filter(|at| *at > now)
        .fold(quotes_end, Timestamp::min)
}

fn needs_popular(shelf: &Shelf, chosen: &Chosen) -> bool {
    shelf.ranked.is_none() || chosen.policy.fill
}

fn list_item(
    state: &ApiState,
    pick: Pick,
    rank: usize,
    quotes: Option<&ListQuotes<'_>>,
) -> ListItem {
    let item = state.live.catalogue.item(&pick.item);
    let price = quotes.zip(item.as_ref()).and_then(|(quotes, item)| quotes.of(item));
    let is_counted = item.is_some_and(|item| item.fields.stock.is_some());
    ListItem {
        item: pick.item,
        rank,
        score: pick.score,
        reasons: pick.reasons.into_iter().map(ListReason::from).collect(),
        price,
        explored: pick.propensity.map(|propensity| Explored { propensity }),
        stock: if is_counted { "in" } else { "unknown" },
    }
}

impl From<Reason> for ListReason {
    fn from(reason: Reason) -> Self {
        Self { kind: reason.kind, items: reason.items.iter().map(ToString::to_string).collect() }
    }
}
