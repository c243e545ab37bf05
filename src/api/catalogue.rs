//! `/items` and `/competitor-prices`.

use super::{
    error::{ApiError, FieldError, Problem},
    events::batch_error,
    extract::{Body, Path, item_id},
    state::{ApiState, Money},
};
use crate::{
    decide::price::{brakes::is_jump, hard_bounds},
    domain::{Cents, Item, ItemChange, ItemId, PriceReason},
    record::{
        forms::{
            FieldProblem, FormRules, competitor_price_from_json, decode_batch,
            item_fields_from_json, item_patch_from_json, item_row_from_json,
        },
        store::{Changed, NewPrice, Refusal, Scope},
    },
};
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use utoipa::ToSchema;

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
    }
}

/// What became of a batch of rows.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowsAnswer {
    /// Rows taken.
    accepted: usize,
    /// Rows that were there already.
    duplicates: usize,
    /// Rows not taken.
    rejected: Vec<RejectedRow>,
}

/// A row that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedRow {
    /// Place in the batch, from 0.
    index: usize,
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

async fn change(
    state: &ApiState,
    changes: &[(ItemId, ItemChange)],
    scope: Scope,
) -> Result<Changed, ApiError> {
    let now = state.clock.now();
    let costs: HashMap<ItemId, Cents> = changes
        .iter()
        .filter_map(|(item, _)| {
            Some((item.clone(), state.live.catalogue.get(item)?.item.fields.cost?))
        })
        .collect();
    let Changed { mut items, refused } = state.store.change_items(changes, scope, now).await?;
    // Seen by the very next answer.
    for item in &items {
        state.live.catalogue.apply(item.clone());
    }
    // Guard-rails that were moved hold at once; demand moves prices on the next round.
    let escaped: Vec<NewPrice> = items
        .iter()
        .filter_map(|item| into_bounds(state, item, costs.get(&item.item_id).copied()))
        .collect();
    for item in state.store.set_prices(&escaped, now).await? {
        state.live.catalogue.apply_priced(item.clone(), PriceReason::GuardRail, now);
        if let Some(changed) = items.iter_mut().find(|changed| changed.item_id == item.item_id) {
            *changed = item;
        }
    }
    Ok(Changed { items, refused })
}

/// The bound for an item whose price in force lies outside of them; `None` if pricing is off. It is the
/// merchant who moved it, whatever demand makes of it on the next round.
///
/// A cost that has jumped may be a slip of the pen: what follows from it is left to the next run, which waits for a person.
fn into_bounds(state: &ApiState, item: &Item, cost_before: Option<Cents>) -> Option<NewPrice> {
    let policies = state.pricing.policies();
    let policy = Some(policies.of(item)).filter(|policy| policy.enabled)?;
    let in_force = item.price_in_force.filter(|_| !item.removed)?;
    let jump = item
        .fields
        .cost
        .zip(cost_before)
        .is_some_and(|(cost, before)| is_jump(cost, before, &policy.brakes));
    if jump {
        return None;
    }
    let bounds = hard_bounds(item, &policy, state.currency)?;
    let price = Some(bounds.clamp(in_force)).filter(|&price| price != in_force)?;
    let (item, before) = (item.item_id.clone(), Some(in_force));
    Some(NewPrice { item, before, price, reason: PriceReason::GuardRail })
}

async fn change_one(
    state: &ApiState,
    item: &str,
    change_to: ItemChange,
    scope: Scope,
) -> Result<Item, ApiError> {
    let item = item_id(item)?;
    let id = item.to_string();
    let Changed { items, refused } = change(state, &[(item, change_to)], scope).await?;
    match refused.first() {
        Some((_, Refusal::NotThere)) => Err(ApiError::NotFound { what: "item", id }),
        Some((_, Refusal::BoundsClash(field))) => Err(invalid(vec![clash(field)])),
        None => items.into_iter().next().ok_or(ApiError::Internal("a changed item is gone".into())),
    }
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
const ANSWERED: [&str; 3] = ["price_in_force", "first_seen_at", "updated_at"];

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
#[utoipa::path(put, path = "/items/{item}", tag = "shop", params(("item" = String, Path)), request_body = serde_json::Value,
    responses((status = 200, body = ItemAnswer), (status = 422, body = Problem)))]
