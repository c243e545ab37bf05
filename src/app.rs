//! The composition root: alone knows concrete back ends, and puts the rooms together.

use crate::{
    api::{
        ApiState, answers::Answers, policies::Policies, router, rule_book::RuleBook,
        scoring::Scoring, shelves::Shelves, sieves::Sieves, state::ApiParts,
    },
    config::Config,
    decide::price::{Brakes, PricePolicy, choice::ExplorePolicy},
    domain::{Clock, Currency, SystemClock},
    learn::{
        dataset::Weighting,
        demand::response::ResponseParams,
        pipeline::{PipelineParams, PriceResponseParams, VisitParams},
        related::{RelatedParams, TrendingParams},
        trainer::{RecentRuns, SearchParams, TrainRequests, Trainer, TrainerParams, TrainerParts},
    },
    lifecycle::Lifecycle,
    live::{Live, catalogue::Catalogue, follower::Follower, shoppers::Shoppers},
    pricing::{PolicyBook, Pricing},
    record::{
        ingest::{Committer, ingest},
        store::{Store, StoreError, postgres::PostgresStore, sqlite::SqliteStore},
    },
    rounds::Rounds,
    snapshot::{SnapshotCell, file::SnapshotFolder},
    telemetry::Metrics,
};
use anyhow::Context;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// How often a database that is away at the start is tried.
const RETRY: Duration = Duration::from_secs(1);

/// Opens the configured database, brings its schema up to date, and checks that its amounts are in the shop's currency. One
/// that is away is waited for, for `database.start_wait_seconds`: after a power failure it may be up later than this process.
pub async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let begun = tokio::time::Instant::now();
    let patience = Duration::from_secs(config.database.start_wait_seconds);
    loop {
        let error = match try_open_store(config).await {
            Err(error) if is_away(&error) && begun.elapsed() < patience => error,
            opened => return opened,
        };
        tracing::warn!(
            error = format!("{error:#}"),
            wait_seconds = patience.saturating_sub(begun.elapsed()).as_secs(),
            "the database is not there yet; trying again"
        );
        tokio::time::sleep(RETRY).await;
    }
}

/// An amount of 5 would be another one in another currency, and nobody would see it.
async fn check_currency(store: &dyn Store, currency: Currency) -> anyhow::Result<()> {
    let settled = store.settle_currency(currency).await?;
    anyhow::ensure!(
        settled == currency.code(),
        "the amounts in the database are in {settled}, but `shop.currency` is {currency}: set it back to {settled}, \
         or start with an empty database"
    );
    Ok(())
}

fn is_away(error: &anyhow::Error) -> bool {
    error.downcast_ref::<StoreError>().is_some_and(StoreError::is_unavailable)
}

async fn try_open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let store = connect(config).await?;
    check_currency(&*store, config.currency()).await?;
    Ok(store)
}

