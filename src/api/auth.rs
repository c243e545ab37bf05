//! Who may call what: three scopes of keys, none configured = open (loopback only).

use super::error::ApiError;
use crate::config::{Auth, Secret};
use axum::http::{HeaderMap, header};

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Read, and post events.
    Storefront,
    /// Post events, change the catalogue.
    Ingest,
    /// Either of the two.
    Events,
    /// Everything.
    Admin,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::Storefront => "storefront",
            Self::Ingest => "ingest",
            Self::Events => "storefront or ingest",
            Self::Admin => "admin",
        }
    }
}

/// Compares without telling by its time how much was right.
fn holds(keys: &[Secret], given: &str) -> bool {
    let given = blake3::hash(given.as_bytes());
    keys.iter().fold(false, |found, key| found | (blake3::hash(key.0.as_bytes()) == given))
}

fn given(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    bearer
        .and_then(|value| value.split_once(' '))
        // The name of a scheme is written in any case (RFC 9110, section 11.1).
        .and_then(|(scheme, key)| scheme.eq_ignore_ascii_case("bearer").then_some(key))
        .or_else(|| headers.get("x-api-key").and_then(|value| value.to_str().ok()))
        .map(str::trim)
}

/// Whether a request with these headers may ask for what needs the scope.
pub(super) fn check(auth: &Auth, headers: &HeaderMap, scope: Scope) -> Result<(), ApiError> {
    if auth.is_open() {
        return Ok(());
    }
    let key = given(headers).ok_or(ApiError::Unauthorized)?;
    let (storefront, ingest, admin) = (
        holds(&auth.storefront_keys, key),
        holds(&auth.ingest_keys, key),
        holds(&auth.admin_keys, key),
    );
    let may = match scope {
        Scope::Storefront => storefront || admin,
        Scope::Ingest => ingest || admin,
        Scope::Events => storefront || ingest || admin,
        Scope::Admin => admin,
    };
    match (may, storefront || ingest || admin) {
        (true, _) => Ok(()),
        (false, true) => Err(ApiError::Forbidden(scope.name())),
        (false, false) => Err(ApiError::Unauthorized),
    }
}
