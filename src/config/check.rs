//! Whether the settings make sense; every message names its key.

use super::{Config, ConfigError};
use crate::decide::{experiment::Experiment, price::WrongTerm, recommend::Policy};
use crate::learn::recommenders::{FitError, ModelError};
use std::fmt::Display;

const AT_LEAST_1: &str = "must be at least 1";
const SHARE: &str = "must be from 0 to 1";
const POSITIVE: &str = "must be a number above 0";

fn rule(
    holds: bool,
    key: &'static str,
    rule: &'static str,
    value: impl Display,
) -> Result<(), ConfigError> {
    if holds {
        Ok(())
    } else {
        Err(ConfigError::Value { key: key.into(), rule, value: value.to_string() })
    }
}

fn at_least_1(value: impl TryInto<u128>, key: &'static str) -> Result<(), ConfigError> {
    let value = value.try_into().unwrap_or(0);
    rule(value >= 1, key, AT_LEAST_1, value)
}

fn positive(value: f64, key: &'static str) -> Result<(), ConfigError> {
    rule(value > 0.0 && value.is_finite(), key, POSITIVE, value)
}

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_service()?;
        self.check_events()?;
        self.check_training()?;
        self.check_sessions()?;
        self.check_scenarios()?;
        self.check_answers()
    }

    fn check_service(&self) -> Result<(), ConfigError> {
        let (server, database, auth) = (&self.server, &self.database, &self.auth);
        let (currency, url) = (&self.shop.currency, database.url.0.as_str());
        rule(self.currency_opt().is_some(), "shop.currency", "must be an ISO 4217 code", currency)?;
        let known = url == "sqlite"
            || ["sqlite://", "postgres://", "postgresql://"].iter().any(|s| url.starts_with(s));
        rule(
            known,
            "database.url",
            "must be `sqlite`, `sqlite://PATH` or `postgres://…`",
            database.url.redacted(),
        )?;
        let n = database.connections_max;
        rule(n >= 2, "database.connections_max", "must be at least 2", n)?;
        at_least_1(database.acquire_timeout_ms, "database.acquire_timeout_ms")?;
        rule(
            !auth.is_open() || server.listen.ip().is_loopback(),
            "auth.admin_keys",
            "must hold a key when server.listen is not a loopback address",
            "[]",
        )?;
        for (key, secrets) in [
            ("auth.storefront_keys", &auth.storefront_keys),
            ("auth.ingest_keys", &auth.ingest_keys),
            ("auth.admin_keys", &auth.admin_keys),
        ] {
            let long = secrets.iter().all(|secret| secret.0.len() >= 16);
            rule(long, key, "must hold keys of at least 16 characters", "[redacted]")?;
        }
        let bytes = server.body_bytes_max;
        rule(bytes >= 1024, "server.body_bytes_max", "must be at least 1024", bytes)?;
        let format = self.log.format.as_str();
        rule(["text", "json"].contains(&format), "log.format", "must be `text` or `json`", format)?;
        let filter = tracing_subscriber::EnvFilter::try_new(&self.log.filter);
        rule(filter.is_ok(), "log.filter", "must be a level or a filter", &self.log.filter)
    }

    fn check_events(&self) -> Result<(), ConfigError> {
        let (events, live, w) = (&self.events, &self.live, &self.weights);
        at_least_1(events.batch_max, "events.batch_max")?;
        at_least_1(events.commit_max, "events.commit_max")?;
        let waits = events.queue_max;
        let fits = waits >= events.batch_max;
        rule(fits, "events.queue_max", "must be at least events.batch_max", waits)?;
        at_least_1(self.catalogue.items_max, "catalogue.items_max")?;
        at_least_1(live.shoppers_max, "live.shoppers_max")?;
        at_least_1(live.events_per_shopper_max, "live.events_per_shopper_max")?;
        let period = live.follow_period_ms;
        rule(period >= 10, "live.follow_period_ms", "must be at least 10", period)?;
        for (key, weight) in [
            ("weights.view", w.view),
            ("weights.click", w.click),
            ("weights.impression", w.impression),
            ("weights.add_to_cart", w.add_to_cart),
            ("weights.remove_from_cart", w.remove_from_cart),
            ("weights.purchase", w.purchase),
            ("weights.return", w.r#return),
            ("weights.wishlist", w.wishlist),
            ("weights.dislike", w.dislike),
            ("weights.rating", w.rating),
            ("weights.rating_neutral", w.rating_neutral),
        ] {
            rule(weight.is_finite(), key, "must be a finite number", weight)?;
        }
        positive(w.cell_max.into(), "weights.cell_max")
    }

    fn check_training(&self) -> Result<(), ConfigError> {
        let training = &self.training;
        at_least_1(training.period_seconds, "training.period_seconds")?;
        let threads = training.threads;
        rule(threads <= 1024, "training.threads", "must be at most 1024", threads)?;
        positive(training.half_life_days, "training.half_life_days")?;
        positive(training.popularity_half_life_days, "training.popularity_half_life_days")?;
        at_least_1(training.window_days, "training.window_days")?;
        at_least_1(training.events_max, "training.events_max")?;
        let share = training.holdout_share;
        let is_share = (0.0..=0.5).contains(&share);
        rule(is_share, "training.holdout_share", "must be from 0 to 0.5", share)?;
        at_least_1(training.holdout_days_max, "training.holdout_days_max")?;
        let n = training.holdout_shoppers_max;
        rule(n >= 2, "training.holdout_shoppers_max", "must be at least 2", n)?;
        let tolerance = training.tolerance;
        rule((0.0..=1.0).contains(&tolerance), "training.tolerance", SHARE, tolerance)?;
        at_least_1(training.keep_versions, "training.keep_versions")?;
        at_least_1(training.events_per_shopper_max, "training.events_per_shopper_max")?;
        let search = &self.search;
        positive(search.budget_seconds, "search.budget_seconds")?;
        positive(search.run_seconds, "search.run_seconds")?;
        let n = search.trials_max;
        rule((1..=10_000).contains(&n), "search.trials_max", "must be from 1 to 10000", n)?;
        at_least_1(search.renew_days, "search.renew_days")?;
        self.models.params().check().map_err(|error| match error {
            ModelError { kind, error: FitError::Parameter { parameter, rule, value } } => {
                ConfigError::Value {
                    key: format!("models.{}.{parameter}", kind.name()),
                    rule,
                    value,
                }
            }
            ModelError { kind, error } => {
                ConfigError::Read(format!("models.{}: {error}", kind.name()))
            }
        })
    }

    fn check_sessions(&self) -> Result<(), ConfigError> {
        let sessions = &self.sessions;
        let minutes = sessions.gap_minutes;
        let allowed = "must be from 1 to 1440";
        rule((1..=1_440).contains(&minutes), "sessions.gap_minutes", allowed, minutes)?;
        let refused = |error| match error {
            FitError::Parameter { parameter, rule, value } => {
                let key = match parameter {
                    "sessions_max" => "sessions.visits_max".into(),
                    "items_per_session_max" => "sessions.items_per_visit_max".into(),
                    "postings_max" => "sessions.postings_max".into(),
                    parameter => format!("sessions.vmis_knn.{parameter}"),
                };
                ConfigError::Value { key, rule, value }
            }
            error => ConfigError::Read(format!("sessions: {error}")),
        };
        sessions.limits().check().map_err(refused)?;
        sessions.vmis_knn.check().map_err(refused)?;
        let m = sessions.vmis_knn.m;
        let allowed = "must be at most sessions.postings_max";
        rule(m <= sessions.postings_max, "sessions.vmis_knn.m", allowed, m)
    }

    fn check_scenarios(&self) -> Result<(), ConfigError> {
        let refused = |place: &str, policy: &Policy| {
            let wrong = policy.check().err();
            wrong.map_or(Ok(()), |(key, rule, value)| {
                Err(ConfigError::Value { key: format!("{place}.{key}"), rule, value })
            })
        };
        for (name, policy) in &self.scenarios {
            refused(&format!("scenarios.{name}"), policy)?;
        }
        for (at, experiment) in self.experiments.iter().enumerate() {
            let place = format!("experiments[{at}]");
            let read = |error: String| ConfigError::Read(format!("`{place}`: {error}"));
            experiment.check().map_err(|error| read(error.to_string()))?;
            let others = &self.experiments[..at];
            if others.iter().any(|other| other.id == experiment.id) {
                return Err(read(format!("the id {:?} is there twice", experiment.id)));
            }
            let same = |other: &&Experiment| {
                other.enabled && experiment.enabled && other.scenario == experiment.scenario
            };
            if let Some(other) = others.iter().find(same) {
                return Err(read(format!(
                    "the experiment {:?} is about the same scenario; enable one of the two",
                    other.id
                )));
            }
            for variant in &experiment.variants {
                let base = self.scenarios.get(&experiment.scenario);
                let policy = self.variant_policy(base, &variant.settings).map_err(read)?;
                refused(&format!("{place}.{}", variant.name), &policy)?;
            }
        }
        let hours = self.attribution.window_hours;
        rule(hours <= 720, "attribution.window_hours", "must be at most 720", hours)
    }

    fn check_pricing(&self) -> Result<(), ConfigError> {
        let pricing = &self.pricing;
        if let Some(WrongTerm { key, rule, value }) = self.price_terms().check().into_iter().next()
        {
            return Err(ConfigError::Value { key: format!("pricing.{key}"), rule, value });
        }
        for (key, share) in [
            ("pricing.explore_share", pricing.explore_share),
            ("pricing.moved_share_max", pricing.moved_share_max),
        ] {
            rule((0.0..=1.0).contains(&share), key, SHARE, share)?;
        }
        let jump = pricing.cost_jump_max;
        rule((0.0..=10.0).contains(&jump), "pricing.cost_jump_max", "must be from 0 to 10", jump)?;
        for (key, days) in [
            ("pricing.dwell_days", pricing.dwell_days),
            ("pricing.feed_gap_days", pricing.feed_gap_days),
        ] {
            rule((0.0..=365.0).contains(&days), key, "must be from 0 to 365", days)?;
        }
        rule(
            !pricing.market.is_empty() && pricing.market.len() <= 64,
            "pricing.market",
            "must have 1 to 64 characters",
            &pricing.market,
        )?;
        if let Err(error) = pricing.competition.check() {
            let key = format!("pricing.competition, {}", error.key);
            return Err(ConfigError::Value { key, rule: error.rule, value: error.value });
        }
        at_least_1(pricing.keep_runs, "pricing.keep_runs")
    }

    fn check_answers(&self) -> Result<(), ConfigError> {
        let (lists, pricing) = (&self.recommendations, &self.pricing);
        at_least_1(lists.n_max, "recommendations.n_max")?;
        let n = lists.n_default;
        let allowed = "must be from 1 to recommendations.n_max";
        rule((1..=lists.n_max).contains(&n), "recommendations.n_default", allowed, n)?;
        let hours = lists.trending_half_life_hours;
        let allowed = "must be from 0.000001 to 1000000";
        rule(
            (1e-6..=1e6).contains(&hours),
            "recommendations.trending_half_life_hours",
            allowed,
            hours,
        )?;
        self.check_pricing()?;
        at_least_1(pricing.quote_seconds, "pricing.quote_seconds")
    }
}
