//! `GET /items/{item}/related` and `GET /trending`: lists that are the same for everybody.

use super::{
    error::{ApiError, Problem},
    extract::{Path, Query, item_id},
    prices::ListQuotes,
    recommendations::{ListPrice, filter_of, n_of, scenario_of},
    rendered::{json, quotes_end, written},
    shelves::trending_now,
    state::ApiState,
};
use crate::{
    decide::filter::Filter,
    decide::recommend::{
        Ask, Taste,
        list::first_admitted,
        related::{Evidence, Relation, related},
    },
    domain::{Item, ItemId, Timestamp},
};
use axum::{Json, body::Bytes, extract::State, response::Response};
use quick_cache::Weighter;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which way of being related.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelatedKind {
    /// Taken by the same people.
    #[default]
    Similar,
    /// Bought in the same order, more often than by chance.
    BoughtTogether,
    /// Looked at instead: of the same category and about the same price.
    Substitute,
}

impl From<RelatedKind> for Relation {
    fn from(kind: RelatedKind) -> Self {
        match kind {
            RelatedKind::Similar => Self::Similar,
            RelatedKind::BoughtTogether => Self::BoughtTogether,
            RelatedKind::Substitute => Self::Substitute,
        }
    }
}

/// Steers a list of related items.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RelatedQuery {
    /// `similar` (default), `bought_together` or `substitute`.
    #[serde(default)]
    kind: RelatedKind,
    /// How many items, 1 to 100; default 10.
    n: Option<usize>,
    /// Only items that pass, as in `price <= 30`.
    filter: Option<String>,
    /// The place in the storefront, for its rules; default `related`.
    scenario: Option<String>,
    /// Whether to quote prices; default true.
    price: Option<bool>,
}

/// What goes with an item.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelatedAnswer {
    /// The item that was asked about.
    item: String,
    /// In which way.
    kind: RelatedKind,
    /// The snapshot's version; 0 = nothing is trained yet.
    model_version: u64,
    /// Why the list is empty, if it is. It is never filled up with items that are not related.
    empty_because: Option<&'static str>,
    /// Best first.
    items: Vec<SharedItem>,
}

/// One item of a list that is the same for everybody.
#[derive(Debug, Serialize, ToSchema)]
pub struct SharedItem {
    /// Its id.
    #[schema(value_type = String)]
    item: ItemId,
    /// From 1.
    rank: usize,
    /// How much it is related or wanted; comparable within this list only.
    score: f64,
    /// How many times as often as by chance the two are in one order; `bought_together` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    lift: Option<f32>,
    /// In how many orders both are; `bought_together` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    support: Option<u32>,
    /// What it costs now, if it has a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<ListPrice>,
    /// `in`, or `unknown` if stock is not counted.
    stock: &'static str,
}

fn shared_item(
    item: &Item,
    (rank, evidence, score): (usize, Option<Evidence>, f64),
    quotes: Option<&ListQuotes<'_>>,
) -> SharedItem {
    SharedItem {
        item: item.item_id.clone(),
        rank,
        score,
        lift: evidence.and_then(|evidence| evidence.lift),
        support: evidence.and_then(|evidence| evidence.support),
        price: quotes.and_then(|quotes| quotes.of(item)),
        stock: if item.fields.stock.is_some() { "in" } else { "unknown" },
    }
}

