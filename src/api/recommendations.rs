//! `GET /recommendations/{user}` and `POST /recommendations`.

use super::{
    answer_id,
    answers::Given,
    deadline::Deadline,
    error::{ApiError, Problem},
    extract::{Body, Path, Query, at, item_ids, session_id, user_id},
    paging::Page,
    rendered::{Rendered, json, list_of, written},
    shelves::{Asker, n_needed, shelf_key},
    state::ApiState,
};
use crate::{
    decide::{filter::Filter, recommend::Ask},
    domain::{ItemId, ShopperId, item::LABEL_CHARS_MAX, time::SECOND_MS},
    snapshot::Snapshot,
};
use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;
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
    /// Only items that pass, as in `price <= 30 and not brand in ("x", "y")`.
    filter: Option<String>,
    /// `next_cursor` of an answer: the next page of it. Only `n`, `explain` and `price` go with it.
    cursor: Option<String>,
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
    /// Items to leave out, at most 10,000.
    #[serde(default)]
    exclude: Vec<String>,
    /// Only items that pass, as in `price <= 30 and not brand in ("x", "y")`.
    filter: Option<String>,
    /// `next_cursor` of an answer: the next page of it. Only `user`, `n`, `explain` and `price` go with it.
    cursor: Option<String>,
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
    /// The experiment that the shopper takes part in, if one runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment: Option<InExperiment>,
    /// From which snapshot.
    model: ModelInfo,
    /// Whether something was missing that would have made the answer better.
    degraded: bool,
    /// What was missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded_because: Option<&'static str>,
    /// Why the list is empty, if it is.
    empty_because: Option<&'static str>,
    /// Asks for the next page, within 30 minutes; null if there is none.
    next_cursor: Option<String>,
    /// Best first.
    #[schema(value_type = Vec<ListItem>)]
    items: Arc<RawValue>,
}

impl ListAnswer {
    pub(super) fn response(&self) -> Result<Response, ApiError> {
        /// About what an answer takes without its items.
        const HEAD_BYTES: usize = 640;
        Ok(json(written(self, HEAD_BYTES + self.items.get().len())?))
    }
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
    #[schema(value_type = String)]
    pub(super) item: ItemId,
    /// From 1.
    pub(super) rank: usize,
    /// Preference; comparable within this list only.
    pub(super) score: f32,
    /// Why; filled when `explain` is set.
    pub(super) reasons: Vec<ListReason>,
    /// That chance put it there, if the scenario leaves a place to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) explored: Option<Explored>,
    /// What it costs now, if it has a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<ListPrice>,
    /// `in`, or `unknown` if stock is not counted.
    pub(super) stock: &'static str,
}

/// An item that chance put into a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explored {
    /// How probable it was that this one came to the place.
    pub(super) propensity: f64,
}

/// The variant of an experiment that a list was made by.
#[derive(Debug, Serialize, ToSchema)]
pub struct InExperiment {
    /// The experiment.
    id: String,
    /// The variant.
    variant: String,
}

/// One reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListReason {
    /// `buy_again`, `seen_before`, `because_you_bought`, `because_you_liked`, `people_like_you`,
    /// `popular`, `pinned`.
    pub(super) kind: &'static str,
    /// The items that caused it.
    pub(super) items: Vec<String>,
}

/// A quoted price.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListPrice {
    /// A decimal amount, as a string so that no client rounds it.
    #[schema(example = "12.90")]
    pub(super) amount: String,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub(super) currency: &'static str,
    /// Names the quote.
    pub(super) quote_id: String,
    /// Until when it holds.
    #[schema(value_type = String)]
    pub(super) valid_until: Arc<str>,
}

/// What a request for a list comes to.
pub(super) struct Wanted {
    /// Who asks.
    pub(super) asker: Asker,
    /// The customer, if one is named.
    pub(super) user: Option<String>,
    /// The place in the storefront.
    pub(super) scenario: String,
    /// Whether to quote prices.
    pub(super) price: bool,
    /// What is asked.
    pub(super) ask: Ask,
}

