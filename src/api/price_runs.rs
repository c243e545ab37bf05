//! `/pricing`: runs that are proposed, approved, applied and taken back; and the switch that stops it all.

use super::{
    error::{ApiError, FieldError, Problem, error_chain},
    extract::{Path, Query, item_id},
    state::{ApiState, Money},
};
use crate::{
    decide::price::{
        choice::{Case, choose_without_curve},
        kept,
    },
    domain::{PriceDecision, PriceReason, PriceRun},
    pricing::{PricingError, Proposal},
};
use axum::{Json, extract::State, http::HeaderMap};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Most runs or decisions in one answer.
const LIMIT_MAX: u32 = 1_000;
/// Longest request key.
const KEY_MAX: usize = 200;

/// A pricing run.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceRunAnswer {
    /// Names it.
    run: String,
    /// When it decided.
    created_at: String,
    /// `proposed` (waits for a person), `approved`, `applied`, `rejected`, `superseded` or `rolled_back`.
    state: &'static str,
    /// Since when.
    changed_at: String,
    /// Whether a person approved, rejected or took it back.
    by_person: bool,
    /// Items looked at, prices moved, trials, outcomes by name, expected gain of a week in minor units, and what held it.
    summary: serde_json::Value,
    /// Prices that this call brought into force.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_now: Option<usize>,
}

impl PriceRunAnswer {
    fn of(run: PriceRun, moved_now: Option<usize>) -> Self {
        Self {
            run: run.run_id,
            created_at: run.created_at.to_string(),
            state: run.state.name(),
            changed_at: run.changed_at.to_string(),
            by_person: run.is_approved_by_person,
            summary: run.summary,
            moved_now,
        }
    }
}

impl From<Proposal> for PriceRunAnswer {
    fn from(proposal: Proposal) -> Self {
        Self::of(proposal.run, Some(proposal.n_moved))
    }
}

impl From<PricingError> for ApiError {
    fn from(error: PricingError) -> Self {
        match error {
            PricingError::Store(error) => Self::Store(error),
            PricingError::NotFound => {
                Self::NotFound { what: "pricing run", id: "of this id".into() }
            }
            error @ (PricingError::Stopped(_) | PricingError::WrongState(_)) => {
                Self::Conflict(error.to_string())
            }
            error @ PricingError::Died(_) => Self::Internal(error_chain(&error)),
        }
    }
}

/// Decides all prices now. Send `Idempotency-Key` to retry without a second run.
#[utoipa::path(post, path = "/pricing/runs", tag = "operator",
    responses((status = 200, body = PriceRunAnswer), (status = 409, body = Problem)))]
pub async fn post_run(
    State(state): State<ApiState>,
    headers: HeaderMap,
) -> Result<Json<PriceRunAnswer>, ApiError> {
    let key = match headers.get("idempotency-key") {
        None => uuid::Uuid::now_v7().to_string(),
        Some(key) => {
            let text = key.to_str().ok().filter(|key| (1..=KEY_MAX).contains(&key.len()));
            let wrong = || {
                ApiError::Malformed(format!(
                    "Idempotency-Key must have 1 to {KEY_MAX} visible ASCII characters"
                ))
            };
            text.ok_or_else(wrong)?.to_owned()
        }
    };
    let proposal = state.pricing.propose(Some(key)).await?;
    let proposal = proposal.ok_or(ApiError::Internal("a run with a key was not made".into()))?;
    Ok(Json(proposal.into()))
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// At most so many; 1 to 1,000, 100 by default.
    limit: Option<u32>,
    /// Only those after this item.
    after: Option<String>,
}

impl PageQuery {
    fn limit(&self) -> Result<u32, ApiError> {
        let limit = self.limit.unwrap_or(100);
        if (1..=LIMIT_MAX).contains(&limit) {
            return Ok(limit);
        }
        let detail = format!("must be from 1 to {LIMIT_MAX}, not {limit}");
        let errors = vec![FieldError { pointer: "/limit".into(), detail: detail.clone() }];
        Err(ApiError::Invalid { detail, errors })
    }
}

/// The latest runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceRunsAnswer {
    /// Since when pricing is stopped; null while it goes on.
    stopped_since: Option<String>,
    /// Newest first.
    runs: Vec<PriceRunAnswer>,
}

/// The latest runs, newest first.
#[utoipa::path(get, path = "/pricing/runs", tag = "operator", params(PageQuery),
    responses((status = 200, body = PriceRunsAnswer), (status = 422, body = Problem)))]
pub async fn get_runs(
    State(state): State<ApiState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PriceRunsAnswer>, ApiError> {
    let runs = state.store.price_runs(query.limit()?).await?;
    let stopped = state.pricing.stopped().await?;
    Ok(Json(PriceRunsAnswer {
        stopped_since: stopped.map(|at| at.to_string()),
        runs: runs.into_iter().map(|run| PriceRunAnswer::of(run, None)).collect(),
    }))
}

/// One run.
#[utoipa::path(get, path = "/pricing/runs/{run}", tag = "operator", params(("run" = String, Path)),
    responses((status = 200, body = PriceRunAnswer), (status = 404, body = Problem)))]
pub async fn get_run(
    State(state): State<ApiState>,
    Path(run): Path<String>,
) -> Result<Json<PriceRunAnswer>, ApiError> {
    Ok(Json(PriceRunAnswer::of(known(&state, run).await?, None)))
}

async fn known(state: &ApiState, run: String) -> Result<PriceRun, ApiError> {
    let found = state.store.price_run(&run).await?;
    found.ok_or(ApiError::NotFound { what: "pricing run", id: run })
}

