//! Around every request: the key it needs, its id, its log line, its metrics, and no panic out of a handler.

use super::{
    auth::{Scope, check},
    error::{ApiError, Cause},
    state::ApiState,
};
use crate::telemetry::{RequestLabels, RouteLabels};
use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method},
    response::{IntoResponse, Response},
};
use std::{
    any::Any,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tower::{Layer, Service};
use tracing::Instrument;

/// The header with the id of a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Lets a request pass if its key has the scope; gives it an id (the caller's own is kept), counts and times it, logs
/// it. One service for all of that: each one more is paid for by every request.
#[derive(Clone)]
pub struct Observe {
    /// What handlers share.
    pub state: ApiState,
    /// What the route needs; `None` = nothing.
    pub scope: Option<Scope>,
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner, observe: self.clone() }
    }
}

/// What [`Observe`] makes of a service.
#[derive(Clone)]
pub struct Observed<S> {
    inner: S,
    observe: Observe,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Error = Infallible, Future: Send + 'static>,
    S::Response: IntoResponse,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let begun = Instant::now();
        let Observe { state, scope } = self.observe.clone();
        let route = request.extensions().get::<MatchedPath>();
        let route = route.map_or("unmatched", MatchedPath::as_str).to_owned();
        let method = method_label(request.method());
        let id = match request.headers().get(&REQUEST_ID) {
            Some(id) if (1..=128).contains(&id.len()) && id.to_str().is_ok() => id.clone(),
            _ => {
                let id = new_id();
                request.headers_mut().insert(REQUEST_ID, id.clone());
                id
            }
        };
        let may = scope.map_or(Ok(()), |scope| check(&state.config.auth, request.headers(), scope));
        // Made only if somebody listens. What is logged inside carries the id alone, by which the last line is found, which
        // has the rest: each field is written out for every request, logged or not.
        let span = tracing::info_span!("request", request.id = id.to_str().unwrap_or_default());
        let answering = may.map(|()| self.inner.call(request).instrument(span.clone()));
        Box::pin(async move {
            let response = match answering {
                Ok(answering) => {
                    let Ok(response) = answering.await;
                    response.into_response()
                }
                Err(refused) => refused.into_response(),
            };
            let (status, seconds) = (response.status().as_u16(), begun.elapsed().as_secs_f64());
            let mut response =
                if status >= 400 { with_instance(response, &id).await } else { response };
            let cause = response.extensions().get::<Cause>().map(|cause| cause.0.clone());
            let cause = cause.as_deref().map_or("", String::as_str);
            span.in_scope(|| {
                macro_rules! log {
                    ($level:ident, $what:literal) => {
                        tracing::$level!(
                            method,
                            route,
                            status,
                            cause,
                            duration_seconds = seconds,
                            $what
                        )
                    };
                }
                match status {
                    503 => log!(warn, "request refused"),
                    500.. => log!(error, "request failed"),
                    _ if state.config.log.requests => log!(info, "request answered"),
                    _ => log!(debug, "request answered"),
                }
            });
            response.headers_mut().insert(REQUEST_ID, id);
            let labels = RouteLabels { method, route };
            state.metrics.request_duration.get_or_create(&labels).observe(seconds);
            let labels = RequestLabels { method, route: labels.route, status };
            state.metrics.requests.get_or_create(&labels).inc();
            Ok(response)
        })
    }
}

fn new_id() -> HeaderValue {
    let mut buffer = uuid::Uuid::encode_buffer();
    let id = uuid::Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("none"))
}

/// The method as a label: anybody can make one up, and a series for each would never end.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    }
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
