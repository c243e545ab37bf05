//! `/items` and `/competitor-prices`.

use super::{
    error::{ApiError, FieldError, Problem},
    events::batch_error,
    extract::{Body, Path, item_id},
    state::{ApiState, Money},
};
use crate::{
    decide::price::decide_price,
    domain::{Cents, Item, ItemChange, ItemId, Timestamp},
    record::{
        forms::{
            FieldProblem, FormRules, competitor_price_from_json, decode_batch,
            item_fields_from_json, item_patch_from_json, item_row_from_json,
        },
        store::NewPrice,
    },
};
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
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
    changes: Vec<(ItemId, ItemChange)>,
) -> Result<Vec<Item>, ApiError> {
    let now = state.clock.now();
    let mut items = state.store.change_items(&changes, now).await?;
    // Seen by the very next answer.
    for item in &items {
        state.live.catalogue.apply(item.clone());
    }
    // Guard-rails that were moved hold at once; demand moves prices on the next round.
    let escaped: Vec<NewPrice> =
        items.iter().filter_map(|item| into_bounds(state, item, now)).collect();
    for item in state.store.set_prices(&escaped, now).await? {
        state.live.catalogue.apply(item.clone());
        if let Some(changed) = items.iter_mut().find(|changed| changed.item_id == item.item_id) {
            *changed = item;
        }
    }
    Ok(items)
}

/// The price for an item whose price in force lies outside its bounds; `None` if pricing is off.
fn into_bounds(state: &ApiState, item: &Item, now: Timestamp) -> Option<NewPrice> {
    let entry = state.live.catalogue.get(&item.item_id).filter(|_| state.price_policy.enabled)?;
    let snapshot = state.snapshots.current();
    let demand = snapshot.item_position(&item.item_id).and_then(|at| snapshot.demand.of(at));
    let decision = decide_price(item, &entry.trail, demand, now, &state.price_policy);
    let in_force = item.price_in_force.filter(|_| !item.removed)?;
    let is_outside = decision.bounds.is_some_and(|bounds| bounds.clamp(in_force) != in_force);
    let price = decision.price.filter(|_| is_outside)?;
    Some(NewPrice { item: item.item_id.clone(), price, reason: decision.reason })
}

async fn change_one(
    state: &ApiState,
    item: &str,
    change_to: ItemChange,
) -> Result<Json<ItemAnswer>, ApiError> {
    let item = item_id(item)?;
    let changed = change(state, vec![(item, change_to)]).await?;
    let first = changed.first().ok_or(ApiError::Internal("a changed item is gone".into()))?;
    Ok(Json(item_answer(state, first)))
}

/// Makes the item exactly this; creates it if need be.
#[utoipa::path(put, path = "/items/{item}", tag = "shop", params(("item" = String, Path)), request_body = serde_json::Value,
    responses((status = 200, body = ItemAnswer), (status = 422, body = Problem)))]
pub async fn put_item(
    State(state): State<ApiState>,
    Path(item): Path<String>,
    body: Body,
) -> Result<Json<ItemAnswer>, ApiError> {
    let fields = item_fields_from_json(&body.json()?, &rules(&state)).map_err(invalid)?;
    change_one(&state, &item, ItemChange::Replace(Box::new(fields))).await
}

/// Changes the fields named; null empties one. Creates the item if need be.
#[utoipa::path(patch, path = "/items/{item}", tag = "shop", params(("item" = String, Path)), request_body = serde_json::Value,
    responses((status = 200, body = ItemAnswer), (status = 422, body = Problem)))]
pub async fn patch_item(
    State(state): State<ApiState>,
    Path(item): Path<String>,
    body: Body,
) -> Result<Json<ItemAnswer>, ApiError> {
    let patch = item_patch_from_json(&body.json()?, &rules(&state)).map_err(invalid)?;
    change_one(&state, &item, ItemChange::Merge(Box::new(patch))).await
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
    let item = item_id(&item)?;
    let known = state.live.catalogue.get(&item).is_some_and(|entry| !entry.item.removed);
    if !known {
        return Err(ApiError::NotFound { what: "item", id: item.to_string() });
    }
    change(&state, vec![(item, ItemChange::Remove)]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes many items: an array or NDJSON of objects with `item` and the fields to change.
#[utoipa::path(post, path = "/items", tag = "shop", request_body = serde_json::Value,
    responses((status = 200, body = RowsAnswer), (status = 400, body = Problem), (status = 413, body = Problem)))]
pub async fn post_items(
    State(state): State<ApiState>,
    body: Body,
) -> Result<Json<RowsAnswer>, ApiError> {
    let (changes, rejected) = rows(&state, &body, item_row_from_json)?;
    let accepted = changes.len();
    change(&state, changes).await?;
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
    let accepted = state.store.append_competitor_prices(&prices).await? as usize;
    Ok(Json(RowsAnswer { accepted, duplicates: prices.len() - accepted, rejected }))
}

type Rows<T> = (Vec<T>, Vec<RejectedRow>);

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
            Ok(row) => taken.push(row),
            Err(problems) => {
                let errors = problems.into_iter().map(|p| FieldError::at(Some(index), p)).collect();
                let detail = "the row was not taken".into();
                let problem = ApiError::Invalid { detail, errors }.problem();
                rejected.push(RejectedRow { index, problem });
            }
        }
    }
    Ok((taken, rejected))
}
