//! Health, metrics, status, models.

use super::{
    attribution::{AttributionStatus, attributed},
    error::{ApiError, Problem},
    extract::Query,
    memory::{MemoryStatus, memory},
    state::ApiState,
};
use crate::domain::{ModelRun, RunOutcome, Timestamp};
use crate::learn::trainer::Occasion;
use crate::live::follower::recall;
use crate::snapshot::file::SnapshotError;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// Runs shown in `GET /models`, and in `GET /status`.
const RUNS_MAX: u32 = 20;
const RUNS_BRIEF_MAX: u32 = 5;

/// Whether the service can answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthAnswer {
    /// `ok` or `degraded`.
    status: &'static str,
    /// What is missing, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
}

/// The process runs. No I/O.
#[utoipa::path(get, path = "/health/live", tag = "operator", responses((status = 200, body = HealthAnswer)))]
pub async fn live() -> Json<HealthAnswer> {
    Json(HealthAnswer { status: "ok", detail: None })
}

/// A snapshot (an empty one for a new shop) is served, and the database answers or is degraded.
#[utoipa::path(get, path = "/health/ready", tag = "operator", responses((status = 200, body = HealthAnswer)))]
pub async fn ready(State(state): State<ApiState>) -> Json<HealthAnswer> {
    let answers = is_up(&state).await;
    let detail =
        (!answers).then_some("the database does not answer; lists and prices come from memory");
    Json(HealthAnswer { status: if answers { "ok" } else { "degraded" }, detail })
}

/// Everything for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operator", responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub async fn metrics(State(state): State<ApiState>) -> Result<impl IntoResponse, ApiError> {
    state.metrics.live_shoppers.set(state.live.shoppers.len() as i64);
    state.metrics.catalogue_items.set(state.live.catalogue.len() as i64);
    state.metrics.answers_bytes.set(state.answers.n_bytes() as i64);
    let text = state.metrics.render().map_err(|error| ApiError::Internal(error.to_string()))?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text))
}

/// A training run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunAnswer {
    /// When it began.
    started_at: String,
    /// When it ended.
    finished_at: String,
    /// `published`, `refused`, `skipped`, `failed` or `rolled_back`.
    outcome: &'static str,
    /// Why.
    reason: String,
    /// The snapshot that it published or went back to.
    version: Option<u64>,
    /// What was measured.
    report: Value,
}

impl From<ModelRun> for RunAnswer {
    fn from(run: ModelRun) -> Self {
        Self {
            started_at: run.started_at.to_string(),
            finished_at: run.finished_at.to_string(),
            outcome: run.outcome.name(),
            reason: run.reason,
            version: run.version,
            report: run.report,
        }
    }
}

/// What is served, what could be, and what happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelsAnswer {
    /// Version of the served snapshot; 0 = none yet.
    served: u64,
    /// When it was trained.
    trained_at: Option<String>,
    /// What is joined, with weights.
    blend: Vec<BlendPart>,
    /// What was measured when it was trained.
    report: Value,
    /// Whether an operator went back: then only `POST /models/train` publishes.
    held: bool,
    /// Versions on disk, rising; any of them can be rolled back to.
    versions: Vec<u64>,
    /// The latest runs, newest first.
    runs: Vec<RunAnswer>,
}

/// A model's part in the served list.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlendPart {
    /// Its name.
    model: &'static str,
    /// Its weight.
    weight: f32,
    /// Its memory.
    bytes: usize,
}

/// Versions with their measured quality, and the history of training.
#[utoipa::path(get, path = "/models", tag = "operator", responses((status = 200, body = ModelsAnswer)))]
pub async fn models(State(state): State<ApiState>) -> Json<ModelsAnswer> {
    let up = is_up(&state).await;
    let runs = latest_runs(&state, RUNS_MAX, up).await;
    let snapshot = state.snapshots.current();
    let bytes_of = |kind| {
        let found = snapshot.models.iter().find(|model| model.kind() == kind);
        found.map_or(0, crate::learn::recommenders::Recommender::n_bytes)
    };
    let blend = snapshot.blend.weights.iter();
    let blend = blend.map(|&(kind, weight)| BlendPart {
        model: kind.name(),
        weight,
        bytes: bytes_of(kind),
    });
    Json(ModelsAnswer {
        served: snapshot.version,
        trained_at: (snapshot.version > 0).then(|| snapshot.trained_at.to_string()),
        blend: blend.collect(),
        report: serde_json::from_str(&snapshot.report).unwrap_or_default(),
        held: state.folder.held().is_some(),
        versions: state.folder.versions(),
        runs,
    })
}

