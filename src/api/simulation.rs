//! `POST /prices/simulate`: what a week would bring at other prices.

use super::{
    error::{ApiError, FieldError, Problem},
    extract::{Body, at, item_id},
    state::{ApiState, Money},
};
use crate::{
    decide::price::simulate::{Expected, Week, simulate},
    record::forms::amount_from_json,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Most items in one request.
const ITEMS_MAX: usize = 100;
/// Most prices of one item.
const PRICES_MAX: usize = 100;

/// What if these items cost that.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulateBody {
    /// 1 to 100 items.
    items: Vec<SimulateItem>,
}

/// What if this item cost that.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulateItem {
    /// Which.
    item: String,
    /// 1 to 100 amounts.
    #[schema(value_type = Vec<String>, example = json!(["9.90", "11.90"]))]
    prices: Vec<Value>,
}

/// A mean with the interval that nine of ten draws of demand lie in.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExpectedAnswer {
    /// Mean.
    mean: f64,
    /// Below it lies one draw in twenty.
    q05: f64,
    /// Above it lies one draw in twenty.
    q95: f64,
}

/// A week at one price.
#[derive(Debug, Serialize, ToSchema)]
pub struct WeekAnswer {
    /// The price.
    price: Money,
    /// Units.
    units: ExpectedAnswer,
    /// In the shop's currency.
    revenue: ExpectedAnswer,
    /// After cost and fees; null if the cost is not known.
    profit: Option<ExpectedAnswer>,
    /// Whether the price lies beyond what was tried, a step included: believe it less.
    extrapolated: bool,
}

/// The weeks of one item.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulatedItem {
    /// Which.
    item: String,
    /// One for each price, in the order asked; empty where `unknown_because` says why.
    weeks: Vec<WeekAnswer>,
    /// Why nothing can be said.
    unknown_because: Option<&'static str>,
}

/// What weeks would bring.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulateAnswer {
    /// In the order asked.
    items: Vec<SimulatedItem>,
}

/// What a week would bring at other prices: units, revenue and profit, with intervals of what is not known of demand. An
/// item that is promoted now is so in that week.
#[utoipa::path(post, path = "/prices/simulate", tag = "operator", request_body = SimulateBody,
    responses((status = 200, body = SimulateAnswer), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn post_simulate(
    State(state): State<ApiState>,
    body: Body,
) -> Result<Json<SimulateAnswer>, ApiError> {
    let body: SimulateBody = body.json()?;
    let number = |pointer: String, what: &str, n: usize, max: usize| {
        if (1..=max).contains(&n) {
            return Ok(());
        }
        let detail = format!("must name 1 to {max} {what}, not {n}");
        let errors = vec![FieldError { pointer, detail: detail.clone() }];
        Err(ApiError::Invalid { detail, errors })
    };
    number("/items".into(), "items", body.items.len(), ITEMS_MAX)?;
    let now = state.clock.now();
    let mut asked = Vec::with_capacity(body.items.len());
    for (index, wanted) in body.items.iter().enumerate() {
        let item = item_id(&wanted.item).map_err(at(format!("/items/{index}/item")))?;
        number(format!("/items/{index}/prices"), "prices", wanted.prices.len(), PRICES_MAX)?;
        let mut prices = Vec::with_capacity(wanted.prices.len());
        for (place, amount) in wanted.prices.iter().enumerate() {
            let price = amount_from_json(amount, state.currency).and_then(|price| {
                if price.0 > 0 { Ok(price) } else { Err("must be above 0".to_owned()) }
            });
            prices.push(price.map_err(|detail| {
                let pointer = format!("/items/{index}/prices/{place}");
                at(pointer)(ApiError::Invalid { detail, errors: Vec::new() })
            })?);
        }
        let entry = state.live.catalogue.get(&item).filter(|entry| !entry.item.removed);
        let entry = entry.ok_or(ApiError::NotFound { what: "item", id: item.to_string() })?;
        asked.push((state.pricing.case_of_week(&entry, now).await?, prices));
    }
    // Draws for many prices take their time; not on a thread that answers.
    let simulated = tokio::task::spawn_blocking(move || {
        let all = asked.into_iter().map(|(case, prices)| (simulate(&case, &prices), case));
        all.collect::<Vec<_>>()
    });
    let simulated = simulated.await.map_err(|error| ApiError::Internal(error.to_string()))?;
    let items = simulated.into_iter().map(|(weeks, case)| SimulatedItem {
        item: case.item.to_string(),
        unknown_because: weeks.is_none().then_some(match case.demand {
            None => "nothing was learned of this item's demand yet",
            Some(_) => "this item has no sales of its own at a known price",
        }),
        weeks: weeks.unwrap_or_default().iter().map(|week| answer(&state, week)).collect(),
    });
    Ok(Json(SimulateAnswer { items: items.collect() }))
}

fn answer(state: &ApiState, week: &Week) -> WeekAnswer {
    let major = 10_f64.powi(-(state.currency.digits() as i32));
    let expected = |expected: Expected, unit: f64| ExpectedAnswer {
        mean: expected.mean * unit,
        q05: expected.q05 * unit,
        q95: expected.q95 * unit,
    };
    WeekAnswer {
        price: state.money(week.price),
        units: expected(week.units, 1.0),
        revenue: expected(week.revenue, major),
        profit: week.profit.map(|profit| expected(profit, major)),
        extrapolated: week.is_extrapolated,
    }
}
