//! `GET /prices/{item}`, `POST /prices`, `GET /prices/{item}/history`.

use super::{
    error::{ApiError, FieldError, Problem},
    extract::{Body, Path, Query, at, item_id, item_ids},
    recommendations::ListPrice,
    state::{ApiState, Money},
};
use crate::{
    decide::price::{Quote, QuoteTime, quote},
    domain::{Item, Timestamp, time::SECOND_MS},
    live::catalogue::Entry,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Most items in one request for quotes.
const QUOTES_MAX: usize = 500;
/// Most entries of a price history in one answer.
const HISTORY_MAX: u32 = 1_000;

/// What an item costs now.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceAnswer {
    /// Its id.
    item: String,
    /// The price in force; null if the item has none.
    price: Option<Money>,
    /// The merchant's list price.
    list_price: Option<Money>,
    /// Names the quote.
    quote_id: Option<String>,
    /// Until when the quote holds.
    valid_until: Option<String>,
    /// Why this price.
    reasons: Vec<PriceReasonAnswer>,
    /// Between what the price may move.
    bounds: Option<BoundsAnswer>,
    /// Lowest price in force in the 30 days before now.
    lowest_30d: Option<Money>,
}

/// One reason for a price.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceReasonAnswer {
    /// For programs.
    pub kind: &'static str,
    /// For people.
    pub detail: String,
}

/// Between what a price may move.
#[derive(Debug, Serialize, ToSchema)]
pub struct BoundsAnswer {
    /// Lowest.
    pub low: Money,
    /// Highest.
    pub high: Money,
}

/// Items to quote.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PricesBody {
    /// 1 to 500 item ids.
    items: Vec<String>,
}

/// Quotes, in the order asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct PricesAnswer {
    /// One for each known item.
    prices: Vec<PriceAnswer>,
    /// Items that are not known.
    unknown: Vec<String>,
}

/// Part of a price history.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Only prices in force since then (RFC 3339, or epoch seconds or milliseconds).
    from: Option<String>,
    /// Only prices in force before then (likewise).
    to: Option<String>,
}

/// A price that was in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// How much.
    price: Money,
    /// Since when.
    from: String,
    /// Until when; null = in force now.
    to: Option<String>,
    /// Why.
    reason: &'static str,
    /// Of a price on trial: the chance that it had when it was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    propensity: Option<f64>,
}

/// A price history, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryAnswer {
    /// Of what.
    item: String,
    /// At most the 1,000 newest.
    prices: Vec<HistoryEntry>,
}

/// The quote for an item as it is now; `None` if it has no price.
pub fn quote_of(state: &ApiState, entry: &Entry, now: Timestamp) -> Option<Quote> {
    let policies = state.pricing.policies();
    quote(&entry.item, &entry.trail, now, ttl_ms(state), &policies.of(&entry.item))
}

fn ttl_ms(state: &ApiState) -> i64 {
    i64::from(state.config.pricing.quote_seconds) * SECOND_MS
}

/// Quotes the items of one list: what a list does not say of a quote is not worked out.
pub(super) struct ListQuotes<'a> {
    state: &'a ApiState,
    time: QuoteTime,
    valid_until: Arc<str>,
}

impl<'a> ListQuotes<'a> {
    /// For a list that is made now.
    pub(super) fn at(state: &'a ApiState, now: Timestamp) -> Self {
        let time = QuoteTime::of(now, ttl_ms(state));
        Self { state, time, valid_until: time.valid_until().to_string().into() }
    }

    /// The price of an item now, if it has one.
    pub(super) fn of(&self, item: &Item) -> Option<ListPrice> {
        let price = item.price_in_force?;
        Some(ListPrice {
            amount: self.state.currency.format(price),
            currency: self.state.currency.code(),
            quote_id: self.time.quote_id(&item.item_id, price),
            valid_until: self.valid_until.clone(),
        })
    }
}

