//! Settings: what they are, where they come from, and whether they make sense.
//!
//! `config/default.toml` (compiled in) explains every key. Order of precedence: default < file <
//! environment < command line. All checks happen here, at start, and name the key at fault.

mod check;

use crate::{
    decide::{
        experiment::{Experiment, Settings},
        price::{GoalName, PriceTerms, competition::CompetitionPolicy, law::LawTable},
        recommend::Policy,
    },
    domain::{Currency, time::MINUTE_MS},
    learn::recommenders::{
        AlsParams, BprParams, EaseParams, ItemKnnParams, LogisticMfParams, ModelKind, ModelParams,
        NmfParams, PopularityParams, Rp3betaParams, SvdParams, UserKnnParams,
    },
    learn::sessions::{IndexLimits, SessionParams},
};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::HashMap;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The compiled-in defaults, which also document every key.
pub const DEFAULT_TOML: &str = include_str!("../../config/default.toml");

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or variable could not be read, or names a key that does not exist.
    #[error("cannot read the configuration: {0}")]
    Read(String),
    /// A value is not what its key allows.
    #[error("configuration key `{key}` {rule}, not `{value}`")]
    Value {
        /// The key at fault.
        key: String,
        /// What it must be.
        rule: &'static str,
        /// What it is.
        value: String,
    },
}

/// A string that never shows itself: keys and passwords.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

/// A database address whose password never shows itself.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(pub String);

impl DatabaseUrl {
    /// The address without its password.
    pub fn redacted(&self) -> String {
        // What is no address may still hold a password.
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return match self.0.split_once([':', '/', '@']) {
                Some((scheme, _)) => format!("{scheme}[redacted]"),
                None => self.0.clone(),
            };
        };
        let rest = match rest.rsplit_once('@') {
            Some((user, host)) => {
                let name = user.split(':').next().unwrap_or_default();
                format!("{name}:[redacted]@{host}")
            }
            None => rest.to_owned(),
        };
        let rest = rest.split_once("password=").map_or(rest.clone(), |(before, after)| {
            let tail = after.find('&').map_or("", |end| &after[end..]);
            format!("{before}password=[redacted]{tail}")
        });
        format!("{scheme}://{rest}")
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.redacted())
    }
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "config/default.toml explains every key")]
        pub struct $name { $(pub $field: $type),* }
    };
}