async fn connect(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let url = config.database.url.0.as_str();
    let n = config.database.connections_max;
    if url.starts_with("postgres") {
        let timeout = Duration::from_millis(config.database.acquire_timeout_ms);
        let store = PostgresStore::connect(url, n, timeout).await;
        return Ok(Arc::new(
            store.with_context(|| format!("cannot open {}", config.database.url.redacted()))?,
        ));
    }
    let path = match url.strip_prefix("sqlite://") {
        Some(path) => PathBuf::from(path),
        None => config.storage.dir.join("shopkeeper.db"),
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let store = SqliteStore::open(&path, n).await;
    Ok(Arc::new(store.with_context(|| format!("cannot open {}", path.display()))?))
}

/// The parts of a service, put together but not running.
pub struct App {
    /// What handlers share.
    pub state: ApiState,
    /// Commits events.
    pub committer: Committer,
    /// Follows the store.
    pub follower: Follower,
    /// Trains.
    pub trainer: Trainer,
    /// Looks after what a snapshot changes.
    pub rounds: Rounds,
}

impl App {
    /// Puts everything together around a store: loads the saved snapshot, then what happened since.
    pub async fn assemble(
        config: Arc<Config>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::default());
        metrics.store_up.set(1);
        let folder = SnapshotFolder::open(config.storage.dir.join("snapshots"))?;
        let snapshots = Arc::new(SnapshotCell::default());
        let loading = folder.clone();
        let loaded = tokio::task::spawn_blocking(move || {
            let saved = loading.load_served();
            // A damaged one was passed over: nobody need try it again.
            if let Some(saved) =
                saved.as_ref().filter(|saved| loading.served() != Some(saved.version))
            {
                loading.point_to(saved.version)?;
            }
            Ok::<_, crate::snapshot::file::SnapshotError>(saved)
        });
        if let Some(saved) = loaded.await?? {
            metrics.snapshot_version.set(saved.version as i64);
            metrics.snapshot_timestamp.set(saved.trained_at.0 as f64 / 1e3);
            tracing::info!(snapshot.version = saved.version, "serving the saved snapshot");
            snapshots.publish(Arc::new(saved));
        }
        let live = Arc::new(Live {
            catalogue: Catalogue::new(config.catalogue.items_max),
            shoppers: Shoppers::new(config.live.shoppers_max, config.live.events_per_shopper_max),
            rules: arc_swap::ArcSwap::default(),
            price_policies: arc_swap::ArcSwap::default(),
        });
        let served = snapshots.current();
        let watermark = (served.watermark, served.merges);
        let follower =
            Follower::load(store.clone(), live.clone(), &*clock, watermark, metrics.clone())
                .await
                .context("cannot load what happened since the snapshot")?;
        let (door, committer) = ingest(
            store.clone(),
            live.clone(),
            live.clone(),
            clock.clone(),
            (config.events.queue_max, config.events.commit_max),
            metrics.clone(),
        );
        let weighting = Arc::new(weighting(&config));
        let runs = Arc::new(RecentRuns::default());
        let pool = Arc::new(training_pool(&config)?);
        let parts = TrainerParts {
            store: store.clone(),
            clock: clock.clone(),
            live: live.clone(),
            snapshots: snapshots.clone(),
            folder: folder.clone(),
            pool: pool.clone(),
            metrics: metrics.clone(),
            runs: runs.clone(),
        };
        let (trainer, requests): (Trainer, TrainRequests) =
            Trainer::new(parts, trainer_params(&config));
        let pricing = Arc::new(Pricing {
            store: store.clone(),
            clock: clock.clone(),
            live: live.clone(),
            snapshots: snapshots.clone(),
            policies: Arc::new(PolicyBook::new(price_policy(&config), config.price_terms())),
            currency: config.currency(),
            pool,
            keep_runs: config.pricing.keep_runs,
            metrics: metrics.clone(),
        });
        let sieves = Arc::new(Sieves::default());
        live.catalogue.watch(sieves.clone());
        let state = ApiState::from(ApiParts {
            sieves,
            currency: config.currency(),
            pricing,
            started_at: clock.now(),
            trainer: requests,
            runs,
            shelves: Arc::new(Shelves::new(config.recommendations.cache_bytes_max)),
            scoring: Scoring::new(metrics.clone()),
            answers: Answers::new(config.recommendations.answers_bytes_max),
            policies: Policies::new(&config),
            rule_book: RuleBook::default(),
            trending: trending_params(&config),
            ingest: door,
            config,
            weighting,
            clock,
            store,
            live,
            snapshots,
            folder,
            metrics,
        });
        let rounds = rounds(&state);
        Ok(Self { state, committer, follower, trainer, rounds })
    }
}

fn rounds(state: &ApiState) -> Rounds {
    Rounds {
        store: state.store.clone(),
        clock: state.clock.clone(),
        live: state.live.clone(),
        snapshots: state.snapshots.clone(),
        folder: state.folder.clone(),
        pricing: state.pricing.clone(),
        metrics: state.metrics.clone(),
        unreadable: Arc::default(),
    }
}

/// Serves until a signal; tells `ready` the address that it listens on.
pub async fn serve(config: Config, ready: impl FnOnce(std::net::SocketAddr)) -> anyhow::Result<()> {
    let lifecycle = Lifecycle::default();
    lifecycle.listen_to_signals().context("cannot listen to signals")?;
    let config = Arc::new(config);
    let store = open_store(&config).await?;
    let app = App::assemble(config.clone(), store, Arc::new(SystemClock)).await?;
    let listener = tokio::net::TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.server.listen))?;
    let address = listener.local_addr()?;
    let period = Duration::from_millis(config.live.follow_period_ms);
    // Requests end before the committer does, so that what they brought is still written.
    let (stop, drained) = (lifecycle.stop_token(), tokio_util::sync::CancellationToken::new());
    lifecycle.spawn("committer", app.committer.run(drained.clone()));
    lifecycle.spawn("follower", app.follower.run(period, stop.clone()));
    lifecycle.spawn("trainer", app.trainer.run(stop.clone()));
    lifecycle.spawn("rounds", app.rounds.run(period, stop.clone()));
    let routes = router(app.state);
    lifecycle.spawn("server", async move {
        let server = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = server.await {
            tracing::error!(%error, "the server failed");
        }
        drained.cancel();
    });
    ready(address);
    let grace = Duration::from_secs(config.server.shutdown_grace_seconds);
    anyhow::ensure!(
        lifecycle.run_until_stopped(grace).await,
        "some tasks did not end within {grace:?}"
    );
    tracing::info!("stopped");
    Ok(())
}

