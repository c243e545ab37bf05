//! `GET /prices/{item}/explanation`: why the price is what it is, and what would change it.

use super::{
    error::{ApiError, Problem},
    extract::{Path, item_id},
    price_runs::{DecisionAnswer, decision_answer},
    prices::{BoundsAnswer, PriceReasonAnswer},
    state::{ApiState, Money},
};
use crate::{
    decide::price::{
        Bounds, Scope,
        choice::{Case, Change, Choice, CurvePoint, NoTrial, RailEffect, choose},
        situation::standstill,
    },
    domain::{Cents, ItemId, Timestamp, time::HOUR_MS},
    learn::demand::response::{DemandBelief, Elasticity},
};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

/// An elasticity as it is believed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ElasticityAnswer {
    /// Per cent of units per per cent of price: mean.
    mean: f64,
    /// Below it lies one chance in twenty.
    q05: f64,
    /// Above it lies one chance in twenty.
    q95: f64,
}

impl From<Elasticity> for ElasticityAnswer {
    fn from(elasticity: Elasticity) -> Self {
        let Elasticity { mean, q05, q95 } = elasticity;
        Self { mean, q05, q95 }
    }
}

/// How demand answers to the price, and what that rests on.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResponseAnswer {
    /// To the own price.
    own: ElasticityAnswer,
    /// To competitors' prices.
    cross: ElasticityAnswer,
    /// A: the item's own sales tell nearly all; E: they tell nothing, and all of it is its category's.
    grade: &'static str,
    /// Share of the category in it, 0 to 1.
    prior_share: f64,
    /// Prices that were tried.
    n_price_points: u32,
    /// Weeks on sale, partial ones by their share.
    effective_weeks: f64,
    /// Units sold in them.
    units: f64,
    /// Weeks that say nothing because the item could not be bought in them.
    weeks_sold_out: u32,
    /// Weeks whose price was drawn at random.
    n_randomised: u32,
    /// Least and greatest price tried.
    tried: Option<BoundsAnswer>,
}

impl ResponseAnswer {
    fn of(state: &ApiState, item: &ItemId, demand: &DemandBelief) -> Self {
        let snapshot = state.snapshots.current();
        let response = snapshot.response_of(item);
        let evidence = demand.evidence.as_ref();
        let amount = |price: f64| state.money(Cents(price.round() as i64));
        let grade = evidence.map_or(4, |evidence| evidence.grade as usize);
        Self {
            own: demand.elasticity().into(),
            cross: demand.cross_elasticity().into(),
            grade: ["A", "B", "C", "D", "E"][grade.min(4)],
            prior_share: evidence.map_or(1.0, |evidence| evidence.prior_share),
            n_price_points: evidence.map_or(0, |evidence| evidence.n_price_points),
            effective_weeks: evidence.map_or(0.0, |evidence| evidence.exposed_periods),
            units: evidence.map_or(0.0, |evidence| evidence.units),
            weeks_sold_out: response.map_or(0, |(response, at)| response.left_out(at)),
            n_randomised: evidence.map_or(0, |evidence| evidence.n_randomised),
            tried: evidence.map(|evidence| BoundsAnswer {
                low: amount(evidence.price_min),
                high: amount(evidence.price_max),
            }),
        }
    }
}

/// What is expected of a week at one price.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurveAnswer {
    /// The price.
    price: Money,
    /// Units.
    units: f64,
    /// In the shop's currency.
    revenue: f64,
    /// After cost and fees; null if the cost is not known.
    profit: Option<f64>,
    /// What prices are compared by; in the shop's currency, or units if those are the goal.
    objective: f64,
}

/// What one guard-rail took away.
#[derive(Debug, Serialize, ToSchema)]
pub struct RailAnswer {
    /// Which: `frozen`, `contract`, `margin_floor`, `merchant`, `corridor`, `step`, `step_30d`, `line` or `endings`.
    rail: &'static str,
    /// Prices before it; an end without a bound is null.
    before: OpenBounds,
    /// Prices after it.
    after: OpenBounds,
    /// The best price before it.
    best_before: Option<Money>,
    /// The best price after it.
    best_after: Option<Money>,
    /// What it costs in a week; null if the best price was allowed all the same.
    cost_per_week: Option<f64>,
}