section! {
    /// All settings.
    Config {
        experiments: Vec<Experiment>, server: Server, database: Database, storage: Storage, auth: Auth, shop: Shop, events: Events,
        catalogue: Catalogue, live: Live, weights: Weights, training: Training, search: Search,
        models: Models, sessions: Sessions, recommendations: Recommendations,
        scenarios: BTreeMap<String, Policy>, attribution: Attribution, pricing: Pricing, law: Law, log: Log,
    }
}
section! {
    /// How to listen and to end.
    Server { listen: SocketAddr, body_bytes_max: usize, shutdown_grace_seconds: u64 }
}
section! {
    /// Which database.
    Database {
        url: DatabaseUrl, connections_max: u32, acquire_timeout_ms: u64, start_wait_seconds: u64,
    }
}
section! {
    /// Where files go.
    Storage { dir: PathBuf }
}
section! {
    /// Who may call what.
    Auth { storefront_keys: Vec<Secret>, ingest_keys: Vec<Secret>, admin_keys: Vec<Secret> }
}
section! {
    /// What kind of shop.
    Shop { currency: String }
}
section! {
    /// How events come in.
    Events { batch_max: usize, future_seconds_max: u32, queue_max: usize, commit_max: usize }
}
section! {
    /// How many items.
    Catalogue { items_max: usize }
}
section! {
    /// What is remembered since the snapshot.
    Live { shoppers_max: usize, events_per_shopper_max: usize, follow_period_ms: u64 }
}
section! {
    /// What events are worth.
    Weights {
        view: f32, click: f32, impression: f32, add_to_cart: f32, remove_from_cart: f32,
        purchase: f32, r#return: f32, wishlist: f32, dislike: f32, rating: f32, rating_neutral: f32,
        cell_max: f32,
    }
}
section! {
    /// When and on what to train.
    Training {
        enabled: bool, period_seconds: u64, threads: usize, new_events_min: u64,
        half_life_days: f64, popularity_half_life_days: f64, window_days: u32, events_max: usize,
        events_per_shopper_max: usize, holdout_share: f64, holdout_days_max: u32, holdout_shoppers_max: usize,
        holdout_shoppers_min: usize, tolerance: f64, keep_versions: usize, seed: u64,
    }
}
section! {
    /// How parameters are searched.
    Search {
        enabled: bool, budget_seconds: f64, run_seconds: f64, trials_max: usize, renew_days: u32,
    }
}
section! {
    /// Which models, and how they are fitted.
    Models {
        enabled: Vec<ModelKind>, popularity: PopularityParams, item_knn: ItemKnnParams,
        user_knn: UserKnnParams, rp3beta: Rp3betaParams, svd: SvdParams, nmf: NmfParams, als: AlsParams, ease: EaseParams, bpr: BprParams,
        logistic_mf: LogisticMfParams,
    }
}
section! {
    /// What is learned from visits.
    Sessions {
        enabled: bool, gap_minutes: u32, visits_max: usize, items_per_visit_max: usize,
        postings_max: usize, vmis_knn: SessionParams,
    }
}
section! {
    /// What lists look like.
    Recommendations {
        n_default: usize, n_max: usize, hide_purchased_days: u32, hide_seen_minutes: u32, trending_half_life_hours: f64,
        cache_bytes_max: u64, answers_bytes_max: u64,
    }
}
section! {
    /// What lists are credited with.
    Attribution { window_hours: u32 }
}
section! {
    /// How prices move.
    Pricing {
        enabled: bool, goal: GoalName, profit_share: f64, market: String, margin_floor: f64, step_max: f64,
        step_30d_max: f64, endings: Vec<u32>, fee_share: f64, salvage_share: f64, corridor: Vec<f64>, explore: bool,
        explore_loss_max: f64, explore_share: f64, dwell_days: f64, needs_approval: bool, moved_share_max: f64,
        cost_jump_max: f64, feed_gap_days: f64, keep_runs: u32, quote_seconds: u32, competition: CompetitionPolicy,
    }
}
section! {
    /// What the law asks of prices.
    Law { markets: LawTable }
}
section! {
    /// What to log.
    Log { filter: String, format: String, requests: bool }
}

/// Keys that hold lists, which the environment gives separated by commas.
const LIST_KEYS: [&str; 7] = [
    "auth.storefront_keys",
    "auth.ingest_keys",
    "auth.admin_keys",
    "models.enabled",
    "pricing.endings",
    "pricing.corridor",
    "pricing.competition.trust.vat_rates",
];

