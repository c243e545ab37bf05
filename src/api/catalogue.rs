//! `/items`.

use super::{
    doubts,
    error::{ApiError, FieldError, Problem},
    events::batch_error,
    extract::{Body, Path, Query, item_id},
    state::{ApiState, Money},
};
use crate::{
    decide::price::{Wanted, at_once, brakes::is_jump},
    domain::{Cents, Item, ItemChange, ItemFields, ItemId, PriceReason, doubt::UnitMixUp},
    record::{
        forms::{
            FieldProblem, FormRules, decode_batch, item_fields_from_json, item_patch_from_json,
            item_row_from_json,
        },
        store::{ChangeTerms, Changed, NewPrice, Refusal},
    },
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use utoipa::{IntoParams, ToSchema};

/// How to take a change.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangeQuery {
    /// Whether amounts are meant that look like minor units taken for whole ones; without it they are refused.
    #[serde(default)]
    confirm: bool,
}

/// An item as it is now.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "each field is the one of the request with the same name")]
pub struct ItemAnswer {
    /// Its id.
    pub item: String,
    pub title: Option<String>,
    pub description: Option<String>,
    pub categories: Vec<String>,
    pub brand: Option<String>,
    pub tags: Vec<String>,
    /// The list price.
    pub price: Option<Money>,
    pub cost: Option<Money>,
    pub price_min: Option<Money>,
    pub price_max: Option<Money>,
    pub stock: Option<u64>,
    pub lead_time_days: Option<u32>,
    pub image_url: Option<String>,
    pub available: bool,
    /// Whether it is shown more prominently than usual.
    pub promoted: bool,
    pub group: Option<String>,
    pub attributes: Map<String, Value>,
    /// What it costs now.
    pub price_in_force: Option<Money>,
    /// When the service first heard of it.
    pub first_seen_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// What was taken, but looks like a slip of the pen; only in the answer to a change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<FieldError>,
}

fn item_answer(state: &ApiState, item: &Item) -> ItemAnswer {
    let money = |amount: Option<Cents>| amount.map(|amount| state.money(amount));
    let fields = item.fields.clone();
    ItemAnswer {
        item: item.item_id.to_string(),
        title: fields.title,
        description: fields.description,
        categories: fields.categories,
        brand: fields.brand,
        tags: fields.tags,
        price: money(fields.price),
        cost: money(fields.cost),
        price_min: money(fields.price_min),
        price_max: money(fields.price_max),
        stock: fields.stock,
        lead_time_days: fields.lead_time_days,
        image_url: fields.image_url,
        available: fields.available.unwrap_or(true),
        promoted: fields.promoted.unwrap_or(false),
        group: fields.group,
        attributes: fields.attributes,
        price_in_force: money(item.price_in_force),
        first_seen_at: item.first_seen_at.to_string(),
        updated_at: item.updated_at.to_string(),
        warnings: Vec::new(),
    }
}

/// What became of a batch of rows.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowsAnswer {
    /// Rows taken.
    pub(super) accepted: usize,
    /// Rows that were there already.
    pub(super) duplicates: usize,
    /// Rows not taken.
    pub(super) rejected: Vec<RejectedRow>,
    /// What was taken, but looks like a slip of the pen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<FieldError>,
}

/// A row that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedRow {
    /// Place in the batch, from 0.
    pub(super) index: usize,
    /// What is wrong.
    #[serde(flatten)]
    problem: Problem,
}

fn rules(state: &ApiState) -> FormRules {
    FormRules {
        currency: state.currency,
        now: state.clock.now(),
        future_skew_max_ms: i64::from(state.config.events.future_seconds_max) * 1000,
    }
}

fn invalid(problems: Vec<FieldProblem>) -> ApiError {
    let errors = problems.into_iter().map(|problem| FieldError::at(None, problem)).collect();
    ApiError::Invalid { detail: "some fields are wrong; nothing was changed".into(), errors }
}

fn terms(state: &ApiState, query: &ChangeQuery, only_present: bool) -> ChangeTerms {
    ChangeTerms { only_present, checked_in: (!query.confirm).then_some(state.currency) }
}

