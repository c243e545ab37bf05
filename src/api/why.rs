//! `GET /recommendations/{user}/why/{item}` and `GET /recommendations/by-id/{id}`: answers about answers.

use super::{
    answer_id,
    deadline::Deadline,
    error::{ApiError, Problem},
    extract::{Path, Query, item_id},
    recommendations::{Explored, ListQuery, ListReason, Wanted},
    shelves::{popular_now, shelf_key, shelf_of},
    state::ApiState,
};
use crate::{
    decide::recommend::{Why, why},
    domain::ItemId,
    snapshot::Snapshot,
};
use axum::{Json, extract::State};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Why an item is in a shopper's list, or what keeps it out.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhyAnswer {
    /// For whom.
    user: String,
    /// Which item.
    item: String,
    /// Whether it is among the first `n`.
    shown: bool,
    /// `shown`, `ranked_below`, `not_a_candidate`, or what keeps it out whatever its score: `excluded`,
    /// `in_context`, `bought_lately`, `seen_in_visit`, `not_in_catalogue`, `removed_from_catalogue`,
    /// `not_available`, `out_of_stock`, `other_category`, `filtered`, `hidden_by_rule`, `filtered_by_rule`,
    /// `below_relevance`, `variant_shown`, `capped_by_rule`, `left_to_chance`.
    stage: &'static str,
    /// The same for people.
    because: String,
    /// What would bring the item into the list; null if it is there.
    remedy: Option<String>,
    /// Its place among the items that may be shown, from 1; null if it has no score.
    rank: Option<usize>,
    /// Its score; comparable with those of the list.
    score: Option<f32>,
    /// That chance put it there, if the scenario leaves a place to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    explored: Option<Explored>,
    /// Where the list comes from: `personal`, `session`, `related` or `popular`.
    source: &'static str,
    /// The snapshot's version.
    model_version: u64,
    /// What each model of the blend says.
    models: Vec<WhyModel>,
    /// What of the shopper's history speaks for it.
    reasons: Vec<ListReason>,
}

/// What one model says of an item.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhyModel {
    /// Which.
    model: &'static str,
    /// Its weight in the blend.
    weight: f32,
    /// Its own score; null if it has nothing to say about this shopper.
    score: Option<f32>,
    /// Its place among all items by this score.
    rank: Option<usize>,
}

