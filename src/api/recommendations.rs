//! `GET /recommendations/{user}` and `POST /recommendations`.

use super::{
    error::{ApiError, Problem},
    extract::{Body, Path, Query, at, item_ids, session_id, user_id},
    rendered::list_of,
    shelves::Asker,
    state::{ApiState, Money},
};
use crate::{
    decide::recommend::{Ask, Source},
    domain::{ItemId, ShopperId, time::SECOND_MS},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

/// Steers a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// How many items, 1 to 100; default 10.
    n: Option<usize>,
    /// The place in the storefront; given back in the answer.
    scenario: Option<String>,
    /// Items on the page or in the cart, separated by commas: they steer the list and are not in it.
    context: Option<String>,
    /// The running visit, whose events count too.
    session: Option<String>,
    /// Only items of this category.
    category: Option<String>,
    /// Items to leave out, separated by commas.
    exclude: Option<String>,
    /// Whether to say why; default false.
    explain: Option<bool>,
    /// Whether to quote prices; default true.
    price: Option<bool>,
}

/// The same as a body, for guests and long lists.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListBody {
    /// The customer, if known.
    user: Option<String>,
    /// How many items, 1 to 100; default 10.
    n: Option<usize>,
    /// The place in the storefront.
    scenario: Option<String>,
    /// Items on the page or in the cart.
    #[serde(default)]
    context: Vec<String>,
    /// Recent item ids of a guest, oldest first.
    #[serde(default)]
    session: Vec<String>,
    /// Only items of this category.
    category: Option<String>,
    /// Items to leave out.
    #[serde(default)]
    exclude: Vec<String>,
    /// Whether to say why; default false.
    explain: Option<bool>,
    /// Whether to quote prices; default true.
    price: Option<bool>,
}

/// A list of items for a shopper.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListAnswer {
    /// Names this answer; send it back with the events that follow from it.
    recommendation_id: String,
    /// For whom.
    user: Option<String>,
    /// Where.
    scenario: String,
    /// `personal`, `session`, `related` or `popular`.
    source: &'static str,
    /// From which snapshot.
    model: ModelInfo,
    /// Whether something was missing that would have made the answer better.
    degraded: bool,
    /// What was missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded_because: Option<&'static str>,
    /// Why the list is empty, if it is.
    empty_because: Option<&'static str>,
    /// Best first.
    #[schema(value_type = Vec<ListItem>)]
    items: Box<RawValue>,
}

/// The snapshot behind an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelInfo {
    /// Its version; 0 = nothing is trained yet.
    version: u64,
    /// When it was trained.
    trained_at: Option<String>,
    /// How old it is.
    age_seconds: Option<i64>,
}

/// One item of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListItem {
    /// Its id.
    pub(super) item: String,
    /// From 1.
    pub(super) rank: usize,
    /// Preference; comparable within this list only.
    pub(super) score: f32,
    /// Why; filled when `explain` is set.
    pub(super) reasons: Vec<ListReason>,
    /// What it costs now, if it has a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<ListPrice>,
    /// `in`, or `unknown` if stock is not counted.
    pub(super) stock: &'static str,
}

/// One reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListReason {
    /// `buy_again`, `seen_before`, `because_you_bought`, `because_you_liked`, `people_like_you`,
    /// `popular`.
    pub(super) kind: &'static str,
    /// The items that caused it.
    pub(super) items: Vec<String>,
}

/// A quoted price.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListPrice {
    /// How much.
    #[serde(flatten)]
    pub(super) money: Money,
    /// Names the quote.
    pub(super) quote_id: String,
    /// Until when it holds.
    pub(super) valid_until: String,
}

struct Wanted {
    asker: Asker,
    user: Option<String>,
    scenario: String,
    price: bool,
    ask: Ask,
}