fn answer(state: &ApiState, entry: &Entry, now: Timestamp) -> PriceAnswer {
    let item = entry.item.item_id.to_string();
    let list_price = entry.item.fields.price.map(|price| state.money(price));
    let Some(quote) = quote_of(state, entry, now) else {
        return PriceAnswer {
            item,
            price: None,
            list_price,
            quote_id: None,
            valid_until: None,
            reasons: vec![PriceReasonAnswer {
                kind: "no_list_price",
                detail: "the item has no price: PUT /items/{item} sets one".into(),
            }],
            bounds: None,
            lowest_30d: None,
        };
    };
    let reasons = quote.reasons.iter();
    let reasons =
        reasons.map(|note| PriceReasonAnswer { kind: note.kind(), detail: note.to_string() });
    PriceAnswer {
        item,
        price: Some(state.money(quote.price)),
        list_price,
        quote_id: Some(quote.quote_id),
        valid_until: Some(quote.valid_until.to_string()),
        reasons: reasons.collect(),
        bounds: quote
            .bounds
            .map(|b| BoundsAnswer { low: state.money(b.low), high: state.money(b.high) }),
        lowest_30d: quote.lowest_30d.map(|price| state.money(price)),
    }
}

/// A quote now.
#[utoipa::path(get, path = "/prices/{item}", tag = "storefront", params(("item" = String, Path)),
    responses((status = 200, body = PriceAnswer), (status = 404, body = Problem)))]
pub async fn get_price(
    State(state): State<ApiState>,
    Path(item): Path<String>,
) -> Result<Json<PriceAnswer>, ApiError> {
    let item = item_id(&item)?;
    let entry = state.live.catalogue.get(&item).filter(|entry| !entry.item.removed);
    let entry = entry.ok_or(ApiError::NotFound { what: "item", id: item.to_string() })?;
    Ok(Json(answer(&state, &entry, state.clock.now())))
}

/// Quotes for up to 500 items.
#[utoipa::path(post, path = "/prices", tag = "storefront", request_body = PricesBody,
    responses((status = 200, body = PricesAnswer), (status = 422, body = Problem)))]
pub async fn post_prices(
    State(state): State<ApiState>,
    body: Body,
) -> Result<Json<PricesAnswer>, ApiError> {
    let body: PricesBody = body.json()?;
    if !(1..=QUOTES_MAX).contains(&body.items.len()) {
        let detail = format!("must name 1 to {QUOTES_MAX} items, not {}", body.items.len());
        let errors = vec![FieldError { pointer: "/items".into(), detail: detail.clone() }];
        return Err(ApiError::Invalid { detail, errors });
    }
    let now = state.clock.now();
    let (mut prices, mut unknown) = (Vec::new(), Vec::new());
    for item in item_ids("items", body.items.iter().map(String::as_str))? {
        match state.live.catalogue.get(&item).filter(|entry| !entry.item.removed) {
            Some(entry) => prices.push(answer(&state, &entry, now)),
            None => unknown.push(item.to_string()),
        }
    }
    Ok(Json(PricesAnswer { prices, unknown }))
}

/// Every price that was in force, with from, to and reason.
#[utoipa::path(get, path = "/prices/{item}/history", tag = "storefront",
    params(("item" = String, Path), HistoryQuery),
    responses((status = 200, body = HistoryAnswer), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn get_history(
    State(state): State<ApiState>,
    Path(item): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<HistoryAnswer>, ApiError> {
    let item = item_id(&item)?;
    if state.live.catalogue.get(&item).is_none() {
        return Err(ApiError::NotFound { what: "item", id: item.to_string() });
    }
    let time = |text: Option<String>, other: Timestamp| {
        let Some(text) = text else { return Ok(other) };
        let number = || text.parse().ok().and_then(Timestamp::from_epoch_number);
        let detail = format!("`{text}` is not a time such as 2026-01-31T12:00:00Z");
        let wrong = ApiError::Invalid { detail, errors: Vec::new() };
        Timestamp::parse(&text).or_else(number).ok_or(wrong)
    };
    let from = time(query.from, Timestamp(i64::MIN / 2)).map_err(at("/from"))?;
    let to = time(query.to, Timestamp(i64::MAX / 2)).map_err(at("/to"))?;
    let entries = state.store.price_history(&item, from, to, HISTORY_MAX).await?;
    let prices = entries.into_iter().map(|entry| HistoryEntry {
        price: state.money(entry.price),
        from: entry.from.to_string(),
        to: entry.to.map(|to| to.to_string()),
        reason: entry.reason.name(),
        propensity: entry.reason.lottery().map(|lottery| f64::from(lottery.chance_ppm) / 1e6),
    });
    Ok(Json(HistoryAnswer { item: item.to_string(), prices: prices.collect() }))
}