/// The same parameters as the list that is asked about.
#[utoipa::path(get, path = "/recommendations/{user}/why/{item}", tag = "storefront",
    params(("user" = String, Path, description = "the customer"),
        ("item" = String, Path, description = "the item"), ListQuery),
    responses((status = 200, body = WhyAnswer), (status = 400, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn get_why(
    State(state): State<ApiState>,
    Path((user, item)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Result<Json<WhyAnswer>, ApiError> {
    let item = item_id(&item)?;
    let wanted = query.wanted(&state, user.clone())?;
    let snapshot = state.snapshots.current();
    let (version, n, asked_item) = (snapshot.version, wanted.ask.n, item.clone());
    let looking = state.clone();
    // Every item may have to be scored and looked at, which is not for the threads that answer.
    let look = move |deadline: Deadline| {
        let is_over = deadline.left() == Some(Duration::ZERO);
        (!is_over).then(|| look(&looking, &snapshot, wanted, &asked_item))
    };
    let found = state.scoring.run(Deadline::default(), look).await?.ok_or(ApiError::Crowded)?;
    let (stage, because, remedy) = in_words(&found, n);
    let models = found.models.iter().map(|model| WhyModel {
        model: model.model,
        weight: model.weight,
        score: model.score,
        rank: model.rank,
    });
    Ok(Json(WhyAnswer {
        user,
        item: item.to_string(),
        shown: stage == "shown",
        stage,
        because,
        remedy,
        rank: found.rank,
        score: found.score,
        explored: found.propensity.map(|propensity| Explored { propensity }),
        source: found.source.name(),
        model_version: version,
        models: models.collect(),
        reasons: found.reasons.into_iter().map(ListReason::from).collect(),
    }))
}

/// Goes through the stages of the list that is asked about.
fn look(state: &ApiState, snapshot: &Snapshot, wanted: Wanted, item: &ItemId) -> Why {
    let (now, mut ask) = (state.clock.now(), wanted.ask);
    let chosen = state.policies.of(&wanted.scenario, wanted.asker.shopper.as_ref(), now);
    let key = shelf_key(state, snapshot, (wanted.asker, &chosen), &ask.context, now);
    ask.seed = chosen.seed(&key);
    let named = (&key, usize::MAX);
    let (shelf, _) = shelf_of(state, snapshot, named, (&chosen, Deadline::default()), now);
    let popular = popular_now(state, snapshot);
    let rules = state.rule_book().in_force(&wanted.scenario, now);
    let gate = state.gate((snapshot, &shelf.taste), &ask, (&rules, &chosen.policy), now);
    why(&shelf, &popular, &gate, item)
}

/// The stage, why, and what would change it.
fn in_words(found: &Why, n: usize) -> (&'static str, String, Option<String>) {
    if let Some(removal) = &found.removal {
        return (removal.stage(), removal.to_string(), Some(removal.remedy()));
    }
    match found.rank {
        Some(rank) if rank <= n => ("shown", format!("It is number {rank} of the list."), None),
        Some(rank) => (
            "ranked_below",
            format!("{} better items come before it.", rank - 1),
            Some(format!(
                "Ask for {rank} items or for fewer kinds of them; interest in it, or in what goes with it, brings it up."
            )),
        ),
        None => (
            "not_a_candidate",
            "No model knows it yet, or nobody has shown interest in it.".into(),
            Some("Wait for events about it and the next training run.".into()),
        ),
    }
}

/// An answer as it was given.
#[derive(Debug, Serialize, ToSchema)]
pub struct PastAnswer {
    /// Its id.
    recommendation_id: String,
    /// For whom.
    user: Option<String>,
    /// Where.
    scenario: String,
    /// Where the list came from: `personal`, `session`, `related` or `popular`.
    source: &'static str,
    /// The snapshot's version.
    model_version: u64,
    /// When it was given.
    answered_at: String,
    /// Until when it can be looked up and continued.
    kept_until: String,
    /// What was asked.
    request: PastRequest,
    /// The items, in the order in which they were given.
    items: Vec<PastItem>,
}

/// What was asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct PastRequest {
    /// How many items.
    n: usize,
    /// Only items of this category.
    category: Option<String>,
    /// Only items that pass.
    filter: Option<String>,
    /// Items left out.
    exclude: Vec<String>,
    /// Items on the page or in the cart.
    context: Vec<String>,
    /// A guest's recent items.
    session: Vec<String>,
}

/// An item of a past answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct PastItem {
    /// Its id.
    item: String,
    /// From 1, counted through all pages.
    rank: usize,
    /// Preference; comparable within this list only.
    score: f32,
}

/// An answer of the last 30 minutes, by its `recommendation_id`.
#[utoipa::path(get, path = "/recommendations/by-id/{id}", tag = "storefront",
    params(("id" = String, Path, description = "its `recommendation_id`")),
    responses((status = 200, body = PastAnswer), (status = 404, body = Problem)))]
pub async fn get_by_id(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Json<PastAnswer>, ApiError> {
    let known = answer_id::read(&id);
    let given = known.and_then(|(uuid, _)| state.answers.get(uuid, state.clock.now()));
    let given = given.ok_or(ApiError::NotFound { what: "recommendation", id: id.clone() })?;
    let names = |items: &[ItemId]| items.iter().map(ToString::to_string).collect();
    let items = given.items.iter().zip(given.before.len() + 1..);
    Ok(Json(PastAnswer {
        recommendation_id: id,
        user: given.user.clone(),
        scenario: given.scenario.clone(),
        source: given.source.name(),
        model_version: given.version,
        answered_at: given.at.to_string(),
        kept_until: given.at.plus_ms(super::answers::KEPT_MS).to_string(),
        request: PastRequest {
            n: given.ask.n,
            category: given.ask.category.clone(),
            filter: given.ask.filter.as_ref().map(ToString::to_string),
            exclude: names(&given.ask.exclude),
            context: names(&given.ask.context),
            session: names(given.shelf.visited()),
        },
        items: items
            .map(|((item, score), rank)| PastItem { item: item.to_string(), rank, score: *score })
            .collect(),
    }))
}
