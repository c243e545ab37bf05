//! A whole service without a port: the public router over a real database, at a time that stands still.

use super::postgres::{self, Cluster};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, header},
};
use serde_json::Value;
use shopkeeper::{
    api::{ApiState, router},
    app::{App, open_store},
    config::Config,
    domain::{Clock as _, ModelRun, Timestamp, time::ManualClock},
    learn::trainer::{Occasion, Trainer},
    live::follower::Follower,
    record::ingest::Committer,
    rounds::{Rounds, adopt::adopt},
};
use std::{path::PathBuf, sync::Arc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// What time it is when a shop opens: 2026-03-01T12:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_772_366_400_000);

/// Far above any answer.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// An answer as a client sees it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body; a string if it is not JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// The body, if the status is the expected one.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The pointers of a problem document of this status.
    #[track_caller]
    pub(crate) fn faults(self, status: u16) -> Vec<String> {
        assert_eq!(self.header("content-type"), "application/problem+json");
        pointers(&self.is(status))
    }

    /// A header's text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The pointers of a problem document.
#[track_caller]
pub(crate) fn pointers(problem: &Value) -> Vec<String> {
    for field in ["type", "title"] {
        assert!(problem[field].is_string(), "{problem}");
    }
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    assert!(errors.iter().all(|error| error["detail"].is_string()), "{problem}");
    errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}

/// The item ids of a list, best first.
#[track_caller]
pub(crate) fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["item"].as_str().unwrap()).collect()
}

/// A service in one process, put together as `serve` does it.
pub(crate) struct Shop {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) state: ApiState,
    pub(crate) follower: Follower,
    config: Arc<Config>,
    router: Router,
    rounds: Rounds,
    trainer: Option<Trainer>,
    committer: Option<Committer>,
    tasks: JoinSet<()>,
    folder: Arc<tempfile::TempDir>,
    /// Runs as long as a shop needs it.
    cluster: Option<Arc<Cluster>>,
}

impl Shop {
    /// An empty shop on SQLite.
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// An empty shop on SQLite, with other settings.
    pub(crate) async fn with(set: impl FnOnce(&mut Config)) -> Self {
        let mut shop = Self::without_committer(set).await;
        shop.start_committer();
        shop
    }

    /// As [`with`](Self::with), but nothing takes events out of the queue.
    pub(crate) async fn without_committer(set: impl FnOnce(&mut Config)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let config = configured(&folder, set);
        Self::assemble(config, folder, Arc::new(ManualClock::at(NOW)), None).await
    }

    /// An empty shop on Postgres.
    pub(crate) async fn on_postgres() -> Self {
        Self::on_postgres_with(|_| {}).await
    }

    /// An empty shop on Postgres, with other settings.
    pub(crate) async fn on_postgres_with(set: impl FnOnce(&mut Config)) -> Self {
        let (folder, cluster) = (Arc::new(tempfile::tempdir().unwrap()), postgres::shared());
        let url = cluster.database().await;
        let config = configured(&folder, |config| {
            config.database.url.0 = url;
            set(config);
        });
        let clock = Arc::new(ManualClock::at(NOW));
        let mut shop = Self::assemble(config, folder, clock, Some(cluster)).await;
        shop.start_committer();
        shop
    }

    async fn assemble(
        config: Arc<Config>,
        folder: Arc<tempfile::TempDir>,
        clock: Arc<ManualClock>,
        cluster: Option<Arc<Cluster>>,
    ) -> Self {
        let store = open_store(&config).await.unwrap();
        let app = App::assemble(config.clone(), store, clock.clone()).await.unwrap();
        let App { state, committer, follower, trainer, rounds } = app;
        Self {
            clock,
            router: router(state.clone()),
            state,
            follower,
            config,
            rounds,
            trainer: Some(trainer),
            committer: Some(committer),
            tasks: JoinSet::new(),
            folder,
            cluster,
        }
    }