/// A personal list, from the published models and what the shopper did since.
#[utoipa::path(get, path = "/recommendations/{user}", tag = "storefront",
    params(("user" = String, Path, description = "the customer"), ListQuery),
    responses((status = 200, body = ListAnswer), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub async fn get_list(
    State(state): State<ApiState>,
    Path(user): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<ListAnswer>, ApiError> {
    let split = |field, text: Option<String>| -> Result<Vec<ItemId>, ApiError> {
        let text = text.unwrap_or_default();
        item_ids(field, text.split(',').map(str::trim).filter(|id| !id.is_empty()))
    };
    let shopper = ShopperId::User(user_id(&user)?);
    let session = query.session.as_deref().map(session_id).transpose().map_err(at("/session"))?;
    let ask = Ask {
        n: n_of(&state, query.n)?,
        category: query.category,
        exclude: split("exclude", query.exclude)?,
        context: split("context", query.context)?,
        explain: query.explain.unwrap_or(false),
    };
    let wanted = Wanted {
        asker: Asker {
            shopper: Some(shopper),
            session: session.map(ShopperId::Session),
            visited: Vec::new(),
        },
        user: Some(user),
        scenario: query.scenario.unwrap_or_else(|| "home".into()),
        price: query.price.unwrap_or(true),
        ask,
    };
    Ok(Json(answer(&state, wanted)))
}

/// The same as a body; `user` may be left out, `session` lists a guest's recent items.
#[utoipa::path(post, path = "/recommendations", tag = "storefront", request_body = ListBody,
    responses((status = 200, body = ListAnswer), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub async fn post_list(
    State(state): State<ApiState>,
    body: Body,
) -> Result<Json<ListAnswer>, ApiError> {
    let body: ListBody = body.json()?;
    let ids = |field, ids: &[String]| item_ids(field, ids.iter().map(String::as_str));
    let user = body.user.as_deref().map(user_id).transpose().map_err(at("/user"))?;
    let ask = Ask {
        n: n_of(&state, body.n)?,
        category: body.category.clone(),
        exclude: ids("exclude", &body.exclude)?,
        context: ids("context", &body.context)?,
        explain: body.explain.unwrap_or(false),
    };
    let wanted = Wanted {
        asker: Asker {
            shopper: user.map(ShopperId::User),
            session: None,
            visited: ids("session", &body.session)?,
        },
        user: body.user.clone(),
        scenario: body.scenario.clone().unwrap_or_else(|| "home".into()),
        price: body.price.unwrap_or(true),
        ask,
    };
    Ok(Json(answer(&state, wanted)))
}

fn n_of(state: &ApiState, n: Option<usize>) -> Result<usize, ApiError> {
    let limits = &state.config.recommendations;
    let n = n.unwrap_or(limits.n_default);
    if (1..=limits.n_max).contains(&n) {
        return Ok(n);
    }
    let detail = format!("n must be from 1 to {}, not {n}", limits.n_max);
    Err(at("/n")(ApiError::Invalid { detail, errors: Vec::new() }))
}

fn answer(state: &ApiState, wanted: Wanted) -> ListAnswer {
    let (now, snapshot) = (state.clock.now(), state.snapshots.current());
    let list = list_of(state, &snapshot, (wanted.asker, &wanted.ask, wanted.price), now);
    let is_down = state.metrics.store_up.get() == 0;
    let is_trained = snapshot.version > 0;
    ListAnswer {
        recommendation_id: uuid::Uuid::now_v7().to_string(),
        user: wanted.user,
        scenario: wanted.scenario,
        source: match list.source {
            Source::Personal => "personal",
            Source::Session => "session",
            Source::Related => "related",
            Source::Popular => "popular",
        },
        model: ModelInfo {
            version: snapshot.version,
            trained_at: is_trained.then(|| snapshot.trained_at.to_string()),
            age_seconds: is_trained.then(|| now.since_ms(snapshot.trained_at) / SECOND_MS),
        },
        degraded: is_down,
        degraded_because: is_down.then_some(
            "the database does not answer; recent events of other processes are missing",
        ),
        empty_because: list.empty_because,
        items: list.items.clone(),
    }
}