/// What goes with an item: similar ones, what is bought with it, or what may stand in for it.
#[utoipa::path(get, path = "/items/{item}/related", tag = "storefront",
    params(("item" = String, Path), RelatedQuery),
    responses((status = 200, body = RelatedAnswer), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn get_related(
    State(state): State<ApiState>,
    Path(item): Path<String>,
    Query(query): Query<RelatedQuery>,
) -> Result<Response, ApiError> {
    let item = item_id(&item)?;
    let (now, snapshot) = (state.clock.now(), state.snapshots.current());
    if state.live.catalogue.get(&item).is_none() {
        return Err(ApiError::NotFound { what: "item", id: item.to_string() });
    }
    let scenario = scenario_of(query.scenario.or_else(|| Some("related".into())))?;
    // Read before anything else: a change while the list is made must make it untrue.
    let epoch = state.live.catalogue.epoch();
    let (n, price) = (n_of(&state, query.n)?, query.price.unwrap_or(true));
    let filter = filter_of(&state, query.filter.as_deref())?;
    let book = state.rule_book();
    let key = SharedKey {
        version: snapshot.version,
        item: item.clone(),
        kind: query.kind,
        n,
        filter: filter.clone(),
        price,
        rules: (book.revision, (!book.is_empty()).then(|| scenario.clone())),
    };
    let known = state.shelves.shared.get(&key);
    if let Some(known) = known.filter(|known| known.epoch == epoch && now < known.until) {
        return Ok(json(known.body.clone()));
    }
    let ask = Ask {
        n,
        filter,
        // What is on the page is not shown beside it, nor another variant of it.
        context: vec![item.clone()],
        ..Ask::default()
    };
    let (nobody, rules) = (Taste::default(), book.in_force(&scenario, now));
    let chosen = state.policies.of(&scenario, None, now);
    let gate = state.gate((&snapshot, &nobody), &ask, (&rules, &chosen.policy), now);
    let relation = query.kind.into();
    let found = first_admitted(related(&snapshot, &item, relation), &gate, ask.n);
    let empty_because = found.is_empty().then(|| {
        if snapshot.version == 0 {
            "nothing is trained yet"
        } else if related(&snapshot, &item, relation).next().is_none() {
            "too little is known about what goes with this item"
        } else {
            "no sellable item is left after exclusions"
        }
    });
    let quotes = price.then(|| ListQuotes::at(&state, now));
    let items = found.iter().zip(1..).map(|((item, evidence), rank)| {
        let score = f64::from(evidence.score);
        shared_item(item, (rank, Some(*evidence), score), quotes.as_ref())
    });
    let answer = RelatedAnswer {
        item: item.to_string(),
        kind: query.kind,
        model_version: snapshot.version,
        empty_because,
        items: items.collect(),
    };
    let body = written(&answer, HEAD_BYTES + answer.items.len() * ITEM_BYTES)?;
    let turn = book.next_turn(now);
    let quotes_end = quotes_end(&state, &key, now);
    let until = turn.map_or(quotes_end, |turn| quotes_end.min(turn));
    let made = SharedAnswer { body: body.clone(), epoch, until };
    state.shelves.shared.insert(key, Arc::new(made));
    Ok(json(body))
}

/// About what an answer takes without its items, and each of them.
const HEAD_BYTES: usize = 256;
const ITEM_BYTES: usize = 208;

/// All that a list of related items depends on but the catalogue and time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SharedKey {
    version: u64,
    item: ItemId,
    kind: RelatedKind,
    n: usize,
    filter: Option<Filter>,
    price: bool,
    /// The rules' revision, and where they are asked about, if there are any.
    rules: (i64, Option<String>),
}

/// An answer in JSON, and how long it is true.
#[derive(Debug)]
pub struct SharedAnswer {
    body: Bytes,
    epoch: u64,
    until: Timestamp,
}

/// Weighs answers by their text.
#[derive(Clone)]
pub struct SharedBytes;

impl Weighter<SharedKey, Arc<SharedAnswer>> for SharedBytes {
    fn weight(&self, _key: &SharedKey, answer: &Arc<SharedAnswer>) -> u64 {
        (size_of::<SharedKey>() + size_of::<SharedAnswer>() + answer.body.len()) as u64
    }
}

/// Steers the list of what is trending.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrendingQuery {
    /// Only items of this category.
    category: Option<String>,
    /// How many items, 1 to 100; default 10.
    n: Option<usize>,
    /// Only items that pass, as in `price <= 30`.
    filter: Option<String>,
    /// The place in the storefront, for its rules; default `trending`.
    scenario: Option<String>,
    /// Whether to quote prices; default true.
    price: Option<bool>,
}

/// What is wanted now.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrendingAnswer {
    /// Hours after which an event counts half.
    half_life_hours: f64,
    /// Why the list is empty, if it is.
    empty_because: Option<&'static str>,
    /// Best first, by events weighed by their kind and faded to now.
    items: Vec<SharedItem>,
}

/// What everybody wants most now; what happened just before is in it.
#[utoipa::path(get, path = "/trending", tag = "storefront", params(TrendingQuery),
    responses((status = 200, body = TrendingAnswer), (status = 422, body = Problem)))]
pub async fn get_trending(
    State(state): State<ApiState>,
    Query(query): Query<TrendingQuery>,
) -> Result<Json<TrendingAnswer>, ApiError> {
    let (now, snapshot) = (state.clock.now(), state.snapshots.current());
    let scenario = scenario_of(query.scenario.or_else(|| Some("trending".into())))?;
    let ask = Ask {
        n: n_of(&state, query.n)?,
        category: query.category,
        filter: filter_of(&state, query.filter.as_deref())?,
        ..Ask::default()
    };
    let (nobody, rules) = (Taste::default(), state.rule_book().in_force(&scenario, now));
    let chosen = state.policies.of(&scenario, None, now);
    let gate = state.gate((&snapshot, &nobody), &ask, (&rules, &chosen.policy), now);
    let wanted = trending_now(&state, &snapshot, now)?;
    let found = first_admitted(wanted.iter(now), &gate, ask.n);
    let is_quiet = wanted.iter(now).next().is_none();
    let empty_because = found.is_empty().then_some(if is_quiet {
        "no events have been recorded yet"
    } else {
        "no sellable item is left after exclusions"
    });
    let quotes = query.price.unwrap_or(true).then(|| ListQuotes::at(&state, now));
    let items = found
        .iter()
        .zip(1..)
        .map(|((item, count), rank)| shared_item(item, (rank, None, *count), quotes.as_ref()));
    Ok(Json(TrendingAnswer {
        half_life_hours: state.trending.half_life_hours,
        empty_because,
        items: items.collect(),
    }))
}