/// A price that a run decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionAnswer {
    /// Of what.
    item: String,
    /// The price before.
    before: Option<Money>,
    /// The price.
    price: Money,
    /// Why: as in the item's price history.
    reason: &'static str,
    /// Of a trial: the mean of the prices that could have been drawn.
    expected_price: Option<Money>,
    /// Of a trial: the chance that this price had.
    propensity: Option<f64>,
    /// Names what it was decided by: item, market, time and ledger, and nobody.
    replay_hash: String,
    /// What the same comes to when it is decided again; null if an earlier version of the service decided it.
    replayed_price: Option<Money>,
}

pub(super) fn decision_answer(state: &ApiState, decision: PriceDecision) -> DecisionAnswer {
    let lottery = decision.reason.lottery();
    // Where pricing leaves an item alone its price is the list price, whatever else the case says.
    let again = |case: Case| match decision.reason {
        PriceReason::BackToList => case.list,
        _ => choose_without_curve(&case).price,
    };
    let replayed = kept::decode(&decision.case).and_then(again);
    DecisionAnswer {
        item: decision.item.to_string(),
        before: decision.before.map(|price| state.money(price)),
        price: state.money(decision.price),
        reason: decision.reason.name(),
        expected_price: lottery.map(|lottery| state.money(lottery.expected)),
        propensity: lottery.map(|lottery| f64::from(lottery.chance_ppm) / 1e6),
        replay_hash: kept::replay_hash(&decision.case),
        replayed_price: replayed.map(|price| state.money(price)),
    }
}

/// What a run decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionsAnswer {
    /// By item.
    decisions: Vec<DecisionAnswer>,
    /// Ask with `after` = this for more; null at the end.
    next_after: Option<String>,
}

/// What a run decided, by item.
#[utoipa::path(get, path = "/pricing/runs/{run}/decisions", tag = "operator",
    params(("run" = String, Path), PageQuery),
    responses((status = 200, body = DecisionsAnswer), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn get_decisions(
    State(state): State<ApiState>,
    Path(run): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<DecisionsAnswer>, ApiError> {
    let run = known(&state, run).await?;
    let limit = query.limit()?;
    let after = query.after.as_deref().map(item_id).transpose()?;
    let found = state.store.price_decisions(&run.run_id, after.as_ref(), limit).await?;
    let is_more = found.len() as u32 == limit;
    let next_after = found.last().filter(|_| is_more).map(|decision| decision.item.to_string());
    // Deciding again takes its time; not on a thread that answers.
    let owner = state.clone();
    let decisions = tokio::task::spawn_blocking(move || {
        found.into_iter().map(|decision| decision_answer(&owner, decision)).collect()
    });
    let decisions = decisions.await.map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(Json(DecisionsAnswer { decisions, next_after }))
}

/// Approves a run that waits, and applies it.
#[utoipa::path(post, path = "/pricing/runs/{run}/approve", tag = "operator", params(("run" = String, Path)),
    responses((status = 200, body = PriceRunAnswer), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn approve(
    State(state): State<ApiState>,
    Path(run): Path<String>,
) -> Result<Json<PriceRunAnswer>, ApiError> {
    Ok(Json(state.pricing.approve(&known(&state, run).await?.run_id).await?.into()))
}

/// Refuses a run that waits.
#[utoipa::path(post, path = "/pricing/runs/{run}/reject", tag = "operator", params(("run" = String, Path)),
    responses((status = 200, body = PriceRunAnswer), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn reject(
    State(state): State<ApiState>,
    Path(run): Path<String>,
) -> Result<Json<PriceRunAnswer>, ApiError> {
    Ok(Json(state.pricing.reject(&known(&state, run).await?.run_id).await?.into()))
}

/// Takes back a run: those of its prices that are still in force give way to the ones before.
#[utoipa::path(post, path = "/pricing/runs/{run}/rollback", tag = "operator", params(("run" = String, Path)),
    responses((status = 200, body = PriceRunAnswer), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn roll_back(
    State(state): State<ApiState>,
    Path(run): Path<String>,
) -> Result<Json<PriceRunAnswer>, ApiError> {
    Ok(Json(state.pricing.roll_back(&known(&state, run).await?.run_id).await?.into()))
}

/// What stopping or going on did.
#[derive(Debug, Serialize, ToSchema)]
pub struct SwitchAnswer {
    /// Since when pricing is stopped; null while it goes on.
    stopped_since: Option<String>,
    /// The time whose prices were restored: when a person last approved a run. Null: list prices.
    restored_to: Option<String>,
    /// Prices that moved.
    moved_now: usize,
}

/// Stops pricing and restores the prices that a person last approved; list prices if none ever did.
#[utoipa::path(post, path = "/pricing/stop", tag = "operator", responses((status = 200, body = SwitchAnswer)))]
pub async fn stop(State(state): State<ApiState>) -> Result<Json<SwitchAnswer>, ApiError> {
    let stopped = state.pricing.stop().await?;
    Ok(Json(SwitchAnswer {
        stopped_since: Some(stopped.at.to_string()),
        restored_to: stopped.restored_to.map(|at| at.to_string()),
        moved_now: stopped.n_moved,
    }))
}

/// Lets pricing go on; the next run moves prices again.
#[utoipa::path(post, path = "/pricing/resume", tag = "operator", responses((status = 200, body = SwitchAnswer)))]
pub async fn resume(State(state): State<ApiState>) -> Result<Json<SwitchAnswer>, ApiError> {
    state.pricing.resume().await?;
    Ok(Json(SwitchAnswer { stopped_since: None, restored_to: None, moved_now: 0 }))
}
