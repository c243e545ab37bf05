//! `/rules`: what the shop's people want shown.

use super::{
    error::{ApiError, FieldError, Problem},
    extract::{Body, Path, at},
    state::ApiState,
};
use crate::{
    decide::rules::{CheckedRule, LINT_RULES_MAX, Rule, lint},
    domain::{DirectiveKind, RuleId},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// All rules.
#[derive(Debug, Serialize, ToSchema)]
pub struct RulesAnswer {
    /// By name, rising.
    #[schema(value_type = Vec<Object>)]
    rules: Vec<Value>,
}

/// Rules to look through, as they would be.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LintBody {
    /// Rules that would be added, or take the place of those with the same `id`.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    rules: Vec<Value>,
    /// All places in the storefront, if a rule that names another is to be found.
    #[serde(default)]
    scenarios: Vec<String>,
}

/// What is odd about rules.
#[derive(Debug, Serialize, ToSchema)]
pub struct LintAnswer {
    /// How many rules were looked at.
    rules: usize,
    /// Worst first.
    findings: Vec<LintFinding>,
}

/// Something odd about a rule.
#[derive(Debug, Serialize, ToSchema)]
pub struct LintFinding {
    /// Which rule.
    rule: String,
    /// `error`: lists are empty or the rule cannot work; `warning`: it does not do all it says; `info`: it does
    /// nothing.
    severity: &'static str,
    /// What it is, for programs.
    code: &'static str,
    /// What it is, for people.
    message: String,
    /// The rule that it disagrees with.
    other_rule: Option<String>,
}

fn rule_id(text: &str) -> Result<RuleId, ApiError> {
    RuleId::new(text).map_err(|error| ApiError::Invalid {
        detail: format!("the rule id {error}"),
        errors: Vec::new(),
    })
}

/// The rule in a body; `id` is that of the path where there is one.
fn rule_of(state: &ApiState, mut body: Value, id: Option<&RuleId>) -> Result<Rule, ApiError> {
    let invalid = |detail: String| ApiError::Invalid { detail, errors: Vec::new() };
    if let (Some(id), Some(fields)) = (id, body.as_object_mut()) {
        let named = fields.entry("id").or_insert_with(|| id.as_str().into());
        if named.as_str() != Some(id.as_str()) {
            return Err(at("/id")(invalid(format!(
                "`id` must be `{id}`, as in the path, or left out"
            ))));
        }
    }
    let rule: Rule = super::extract::from_value(body)?;
    let checked = CheckedRule::new(rule, state.currency.digits());
    checked.map(|checked| checked.rule().clone()).map_err(|problems| ApiError::Invalid {
        detail: "the rule cannot be applied".into(),
        errors: problems
            .into_iter()
            .map(|problem| FieldError { pointer: problem.pointer, detail: problem.detail })
            .collect(),
    })
}

/// All rules.
#[utoipa::path(get, path = "/rules", tag = "shop", responses((status = 200, body = RulesAnswer)))]
pub async fn get_rules(State(state): State<ApiState>) -> Json<RulesAnswer> {
    let stored = state.live.rules.load();
    Json(RulesAnswer { rules: stored.directives.iter().map(|rule| rule.body.clone()).collect() })
}

/// One rule.
#[utoipa::path(get, path = "/rules/{rule}", tag = "shop", params(("rule" = String, Path)),
    responses((status = 200, body = Value), (status = 404, body = Problem)))]
pub async fn get_rule(
    State(state): State<ApiState>,
    Path(rule): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let stored = state.live.rules.load();
    let found = stored.named(&rule).ok_or(ApiError::NotFound { what: "rule", id: rule })?;
    Ok(Json(found.body.clone()))
}