/// What a change came to: what the store says, and what is doubtful about each item that has doubtful amounts.
struct Outcome {
    items: Vec<Item>,
    refused: Vec<(usize, Refusal)>,
    doubts: HashMap<ItemId, Vec<FieldProblem>>,
}

async fn change(
    state: &ApiState,
    changes: &[(ItemId, ItemChange)],
    terms: ChangeTerms,
) -> Result<Outcome, ApiError> {
    let now = state.clock.now();
    let before: HashMap<ItemId, ItemFields> = changes
        .iter()
        .filter_map(|(item, _)| {
            let entry = state.live.catalogue.get(item).filter(|entry| !entry.item.removed)?;
            Some((item.clone(), entry.item.fields.clone()))
        })
        .collect();
    let Changed { mut items, refused } = state.store.change_items(changes, terms, now).await?;
    // Seen by the very next answer.
    for item in &items {
        state.live.catalogue.apply(item.clone());
    }
    let nothing = ItemFields::default();
    // Guard-rails that were moved hold at once; demand moves prices on the next round.
    let escaped: Vec<NewPrice> = items
        .iter()
        .filter_map(|item| into_bounds(state, item, before.get(&item.item_id)))
        .collect();
    for item in state.store.set_prices(&escaped, now).await? {
        state.live.catalogue.apply_priced(item.clone(), PriceReason::GuardRail, now);
        if let Some(changed) = items.iter_mut().find(|changed| changed.item_id == item.item_id) {
            *changed = item;
        }
    }
    let present = items.iter().filter(|item| !item.removed);
    let doubts = present.map(|item| {
        let before = before.get(&item.item_id).unwrap_or(&nothing);
        (item.item_id.clone(), doubts::of_item(state, before, &item.fields))
    });
    let doubts = doubts.filter(|(_, doubts)| !doubts.is_empty()).collect();
    Ok(Outcome { items, refused, doubts })
}

/// The bound for an item whose price in force lies outside of them; `None` if pricing is off. It is the
/// merchant who moved it, whatever demand makes of it on the next round.
///
/// What may be a slip of the pen is left to the next run, which waits for a person: a cost that has jumped, and what
/// [`at_once()`] leaves out.
fn into_bounds(
    state: &ApiState,
    item: &Item,
    fields_before: Option<&ItemFields>,
) -> Option<NewPrice> {
    let policies = state.pricing.policies();
    let policy = Some(policies.of(item)).filter(|policy| policy.enabled)?;
    let in_force = item.price_in_force.filter(|_| !item.removed)?;
    let jump = item
        .fields
        .cost
        .zip(fields_before.and_then(|fields| fields.cost))
        .is_some_and(|(cost, before)| is_jump(cost, before, &policy.brakes));
    if jump {
        return None;
    }
    // A price that is new gives way to bounds that are not; of a new item, whose price and bounds contradict each other,
    // nobody knows which is wrong, and too cheap is worse.
    let bounds = |fields: &ItemFields| (fields.price_min, fields.price_max);
    let follows_far = fields_before.is_none_or(|before| {
        before.price != item.fields.price && bounds(before) == bounds(&item.fields)
    });
    let wanted = Wanted { price: in_force, follows_far };
    let price = at_once(item, &policy, state.currency, wanted);
    let price = Some(price).filter(|&price| price != in_force)?;
    let (item, before) = (item.item_id.clone(), Some(in_force));
    Some(NewPrice { item, before, price, reason: PriceReason::GuardRail })
}

async fn change_one(
    state: &ApiState,
    item: &str,
    change_to: ItemChange,
    terms: ChangeTerms,
) -> Result<ItemAnswer, ApiError> {
    let item = item_id(item)?;
    let id = item.to_string();
    let Outcome { items, refused, mut doubts } =
        change(state, &[(item.clone(), change_to)], terms).await?;
    if let Some((_, refusal)) = refused.first() {
        return Err(match problem(state, *refusal) {
            None => ApiError::NotFound { what: "item", id },
            Some(problem) => invalid(vec![problem]),
        });
    }
    let changed = items.first().ok_or(ApiError::Internal("a changed item is gone".into()))?;
    let doubts = doubts.remove(&item).unwrap_or_default().into_iter();
    let warnings = doubts.map(|doubt| FieldError::at(None, doubt)).collect();
    Ok(ItemAnswer { warnings, ..item_answer(state, changed) })
}