/// Threads of their own for training, at the lowest priority, so that answering comes first.
pub(crate) fn training_pool(config: &Config) -> anyhow::Result<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.training_threads())
        .thread_name(|n| format!("training-{n}"))
        .start_handler(|_| {
            let thread = rustix::thread::gettid();
            if let Err(error) = rustix::process::setpriority_process(Some(thread), 19) {
                tracing::warn!(%error, "training runs at normal priority");
            }
        });
    pool.build().context("cannot start the training threads")
}

fn weighting(config: &Config) -> Weighting {
    let w = &config.weights;
    // In the order of `EventKind::ALL`; a search and a checkout are about no item.
    let by_kind = [
        w.view,
        w.click,
        w.impression,
        0.0,
        w.add_to_cart,
        w.remove_from_cart,
        0.0,
        w.purchase,
        w.r#return,
        w.wishlist,
        w.rating,
        w.dislike,
    ];
    Weighting {
        by_kind,
        rating_neutral: w.rating_neutral,
        half_life_days: config.training.half_life_days,
        cell_max: w.cell_max,
    }
}

pub(crate) fn price_policy(config: &Config) -> PricePolicy {
    let p = &config.pricing;
    let explore = ExplorePolicy {
        enabled: p.explore,
        loss_max: p.explore_loss_max,
        share: p.explore_share,
        dwell_days: p.dwell_days,
    };
    PricePolicy {
        enabled: p.enabled,
        market: p.market.clone(),
        choice: config.price_terms().choice(explore),
        competition: p.competition.clone(),
        brakes: Brakes {
            moved_share_max: p.moved_share_max,
            cost_jump_max: p.cost_jump_max,
            feed_gap_days: p.feed_gap_days,
            ..Brakes::default()
        },
        keeps_advertised_min: config.law.markets.of(&p.market).may_keep_advertised_minimum(),
        needs_approval: p.needs_approval,
    }
}

fn trainer_params(config: &Config) -> TrainerParams {
    let (training, search) = (&config.training, &config.search);
    TrainerParams {
        period: training.enabled.then(|| Duration::from_secs(training.period_seconds)),
        new_events_min: training.new_events_min,
        window_days: training.window_days,
        events_max: training.events_max,
        events_per_shopper_max: training.events_per_shopper_max,
        tolerance: training.tolerance,
        keep_versions: training.keep_versions,
        pipeline: pipeline_params(config),
        search: search.enabled.then_some(SearchParams {
            trials_max: search.trials_max,
            budget_seconds: search.budget_seconds,
            run_seconds: search.run_seconds,
            renew_days: search.renew_days,
            seed: training.seed,
        }),
    }
}

fn trending_params(config: &Config) -> TrendingParams {
    let half_life_hours = config.recommendations.trending_half_life_hours;
    TrendingParams { half_life_hours, ..TrendingParams::default() }
}

/// What a training run does, by the settings.
pub(crate) fn pipeline_params(config: &Config) -> PipelineParams {
    let training = &config.training;
    PipelineParams {
        weighting: weighting(config),
        popularity_half_life_days: training.popularity_half_life_days,
        kinds: config.models.enabled.clone(),
        kept: config.scenario_models(),
        models: config.models.params(),
        price_response: PriceResponseParams {
            weeks_max: 104,
            response: ResponseParams::default(),
            trial_days: config.pricing.dwell_days,
            minor_units: config.currency().minor_units_of_one(),
            trust: config.pricing.competition.trust.clone(),
        },
        visits: config.sessions.enabled.then(|| VisitParams {
            gap_ms: config.sessions.gap_ms(),
            limits: config.sessions.limits(),
            vmis: config.sessions.vmis_knn,
        }),
        related: RelatedParams::default(),
        trending: trending_params(config),
        holdout_share: training.holdout_share,
        holdout_days_max: training.holdout_days_max,
        holdout_shoppers_max: training.holdout_shoppers_max,
        holdout_shoppers_min: training.holdout_shoppers_min,
        hide_purchased_days: config.recommendations.hide_purchased_days,
    }
}
