//! Extractors whose rejections are problem documents.

use super::{
    error::{ApiError, FieldError},
    state::ApiState,
};
use crate::domain::{IdError, ItemId, UserId};
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    http::{header, request::Parts},
};
use serde::de::DeserializeOwned;

/// Parts of the path.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|error| ApiError::Malformed(error.body_text()))
    }
}

/// The query string; unknown parameters are refused where the type says so.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let reader = serde_urlencoded::Deserializer::new(pairs);
        let read = serde_path_to_error::deserialize(reader);
        read.map(Self).map_err(|error| {
            let detail = "the query does not have the form that is asked for";
            misformed(detail, error.path(), error.inner())
        })
    }
}

/// What is at fault in something that can be read.
fn misformed(
    detail: &str,
    path: &serde_path_to_error::Path,
    fault: &impl std::fmt::Display,
) -> ApiError {
    let errors = vec![FieldError { pointer: pointer_of(path), detail: fault.to_string() }];
    ApiError::Invalid { detail: detail.into(), errors }
}

const BODY_FORM: &str = "the body does not have the form that is asked for";

/// A body of JSON or NDJSON within the size limit, not parsed yet.
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    /// Whether each line is a document of its own.
    pub is_ndjson: bool,
}

impl FromRequest<ApiState> for Body {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let media = request.headers().get(header::CONTENT_TYPE);
        let media = media.map_or(Ok("application/json"), |value| value.to_str());
        let media = media.map_err(|_| ApiError::UnsupportedMediaType)?;
        let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_ndjson = match media.as_str() {
            "application/json" => false,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => true,
            _ => return Err(ApiError::UnsupportedMediaType),
        };
        let limit = state.config.server.body_bytes_max;
        let bytes = Bytes::from_request(request, state).await.map_err(|error| match error {
            BytesRejection::FailedToBufferBody(error)
                if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE =>
            {
                ApiError::TooLarge(limit)
            }
            error => ApiError::Malformed(error.body_text()),
        })?;
        Ok(Self { bytes, is_ndjson })
    }
}

impl Body {
    /// The one JSON object in the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        // Fields would be taken in their order from an array.
        if self.bytes.trim_ascii_start().first() == Some(&b'[') {
            let detail = "must be an object, not an array".to_owned();
            let errors = vec![FieldError { pointer: String::new(), detail }];
            return Err(ApiError::Invalid { detail: BODY_FORM.into(), errors });
        }
        let not_json = |cause: &serde_json::Error| {
            ApiError::Malformed(format!("the body is not JSON: {cause}"))
        };
        let mut reader = serde_json::Deserializer::from_slice(&self.bytes);
        let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let cause = error.inner();
            if cause.is_data() {
                misformed(BODY_FORM, error.path(), cause)
            } else {
                not_json(cause)
            }
        })?;
        // What follows the document would be lost without a word.
        reader.end().map_err(|cause| not_json(&cause))?;
        Ok(read)
    }
}

/// A value of a document that was read already.
pub fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| misformed(BODY_FORM, error.path(), error.inner()))
}

/// Says of what is invalid that it stands within `prefix`.
pub fn within(prefix: &str, error: ApiError) -> ApiError {
    match error {
        ApiError::Invalid { detail, mut errors } => {
            for error in &mut errors {
                error.pointer = format!("{prefix}{}", error.pointer);
            }
            ApiError::Invalid { detail, errors }
        }
        other => other,
    }
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

fn id<T>(what: &'static str, made: Result<T, IdError>) -> Result<T, ApiError> {
    made.map_err(|error| ApiError::Invalid {
        detail: format!("the {what} id {error}"),
        errors: Vec::new(),
    })
}

/// Says of what is invalid that it stands at `pointer`.
pub fn at(pointer: impl Into<String>) -> impl FnOnce(ApiError) -> ApiError {
    let pointer = pointer.into();
    |error| match error {
        ApiError::Invalid { detail, .. } => {
            let errors = vec![FieldError { pointer, detail: detail.clone() }];
            ApiError::Invalid { detail, errors }
        }
        other => other,
    }
}

/// Items' ids from a list named `field`; a bad one is pointed at.
pub fn item_ids<'a>(
    field: &str,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<ItemId>, ApiError> {
    let ids = ids.into_iter().enumerate();
    ids.map(|(index, id)| item_id(id).map_err(at(format!("/{field}/{index}")))).collect()
}

/// An item's id from a path or query.
pub fn item_id(text: &str) -> Result<ItemId, ApiError> {
    id("item", ItemId::new(text))
}

/// A user's id from a path or query.
pub fn user_id(text: &str) -> Result<UserId, ApiError> {
    id("user", UserId::new(text))
}

/// A session's id from a query.
pub fn session_id(text: &str) -> Result<crate::domain::SessionId, ApiError> {
    id("session", crate::domain::SessionId::new(text))
}
