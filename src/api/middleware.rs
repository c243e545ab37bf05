//! Around every request: its id, its log line, its metrics, and no panic out of a handler.

use super::{
    error::{ApiError, Cause},
    state::ApiState,
};
use crate::telemetry::{RequestLabels, RouteLabels};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{any::Any, time::Instant};
use tracing::Instrument;

/// The header with the id of a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id (the caller's own is kept), counts and times it, logs it.
pub async fn observe(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = method_label(request.method()).to_owned();
    let id = match request.headers().get(&REQUEST_ID) {
        Some(id) if (1..=128).contains(&id.len()) && id.to_str().is_ok() => id.clone(),
        _ => {
            let id = HeaderValue::from_str(&uuid::Uuid::now_v7().to_string());
            let id = id.unwrap_or(HeaderValue::from_static("none"));
            request.headers_mut().insert(REQUEST_ID, id.clone());
            id
        }
    };
    // Made only if somebody listens; what is logged inside carries it.
    let request_id = id.to_str().unwrap_or_default();
    let span = tracing::info_span!("request", request.id = request_id, method, route);
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, seconds) = (response.status().as_u16(), begun.elapsed().as_secs_f64());
    if status >= 400 {
        response = with_instance(response, &id).await;
    }
    let cause = response.extensions().get::<Cause>().map(|cause| cause.0.clone());
    let cause = cause.as_deref().map_or("", String::as_str);
    // The span tells id, method and route.
    span.in_scope(|| {
        let duration_seconds = seconds;
        if status == 503 {
            tracing::warn!(status, cause, duration_seconds, "request refused");
        } else if status >= 500 {
            tracing::error!(status, cause, duration_seconds, "request failed");
        } else if state.config.log.requests {
            tracing::info!(status, cause, duration_seconds, "request answered");
        } else {
            tracing::debug!(status, cause, duration_seconds, "request answered");
        }
    });
    response.headers_mut().insert(REQUEST_ID, id);
    let route_labels = RouteLabels { method: method.clone(), route: route.clone() };
    state.metrics.request_duration.get_or_create(&route_labels).observe(seconds);
    state.metrics.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    response
}

/// The method as a label: anybody can make one up, and a series for each would never end.
fn method_label(method: &Method) -> &str {
    let known =
        [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD];
    if known.contains(method) { method.as_str() } else { "other" }
}

/// A problem document with the request's id as its `instance`.
async fn with_instance(response: Response, id: &HeaderValue) -> Response {
    /// Problem documents of 1,000 rejected events stay below this.
    const PROBLEM_BYTES_MAX: usize = 4 << 20;
    let is_problem = response
        .headers()
        .get(axum::http::header::CONTENT_TYPE)
        .is_some_and(|value| value == "application/problem+json");
    if !is_problem {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, PROBLEM_BYTES_MAX).await else {
        return ApiError::Internal("a problem document is too large".into()).into_response();
    };
    let changed = serde_json::from_slice::<serde_json::Value>(&bytes).map(|mut problem| {
        problem["instance"] = id.to_str().unwrap_or_default().into();
        problem.to_string()
    });
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    match changed {
        Ok(text) => Response::from_parts(parts, text.into()),
        Err(_) => Response::from_parts(parts, bytes.into()),
    }
}

/// A panic in a handler is a bug of ours: 500, and the log says where.
pub fn caught(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    ApiError::Internal(format!("a handler panicked: {text}")).into_response()
}