/// Bounds of which one may be open.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenBounds {
    /// Lowest.
    low: Option<Money>,
    /// Highest.
    high: Option<Money>,
}

/// What the price does against the one in force, for a week.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeAnswer {
    /// Expected.
    mean: f64,
    /// Below it lies one chance in ten.
    q10: f64,
    /// Above it lies one chance in ten.
    q90: f64,
    /// Chance that it is better than the present price.
    probability_better: f64,
}

/// Whether the price is on trial.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialAnswer {
    /// Whether the price in force was drawn.
    in_force_is_drawn: bool,
    /// The chance that the price in force had, if it was drawn.
    in_force_propensity: Option<f64>,
    /// Why no trial would begin now: `disabled`, `not_drawn`, `dwell`, `sold_out`, `cool_down` (it came back on sale a
    /// short while ago), `promoted`, `not_free`, `nothing_to_risk` or `one_price`; null if one may.
    not_now: Option<&'static str>,
    /// When the item came back after it could not be bought; null if it never was so, or is so now.
    back_on_sale_at: Option<String>,
    /// Whether the merchant promotes the item now.
    promoted: bool,
}

/// How old what is known is, in hours.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgesAnswer {
    /// The last event that was learned from; null if nothing was learned yet.
    learned_from: Option<f64>,
    /// The training; null if there was none yet.
    trained: Option<f64>,
    /// The freshest offer of a competitor that counts; null if none does.
    competitors: Option<f64>,
    /// The price in force.
    price: Option<f64>,
}

/// Why a price is what it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplanationAnswer {
    /// Of what.
    item: String,
    /// Where.
    market: String,
    /// Price policies that hold for it, the strongest first.
    policies: Vec<String>,
    /// The price in force.
    price: Option<Money>,
    /// What would be chosen now, were the item free to move and not on trial.
    chosen: Option<Money>,
    /// What becomes of the price: `moved`, `kept`, `exploring`, `infeasible`, `unknown_demand`, `cost_unknown` or
    /// `no_list_price`; `pricing_disabled` or `no_guard_rails` where pricing leaves it alone.
    status: &'static str,
    /// Why, most important first.
    reasons: Vec<PriceReasonAnswer>,
    /// What the guard-rails leave.
    bounds: Option<BoundsAnswer>,
    /// Where anything may be believed of a price: what was tried, and a step around it.
    trusted: Option<BoundsAnswer>,
    /// The best price without guard-rails.
    unconstrained: Option<Money>,
    /// What is expected over the prices.
    curve: Vec<CurveAnswer>,
    /// Guard-rails that took prices away, in their order.
    rails: Vec<RailAnswer>,
    /// What the chosen price does against the one in force.
    change: Option<ChangeAnswer>,
    /// What a unit of stock is worth above its cost; below 0 where too many are on hand.
    stock_shadow_price: f64,
    /// Trials.
    trial: TrialAnswer,
    /// How demand answers; null if nothing was learned yet.
    demand: Option<ResponseAnswer>,
    /// How old what is known is.
    ages_hours: AgesAnswer,
    /// The last decision that is kept.
    last_decision: Option<LastDecision>,
}

/// A kept decision and its run.
#[derive(Debug, Serialize, ToSchema)]
pub struct LastDecision {
    /// The run.
    run: String,
    /// What it decided.
    #[serde(flatten)]
    decision: DecisionAnswer,
}

/// Why the price is what it is: what would be chosen now, from what, and what each guard-rail costs.
#[utoipa::path(get, path = "/prices/{item}/explanation", tag = "operator", params(("item" = String, Path)),
    responses((status = 200, body = ExplanationAnswer), (status = 404, body = Problem)))]