impl ListQuery {
    /// What is wanted for `user`; a cursor is another matter.
    pub(super) fn wanted(self, state: &ApiState, user: String) -> Result<Wanted, ApiError> {
        if self.cursor.is_some() {
            return Err(invalid("/cursor", "a cursor goes with a list alone; leave it out".into()));
        }
        let split = |field, text: Option<String>| -> Result<Vec<ItemId>, ApiError> {
            let text = text.unwrap_or_default();
            item_ids(field, text.split(',').map(str::trim).filter(|id| !id.is_empty()))
        };
        let shopper = ShopperId::User(user_id(&user)?);
        let session =
            self.session.as_deref().map(session_id).transpose().map_err(at("/session"))?;
        let ask = Ask {
            n: n_of(state, self.n)?,
            category: self.category,
            filter: filter_of(state, self.filter.as_deref())?,
            exclude: split("exclude", self.exclude)?,
            context: split("context", self.context)?,
            explain: self.explain.unwrap_or(false),
            seed: 0,
        };
        Ok(Wanted {
            asker: Asker {
                shopper: Some(shopper),
                session: session.map(ShopperId::Session),
                visited: Vec::new(),
            },
            user: Some(user),
            scenario: scenario_of(self.scenario)?,
            price: self.price.unwrap_or(true),
            ask: bounded(ask)?,
        })
    }
}