/// How long a database may take to say that it is there.
const PING_MAX: Duration = Duration::from_millis(200);

/// Whether the database answers now. One that hangs, or whose connections are all waited for, does not.
async fn is_up(state: &ApiState) -> bool {
    tokio::time::timeout(PING_MAX, state.store.ping()).await.is_ok_and(|answer| answer.is_ok())
}

/// What the database has, if it is `up`, and what only this process knows.
async fn latest_runs(state: &ApiState, limit: u32, up: bool) -> Vec<RunAnswer> {
    let stored = if up { state.store.runs(limit).await.ok() } else { None };
    let runs = state.runs.joined(stored, limit as usize);
    runs.into_iter().map(RunAnswer::from).collect()
}

/// How to train.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrainQuery {
    /// Bring the search for parameters to its end first, which may take `search.budget_seconds`.
    search: bool,
}

/// Trains now; answers when the run has ended.
#[utoipa::path(post, path = "/models/train", tag = "operator", params(TrainQuery), responses((status = 200, body = RunAnswer), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn train(
    State(state): State<ApiState>,
    Query(query): Query<TrainQuery>,
) -> Result<Json<RunAnswer>, ApiError> {
    let occasion = if query.search { Occasion::AskedToSearch } else { Occasion::Asked };
    let run = state.trainer.train(occasion).await;
    let run = run.ok_or(ApiError::Conflict("too many training runs wait already".into()))?;
    Ok(Json(run.into()))
}

/// Goes back to the version before the served one; periodic training leaves it alone until
/// `POST /models/train` is called.
#[utoipa::path(post, path = "/models/rollback", tag = "operator", responses((status = 200, body = RunAnswer), (status = 409, body = Problem)))]
pub async fn rollback(State(state): State<ApiState>) -> Result<Json<RunAnswer>, ApiError> {
    let begun = state.clock.now();
    let (folder, cell) = (state.folder.clone(), state.snapshots.clone());
    // Only a read and a pointer; short, but disk work does not belong on a worker thread.
    let loaded = tokio::task::spawn_blocking(move || {
        // A training run that ends now publishes before or not at all.
        let go_back = || {
            let served = cell.current().version;
            let earlier = served.checked_sub(1).and_then(|newest| folder.load_newest(newest));
            let Some(snapshot) = earlier.map(Arc::new) else { return Ok(None) };
            folder.hold()?;
            folder.point_to(snapshot.version)?;
            cell.publish(snapshot.clone());
            Ok::<_, SnapshotError>(Some((served, snapshot)))
        };
        folder.locked(go_back)?
    });
    let loaded = loaded.await.map_err(|error| ApiError::Internal(error.to_string()))?;
    let loaded = loaded.map_err(|error| ApiError::Internal(super::error::error_chain(&error)))?;
    let (served, snapshot) =
        loaded.ok_or(ApiError::Conflict("there is no earlier version to go back to".into()))?;
    let (version, watermark) = (snapshot.version, (snapshot.watermark, snapshot.merges));
    state.metrics.snapshot_version.set(version as i64);
    state.metrics.snapshot_timestamp.set(snapshot.trained_at.0 as f64 / 1e3);
    // What the earlier version has not learned is recent again.
    if let Err(error) = recall(&*state.store, &state.live, watermark).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "recent events could not be read again");
    }
    let run = ModelRun {
        started_at: begun,
        finished_at: state.clock.now(),
        outcome: RunOutcome::RolledBack,
        reason: format!("an operator went back from version {served}"),
        version: Some(version),
        report: Value::Null,
    };
    // The version is served already, so a database that is away must not turn this into an error.
    let recorded = state.store.record_run(&run).await;
    if let Err(error) = &recorded {
        let error = error as &dyn std::error::Error;
        tracing::warn!(error, "the rollback could not be written down");
    }
    state.runs.push(run.clone(), recorded.is_ok());
    Ok(Json(run.into()))
}

