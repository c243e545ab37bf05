//! `/competitor-prices`: what competitors ask, and which of it counts.

use super::{
    catalogue::{RowsAnswer, rejected_row, rows},
    error::{ApiError, Problem},
    extract::{Body, Path, item_id},
    state::{ApiState, Money},
};
use crate::{
    domain::{Cents, CompetitorOffer, CompetitorPrice, Condition, ItemId, Timestamp},
    learn::demand::competitors::{OfferFlag, Refusal},
    record::forms::{FieldProblem, competitor_price_from_json},
};
use axum::{Json, extract::State};
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;

/// Takes competitors' prices: an array or NDJSON of `{item, competitor, price, timestamp}`, at most 1,000.
///
/// One that is sent again for the same item, competitor and time is put right.
#[utoipa::path(post, path = "/competitor-prices", tag = "shop", request_body = serde_json::Value,
    responses((status = 200, body = RowsAnswer), (status = 400, body = Problem), (status = 413, body = Problem)))]
pub async fn post_competitor_prices(
    State(state): State<ApiState>,
    body: Body,
) -> Result<Json<RowsAnswer>, ApiError> {
    let (rows, mut rejected) = rows(&state, &body, competitor_price_from_json)?;
    let mut first: HashMap<(ItemId, String, Timestamp, Condition), usize> = HashMap::new();
    let mut prices: Vec<CompetitorPrice> = Vec::with_capacity(rows.len());
    let mut n_repeated = 0;
    for (index, row) in rows {
        let CompetitorOffer { competitor, observed_at, condition, .. } = row.offer.clone();
        let key = (row.item.clone(), competitor, observed_at, condition);
        match first.get(&key) {
            None => {
                first.insert(key, prices.len());
                prices.push(row);
            }
            Some(&at) if prices[at] == row => n_repeated += 1,
            Some(_) => {
                let detail = "is not the only one of this competitor and time: send one".into();
                let problem = FieldProblem { pointer: "/price".into(), detail };
                rejected.push(rejected_row(index, vec![problem]));
            }
        }
    }
    rejected.sort_by_key(|row| row.index);
    let accepted = state.store.append_competitor_prices(&prices).await? as usize;
    let duplicates = n_repeated + prices.len() - accepted;
    Ok(Json(RowsAnswer { accepted, duplicates, rejected, warnings: Vec::new() }))
}

/// What the market asks for an item now, as far as it is believed.
#[derive(Debug, Serialize, ToSchema)]
pub struct MarketAnswer {
    /// Of what.
    item: String,
    /// What we ask.
    price: Option<Money>,
    /// One price for all offers that count; null without any.
    index: Option<Money>,
    /// Whether prices may go along with it; not if everybody who counts merely answers our own moves.
    may_follow: bool,
    /// The offers that count, by seller.
    used: Vec<UsedAnswer>,
    /// The newest offers of other sellers, and why they do not count.
    refused: Vec<RefusedAnswer>,
    /// Offers with a newer one of the same seller.
    superseded: usize,
}

/// An offer that counts.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsedAnswer {
    /// Who.
    competitor: String,
    /// The price with shipping.
    delivered: Money,
    /// What it weighs; the freshest at most 1.
    weight: f64,
    /// How old it is; hours.
    age_hours: f64,
    /// What is doubtful about it: `vat_mix_up`, `shipping_assumed`, `stock_unknown`.
    flags: Vec<&'static str>,
}

/// An offer that does not count.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedAnswer {
    /// Who.
    competitor: String,
    /// Why not, such as `stale`, `unit_mix_up` or `outlier`.
    kind: &'static str,
    /// The same in words.
    detail: String,
}

/// Which offers of competitors count for an item now, and why the others do not.
#[utoipa::path(get, path = "/competitor-prices/{item}", tag = "operator", params(("item" = String, Path)),
    responses((status = 200, body = MarketAnswer), (status = 404, body = Problem)))]
pub async fn get_competitor_prices(
    State(state): State<ApiState>,
    Path(item): Path<String>,
) -> Result<Json<MarketAnswer>, ApiError> {
    let item = item_id(&item)?;
    let entry = state.live.catalogue.get(&item).filter(|entry| !entry.item.removed);
    let entry = entry.ok_or(ApiError::NotFound { what: "item", id: item.to_string() })?;
    let market = state.pricing.market(&entry, state.clock.now()).await?;
    let used = market.used.into_iter().map(|offer| UsedAnswer {
        competitor: offer.competitor,
        delivered: state.money(offer.delivered),
        weight: offer.weight,
        age_hours: offer.age_hours,
        flags: offer.flags.into_iter().map(OfferFlag::kind).collect(),
    });
    let n_refused = market.refused.len();
    let refused = market.refused.into_iter().filter(|(_, why)| *why != Refusal::Superseded);
    let refused: Vec<RefusedAnswer> = refused
        .map(|(competitor, why)| RefusedAnswer {
            competitor,
            kind: why.kind(),
            detail: why.to_string(),
        })
        .collect();
    Ok(Json(MarketAnswer {
        item: item.to_string(),
        price: entry.item.price_in_force.map(|price| state.money(price)),
        index: market.index.map(|index| state.money(Cents(index.price.round() as i64))),
        may_follow: market.index.is_some_and(|index| index.may_follow),
        used: used.collect(),
        superseded: n_refused - refused.len(),
        refused,
    }))
}