/// A personal list, from the published models and what the shopper did since.
#[utoipa::path(get, path = "/recommendations/{user}", tag = "storefront",
    params(("user" = String, Path, description = "the customer"), ListQuery,
        ("x-deadline-ms" = Option<u32>, Header, description = "milliseconds after which the answer is of no use; what is ready by then is answered")),
    responses((status = 200, body = ListAnswer), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub async fn get_list(
    State(state): State<ApiState>,
    Path(user): Path<String>,
    Query(query): Query<ListQuery>,
    deadline: Deadline,
) -> Result<Response, ApiError> {
    if let Some(cursor) = &query.cursor {
        let steered = [
            ("scenario", query.scenario.is_some()),
            ("context", query.context.is_some()),
            ("session", query.session.is_some()),
            ("category", query.category.is_some()),
            ("exclude", query.exclude.is_some()),
            ("filter", query.filter.is_some()),
        ];
        let page = Page { cursor, user: Some(&user), n: query.n, explain: query.explain };
        return page.answer(&state, (query.price, deadline), &steered).await?.response();
    }
    let wanted = query.wanted(&state, user)?;
    answer(&state, wanted, deadline).await?.response()
}

/// The same as a body; `user` may be left out, `session` lists a guest's recent items.
#[utoipa::path(post, path = "/recommendations", tag = "storefront", request_body = ListBody,
    params(("x-deadline-ms" = Option<u32>, Header, description = "as for GET")),
    responses((status = 200, body = ListAnswer), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub async fn post_list(
    State(state): State<ApiState>,
    deadline: Deadline,
    body: Body,
) -> Result<Response, ApiError> {
    let body: ListBody = body.json()?;
    if let Some(cursor) = &body.cursor {
        let steered = [
            ("scenario", body.scenario.is_some()),
            ("context", !body.context.is_empty()),
            ("session", !body.session.is_empty()),
            ("category", body.category.is_some()),
            ("exclude", !body.exclude.is_empty()),
            ("filter", body.filter.is_some()),
        ];
        let user = body.user.as_deref();
        let page = Page { cursor, user, n: body.n, explain: body.explain };
        return page.answer(&state, (body.price, deadline), &steered).await?.response();
    }
    let ids = |field, ids: &[String]| item_ids(field, ids.iter().map(String::as_str));
    let user = body.user.as_deref().map(user_id).transpose().map_err(at("/user"))?;
    let ask = Ask {
        n: n_of(&state, body.n)?,
        category: body.category.clone(),
        filter: filter_of(&state, body.filter.as_deref())?,
        exclude: ids("exclude", &body.exclude)?,
        context: ids("context", &body.context)?,
        explain: body.explain.unwrap_or(false),
        seed: 0,
    };
    // Of a long visit only the end matters.
    let visited = &body.session[body.session.len().saturating_sub(VISITED_MAX)..];
    let wanted = Wanted {
        asker: Asker {
            shopper: user.map(ShopperId::User),
            session: None,
            visited: ids("session", visited)?,
        },
        user: body.user.clone(),
        scenario: scenario_of(body.scenario.clone())?,
        price: body.price.unwrap_or(true),
        ask: bounded(ask)?,
    };
    answer(&state, wanted, deadline).await?.response()
}

/// Most items of a visit that are looked at, the latest.
const VISITED_MAX: usize = 100;
/// Most items that a request may leave out or name as context.
const NAMED_MAX: usize = 10_000;
/// Longest name of a place in the storefront, in bytes.
const SCENARIO_BYTES_MAX: usize = 64;

pub(super) fn invalid(pointer: &str, detail: String) -> ApiError {
    at(pointer)(ApiError::Invalid { detail, errors: Vec::new() })
}

pub(super) fn n_of(state: &ApiState, n: Option<usize>) -> Result<usize, ApiError> {
    let limits = &state.config.recommendations;
    let n = n.unwrap_or(limits.n_default);
    if (1..=limits.n_max).contains(&n) {
        return Ok(n);
    }
    Err(invalid("/n", format!("n must be from 1 to {}, not {n}", limits.n_max)))
}

pub(super) fn filter_of(state: &ApiState, text: Option<&str>) -> Result<Option<Filter>, ApiError> {
    let read = |text| Filter::parse(text, state.currency.digits());
    let filter = text.map(read).transpose();
    filter.map_err(|error| invalid("/filter", format!("the filter cannot be read {error}")))
}

pub(super) fn scenario_of(scenario: Option<String>) -> Result<String, ApiError> {
    let Some(scenario) = scenario else { return Ok("home".into()) };
    let is_named = !scenario.is_empty() && !scenario.chars().any(char::is_control);
    if is_named && scenario.len() <= SCENARIO_BYTES_MAX {
        return Ok(scenario);
    }
    let detail =
        format!("scenario must be 1 to {SCENARIO_BYTES_MAX} bytes without control characters");
    Err(invalid("/scenario", detail))
}

fn bounded(ask: Ask) -> Result<Ask, ApiError> {
    let is_long = |name: &String| name.chars().nth(LABEL_CHARS_MAX).is_some();
    if ask.category.as_ref().is_some_and(is_long) {
        let detail = format!("no category is longer than {LABEL_CHARS_MAX} characters");
        return Err(invalid("/category", detail));
    }
    for (pointer, items) in [("/exclude", &ask.exclude), ("/context", &ask.context)] {
        if items.len() > NAMED_MAX {
            let detail = format!("{} items are too many; at most {NAMED_MAX}", items.len());
            return Err(invalid(pointer, detail));
        }
    }
    Ok(ask)
}

async fn answer(
    state: &ApiState,
    wanted: Wanted,
    deadline: Deadline,
) -> Result<ListAnswer, ApiError> {
    let (now, snapshot) = (state.clock.now(), state.snapshots.current());
    let mut ask = wanted.ask;
    let chosen = state.policies.of(&wanted.scenario, wanted.asker.shopper.as_ref(), now);
    let shelf = shelf_key(state, &snapshot, (wanted.asker, &chosen), &ask.context, now);
    ask.seed = chosen.seed(&shelf);
    let make = {
        let (state, snapshot, shelf) = (state.clone(), snapshot.clone(), shelf.clone());
        let (ask, chosen, scenario) = (ask.clone(), chosen.clone(), wanted.scenario.clone());
        move |deadline| {
            let asked = (&shelf, &ask, wanted.price, scenario.as_str());
            list_of(&state, &snapshot, asked, (&chosen, deadline), now)
        }
    };
    let n = n_needed(state, &ask, &chosen.policy);
    let list = state.make((&shelf, n), deadline, make).await?;
    let given = Given {
        user: wanted.user,
        scenario: wanted.scenario,
        chosen,
        shelf,
        ask,
        source: list.source,
        version: snapshot.version,
        at: now,
        items: list.picks.clone(),
        explored: list.explored.clone(),
        before: Arc::default(),
    };
    Ok(told(state, &snapshot, given, &list))
}

/// Keeps an answer and puts it into words.
pub(super) fn told(
    state: &ApiState,
    snapshot: &Snapshot,
    given: Given,
    list: &Rendered,
) -> ListAnswer {
    let id = uuid::Uuid::now_v7();
    let is_down = state.metrics.store_up.get() == 0;
    let is_trained = snapshot.version > 0;
    // A short list has no second page.
    let has_more = given.items.len() == given.ask.n;
    let answer = ListAnswer {
        recommendation_id: answer_id::written(
            id,
            (list.source, &given.scenario),
            given.chosen.variant.as_ref(),
            given.explored.as_ref(),
        ),
        user: given.user.clone(),
        scenario: given.scenario.clone(),
        source: list.source.name(),
        experiment: given.chosen.variant.clone().map(|(id, variant)| InExperiment { id, variant }),
        model: ModelInfo {
            version: snapshot.version,
            trained_at: is_trained.then(|| snapshot.trained_at.to_string()),
            age_seconds: is_trained.then(|| given.at.since_ms(snapshot.trained_at) / SECOND_MS),
        },
        degraded: is_down || list.is_hurried,
        degraded_because: if list.is_hurried {
            Some("there was no time to ask the models; this is what is popular")
        } else if is_down {
            Some("the database does not answer; recent events of other processes are missing")
        } else {
            None
        },
        empty_because: list.empty_because,
        next_cursor: has_more.then(|| id.simple().to_string()),
        items: list.items.clone(),
    };
    state.answers.keep(id, given);
    answer
}
