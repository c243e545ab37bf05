//! `POST /prices/quotes/{quote}/verify`: whether the shop stands by a quote.

use super::{
    error::{ApiError, Problem},
    extract::{Body, Path, at, item_id},
    state::{ApiState, Money},
};
use crate::{
    decide::price::quote::{Verdict, verify},
    domain::{Timestamp, time::SECOND_MS},
    record::forms::amount_from_json,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A quote as it was told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuoteBody {
    /// Of what.
    item: String,
    /// The amount, as it was told.
    #[schema(value_type = String, example = "12.90")]
    price: Value,
    /// As it was told.
    valid_until: String,
}

/// Whether the shop stands by it.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuoteVerdict {
    /// Whether it does.
    valid: bool,
    /// `valid`, `expired`, `changed` (the id is of another item, price or time) or `never_offered`.
    verdict: &'static str,
    /// What the item costs now.
    price_now: Option<Money>,
}

/// Whether the shop stands by a quote: it does if and only if nothing of it was changed and its time is not over.
#[utoipa::path(post, path = "/prices/quotes/{quote}/verify", tag = "storefront", params(("quote" = String, Path)),
    request_body = QuoteBody,
    responses((status = 200, body = QuoteVerdict), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn verify_quote(
    State(state): State<ApiState>,
    Path(quote): Path<String>,
    body: Body,
) -> Result<Json<QuoteVerdict>, ApiError> {
    let body: QuoteBody = body.json()?;
    let item = item_id(&body.item).map_err(at("/item"))?;
    let invalid = |detail: String| ApiError::Invalid { detail, errors: Vec::new() };
    let price = amount_from_json(&body.price, state.currency);
    let price = price.map_err(|error| at("/price")(invalid(error)))?;
    let valid_until = Timestamp::parse(&body.valid_until).ok_or_else(|| {
        let text = &body.valid_until;
        at("/valid_until")(invalid(format!("`{text}` is not a time such as 2026-01-31T12:00:00Z")))
    })?;
    // Of a removed item, too: a quote is a promise.
    let entry = state.live.catalogue.get(&item);
    let entry = entry.ok_or(ApiError::NotFound { what: "item", id: item.to_string() })?;
    let ttl_ms = i64::from(state.config.pricing.quote_seconds) * SECOND_MS;
    let now = state.clock.now();
    let verdict = verify((&quote, &item), (price, valid_until), &entry.trail, (now, ttl_ms));
    Ok(Json(QuoteVerdict {
        valid: verdict == Verdict::Valid,
        verdict: verdict.name(),
        price_now: entry.item.price_in_force.map(|price| state.money(price)),
    }))
}
