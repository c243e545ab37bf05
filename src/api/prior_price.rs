//! `GET /prices/{item}/prior-price`: what a reduction is measured against, and whether it may be announced.

use super::{
    error::{ApiError, Problem},
    extract::{Path, Query, at, item_id},
    state::{ApiState, Money},
};
use crate::{
    decide::price::law::{AnnounceContext, AnnouncementKind, Percent, announce, announceable_from},
    domain::{PriceEntry, PriceReason, Timestamp, time::DAY_MS},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Entries of a ledger that are looked at.
const LEDGER_MAX: u32 = 1_000;

/// Which reduction.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PriorPriceQuery {
    /// The market whose law counts; that of the settings by default.
    market: Option<String>,
    /// From when the new price is to be asked (RFC 3339); now by default.
    on: Option<String>,
    /// The new price; the one in force by default.
    price: Option<String>,
    /// Since when a reduction of the item has been announced without a break (RFC 3339).
    announced_since: Option<String>,
}

/// What a reduction is measured against.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriorPriceAnswer {
    /// Of what.
    item: String,
    /// Whose law: the row of the table that counts.
    market: String,
    /// From when the new price is to be asked.
    on: String,
    /// The new price.
    price: Money,
    /// The lowest price of the days before, which must be shown with the reduction; null if there is none.
    prior_price: Option<Money>,
    /// When the days before begin, by the market's clock.
    window_from: Option<String>,
    /// Whether the ledger reaches back so far.
    covers_window: Option<bool>,
    /// Whether the new price may be announced as a reduction.
    may_announce: bool,
    /// By how much it is below what it is measured against: the percentage to announce, rounded down.
    percent: Option<f64>,
    /// `reduction`, `plain_change` (the price may be asked, but not announced as a reduction) or `forbidden`.
    kind: &'static str,
    /// When it could be announced, if the present price stays; null if it never could, or may now.
    announceable_from: Option<String>,
    /// Why, most important first.
    reasons: Vec<LawReason>,
    /// What the market's row rests on. Not legal advice.
    basis: String,
}

/// One reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct LawReason {
    /// For programs.
    kind: String,
    /// For people.
    detail: String,
}

/// What a reduction is measured against, and whether it may be announced.
#[utoipa::path(get, path = "/prices/{item}/prior-price", tag = "storefront",
    params(("item" = String, Path), PriorPriceQuery),
    responses((status = 200, body = PriorPriceAnswer), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn get_prior_price(
    State(state): State<ApiState>,
    Path(item): Path<String>,
    Query(query): Query<PriorPriceQuery>,
) -> Result<Json<PriorPriceAnswer>, ApiError> {
    let item = item_id(&item)?;
    let entry = state.live.catalogue.get(&item).filter(|entry| !entry.item.removed);
    let entry = entry.ok_or(ApiError::NotFound { what: "item", id: item.to_string() })?;
    let invalid = |detail: String| ApiError::Invalid { detail, errors: Vec::new() };
    let time = |text: &Option<String>, pointer: &str| {
        let Some(text) = text else { return Ok(None) };
        let wrong = || invalid(format!("`{text}` is not a time such as 2026-01-31T12:00:00Z"));
        Timestamp::parse(text).map(Some).ok_or_else(|| at(pointer)(wrong()))
    };
    let on = time(&query.on, "/on")?.unwrap_or(state.clock.now());
    let announced_since = time(&query.announced_since, "/announced_since")?;
    let asked = query.price.as_deref().map(|text| state.currency.parse_amount(text)).transpose();
    let asked = asked.map_err(|error| at("/price")(invalid(error.to_string())))?;
    let price = asked
        .or(entry.item.price_in_force)
        .ok_or_else(|| at("/price")(invalid("the item has no price in force: name one".into())))?;
    let market = query.market.as_deref().unwrap_or(&state.config.pricing.market);
    let law = state.config.law.markets.of(market);
    // A day more than the longest window, for clocks that are set back and forth.
    let days = i64::from(law.prior_days.max(law.progressive_days)) + 1;
    let begin = announced_since.map_or(on, |since| since.min(on)).plus_ms(-days * DAY_MS);
    let ledger = state.store.price_history(&item, begin, on.plus_ms(1), LEDGER_MAX).await?;
    let context = AnnounceContext {
        on_sale_since: (entry.item.first_seen_at > begin && is_first(&ledger, begin))
            .then(|| ledger.first().map(|first| first.from))
            .flatten(),
        announced_since,
        is_perishable: entry.item.fields.attributes.get("perishable")
            == Some(&serde_json::Value::Bool(true)),
        ..AnnounceContext::default()
    };
    let answer = announce(&ledger, price, on, law, &context);
    let later = (!answer.allowed)
        .then(|| announceable_from(&ledger, price, on, law, &context))
        .flatten()
        .filter(|&time| time > on);
    let reasons = answer.why.iter();
    Ok(Json(PriorPriceAnswer {
        item: item.to_string(),
        market: law.name.clone(),
        on: on.to_string(),
        price: state.money(price),
        prior_price: answer.reference.map(|price| state.money(price)),
        window_from: answer.prior.as_ref().map(|prior| prior.window_from.to_string()),
        covers_window: answer.prior.as_ref().map(|prior| prior.covers_window),
        may_announce: answer.allowed,
        percent: answer.percent.map(Percent::as_f64),
        kind: match answer.kind {
            AnnouncementKind::Reduction => "reduction",
            AnnouncementKind::PlainChange => "plain_change",
            AnnouncementKind::Forbidden => "forbidden",
        },
        announceable_from: later.map(|time| time.to_string()),
        reasons: reasons
            .map(|note| LawReason { kind: note.kind().into(), detail: note.to_string() })
            .collect(),
        basis: law.basis.clone(),
    }))
}

/// Whether the ledger's first entry is the item's first price: nothing was in force at `begin`, and what came first was not
/// taken from past sales, of which nobody knows whether they were the first.
fn is_first(ledger: &[PriceEntry], begin: Timestamp) -> bool {
    ledger.first().is_some_and(|first| first.from > begin && first.reason != PriceReason::Imported)
}
