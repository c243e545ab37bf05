//! `/users`: people, their data and their rights.

use super::{
    error::{ApiError, FieldError, Problem},
    extract::{Body, Path, at, user_id},
    state::ApiState,
};
use crate::{
    domain::{RecordedEvent, Sequence, User},
    record::forms::user_attributes_from_json,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Events read from the store at a time for an export.
const PAGE: u32 = 10_000;
/// Most events in one export.
const EXPORT_MAX: usize = 1_000_000;

/// A user as the service knows them.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserAnswer {
    /// Their id.
    user: String,
    /// What the shop says about them.
    attributes: Map<String, Value>,
    /// When the service first heard of them.
    first_seen_at: String,
    /// When their attributes last changed.
    updated_at: String,
}

/// Everything kept about a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportAnswer {
    /// The user.
    user: UserAnswer,
    /// All their events, in the order in which they were stored.
    events: Vec<Value>,
}

/// Proof of an erasure.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureAnswer {
    /// Running number of the receipt.
    receipt: i64,
    /// BLAKE3 of the user's id: whoever knows the id can check it.
    user_hash: String,
    /// When the rows were deleted.
    erased_at: String,
    /// How many events went.
    events_erased: u64,
    /// Version of the served snapshot, which still holds their history until the next training run
    /// replaces it; null if no snapshot does.
    model_until_retrained: Option<u64>,
}

fn user_answer(user: User) -> UserAnswer {
    UserAnswer {
        user: user.user_id.to_string(),
        attributes: user.attributes,
        first_seen_at: user.first_seen_at.to_string(),
        updated_at: user.updated_at.to_string(),
    }
}

/// Sets what the shop says about a user; the body is an object of attributes.
#[utoipa::path(put, path = "/users/{user}", tag = "shop", params(("user" = String, Path)), request_body = serde_json::Value,
    responses((status = 200, body = UserAnswer), (status = 422, body = Problem)))]
pub async fn put_user(
    State(state): State<ApiState>,
    Path(user): Path<String>,
    body: Body,
) -> Result<Json<UserAnswer>, ApiError> {
    let user = user_id(&user)?;
    let attributes = user_attributes_from_json(&body.json()?).map_err(|problems| {
        let errors = problems.into_iter().map(|p| FieldError::at(None, p)).collect();
        ApiError::Invalid { detail: "the attributes were not taken".into(), errors }
    })?;
    let saved = state.store.save_users(&[(user, attributes)], state.clock.now()).await?;
    let saved = saved.into_iter().next();
    saved
        .map(|user| Json(user_answer(user)))
        .ok_or(ApiError::Internal("a saved user is gone".into()))
}

async fn known(state: &ApiState, user: &str) -> Result<User, ApiError> {
    let user = user_id(user)?;
    let found = state.store.user(&user).await?;
    found.ok_or(ApiError::NotFound { what: "user", id: user.to_string() })
}

/// The user as the service knows them.
#[utoipa::path(get, path = "/users/{user}", tag = "shop", params(("user" = String, Path)),
    responses((status = 200, body = UserAnswer), (status = 404, body = Problem)))]
pub async fn get_user(
    State(state): State<ApiState>,
    Path(user): Path<String>,
) -> Result<Json<UserAnswer>, ApiError> {
    Ok(Json(user_answer(known(&state, &user).await?)))
}

/// Everything kept about a user.
#[utoipa::path(get, path = "/users/{user}/export", tag = "shop", params(("user" = String, Path)),
    responses((status = 200, body = ExportAnswer), (status = 404, body = Problem)))]
pub async fn export_user(
    State(state): State<ApiState>,
    Path(user): Path<String>,
) -> Result<Json<ExportAnswer>, ApiError> {
    let user = known(&state, &user).await?;
    let (mut events, mut after) = (Vec::new(), Sequence::default());
    while events.len() < EXPORT_MAX {
        let page = state.store.user_events(&user.user_id, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        events.extend(page.iter().map(|event| exported(&state, event)));
    }
    Ok(Json(ExportAnswer { user: user_answer(user), events }))
}

fn exported(state: &ApiState, recorded: &RecordedEvent) -> Value {
    let event = &recorded.event;
    serde_json::json!({
        "sequence": recorded.sequence,
        "id": event.event_id,
        "type": event.kind,
        "session": event.session,
        "item": event.item,
        "timestamp": event.occurred_at.to_string(),
        "quantity": event.quantity,
        "price": event.price.map(|price| state.money(price)),
        "order": event.order,
        "value": event.value,
        "context": event.context,
    })
}

/// Whose history goes over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeBody {
    /// The guest: the id of a user, or of a session in which nobody was known.
    from: String,
}

/// A guest's history that went over to a customer.
#[derive(Debug, Serialize, ToSchema)]
pub struct MergeAnswer {
    /// The customer.
    user: String,
    /// The guest.
    from: String,
    /// How many events were moved; 0 if there was nothing to move, or it was done before.
    events_moved: u64,
}

/// Makes a guest's history a customer's, in the very next answer; to repeat it does no harm. Attributes that the
/// customer lacks go over, too. What comes from the guest's id later is a new guest's.
#[utoipa::path(post, path = "/users/{user}/merge", tag = "shop", params(("user" = String, Path)),
    request_body = MergeBody,
    responses((status = 200, body = MergeAnswer), (status = 422, body = Problem)))]
pub async fn merge_users(
    State(state): State<ApiState>,
    Path(user): Path<String>,
    body: Body,
) -> Result<Json<MergeAnswer>, ApiError> {
    let user = user_id(&user)?;
    let MergeBody { from } = body.json()?;
    user_id(&from).map_err(at("/from"))?;
    if from == user.as_str() {
        let detail = "this is the same user; name the guest who has become this customer".into();
        return Err(at("/from")(ApiError::Invalid { detail, errors: Vec::new() }));
    }
    let merge = state.store.merge_users(&from, &user, state.clock.now()).await?;
    if let Some(merge) = &merge {
        state.live.shoppers.merge(merge);
        state.answers.forget(&from);
    }
    let events_moved = merge.map_or(0, |merge| merge.events_moved);
    Ok(Json(MergeAnswer { user: user.to_string(), from, events_moved }))
}

/// Erases a user and all their events; answers a receipt.
#[utoipa::path(delete, path = "/users/{user}", tag = "shop", params(("user" = String, Path)),
    responses((status = 200, body = ErasureAnswer), (status = 404, body = Problem)))]
pub async fn delete_user(
    State(state): State<ApiState>,
    Path(user): Path<String>,
) -> Result<Json<ErasureAnswer>, ApiError> {
    let user = known(&state, &user).await?.user_id;
    let receipt = state.store.erase_user(&user, state.clock.now()).await?;
    state.live.shoppers.forget(std::slice::from_ref(&receipt));
    state.answers.forget(user.as_str());
    let snapshot = state.snapshots.current();
    let shopper = crate::domain::ShopperId::User(user);
    let holds = snapshot.shopper_position(&shopper).is_some();
    Ok(Json(ErasureAnswer {
        receipt: receipt.sequence,
        user_hash: receipt.user_hash,
        erased_at: receipt.erased_at.to_string(),
        events_erased: receipt.events_erased,
        model_until_retrained: holds.then_some(snapshot.version),
    }))
}