pub async fn get_explanation(
    State(state): State<ApiState>,
    Path(item): Path<String>,
) -> Result<Json<ExplanationAnswer>, ApiError> {
    let item = item_id(&item)?;
    let entry = state.live.catalogue.get(&item).filter(|entry| !entry.item.removed);
    let entry = entry.ok_or(ApiError::NotFound { what: "item", id: item.to_string() })?;
    let now = state.clock.now();
    let case = state.pricing.case_in_line(&entry, now).await?;
    let last = state.store.last_price_decision(&item).await?;
    let policies = state.pricing.policies();
    let standstill = standstill(&entry.item.fields, &policies.of(&entry.item));
    let scopes = policies.scopes_of(&entry.item);
    let owner = state.clone();
    // A curve over many prices takes its time; not on a thread that answers.
    let answer = tokio::task::spawn_blocking(move || {
        let choice = choose(&case);
        let last_decision = last.map(|(run, decision)| LastDecision {
            run,
            decision: decision_answer(&owner, decision),
        });
        let mut answer = explain(&owner, &case, choice, now);
        answer.last_decision = last_decision;
        answer.policies = scopes.iter().map(Scope::to_string).collect();
        let open = entry.trail.last().filter(|entry| entry.to.is_none());
        let lottery = open.and_then(|entry| entry.reason.lottery());
        answer.trial.in_force_is_drawn = lottery.is_some();
        answer.trial.in_force_propensity =
            lottery.map(|lottery| f64::from(lottery.chance_ppm) / 1e6);
        answer.ages_hours.price = open.map(|entry| hours(now, entry.from));
        answer
    });
    let mut answer = answer.await.map_err(|error| ApiError::Internal(error.to_string()))?;
    if let Some(note) = standstill {
        answer.status = note.kind();
        answer.reasons.insert(0, PriceReasonAnswer { kind: note.kind(), detail: note.to_string() });
    }
    Ok(Json(answer))
}

fn hours(now: Timestamp, at: Timestamp) -> f64 {
    now.since_ms(at) as f64 / HOUR_MS as f64
}

fn explain(state: &ApiState, case: &Case, choice: Choice, now: Timestamp) -> ExplanationAnswer {
    let major = 10_f64.powi(-(state.currency.digits() as i32));
    let money = |price: Cents| state.money(price);
    let bounds = |bounds: Bounds| BoundsAnswer { low: money(bounds.low), high: money(bounds.high) };
    let is_units = matches!(case.policy.goal, crate::decide::price::choice::Goal::Units);
    let objective = |value: f64| if is_units { value } else { value * major };
    let snapshot = state.snapshots.current();
    let is_trained = snapshot.version > 0;
    let (trained_at, as_of) = snapshot.priced();
    let reasons = choice
        .notes
        .iter()
        .map(|note| PriceReasonAnswer { kind: note.kind(), detail: note.to_string() });
    ExplanationAnswer {
        item: case.item.to_string(),
        market: case.market.clone(),
        policies: Vec::new(),
        price: case.past.current.map(money),
        chosen: choice.price.map(money),
        status: choice.status.name(),
        reasons: reasons.collect(),
        bounds: choice.bounds.map(bounds),
        trusted: choice.trusted.map(bounds),
        unconstrained: choice.unconstrained.map(money),
        curve: choice.curve.iter().map(|point| curve(state, point, (major, &objective))).collect(),
        rails: choice.rails.iter().map(|effect| rail(state, effect, &objective)).collect(),
        change: choice.change.map(|change| {
            let Change { mean, q10, q90, probability_better } = change;
            let (mean, q10, q90) = (objective(mean), objective(q10), objective(q90));
            ChangeAnswer { mean, q10, q90, probability_better }
        }),
        stock_shadow_price: choice.shadow_price * major,
        trial: TrialAnswer {
            in_force_is_drawn: false,
            in_force_propensity: None,
            not_now: choice.exploration.not_exploring.map(NoTrial::name),
            back_on_sale_at: case.past.sold_out_at.filter(|&at| at < now).map(|at| at.to_string()),
            promoted: case.is_promoted,
        },
        demand: case.demand.as_ref().map(|demand| ResponseAnswer::of(state, &case.item, demand)),
        ages_hours: AgesAnswer {
            learned_from: is_trained.then(|| hours(now, as_of)),
            trained: is_trained.then(|| hours(now, trained_at)),
            competitors: case.competitors.map(|index| index.age_hours),
            price: None,
        },
        last_decision: None,
    }
}