/// What is wrong with a change that was refused; `None`: the item is not there.
fn problem(state: &ApiState, refusal: Refusal) -> Option<FieldProblem> {
    match refusal {
        Refusal::NotThere => None,
        Refusal::BoundsClash(field) => Some(clash(field)),
        Refusal::UnitMixUp(found) => Some(mix_up(state, &found)),
    }
}

/// An amount that looks like a slip of the pen.
fn mix_up(state: &ApiState, found: &UnitMixUp) -> FieldProblem {
    let detail = found.detail(state.currency);
    let detail = format!("{detail} If it is meant, send it again with `?confirm=true`");
    FieldProblem { pointer: format!("/{}", found.field), detail }
}

/// What is wrong with a change after which the lowest price would lie above the highest.
fn clash(field: &str) -> FieldProblem {
    let detail = match field {
        "price_max" => "must not be below price_min",
        _ => "must not be above price_max",
    };
    FieldProblem { pointer: format!("/{field}"), detail: detail.into() }
}

/// What only answers have.
const ANSWERED: [&str; 4] = ["price_in_force", "first_seen_at", "updated_at", "warnings"];

/// An item as it was read can be written again: without its id, and without what the service itself says of it.
fn as_written(mut body: Value, item: &str) -> Result<Value, FieldProblem> {
    let Some(fields) = body.as_object_mut() else { return Ok(body) };
    if fields.remove("item").is_some_and(|named| named != item) {
        let detail = "is not the item of the path; leave it out".into();
        return Err(FieldProblem { pointer: "/item".into(), detail });
    }
    fields.retain(|name, _| !ANSWERED.contains(&name.as_str()));
    Ok(body)
}

/// Makes the item exactly this; creates it if need be. What `GET` answers can be sent as it is.
#[utoipa::path(put, path = "/items/{item}", tag = "shop", params(("item" = String, Path), ChangeQuery), request_body = serde_json::Value,
    responses((status = 200, body = ItemAnswer), (status = 422, body = Problem)))]
pub async fn put_item(
    State(state): State<ApiState>,
    Path(item): Path<String>,
    Query(query): Query<ChangeQuery>,
    body: Body,
) -> Result<Json<ItemAnswer>, ApiError> {
    let fields = as_written(body.json()?, &item).map_err(|problem| invalid(vec![problem]))?;
    let fields = item_fields_from_json(&fields, &rules(&state)).map_err(invalid)?;
    let terms = terms(&state, &query, false);
    let replace = ItemChange::Replace(Box::new(fields));
    Ok(Json(change_one(&state, &item, replace, terms).await?))
}

/// Changes the fields named; null empties one. The item must be there: PUT creates one.
#[utoipa::path(patch, path = "/items/{item}", tag = "shop", params(("item" = String, Path), ChangeQuery), request_body = serde_json::Value,
    responses((status = 200, body = ItemAnswer), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn patch_item(
    State(state): State<ApiState>,
    Path(item): Path<String>,
    Query(query): Query<ChangeQuery>,
    body: Body,
) -> Result<Json<ItemAnswer>, ApiError> {
    let patch = item_patch_from_json(&body.json()?, &rules(&state)).map_err(invalid)?;
    let merge = ItemChange::Merge(Box::new(patch));
    let terms = terms(&state, &query, true);
    Ok(Json(change_one(&state, &item, merge, terms).await?))
}

/// The item as it is now.
#[utoipa::path(get, path = "/items/{item}", tag = "shop", params(("item" = String, Path)),
    responses((status = 200, body = ItemAnswer), (status = 404, body = Problem)))]
