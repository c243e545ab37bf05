//! `POST /prices/{item}/markdown`: how a stock is best sold by a date.

use super::{
    deadline::Deadline,
    error::{ApiError, Problem},
    extract::{Body, Path, at, item_id},
    state::{ApiState, Money},
};
use crate::{
    decide::price::{
        choice::{Clearance, LeftOver, MarkdownPlan, NoPlan, PricePath, plan_markdown},
        weeks_to_end,
    },
    domain::Cents,
    record::forms::amount_from_json,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Most units that are planned for.
const UNITS_MAX: u64 = 2_000;
/// Fewest weeks: a day, rounded.
const WEEKS_MIN: f64 = 0.14;
/// Most weeks.
const WEEKS_MAX: f64 = 104.0;

/// What is to be sold, and by when. What is left out is what the catalogue says.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MarkdownBody {
    /// Units, 1 to 2,000 for a quarter of a year and fewer for longer; those in stock by default.
    units: Option<u64>,
    /// Weeks and parts of them, from a day to 104; those to the item's `sell_by` by default.
    weeks: Option<f64>,
    /// What a unit brings that is left at the end; by default the shop's share of its cost.
    #[schema(value_type = Option<String>, example = "5.00")]
    salvage: Option<Value>,
}

/// A price that stays throughout.
#[derive(Debug, Serialize, ToSchema)]
pub struct SingleAnswer {
    /// The price.
    price: Money,
    /// What it is expected to bring by the end, after fees, salvage included.
    expected: Money,
}

/// From how many units left on which price is best.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepAnswer {
    /// Units left, at least.
    units_from: u64,
    /// The price.
    price: Money,
}

/// The prices of one week, or of the somewhat shorter step that goes into the time a whole number of times.
#[derive(Debug, Serialize, ToSchema)]
pub struct PathWeek {
    /// Weeks left, this one included; rounded up.
    weeks_left: u32,
    /// By units left, fewest first.
    prices: Vec<StepAnswer>,
}

/// Prices that follow the stock from week to week.
#[derive(Debug, Serialize, ToSchema)]
pub struct PathAnswer {
    /// The price to begin with.
    price: Money,
    /// What the path is expected to bring by the end, after fees, salvage included.
    expected: Money,
    /// By how much less that would be with one unit less.
    last_unit: Money,
    /// Week by week.
    weeks: Vec<PathWeek>,
}

/// A plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanAnswer {
    /// The lowest price that it looks at: allowed, and no farther than a step below those that were tried.
    low: Money,
    /// The highest.
    high: Money,
    /// Whether the best price that stays is as far as what was tried lets one see: one beyond might bring more.
    evidence_range: bool,
    /// What the present price would bring if it stayed; null if there is none.
    now: Option<SingleAnswer>,
    /// The best price that stays throughout.
    single: SingleAnswer,
    /// The best price for each week and stock.
    path: PathAnswer,
}

/// How a stock is best sold by a date.
#[derive(Debug, Serialize, ToSchema)]
pub struct MarkdownAnswer {
    /// Of what.
    item: String,
    /// Units.
    units: u64,
    /// Weeks.
    weeks: f64,
    /// What a unit brings that is left at the end.
    salvage: Money,
    /// The plan; null where `unknown_because` says why.
    plan: Option<PlanAnswer>,
    /// Why there is none.
    unknown_because: Option<String>,
}