fn curve(
    state: &ApiState,
    point: &CurvePoint,
    (major, objective): (f64, &dyn Fn(f64) -> f64),
) -> CurveAnswer {
    CurveAnswer {
        price: state.money(point.price),
        units: point.units,
        revenue: point.revenue * major,
        profit: point.profit.map(|profit| profit * major),
        objective: objective(point.objective),
    }
}

fn rail(state: &ApiState, effect: &RailEffect, objective: &dyn Fn(f64) -> f64) -> RailAnswer {
    let open = |bounds: Bounds| OpenBounds {
        low: (bounds.low.0 > 1).then(|| state.money(bounds.low)),
        high: (bounds.high.0 < crate::domain::money::CENTS_MAX).then(|| state.money(bounds.high)),
    };
    RailAnswer {
        rail: effect.rail.name(),
        before: open(effect.before),
        after: open(effect.after),
        best_before: effect.best_before.map(|price| state.money(price)),
        best_after: effect.best_after.map(|price| state.money(price)),
        cost_per_week: effect.cost_per_week.map(objective),
    }
}

/// How demand for an item answers to its price.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemElasticity {
    /// Of what.
    item: String,
    /// How it answers; null if nothing was learned yet.
    demand: Option<ResponseAnswer>,
    /// Whether history tells another elasticity than experiments do.
    bias_meter: Option<BiasAnswer>,
}

/// An elasticity estimated twice, for the item's category or else the whole shop.
#[derive(Debug, Serialize, ToSchema)]
pub struct BiasAnswer {
    /// `category` or `shop`.
    of: &'static str,
    /// From prices as somebody set them, and its standard error.
    observational: [f64; 2],
    /// From prices that were drawn, and its standard error.
    experimental: [f64; 2],
    /// The first less the second.
    bias: f64,
    /// Whether they differ by more than two standard errors, so that the experiment counts.
    experiment_wins: bool,
}

/// How demand for an item answers to its price and to competitors', and what that rests on.
#[utoipa::path(get, path = "/items/{item}/elasticity", tag = "operator", params(("item" = String, Path)),
    responses((status = 200, body = ItemElasticity), (status = 404, body = Problem)))]
pub async fn get_elasticity(
    State(state): State<ApiState>,
    Path(item): Path<String>,
) -> Result<Json<ItemElasticity>, ApiError> {
    let item = item_id(&item)?;
    let entry = state.live.catalogue.get(&item).filter(|entry| !entry.item.removed);
    let entry = entry.ok_or(ApiError::NotFound { what: "item", id: item.to_string() })?;
    let case = state.pricing.case(&entry, state.clock.now()).await?;
    let snapshot = state.snapshots.current();
    let response = snapshot.response_of(&item);
    let bias = response.and_then(|(response, at)| response.bias_of(at));
    Ok(Json(ItemElasticity {
        item: item.to_string(),
        demand: case.demand.as_ref().map(|demand| ResponseAnswer::of(&state, &item, demand)),
        bias_meter: bias.map(|(is_category, bias)| {
            let pair = |belief: crate::learn::demand::response::Belief| {
                [belief.mean, belief.standard_error()]
            };
            BiasAnswer {
                of: if is_category { "category" } else { "shop" },
                observational: pair(bias.observational),
                experimental: pair(bias.experimental),
                bias: bias.difference().mean,
                experiment_wins: bias.experiment_wins(),
            }
        }),
    }))
}