pub async fn get_item(
    State(state): State<ApiState>,
    Path(item): Path<String>,
) -> Result<Json<ItemAnswer>, ApiError> {
    let item = item_id(&item)?;
    let entry = state.live.catalogue.get(&item).filter(|entry| !entry.item.removed);
    let entry = entry.ok_or(ApiError::NotFound { what: "item", id: item.to_string() })?;
    Ok(Json(item_answer(&state, &entry.item)))
}

/// Takes the item out of the catalogue; its events stay.
#[utoipa::path(delete, path = "/items/{item}", tag = "shop", params(("item" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn delete_item(
    State(state): State<ApiState>,
    Path(item): Path<String>,
) -> Result<StatusCode, ApiError> {
    let terms = ChangeTerms { only_present: true, ..ChangeTerms::ANY };
    change_one(&state, &item, ItemChange::Remove, terms).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes many items: an array or NDJSON of objects with `item` and the fields to change.
#[utoipa::path(post, path = "/items", tag = "shop", params(ChangeQuery), request_body = serde_json::Value,
    responses((status = 200, body = RowsAnswer), (status = 400, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem)))]
pub async fn post_items(
    State(state): State<ApiState>,
    Query(query): Query<ChangeQuery>,
    body: Body,
) -> Result<Json<RowsAnswer>, ApiError> {
    let (rows, mut rejected) = rows(&state, &body, item_row_from_json)?;
    let (places, changes): (Vec<usize>, Vec<_>) = rows.into_iter().unzip();
    let terms = terms(&state, &query, false);
    let Outcome { refused, mut doubts, .. } = change(&state, &changes, terms).await?;
    let accepted = changes.len() - refused.len();
    // Of several rows of one item the last that was taken made it what it is.
    let is_refused: HashSet<usize> = refused.iter().map(|&(at, _)| at).collect();
    let taken = (0..changes.len()).rev().filter(|at| !is_refused.contains(at));
    let doubted = taken.filter_map(|at| Some((places[at], doubts.remove(&changes[at].0)?)));
    let mut doubted: Vec<(usize, Vec<FieldProblem>)> = doubted.collect();
    doubted.reverse();
    let pointed = |(index, doubts): (usize, Vec<FieldProblem>)| {
        doubts.into_iter().map(move |doubt| FieldError::at(Some(index), doubt))
    };
    let warnings = doubted.into_iter().flat_map(pointed).collect();
    rejected.extend(refused.into_iter().map(|(at, refusal)| {
        rejected_row(places[at], problem(&state, refusal).into_iter().collect())
    }));
    rejected.sort_by_key(|row| row.index);
    Ok(Json(RowsAnswer { accepted, duplicates: 0, rejected, warnings }))
}

/// Rows with their places, and those that cannot be taken.
pub(super) type Rows<T> = (Vec<(usize, T)>, Vec<RejectedRow>);

pub(super) fn rows<T>(
    state: &ApiState,
    body: &Body,
    form: impl Fn(&Value, &FormRules) -> Result<T, Vec<FieldProblem>>,
) -> Result<Rows<T>, ApiError> {
    let values = decode_batch(&body.bytes, body.is_ndjson, state.config.events.batch_max)
        .map_err(batch_error)?;
    let rules = rules(state);
    let (mut taken, mut rejected) = (Vec::new(), Vec::new());
    for (index, value) in values.into_iter().enumerate() {
        let read = value
            .map_err(|line| vec![FieldProblem { pointer: String::new(), detail: line }])
            .and_then(|value| form(&value, &rules));
        match read {
            Ok(row) => taken.push((index, row)),
            Err(problems) => rejected.push(rejected_row(index, problems)),
        }
    }
    Ok((taken, rejected))
}

pub(super) fn rejected_row(index: usize, problems: Vec<FieldProblem>) -> RejectedRow {
    let errors = problems.into_iter().map(|p| FieldError::at(Some(index), p)).collect();
    let detail = "the row was not taken".into();
    RejectedRow { index, problem: ApiError::Invalid { detail, errors }.problem() }
}