/// How a stock is best sold by a date: the present price, the best that stays, and prices that follow the stock. They keep
/// every guard-rail but the largest steps, which a run makes, and stay near prices that were tried. Demand is that without
/// a promotion.
#[utoipa::path(post, path = "/prices/{item}/markdown", tag = "operator", request_body = MarkdownBody,
    params(("item" = String, Path)),
    responses((status = 200, body = MarkdownAnswer), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn post_markdown(
    State(state): State<ApiState>,
    Path(item): Path<String>,
    body: Body,
) -> Result<Json<MarkdownAnswer>, ApiError> {
    let item = item_id(&item)?;
    let body: MarkdownBody = body.json()?;
    let entry = state.live.catalogue.get(&item).filter(|entry| !entry.item.removed);
    let entry = entry.ok_or(ApiError::NotFound { what: "item", id: item.to_string() })?;
    let now = state.clock.now();
    let case = state.pricing.case(&entry, now).await?;
    let wrong = |pointer: &str, detail: String| {
        at(pointer.to_owned())(ApiError::Invalid { detail, errors: Vec::new() })
    };
    let in_stock = case.stock.map(|stock| stock.units);
    let units = body.units.or(in_stock).ok_or_else(|| {
        wrong("/units", "must be said: the item's stock is not counted".to_owned())
    })?;
    if !(1..=UNITS_MAX).contains(&units) {
        let whose = if body.units.is_some() { "" } else { ", which are in stock" };
        return Err(wrong("/units", format!("must be 1 to {UNITS_MAX} units, not {units}{whose}")));
    }
    let weeks = body.weeks.or(weeks_to_end(&entry.item.fields, now));
    let weeks = weeks
        .ok_or_else(|| wrong("/weeks", "must be said: the item has no `sell_by`".to_owned()))?;
    if !(WEEKS_MIN..=WEEKS_MAX).contains(&weeks) {
        let whose = if body.weeks.is_some() { "" } else { ", which are left to its `sell_by`" };
        let detail = format!("must be {WEEKS_MIN} to {WEEKS_MAX} weeks, not {weeks}{whose}");
        return Err(wrong("/weeks", detail));
    }
    let salvage = if let Some(amount) = &body.salvage {
        amount_from_json(amount, state.currency).map_err(|detail| wrong("/salvage", detail))?
    } else {
        let cost = case.cost.map_or(0, |cost| cost.0.max(0)) as f64;
        Cents((cost * case.policy.salvage_share).round() as i64)
    };
    let stock = Clearance { units, weeks, salvage: salvage.0 as f64 };
    // Some 10^9 steps at most: in its turn, and not on a thread that answers.
    let plan = move |deadline: Deadline| {
        let is_over = deadline.left().is_some_and(|left| left.is_zero());
        (!is_over).then(|| plan_markdown(&case, stock))
    };
    let planned = state.scoring.run(Deadline::default(), plan).await?.ok_or(ApiError::Crowded)?;
    let (plan, unknown_because) = match planned {
        Ok(plan) => (Some(answer(&state, &plan)), None),
        Err(NoPlan::Because(note)) => (None, Some(note.to_string())),
        Err(NoPlan::Markdown(error)) => return Err(wrong("/units", error.to_string())),
    };
    let salvage = state.money(salvage);
    let item = item.to_string();
    Ok(Json(MarkdownAnswer { item, units, weeks, salvage, plan, unknown_because }))
}

fn answer(state: &ApiState, plan: &MarkdownPlan) -> PlanAnswer {
    let LeftOver { units, weeks, .. } = plan.left;
    let money = |amount: f64| state.money(Cents(amount.round() as i64));
    let single = |(price, expected): (Cents, f64)| SingleAnswer {
        price: state.money(price),
        expected: money(expected),
    };
    let path = &plan.path;
    // The path holds every week and stock that was planned for.
    let known = |value: Option<f64>| money(value.unwrap_or(0.0));
    PlanAnswer {
        low: state.money(plan.bounds.low),
        high: state.money(plan.bounds.high),
        evidence_range: plan.is_at_evidence,
        now: plan.now.map(single),
        single: single(plan.single),
        path: PathAnswer {
            price: known(path.price(weeks, units)),
            expected: known(path.value(weeks, units)),
            last_unit: known(path.marginal_value(weeks, units)),
            weeks: (1..=weeks)
                .rev()
                .map(|weeks_left| PathWeek {
                    weeks_left,
                    prices: steps(path, weeks_left, units)
                        .map(|(units_from, price)| StepAnswer { units_from, price: money(price) })
                        .collect(),
                })
                .collect(),
        },
    }
}

/// Units from which on a price holds, fewest first.
fn steps(path: &PricePath, weeks_left: u32, units: u64) -> impl Iterator<Item = (u64, f64)> {
    let mut last = None;
    (1..=units).filter_map(move |units| {
        let price = path.price(weeks_left, units)?;
        let is_new = last != Some(price);
        last = Some(price);
        is_new.then_some((units, price))
    })
}