/// The state of the service, for people and scripts.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusAnswer {
    /// Running version.
    version: &'static str,
    /// When it started.
    started_at: String,
    /// Which database, and whether it answers.
    database: DatabaseStatus,
    /// What is stored.
    data: Option<DataStatus>,
    /// What waits and what is in memory.
    memory: MemoryStatus,
    /// What lists were worth in the last 30 days; null if the database does not answer.
    attribution: Option<Vec<AttributionStatus>>,
    /// What is served.
    snapshot: SnapshotStatus,
    /// The latest runs, newest first.
    runs: Vec<RunAnswer>,
}

/// The database.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatabaseStatus {
    /// `sqlite` or `postgres`.
    kind: &'static str,
    /// Whether it answers.
    up: bool,
}

/// What is stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct DataStatus {
    /// Events by type.
    events: BTreeMap<&'static str, u64>,
    /// Items.
    items: u64,
    /// Users.
    users: u64,
    /// Prices that are or were in force.
    prices: u64,
    /// Competitors' prices.
    competitor_prices: u64,
}

/// What is served.
#[derive(Debug, Serialize, ToSchema)]
pub struct SnapshotStatus {
    /// Its version; 0 = none yet.
    version: u64,
    /// Whether an operator went back to it: then only `POST /models/train` publishes.
    held: bool,
    /// How old it is.
    age_seconds: Option<i64>,
    /// The last event that it learned from.
    watermark: i64,
    /// Items and shoppers it knows.
    items: usize,
    /// Shoppers it knows.
    shoppers: usize,
    /// What lists still need, if they are not personal yet.
    needs: Option<String>,
    /// What is served, and why, in words.
    choice: Option<String>,
    /// The measured models with their verdicts, as in `GET /models`.
    models: Value,
    /// How much a running visit counts beside long-term taste, and what that is worth.
    visits: Value,
    /// The search for parameters: candidates, scores, cost; `GET /models` has the same.
    search: Value,
}

/// Data counts, what lists still need, ages, queues, last runs. Answers also without the database.
#[utoipa::path(get, path = "/status", tag = "operator", responses((status = 200, body = StatusAnswer)))]
pub async fn status(State(state): State<ApiState>) -> (StatusCode, Json<StatusAnswer>) {
    let up = is_up(&state).await;
    let totals = async { if up { state.store.totals().await.ok() } else { None } };
    let attribution = async { if up { attributed(&state).await } else { None } };
    let (totals, runs, attribution) =
        tokio::join!(totals, latest_runs(&state, RUNS_BRIEF_MAX, up), attribution);
    let snapshot = state.snapshots.current();
    let n_events: u64 = totals.iter().flat_map(|t| &t.events).map(|(_, n)| n).sum();
    let needs = (snapshot.version == 0).then(|| match n_events {
        0 => "no events yet: POST /events".to_owned(),
        n => format!("{n} events wait for the first training run: POST /models/train"),
    });
    let report: Value = serde_json::from_str(&snapshot.report).unwrap_or_default();
    let age = |at: Timestamp| state.clock.now().since_ms(at) / 1000;
    let answer = StatusAnswer {
        version: env!("CARGO_PKG_VERSION"),
        started_at: state.started_at.to_string(),
        database: DatabaseStatus { kind: state.store.kind(), up },
        data: totals.map(|totals| DataStatus {
            events: totals.events.iter().map(|(kind, n)| (kind.name(), *n)).collect(),
            items: totals.items,
            users: totals.users,
            prices: totals.prices,
            competitor_prices: totals.competitor_prices,
        }),
        memory: memory(&state, &snapshot, (n_events, report["events"].as_u64().unwrap_or(0))),
        attribution,
        snapshot: SnapshotStatus {
            version: snapshot.version,
            held: state.folder.held().is_some(),
            age_seconds: (snapshot.version > 0).then(|| age(snapshot.trained_at)),
            watermark: snapshot.watermark.0,
            items: snapshot.items.len(),
            shoppers: snapshot.shoppers.len(),
            needs,
            choice: report["choice"].as_str().map(ToOwned::to_owned),
            models: report["models"].clone(),
            visits: report["visits"].clone(),
            search: report["search"].clone(),
        },
        runs,
    };
    (StatusCode::OK, Json(answer))
}