/// Writes a rule: `{"action": {"kind": "pin", "items": ["sku-1"], "position": 1}}`, or of kind `hide`, `filter`
/// (`filter`), `boost` (`filter`, `factor`), `cap` (`by`, `max`); with `scenarios`, `valid_from`, `valid_until`,
/// `priority`, `enabled`, `description`.
#[utoipa::path(put, path = "/rules/{rule}", tag = "shop", params(("rule" = String, Path)), request_body = Value,
    responses((status = 200, body = Value), (status = 201, body = Value), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn put_rule(
    State(state): State<ApiState>,
    Path(rule): Path<String>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let id = rule_id(&rule)?;
    let rule = rule_of(&state, body.json()?, Some(&id))?;
    let text = serde_json::to_value(&rule);
    let text =
        text.map_err(|error| ApiError::Internal(format!("a rule cannot be written: {error}")))?;
    let now = state.clock.now();
    let named = (DirectiveKind::Rule, id.as_str());
    let had = state.store.change_directive(named, Some(&text), now, LINT_RULES_MAX as u32).await?;
    let Some(had) = had else {
        let detail = format!("there are {LINT_RULES_MAX} rules already; remove one first");
        return Err(ApiError::Conflict(detail));
    };
    state.live.follow_directives(&*state.store, DirectiveKind::Rule).await?;
    Ok((if had { StatusCode::OK } else { StatusCode::CREATED }, Json(text)))
}

/// Removes a rule.
#[utoipa::path(delete, path = "/rules/{rule}", tag = "shop", params(("rule" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn delete_rule(
    State(state): State<ApiState>,
    Path(rule): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = rule_id(&rule)?;
    let named = (DirectiveKind::Rule, id.as_str());
    let had = state.store.change_directive(named, None, state.clock.now(), 0).await?;
    state.live.follow_directives(&*state.store, DirectiveKind::Rule).await?;
    if had != Some(true) {
        return Err(ApiError::NotFound { what: "rule", id: rule });
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Looks through the rules, with some added or changed but none written: which match nothing, empty lists,
/// contradict others.
#[utoipa::path(post, path = "/rules/lint", tag = "shop", request_body = LintBody,
    responses((status = 200, body = LintAnswer), (status = 422, body = Problem)))]
pub async fn post_lint(
    State(state): State<ApiState>,
    body: Body,
) -> Result<Json<LintAnswer>, ApiError> {
    let body: LintBody = if body.bytes.is_empty() { LintBody::default() } else { body.json()? };
    if body.rules.len() > LINT_RULES_MAX {
        return Err(ApiError::TooMany { n: body.rules.len(), max: LINT_RULES_MAX });
    }
    let mut rules: Vec<Rule> = Vec::new();
    for (index, value) in body.rules.into_iter().enumerate() {
        let rule = super::extract::from_value(value)
            .map_err(|error| super::extract::within(&format!("/rules/{index}"), error))?;
        rules.push(rule);
    }
    let stored = state.live.rules.load_full();
    for stored in &stored.directives {
        if !rules.iter().any(|rule: &Rule| rule.id.as_str() == stored.name) {
            rules.extend(serde_json::from_value::<Rule>(stored.body.clone()).ok());
        }
    }
    let n_rules = rules.len();
    let (now, digits) = (state.clock.now(), state.currency.digits());
    let mut scenarios = body.scenarios;
    if scenarios.is_empty() {
        // Whoever does not say which there are means those that are named.
        scenarios = rules.iter().flat_map(|rule| rule.scenarios.iter().cloned()).collect();
        scenarios.push("home".into());
        scenarios.sort();
        scenarios.dedup();
    }
    // Some hundred rules over a whole catalogue take their time.
    let findings = tokio::task::spawn_blocking(move || {
        let items: Vec<_> = state.live.catalogue.items().into_iter().map(|e| e.item).collect();
        let scenarios: Vec<&str> = scenarios.iter().map(String::as_str).collect();
        lint(&rules, items.iter().map(|item| &**item), &scenarios, now, digits)
    });
    let findings = findings.await.map_err(|error| ApiError::Internal(error.to_string()))?;
    let findings = findings.into_iter().map(|finding| LintFinding {
        rule: finding.rule.to_string(),
        severity: finding.severity.name(),
        code: finding.code,
        message: finding.message,
        other_rule: finding.other_rule.map(|rule| rule.to_string()),
    });
    Ok(Json(LintAnswer { rules: n_rules, findings: findings.collect() }))
}