impl Config {
    /// Reads defaults, then `file`, then `environment` (`SHOPKEEPER__…` variables), and checks it all.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut sources = config::Config::builder()
            .add_source(config::File::from_str(DEFAULT_TOML, config::FileFormat::Toml));
        if let Some(path) = file {
            sources = sources.add_source(config::File::from(path).format(config::FileFormat::Toml));
        }
        let is_ours = |name: &String| name.starts_with("SHOPKEEPER__");
        let mut ours: HashMap<String, String> =
            environment.into_iter().filter(|(name, _)| is_ours(name)).collect();
        let unreadable = |error: config::ConfigError| ConfigError::Read(error.to_string());
        // By hand: the library takes a list of one number for a number.
        for key in LIST_KEYS {
            let name = format!("SHOPKEEPER__{}", key.to_uppercase().replace('.', "__"));
            let Some(text) = ours.remove(&name).filter(|text| !text.is_empty()) else { continue };
            let parts: Vec<&str> = text.split(',').map(str::trim).collect();
            sources = sources.set_override(key, parts).map_err(unreadable)?;
        }
        let variables = config::Environment::with_prefix("SHOPKEEPER")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .ignore_empty(true)
            .source(Some(ours));
        let merged = sources.add_source(variables).build().map_err(unreadable)?;
        let config: Self = serde_path_to_error::deserialize(merged).map_err(|error| {
            let (key, cause) = (error.path().to_string(), error.into_inner());
            ConfigError::Read(if key == "." {
                cause.to_string()
            } else {
                format!("`{key}`: {cause}")
            })
        })?;
        config.check()?;
        Ok(config)
    }

    /// Models that scenarios or variants name, each once: they are fitted, whether the blend needs them or not.
    pub fn scenario_models(&self) -> Vec<ModelKind> {
        let variants = self.experiments.iter().flat_map(|experiment| {
            let base = self.scenarios.get(&experiment.scenario);
            let settings = experiment.variants.iter().map(|variant| &variant.settings);
            settings.filter_map(move |settings| self.variant_policy(base, settings).ok())
        });
        let policies = self.scenarios.values().cloned().chain(variants);
        let blends = policies.filter_map(|policy| policy.blend());
        let mut kinds: Vec<ModelKind> =
            blends.flat_map(|blend| blend.weights).map(|part| part.0).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// The policy of a scenario with what a variant changes of it; or why there is none.
    pub fn variant_policy(
        &self,
        base: Option<&Policy>,
        settings: &Settings,
    ) -> Result<Policy, String> {
        let base = base.cloned().unwrap_or_default();
        let written = serde_json::to_value(base).map_err(|error| error.to_string())?;
        let mut all = written.as_object().cloned().unwrap_or_default();
        all.extend(settings.clone());
        serde_json::from_value(all.into()).map_err(|error| error.to_string())
    }

    /// How prices move where nothing else is laid down.
    pub fn price_terms(&self) -> PriceTerms {
        let p = &self.pricing;
        PriceTerms {
            enabled: p.enabled,
            goal: p.goal,
            profit_share: p.profit_share,
            margin_floor: p.margin_floor,
            step_max: p.step_max,
            step_30d_max: p.step_30d_max,
            endings: p.endings.clone(),
            fee_share: p.fee_share,
            salvage_share: p.salvage_share,
            corridor: p.corridor.clone(),
            explore: p.explore,
            explore_loss_max: p.explore_loss_max,
        }
    }

    /// The compiled-in defaults.
    ///
    /// # Panics
    ///
    /// Never: a test loads them.
    pub fn defaults() -> Self {
        Self::load(None, BTreeMap::new()).expect("the defaults are valid, a test loads them")
    }

    fn currency_opt(&self) -> Option<Currency> {
        self.shop.currency.parse().ok()
    }

    /// The shop's currency.
    ///
    /// # Panics
    ///
    /// Never for a config that came from [`load`](Self::load), which checks it.
    pub fn currency(&self) -> Currency {
        self.currency_opt().expect("checked when the configuration was loaded")
    }

    /// Threads for training: as set, else all cores but one.
    pub fn training_threads(&self) -> usize {
        match self.training.threads {
            0 => {
                std::thread::available_parallelism().map_or(1, |n| n.get().saturating_sub(1)).max(1)
            }
            n => n,
        }
    }

    /// All keys with their present values as TOML, secrets redacted.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string(self).map_err(|error| ConfigError::Read(error.to_string()))
    }
}

impl Sessions {
    /// Longest pause within a visit, in milliseconds.
    pub fn gap_ms(&self) -> i64 {
        i64::from(self.gap_minutes) * MINUTE_MS
    }

    /// How much is remembered.
    pub fn limits(&self) -> IndexLimits {
        IndexLimits {
            sessions_max: self.visits_max,
            items_per_session_max: self.items_per_visit_max,
            postings_max: self.postings_max,
        }
    }
}

impl Models {
    /// The parameters of all models.
    pub fn params(&self) -> ModelParams {
        ModelParams {
            popularity: self.popularity,
            item_knn: self.item_knn,
            user_knn: self.user_knn,
            rp3beta: self.rp3beta,
            svd: self.svd,
            nmf: self.nmf,
            als: self.als,
            ease: self.ease,
            bpr: self.bpr,
            logistic_mf: self.logistic_mf,
        }
    }
}

impl Auth {
    /// Whether nobody needs a key.
    pub fn is_open(&self) -> bool {
        self.storefront_keys.is_empty() && self.ingest_keys.is_empty() && self.admin_keys.is_empty()
    }
}

#[cfg(test)]
mod tests;
