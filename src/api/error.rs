//! One exhaustive map from what can go wrong to RFC 9457 problem documents.

use crate::record::{forms::FieldProblem, ingest::IngestError, store::StoreError};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the request body.
    #[schema(example = "/3/price")]
    pub pointer: String,
    /// What to change.
    pub detail: String,
}

impl FieldError {
    /// The problem as seen from the whole body, where the object stands at `index` of an array.
    pub fn at(index: Option<usize>, problem: FieldProblem) -> Self {
        let prefix = index.map_or(String::new(), |index| format!("/{index}"));
        Self { pointer: format!("{prefix}{}", problem.pointer), detail: problem.detail }
    }
}

/// A problem document (RFC 9457). `title` depends only on the type; `detail` is for the person who
/// debugs a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    pub type_uri: &'static str,
    /// The kind of problem in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// Everything a handler can answer with but success.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// The request can be read but does not make sense.
    #[error("{detail}")]
    Invalid {
        /// What is wrong in all.
        detail: String,
        /// And in which fields.
        errors: Vec<FieldError>,
    },
    /// No key, or one that is not ours.
    #[error("a key is needed: send `Authorization: Bearer …` or `X-API-Key`")]
    Unauthorized,
    /// A key of another scope.
    #[error("this call needs a key of scope `{0}`")]
    Forbidden(&'static str),
    /// A named resource that is not there.
    #[error("{what} `{id}` is not known")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Which.
        id: String,
    },
    /// No such path.
    #[error("there is nothing at this path; GET /docs lists what there is")]
    NoRoute,
    /// The path does not take this method.
    #[error("this path does not take this method")]
    MethodNotAllowed,
    /// The state of things forbids it.
    #[error("{0}")]
    Conflict(String),
    /// The body is over its limit.
    #[error("the body is larger than the {0} bytes that are allowed")]
    TooLarge(usize),
    /// The batch has more entries than one request may carry.
    #[error("{n} entries are too many for one request; at most {max} are allowed")]
    TooMany {
        /// How many there are.
        n: usize,
        /// How many may be.
        max: usize,
    },
    /// The body is of another type.
    #[error("the body must be application/json or application/x-ndjson")]
    UnsupportedMediaType,
    /// Come again later.
    #[error("the service is busy; try again later")]
    Busy(#[source] IngestError),
    /// Too many wait for what takes long.
    #[error("too many answers wait to be made; try again later")]
    Crowded,
    /// The store.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A bug of ours, or a broken disk.
    #[error("{0}")]
    Internal(String),
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::QueueFull | IngestError::Stopping => Self::Busy(error),
            IngestError::Store(ref store) if store.is_unavailable() => Self::Busy(error),
            IngestError::Store(store) => Self::Internal(error_chain(&*store)),
        }
    }
}

/// An error and all its causes, for the log.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Rides in the response to the request log, which logs it once.
#[derive(Clone, Debug)]
pub struct Cause(pub Arc<String>);

impl ApiError {
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed(_) => {
                (StatusCode::BAD_REQUEST, "/problems/malformed", "Malformed request")
            }
            Self::Invalid { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "/problems/invalid", "Invalid request")
            }
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, "/problems/unauthorized", "Key needed")
            }
            Self::Forbidden(_) => {
                (StatusCode::FORBIDDEN, "/problems/forbidden", "Key of another scope")
            }
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "/problems/not-found", "Not known"),
            Self::NoRoute => (StatusCode::NOT_FOUND, "/problems/no-route", "No such path"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "/problems/method", "Method not allowed")
            }
            Self::Conflict(_) => (StatusCode::CONFLICT, "/problems/conflict", "Conflict"),
            Self::TooLarge(_) | Self::TooMany { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "/problems/too-large", "Too large")
            }
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "/problems/media-type",
                "Unsupported media type",
            ),
            Self::Busy(_) | Self::Crowded => {
                (StatusCode::SERVICE_UNAVAILABLE, "/problems/busy", "Try again later")
            }
            Self::Store(error) if error.is_unavailable() => {
                (StatusCode::SERVICE_UNAVAILABLE, "/problems/busy", "Try again later")
            }
            Self::Store(_) | Self::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "about:blank", "Internal Server Error")
            }
        }
    }

    /// The document for the client; ours stay without detail.
    pub fn problem(self) -> Problem {
        let (status, type_uri, title) = self.kind();
        // What to do about it, but nothing of our inside.
        let detail = match &self {
            Self::Busy(IngestError::QueueFull) => Some("too many events wait to be written".into()),
            Self::Busy(IngestError::Stopping) => Some("the service is stopping".into()),
            Self::Crowded => Some("too many answers wait to be made".into()),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => {
                Some("the database does not answer".into())
            }
            _ => status.is_client_error().then(|| self.to_string()),
        };
        let errors = match self {
            Self::Invalid { errors, .. } => errors,
            _ => Vec::new(),
        };
        Problem { type_uri, title, status: status.as_u16(), detail, instance: None, errors }
    }
}

/// Seconds after which a caller may try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, ..) = self.kind();
        let cause = Cause(Arc::new(error_chain(&self)));
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, content_type, Json(self.problem())).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(cause);
        response
    }
}
