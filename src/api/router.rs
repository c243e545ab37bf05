//! Every route, with the scope of key that it needs.

use super::{
    auth::Scope,
    catalogue, competitors,
    error::ApiError,
    events, experiments, explanation, markdown,
    middleware::{self, Observe},
    operator, people, price_policies, price_runs, prices, prior_price, quotes, recommendations,
    related, rules, simulation,
    state::ApiState,
    why,
};
use axum::{Router, extract::DefaultBodyLimit, handler::Handler, response::Response};
use std::any::Any;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::SwaggerUi;

/// What the OpenAPI document says about itself.
#[derive(OpenApi)]
#[openapi(info(
    title = "Shopkeeper",
    description = "Records what shoppers do, learns from it in the background, and decides what to show and at what price."
))]
struct Document;

type Caught = CatchPanicLayer<fn(Box<dyn Any + Send + 'static>) -> Response>;

/// What every handler is behind.
pub fn around(state: &ApiState, scope: Option<Scope>) -> (Observe, Caught, DefaultBodyLimit) {
    (
        Observe { state: state.clone(), scope },
        CatchPanicLayer::custom(middleware::caught),
        DefaultBodyLimit::max(state.config.server.body_bytes_max),
    )
}

/// The whole HTTP surface.
pub fn router(state: ApiState) -> Router {
    let storefront = OpenApiRouter::new()
        .routes(routes!(recommendations::get_list))
        .routes(routes!(recommendations::post_list))
        .routes(routes!(why::get_why))
        .routes(routes!(related::get_related))
        .routes(routes!(related::get_trending))
        .routes(routes!(why::get_by_id))
        .routes(routes!(prices::get_price))
        .routes(routes!(prices::post_prices))
        .routes(routes!(prices::get_history))
        .routes(routes!(prior_price::get_prior_price))
        .routes(routes!(quotes::verify_quote));
    let events = OpenApiRouter::new()
        .routes(routes!(events::post_events))
        .routes(routes!(events::post_click))
        .routes(routes!(events::post_purchase));
    let ingest = OpenApiRouter::new()
        .routes(routes!(
            catalogue::put_item,
            catalogue::patch_item,
            catalogue::get_item,
            catalogue::delete_item
        ))
        .routes(routes!(catalogue::post_items))
        .routes(routes!(competitors::post_competitor_prices))
        .routes(routes!(people::merge_users));
    let admin = OpenApiRouter::new()
        .routes(routes!(people::put_user, people::get_user, people::delete_user))
        .routes(routes!(people::export_user))
        .routes(routes!(rules::get_rules))
        .routes(routes!(rules::get_rule, rules::put_rule, rules::delete_rule))
        .routes(routes!(rules::post_lint))
        .routes(routes!(competitors::get_competitor_prices))
        .routes(routes!(explanation::get_explanation))
        .routes(routes!(explanation::get_elasticity))
        .routes(routes!(simulation::post_simulate))
        .routes(routes!(markdown::post_markdown))
        .routes(routes!(price_policies::get_policies))
        .routes(routes!(
            price_policies::get_policy,
            price_policies::put_policy,
            price_policies::delete_policy
        ))
        .routes(routes!(price_runs::get_runs, price_runs::post_run))
        .routes(routes!(price_runs::get_run))
        .routes(routes!(price_runs::get_decisions))
        .routes(routes!(price_runs::approve))
        .routes(routes!(price_runs::reject))
        .routes(routes!(price_runs::roll_back))
        .routes(routes!(price_runs::stop))
        .routes(routes!(price_runs::resume))
        .routes(routes!(experiments::get_experiments))
        .routes(routes!(experiments::get_experiment))
        .routes(routes!(operator::status))
        .routes(routes!(operator::models))
        .routes(routes!(operator::train))
        .routes(routes!(operator::rollback));
    let open = OpenApiRouter::new()
        .routes(routes!(operator::live))
        .routes(routes!(operator::ready))
        .routes(routes!(operator::metrics));
    let around = |scope: Option<Scope>| around(&state, scope);
    let guarded = |router: OpenApiRouter<ApiState>, scope| router.layer(around(Some(scope)));
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(guarded(storefront, Scope::Storefront))
        .merge(guarded(events, Scope::Events))
        .merge(guarded(ingest, Scope::Ingest))
        .merge(guarded(admin, Scope::Admin))
        .merge(open.layer(around(None)))
        .split_for_parts();
    let pages: Router<ApiState> = SwaggerUi::new("/docs").url("/openapi.json", document).into();
    router
        .merge(pages.layer(around(None)))
        .fallback((async || ApiError::NoRoute).layer(around(None)))
        .method_not_allowed_fallback((async || ApiError::MethodNotAllowed).layer(around(None)))
        .with_state(state)
}
