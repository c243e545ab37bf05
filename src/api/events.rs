//! `POST /events`, `/events/click`, `/events/purchase`.

use super::{
    credit::credit,
    doubts::leave_out_price,
    error::{ApiError, FieldError, Problem},
    extract::{Body, Query},
    state::ApiState,
};
use crate::{
    domain::{Event, EventKind},
    record::forms::{BatchError, FormRules, decode_batch, event_from_json, kind_of},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How to take a batch.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// All or none: with one bad event nothing is stored (422).
    #[serde(default)]
    atomic: bool,
    /// Whether prices are meant that look like minor units taken for whole ones; without it an event counts without.
    #[serde(default)]
    confirm: bool,
}

/// What became of a batch, after the events are durable.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsAnswer {
    /// Newly stored.
    accepted: usize,
    /// Stored before, by their `id`.
    duplicates: usize,
    /// Not stored, each with its place in the batch and what to change.
    rejected: Vec<RejectedEvent>,
    /// What was left out of events that were taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FieldError>,
}

/// An event that was not stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedEvent {
    /// Place in the batch, from 0.
    index: usize,
    /// What is wrong.
    #[serde(flatten)]
    problem: Problem,
}

/// Records events: one object, an array, or NDJSON; at most 1,000 and 2 MiB.
///
/// Answers after the events are durable. Bad events are named by index, good ones are stored.
#[utoipa::path(post, path = "/events", tag = "storefront", params(EventsQuery),
    request_body(content = serde_json::Value, description = "an event, an array of events, or NDJSON"),
    responses((status = 200, body = EventsAnswer), (status = 400, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn post_events(
    State(state): State<ApiState>,
    Query(query): Query<EventsQuery>,
    body: Body,
) -> Result<Json<EventsAnswer>, ApiError> {
    record(&state, &query, &body, None).await
}

/// Records clicks: as `POST /events`, without `type`.
#[utoipa::path(post, path = "/events/click", tag = "storefront", params(EventsQuery),
    request_body(content = serde_json::Value), responses((status = 200, body = EventsAnswer), (status = 422, body = Problem)))]
pub async fn post_click(
    State(state): State<ApiState>,
    Query(query): Query<EventsQuery>,
    body: Body,
) -> Result<Json<EventsAnswer>, ApiError> {
    record(&state, &query, &body, Some(EventKind::Click)).await
}

/// Records purchases: as `POST /events`, without `type`.
#[utoipa::path(post, path = "/events/purchase", tag = "storefront", params(EventsQuery),
    request_body(content = serde_json::Value), responses((status = 200, body = EventsAnswer), (status = 422, body = Problem)))]
pub async fn post_purchase(
    State(state): State<ApiState>,
    Query(query): Query<EventsQuery>,
    body: Body,
) -> Result<Json<EventsAnswer>, ApiError> {
    record(&state, &query, &body, Some(EventKind::Purchase)).await
}

/// A body that is no batch, as a problem document.
pub fn batch_error(error: BatchError) -> ApiError {
    match error {
        BatchError::TooMany { n, max } => ApiError::TooMany { n, max },
        BatchError::NotAnObjectOrArray => {
            ApiError::Invalid { detail: error.to_string(), errors: Vec::new() }
        }
        BatchError::Empty | BatchError::Malformed { .. } => ApiError::Malformed(error.to_string()),
    }
}

fn is_array(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    body.trim_ascii_start().first() == Some(&b'[')
}

async fn record(
    state: &ApiState,
    query: &EventsQuery,
    body: &Body,
    kind: Option<EventKind>,
) -> Result<Json<EventsAnswer>, ApiError> {
    let values = decode_batch(&body.bytes, body.is_ndjson, state.config.events.batch_max)
        .map_err(batch_error)?;
    // Lines are always a batch, were it of one, so that their sender reads one kind of answer.
    let is_single = !body.is_ndjson && !is_array(&body.bytes);
    let rules = FormRules {
        currency: state.currency,
        now: state.clock.now(),
        future_skew_max_ms: i64::from(state.config.events.future_seconds_max) * 1000,
    };
    let mut events: Vec<Event> = Vec::with_capacity(values.len());
    let mut rejected: Vec<(usize, Vec<FieldError>)> = Vec::new();
    let (mut warnings, mut doubted): (Vec<FieldError>, Vec<usize>) = (Vec::new(), Vec::new());
    for (index, value) in values.into_iter().enumerate() {
        let place = (!is_single).then_some(index);
        let pointed = |problem| FieldError::at(place, problem);
        match value {
            Err(line) => {
                state.metrics.count_events("unknown", "rejected", 1);
                let pointer = format!("/{index}");
                rejected.push((index, vec![FieldError { pointer, detail: line }]));
            }
            Ok(value) => match event_from_json(&value, &rules, kind) {
                Ok(mut event) => {
                    let doubt = || leave_out_price(state, &mut event);
                    if let Some(doubt) = (!query.confirm).then(doubt).flatten() {
                        warnings.push(pointed(doubt));
                        doubted.push(events.len());
                    }
                    events.push(event);
                }
                Err(problems) => {
                    let kind = kind_of(&value, kind).map_or("unknown", EventKind::name);
                    state.metrics.count_events(kind, "rejected", 1);
                    rejected.push((index, problems.into_iter().map(pointed).collect()));
                }
            },
        }
    }
    // A lone event that is wrong, or a batch that must be whole: nothing was stored, and the status says so.
    if !rejected.is_empty() && (query.atomic || is_single) {
        let detail = format!(
            "{} of {} events are wrong; none was stored",
            rejected.len(),
            rejected.len() + events.len()
        );
        let errors = rejected.into_iter().flat_map(|(_, errors)| errors).collect();
        return Err(ApiError::Invalid { detail, errors });
    }
    credit(state, &mut events);
    let credited: Vec<Option<String>> = events
        .iter()
        .map(|event| event.context.credit.as_ref().map(|credit| credit.scenario.clone()))
        .collect();
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
    let stored = state.ingest.record(events).await.inspect_err(|_| {
        for kind in &kinds {
            state.metrics.count_events(kind.name(), "refused", 1);
        }
    })?;
    for (kind, sequence) in kinds.iter().zip(&stored) {
        let outcome = if sequence.is_some() { "stored" } else { "duplicate" };
        state.metrics.count_events(kind.name(), outcome, 1);
    }
    for ((kind, scenario), _) in kinds.iter().zip(&credited).zip(&stored).filter(|s| s.1.is_some())
    {
        if let Some(scenario) = scenario {
            state.metrics.count_credited(state.policies.label(scenario), kind.name());
        }
    }
    let n_left_out = doubted.into_iter().filter(|&at| stored[at].is_some()).count();
    state.metrics.event_prices_left_out.inc_by(n_left_out as u64);
    let accepted = stored.iter().flatten().count();
    let rejected = rejected
        .into_iter()
        .map(|(index, errors)| RejectedEvent {
            index,
            problem: ApiError::Invalid { detail: "the event was not stored".into(), errors }
                .problem(),
        })
        .collect();
    Ok(Json(EventsAnswer { accepted, duplicates: stored.len() - accepted, rejected, warnings }))
}