    /// Another process on the same database, folder and clock.
    pub(crate) async fn beside(&self) -> Self {
        self.beside_with(|_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn beside_with(&self, set: impl FnOnce(&mut Config)) -> Self {
        let mut config = (*self.config).clone();
        set(&mut config);
        let (config, folder, clock) = (Arc::new(config), self.folder.clone(), self.clock.clone());
        let mut other = Self::assemble(config, folder, clock, self.cluster.clone()).await;
        other.start_committer();
        other
    }

    /// Begins to commit what waits in the queue.
    pub(crate) fn start_committer(&mut self) {
        let committer = self.committer.take().unwrap();
        self.tasks.spawn(committer.run(CancellationToken::new()));
    }

    /// Begins to train on request, as `POST /models/train` asks; only once.
    pub(crate) fn start_trainer(&mut self) {
        let trainer = self.trainer.take().unwrap();
        self.tasks.spawn(trainer.run(CancellationToken::new()));
    }

    /// The trainer, for a test that looks into a run.
    pub(crate) fn take_trainer(&mut self) -> Trainer {
        self.trainer.take().unwrap()
    }

    /// One training run, as if somebody had asked for it.
    pub(crate) async fn train(&mut self) -> ModelRun {
        self.trainer.as_mut().unwrap().train_once(Occasion::Asked, &CancellationToken::new()).await
    }

    /// One training run as the timer begins it.
    pub(crate) async fn train_by_the_clock(&mut self) -> ModelRun {
        self.trainer
            .as_mut()
            .unwrap()
            .train_once(Occasion::Periodic, &CancellationToken::new())
            .await
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes up what another process published.
    pub(crate) async fn adopt(&self) {
        adopt(&self.rounds).await;
    }

    /// Brings prices up to date; how many moved.
    pub(crate) async fn reprice(&self) -> usize {
        self.rounds.pricing.propose(None).await.unwrap().map_or(0, |proposal| proposal.n_moved)
    }

    /// Where a version of the snapshot lies.
    pub(crate) fn snapshot_file(&self, version: u64) -> PathBuf {
        let folder = self.folder.path().join("snapshots");
        let found = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let ends = format!("{version}.snapshot");
        found.into_iter().find(|path| path.to_str().unwrap().ends_with(&ends)).unwrap()
    }

    /// Any request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap();
        let text = || Value::from(String::from_utf8_lossy(&bytes).into_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body };
        assert!(!answer.header("x-request-id").is_empty(), "an answer without a request id");
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Request::delete(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.body(Method::POST, path, "application/json", body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.body(Method::PUT, path, "application/json", body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.body(Method::PATCH, path, "application/json", body.to_string()).await
    }

    /// A request whose body is given as it goes over the wire.
    pub(crate) async fn body(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::CONTENT_TYPE, media).body(body.into()).unwrap();
        self.send(request).await
    }

    /// A POST without a body, under a key that makes a retry harmless.
    pub(crate) async fn post_once(&self, path: &str, key: &str) -> Answer {
        let request = Request::builder().method(Method::POST).uri(path);
        let request = request.header("idempotency-key", key).body(Body::empty()).unwrap();
        self.send(request).await
    }

    /// Lines of `POST /events`.
    pub(crate) async fn ndjson(&self, lines: impl Into<Body>) -> Answer {
        self.body(Method::POST, "/events", "application/x-ndjson", lines).await
    }

    /// How many events are stored.
    pub(crate) async fn n_events(&self) -> u64 {
        self.state.store.totals().await.unwrap().events.iter().map(|(_, n)| n).sum()
    }

    /// Records something that a shopper does now.
    pub(crate) async fn act(&self, user: &str, kind: &str, item: &str) {
        let event = serde_json::json!({ "type": kind, "user": user, "item": item });
        assert_eq!(self.post("/events", event).await.is(200)["accepted"], 1);
    }

    /// Ten tea drinkers and ten coffee drinkers, `t0`… and `c0`…, have bought within the last days
    /// all of `tea-0` to `tea-9`, or `coffee-0` to `coffee-9`, but the one of their own number.
    pub(crate) async fn open_doors(&self) {
        let (mut events, mut at) = (Vec::new(), NOW.0 - 8 * 86_400_000);
        for (letter, drink) in [("t", "tea"), ("c", "coffee")] {
            for user in 0..10 {
                for item in (0..10).filter(|&item| item != user) {
                    at += 3_600_000;
                    events.push(serde_json::json!({
                        "type": "purchase", "user": format!("{letter}{user}"),
                        "item": format!("{drink}-{item}"), "timestamp": at,
                    }));
                }
            }
        }
        assert_eq!(self.post("/events", events.into()).await.is(200)["accepted"], 180);
    }
}

fn configured(folder: &Arc<tempfile::TempDir>, set: impl FnOnce(&mut Config)) -> Arc<Config> {
    let mut config = Config::defaults();
    folder.path().clone_into(&mut config.storage.dir);
    config.training.enabled = false;
    config.training.threads = 1;
    set(&mut config);
    Arc::new(config)
}
