//! Whether the settings make sense; every message names its key.

use super::{Config, ConfigError};
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
    if holds { Ok(()) } else { Err(ConfigError::Value { key, rule, value: value.to_string() }) }
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
        Ok(())
    }

    fn check_training(&self) -> Result<(), ConfigError> {
        let (training, models) = (&self.training, &self.models);
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
        let known = ["item_knn", "user_knn", "svd", "popularity"];
        for name in &models.enabled {
            let is_known = known.contains(&name.as_str());
            let allowed = "may name item_knn, user_knn, svd and popularity";
            rule(is_known, "models.enabled", allowed, name)?;
        }
        let similarities = ["cosine", "adjusted_cosine", "pearson"];
        for (name, key) in [
            (&models.item_knn_similarity, "models.item_knn_similarity"),
            (&models.user_knn_similarity, "models.user_knn_similarity"),
        ] {
            let is_known = similarities.contains(&name.as_str());
            rule(is_known, key, "must be cosine, adjusted_cosine or pearson", name)?;
        }
        for (name, key) in [
            (&models.item_knn_weighting, "models.item_knn_weighting"),
            (&models.user_knn_weighting, "models.user_knn_weighting"),
        ] {
            let is_known = ["none", "tf_idf", "bm25"].contains(&name.as_str());
            rule(is_known, key, "must be none, tf_idf or bm25", name)?;
        }
        at_least_1(models.item_knn_neighbors, "models.item_knn_neighbors")?;
        at_least_1(models.user_knn_neighbors, "models.user_knn_neighbors")?;
        for (key, shrinkage) in [
            ("models.item_knn_shrinkage", models.item_knn_shrinkage),
            ("models.user_knn_shrinkage", models.user_knn_shrinkage),
        ] {
            let holds = shrinkage >= 0.0 && shrinkage.is_finite();
            rule(holds, key, "must be a number not below 0", shrinkage)?;
        }
        let n = models.svd_factors;
        rule((1..=4096).contains(&n), "models.svd_factors", "must be from 1 to 4096", n)
    }

    fn check_answers(&self) -> Result<(), ConfigError> {
        let (lists, pricing) = (&self.recommendations, &self.pricing);
        at_least_1(lists.n_max, "recommendations.n_max")?;
        let n = lists.n_default;
        let allowed = "must be from 1 to recommendations.n_max";
        rule((1..=lists.n_max).contains(&n), "recommendations.n_default", allowed, n)?;
        for (key, value) in [
            ("pricing.sensitivity", pricing.sensitivity),
            ("pricing.margin_floor", pricing.margin_floor),
        ] {
            rule((0.0..=10.0).contains(&value), key, "must be from 0 to 10", value)?;
        }
        let step = pricing.step_max;
        rule((0.0..=1.0).contains(&step), "pricing.step_max", SHARE, step)?;
        at_least_1(pricing.quote_seconds, "pricing.quote_seconds")
    }
}