pub async fn put_item(
    State(state): State<ApiState>,
    Path(item): Path<String>,
    body: Body,
) -> Result<Json<ItemAnswer>, ApiError> {
    let fields = as_written(body.json()?, &item).map_err(|problem| invalid(vec![problem]))?;
    let fields = item_fields_from_json(&fields, &rules(&state)).map_err(invalid)?;
    let item = change_one(&state, &item, ItemChange::Replace(Box::new(fields)), Scope::Any).await?;
    Ok(Json(item_answer(&state, &item)))
}

/// Changes the fields named; null empties one. The item must be there: PUT creates one.
#[utoipa::path(patch, path = "/items/{item}", tag = "shop", params(("item" = String, Path)), request_body = serde_json::Value,
    responses((status = 200, body = ItemAnswer), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn patch_item(
    State(state): State<ApiState>,
    Path(item): Path<String>,
    body: Body,
) -> Result<Json<ItemAnswer>, ApiError> {
    let patch = item_patch_from_json(&body.json()?, &rules(&state)).map_err(invalid)?;
    let merge = ItemChange::Merge(Box::new(patch));
    let item = change_one(&state, &item, merge, Scope::Present).await?;
    Ok(Json(item_answer(&state, &item)))
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
    change_one(&state, &item, ItemChange::Remove, Scope::Present).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes many items: an array or NDJSON of objects with `item` and the fields to change.
#[utoipa::path(post, path = "/items", tag = "shop", request_body = serde_json::Value,
    responses((status = 200, body = RowsAnswer), (status = 400, body = Problem), (status = 413, body = Problem)))]
pub async fn post_items(
    State(state): State<ApiState>,
    body: Body,
) -> Result<Json<RowsAnswer>, ApiError> {
    let (rows, mut rejected) = rows(&state, &body, item_row_from_json)?;
    let (places, changes): (Vec<usize>, Vec<_>) = rows.into_iter().unzip();
    let refused = change(&state, &changes, Scope::Any).await?.refused;
    let accepted = changes.len() - refused.len();
    rejected.extend(refused.into_iter().map(|(at, refusal)| {
        let problems = match refusal {
            Refusal::BoundsClash(field) => vec![clash(field)],
            Refusal::NotThere => Vec::new(),
        };
        rejected_row(places[at], problems)
    }));
    rejected.sort_by_key(|row| row.index);
    Ok(Json(RowsAnswer { accepted, duplicates: 0, rejected }))
}

/// Takes competitors' prices: an array or NDJSON of `{item, competitor, price, timestamp}`.
#[utoipa::path(post, path = "/competitor-prices", tag = "shop", request_body = serde_json::Value,
    responses((status = 200, body = RowsAnswer), (status = 400, body = Problem), (status = 413, body = Problem)))]
pub async fn post_competitor_prices(
    State(state): State<ApiState>,
    body: Body,
) -> Result<Json<RowsAnswer>, ApiError> {
    let (prices, rejected) = rows(&state, &body, competitor_price_from_json)?;
    let prices: Vec<_> = prices.into_iter().map(|(_, price)| price).collect();
    let accepted = state.store.append_competitor_prices(&prices).await? as usize;
    Ok(Json(RowsAnswer { accepted, duplicates: prices.len() - accepted, rejected }))
}

/// Rows with their places, and those that cannot be taken.
type Rows<T> = (Vec<(usize, T)>, Vec<RejectedRow>);

fn rows<T>(
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

fn rejected_row(index: usize, problems: Vec<FieldProblem>) -> RejectedRow {
    let errors = problems.into_iter().map(|p| FieldError::at(Some(index), p)).collect();
    let detail = "the row was not taken".into();
    RejectedRow { index, problem: ApiError::Invalid { detail, errors }.problem() }
}
