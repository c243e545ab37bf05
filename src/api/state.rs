//! What handlers share.

use super::{
    answers::Answers,
    deadline::Deadline,
    error::ApiError,
    policies::Policies,
    rule_book::{Book, RuleBook},
    scoring::Scoring,
    shelves::{ShelfKey, Shelves},
    sieves::Sieves,
};
use crate::{
    config::Config,
    decide::{
        filter::{Filter, Sieve},
        recommend::{Ask, Gate, Goods, HidePolicy, Policy, Taste},
        rules::RuleSet,
    },
    domain::{Clock, Currency, Item, ItemId, Timestamp},
    learn::{
        dataset::Weighting,
        related::TrendingParams,
        trainer::{RecentRuns, TrainRequests},
    },
    live::Live,
    pricing::Pricing,
    record::{ingest::Ingest, store::Store},
    snapshot::{Snapshot, SnapshotCell, file::SnapshotFolder},
    telemetry::Metrics,
};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// What handlers share; cloned several times for each request, so it is one pointer.
#[derive(Clone)]
pub struct ApiState(Arc<ApiParts>);

impl From<ApiParts> for ApiState {
    fn from(parts: ApiParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for ApiState {
    type Target = ApiParts;
    fn deref(&self) -> &ApiParts {
        &self.0
    }
}

/// The parts of [`ApiState`].
pub struct ApiParts {
    /// Settings.
    pub config: Arc<Config>,
    /// The shop's currency.
    pub currency: Currency,
    /// What events are worth.
    pub weighting: Arc<Weighting>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The database.
    pub store: Arc<dyn Store>,
    /// The way in for events.
    pub ingest: Ingest,
    /// What happened since the snapshot.
    pub live: Arc<Live>,
    /// The served snapshot.
    pub snapshots: Arc<SnapshotCell>,
    /// Ready shelves.
    pub shelves: Arc<Shelves>,
    /// What filters make of the items.
    pub sieves: Arc<Sieves>,
    /// Where lists are made that take their time.
    pub scoring: Scoring,
    /// The answers of late.
    pub answers: Answers,
    /// How lists are made.
    pub policies: Policies,
    /// The rules, read.
    pub rule_book: RuleBook,
    /// How it is counted what is wanted now.
    pub trending: TrendingParams,
    /// Saved snapshots.
    pub folder: SnapshotFolder,
    /// The way to the trainer.
    pub trainer: TrainRequests,
    /// The latest training runs of this process.
    pub runs: Arc<RecentRuns>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// What decides them.
    pub pricing: Arc<Pricing>,
    /// When the service started.
    pub started_at: Timestamp,
}

impl Goods for ApiParts {
    fn item(&self, item: &ItemId) -> Option<Arc<Item>> {
        self.live.catalogue.item(item)
    }

    fn sieve(&self, snapshot: &Snapshot, filter: &Filter) -> Option<Arc<Sieve>> {
        let served = self.snapshots.current();
        let is_served = served.version == snapshot.version;
        is_served.then(|| self.sieves.of(filter, &served, &self.live.catalogue))?
    }

    fn category_filter(&self, category: &str) -> Filter {
        Filter::of_category(category, self.currency.digits())
    }
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Money {
    /// A decimal amount, as a string so that no client rounds it.
    #[schema(example = "12.90")]
    pub amount: String,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: &'static str,
}

impl ApiState {
    /// Makes what takes a shelf with so many items: here, if that is quick, else in its turn beside the threads that
    /// answer.
    pub(super) async fn make<T: Send + 'static>(
        &self,
        named: (&ShelfKey, usize),
        deadline: Deadline,
        make: impl FnOnce(Deadline) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        if self.shelves.is_quick(named) {
            return Ok(make(deadline));
        }
        self.scoring.run(deadline, make).await
    }

    /// The rules as they are now.
    pub fn rule_book(&self) -> Arc<Book> {
        self.rule_book.of(&self.live.rules.load(), self.currency.digits())
    }

    /// What decides whether an item may be in a list.
    pub fn gate<'a>(
        &'a self,
        whose: (&'a Snapshot, &'a Taste),
        ask: &'a Ask,
        (rules, policy): (&'a RuleSet, &'a Policy),
        now: Timestamp,
    ) -> Gate<'a> {
        Gate::new(whose, ask, (&**self, rules), (policy, self.hide_policy()), now)
    }

    /// For how long an item is not shown again to whoever has just dealt with it.
    pub fn hide_policy(&self) -> HidePolicy {
        let limits = &self.config.recommendations;
        HidePolicy {
            purchased_days: limits.hide_purchased_days,
            seen_minutes: limits.hide_seen_minutes,
        }
    }

    /// The amount as clients see it.
    pub fn money(&self, amount: crate::domain::Cents) -> Money {
        Money { amount: self.currency.format(amount), currency: self.currency.code() }
    }
}
