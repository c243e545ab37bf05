//! `/pricing/policies`: what is laid down for the prices of some items otherwise than in the settings.

use super::{
    error::{ApiError, FieldError, Problem},
    extract::{Body, Path},
    state::ApiState,
};
use crate::{
    decide::price::{PriceTerms, Scope, TermsChange},
    domain::{DirectiveKind, StoredDirective},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Most policies: all are read when one has changed.
const POLICIES_MAX: u32 = 1_000;

/// All policies.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoliciesAnswer {
    /// What holds where nothing else is laid down: the settings, and what is laid down for `shop`.
    #[schema(value_type = Object)]
    shop: PriceTerms,
    /// By scope, rising.
    policies: Vec<PolicyAnswer>,
}

/// What is laid down for some items.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyAnswer {
    /// For which: `shop`, `item:ID`, `category:NAME` or `brand:NAME`.
    scope: String,
    /// Only what differs from what holds otherwise.
    #[schema(value_type = Object)]
    policy: Value,
    /// Since when.
    updated_at: String,
    /// Items of the catalogue that it holds for, where one policy is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<usize>,
}

impl From<&StoredDirective> for PolicyAnswer {
    fn from(stored: &StoredDirective) -> Self {
        Self {
            scope: stored.name.clone(),
            policy: stored.body.clone(),
            updated_at: stored.updated_at.to_string(),
            items: None,
        }
    }
}

fn scope_of(text: &str) -> Result<Scope, ApiError> {
    text.parse::<Scope>()
        .map_err(|error| ApiError::Invalid { detail: error.to_string(), errors: Vec::new() })
}

/// Refuses terms that would be out of range with `terms`, which hold otherwise.
fn checked(terms: &PriceTerms, change: &TermsChange) -> Result<(), ApiError> {
    if change.is_empty() {
        let detail = "lay something down, such as {\"margin_floor\": 0.3}; DELETE removes a policy";
        return Err(ApiError::Invalid { detail: detail.into(), errors: Vec::new() });
    }
    let faults = change.faults(terms);
    if faults.is_empty() {
        return Ok(());
    }
    let errors = faults.into_iter().map(|wrong| FieldError {
        pointer: format!("/{}", wrong.key),
        detail: format!("{}, not {}", wrong.rule, wrong.value),
    });
    Err(ApiError::Invalid {
        detail: "the policy cannot be applied".into(),
        errors: errors.collect(),
    })
}

/// The answer for one policy, with the number of its items.
async fn answer(state: ApiState, scope: Scope) -> Result<PolicyAnswer, ApiError> {
    let stored = state.live.price_policies.load_full();
    let name = scope.to_string();
    let Some(found) = stored.named(&name).map(PolicyAnswer::from) else {
        return Err(ApiError::NotFound { what: "price policy", id: name });
    };
    // A whole catalogue may have to be looked through.
    let counting = tokio::task::spawn_blocking(move || {
        let catalogue = &state.live.catalogue;
        let items = match &scope {
            Scope::Item(item) => catalogue.get(item).into_iter().collect(),
            _ => catalogue.items(),
        };
        items.iter().filter(|entry| !entry.item.removed && scope.has(&entry.item)).count()
    });
    let n = counting.await.map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(PolicyAnswer { items: Some(n), ..found })
}

/// All policies, and what holds where there is none.
#[utoipa::path(get, path = "/pricing/policies", tag = "operator", responses((status = 200, body = PoliciesAnswer)))]
pub async fn get_policies(State(state): State<ApiState>) -> Json<PoliciesAnswer> {
    let stored = state.live.price_policies.load();
    Json(PoliciesAnswer {
        shop: state.pricing.policies().terms().clone(),
        policies: stored.directives.iter().map(PolicyAnswer::from).collect(),
    })
}

/// One policy.
#[utoipa::path(get, path = "/pricing/policies/{scope}", tag = "operator", params(("scope" = String, Path)),
    responses((status = 200, body = PolicyAnswer), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn get_policy(
    State(state): State<ApiState>,
    Path(scope): Path<String>,
) -> Result<Json<PolicyAnswer>, ApiError> {
    let scope = scope_of(&scope)?;
    Ok(Json(answer(state, scope).await?))
}

/// Lays down how the prices of a scope move: `shop`, `brand:NAME`, `category:NAME` or `item:ID`; of several that hold for an
/// item, the narrower one has the last word, key by key, and of its categories the one that the item names first. Keys are
/// those of the settings: `enabled`, `goal`, `profit_share`, `margin_floor`, `step_max`, `step_30d_max`, `endings`,
/// `fee_share`, `salvage_share`, `corridor`, `explore`, `explore_loss_max`. Bounds in quotes follow at once, prices with
/// a run that begins within a second or two, or when their `pricing.dwell_days` are over.
#[utoipa::path(put, path = "/pricing/policies/{scope}", tag = "operator", params(("scope" = String, Path)), request_body = Value,
    responses((status = 200, body = PolicyAnswer), (status = 201, body = PolicyAnswer), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn put_policy(
    State(state): State<ApiState>,
    Path(scope): Path<String>,
    body: Body,
) -> Result<(StatusCode, Json<PolicyAnswer>), ApiError> {
    let scope = scope_of(&scope)?;
    let change: TermsChange = body.json()?;
    let policies = state.pricing.policies();
    // What is laid down for the shop takes the place of what was, and stands upon the settings.
    let is_shop = scope == Scope::Shop;
    let otherwise = if is_shop { state.pricing.settings() } else { policies.terms() };
    checked(otherwise, &change)?;
    let written = serde_json::to_value(&change);
    let written = written
        .map_err(|error| ApiError::Internal(format!("a policy cannot be written: {error}")))?;
    let (name, now) = (scope.to_string(), state.clock.now());
    let named = (DirectiveKind::PricePolicy, name.as_str());
    let had = state.store.change_directive(named, Some(&written), now, POLICIES_MAX).await?;
    let Some(had) = had else {
        let detail = format!("there are {POLICIES_MAX} price policies already; remove one first");
        return Err(ApiError::Conflict(detail));
    };
    state.live.follow_directives(&*state.store, DirectiveKind::PricePolicy).await?;
    let status = if had { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(answer(state, scope).await?)))
}

/// Removes a policy.
#[utoipa::path(delete, path = "/pricing/policies/{scope}", tag = "operator", params(("scope" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn delete_policy(
    State(state): State<ApiState>,
    Path(scope): Path<String>,
) -> Result<StatusCode, ApiError> {
    let name = scope_of(&scope)?.to_string();
    let named = (DirectiveKind::PricePolicy, name.as_str());
    let had = state.store.change_directive(named, None, state.clock.now(), 0).await?;
    state.live.follow_directives(&*state.store, DirectiveKind::PricePolicy).await?;
    if had != Some(true) {
        return Err(ApiError::NotFound { what: "price policy", id: name });
    }
    Ok(StatusCode::NO_CONTENT)
}
