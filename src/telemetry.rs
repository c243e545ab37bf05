//! What the service says about itself: the log subscriber, and every metric's name and help.

use crate::{
    config::Log,
    domain::{EventKind, RunOutcome},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};
use std::sync::atomic::AtomicU64;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Installs the process's log subscriber; a second call changes nothing.
pub fn init_log(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    // Installed already (a test, an embedding program): theirs stays.
    let _already = if log.format == "json" {
        registry.with(layer.json().flatten_event(true)).try_init()
    } else {
        registry
            .with(layer.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())))
            .try_init()
    };
}

/// Labels of one kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// HTTP method, or `other`.
    pub method: &'static str,
    /// Route template, or `unmatched`.
    pub route: String,
    /// Status code.
    pub status: u16,
}

/// Labels of one route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabels {
    /// HTTP method, or `other`.
    pub method: &'static str,
    /// Route template, or `unmatched`.
    pub route: String,
}

/// Labels of an event's fate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EventLabels {
    /// Kind of event, `unknown` if it did not parse.
    pub kind: &'static str,
    /// `stored`, `duplicate`, `rejected` (wrong), `refused` (right, but not taken now: 503).
    pub outcome: &'static str,
}

/// Labels of an event that follows from a recommendation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CreditLabels {
    /// A scenario of the settings, or `other`.
    pub scenario: String,
    /// Kind of event.
    pub kind: &'static str,
}

/// Labels of a training run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RunLabels {
    /// Name of the model, `all` for a whole run.
    pub model: &'static str,
    /// How it ended.
    pub outcome: &'static str,
}

/// Label of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ModelLabel {
    /// Name of the model, `all` for a whole run.
    pub model: &'static str,
}

type FloatGauge = Gauge<f64, AtomicU64>;

/// Every metric of the service. Counters start at zero; no label holds a user or an item.
#[expect(missing_docs, reason = "each field is explained by the help text it is registered with")]
pub struct Metrics {
    registry: Registry,
    pub requests: Family<RequestLabels, Counter>,
    pub request_duration: Family<RouteLabels, Histogram, fn() -> Histogram>,
    pub events: Family<EventLabels, Counter>,
    pub credited_events: Family<CreditLabels, Counter>,
    /// Prices that were left out of events because they look like minor units.
    pub event_prices_left_out: Counter,
    pub ingest_queue: Gauge,
    pub scoring_waiting: Gauge,
    pub prices_moved: Counter,
    pub price_runs_waiting: Gauge,
    pub commit_events: Histogram,
    pub commit_duration: Histogram,
    pub training_runs: Family<RunLabels, Counter>,
    pub training_duration: Family<ModelLabel, Histogram, fn() -> Histogram>,
    pub search_trials: Family<ModelLabel, Counter>,
    pub snapshot_version: Gauge,
    pub snapshot_timestamp: FloatGauge,
    pub live_shoppers: Gauge,
    pub catalogue_items: Gauge,
    pub list_cache_bytes: Gauge,
    pub answers_bytes: Gauge,
    pub store_up: Gauge,
    process_memory: Gauge,
}

fn request_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.5, 12))
}

fn training_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.01, 3.0, 12))
}

impl Default for Metrics {
    #[expect(clippy::too_many_lines, reason = "one line after the other, each metric once")]
    fn default() -> Self {
        let mut registry = Registry::with_prefix("shopkeeper");
        let r = &mut registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        r.register("build", "The running version", build);
        let requests = Family::default();
        r.register(
            "http_requests",
            "Requests answered, by route template and status",
            requests.clone(),
        );
        let request_duration = Family::new_with_constructor(request_buckets as fn() -> Histogram);
        r.register_with_unit(
            "http_request_duration",
            "Time to answer",
            Unit::Seconds,
            request_duration.clone(),
        );
        let events: Family<EventLabels, Counter> = Family::default();
        for kind in EventKind::ALL {
            let _ = events.get_or_create(&EventLabels { kind: kind.name(), outcome: "stored" });
        }
        let _ = events.get_or_create(&EventLabels { kind: "unknown", outcome: "rejected" });
        r.register("events", "Events received, by kind and outcome", events.clone());
        let event_prices_left_out = Counter::default();
        r.register(
            "event_prices_left_out",
            "Prices that were left out of events because they look like minor units taken for whole ones",
            event_prices_left_out.clone(),
        );
        let credited_events: Family<CreditLabels, Counter> = Family::default();
        r.register(
            "credited_events",
            "Events that follow from a recommendation, by scenario and kind",
            credited_events.clone(),
        );
        let ingest_queue = Gauge::default();
        r.register("ingest_queue_events", "Events that wait for a commit", ingest_queue.clone());
        let scoring_waiting = Gauge::default();
        r.register(
            "scoring_waiting",
            "Lists of large catalogues that wait for their turn",
            scoring_waiting.clone(),
        );
        let prices_moved = Counter::default();
        r.register("prices_moved", "Prices that pricing runs have moved", prices_moved.clone());
        let price_runs_waiting = Gauge::default();
        r.register(
            "price_runs_waiting",
            "Pricing runs that wait for a person",
            price_runs_waiting.clone(),
        );
        let commit_events = Histogram::new(exponential_buckets(1.0, 4.0, 8));
        r.register("commit_events", "Events in one commit", commit_events.clone());
        let commit_duration = Histogram::new(exponential_buckets(0.000_5, 2.5, 10));
        r.register_with_unit(
            "commit_duration",
            "Time of one commit",
            Unit::Seconds,
            commit_duration.clone(),
        );
        let training_runs: Family<RunLabels, Counter> = Family::default();
        for outcome in RunOutcome::ALL {
            let _ =
                training_runs.get_or_create(&RunLabels { model: "all", outcome: outcome.name() });
        }
        r.register(
            "training_runs",
            "Training runs, by outcome, of each fitted model and, as `all`, as a whole",
            training_runs.clone(),
        );
        let training_duration = Family::new_with_constructor(training_buckets as fn() -> Histogram);
        r.register_with_unit(
            "training_duration",
            "Time to fit a model, `all` for a whole run",
            Unit::Seconds,
            training_duration.clone(),
        );
        let search_trials: Family<ModelLabel, Counter> = Family::default();
        r.register(
            "search_trials",
            "Candidates measured in search of parameters, by model",
            search_trials.clone(),
        );
        let snapshot_version = Gauge::default();
        r.register(
            "snapshot_version",
            "Version of the served snapshot, 0 = none yet",
            snapshot_version.clone(),
        );
        let snapshot_timestamp = FloatGauge::default();
        r.register_with_unit(
            "snapshot_timestamp",
            "When the served snapshot was trained, since the epoch",
            Unit::Seconds,
            snapshot_timestamp.clone(),
        );
        let live_shoppers = Gauge::default();
        r.register(
            "live_shoppers",
            "Shoppers whose recent events are in memory",
            live_shoppers.clone(),
        );
        let catalogue_items = Gauge::default();
        r.register("catalogue_items", "Items in memory", catalogue_items.clone());
        let list_cache_bytes = Gauge::default();
        r.register("list_cache_bytes", "Bytes of ready lists", list_cache_bytes.clone());
        let answers_bytes = Gauge::default();
        r.register(
            "answers_bytes",
            "Bytes of answers that can be continued",
            answers_bytes.clone(),
        );
        let store_up = Gauge::default();
        r.register("store_up", "Whether the database answered last time", store_up.clone());
        let process_memory = Gauge::default();
        r.register(
            "process_memory_bytes",
            "Resident memory of the process",
            process_memory.clone(),
        );
        Self {
            registry,
            requests,
            request_duration,
            events,
            credited_events,
            event_prices_left_out,
            ingest_queue,
            scoring_waiting,
            prices_moved,
            price_runs_waiting,
            commit_events,
            commit_duration,
            training_runs,
            training_duration,
            search_trials,
            snapshot_version,
            snapshot_timestamp,
            live_shoppers,
            catalogue_items,
            list_cache_bytes,
            answers_bytes,
            store_up,
            process_memory,
        }
    }
}

impl Metrics {
    /// Counts events by their fate.
    pub fn count_events(&self, kind: &'static str, outcome: &'static str, n: u64) {
        self.events.get_or_create(&EventLabels { kind, outcome }).inc_by(n);
    }

    /// Counts an event that follows from a recommendation.
    pub fn count_credited(&self, scenario: &str, kind: &'static str) {
        let labels = CreditLabels { scenario: scenario.to_owned(), kind };
        self.credited_events.get_or_create(&labels).inc();
    }

    /// Counts a training run of a model, or `all` for the whole of it.
    pub fn count_run(&self, model: &'static str, outcome: RunOutcome) {
        let outcome = outcome.name();
        self.training_runs.get_or_create(&RunLabels { model, outcome }).inc();
    }

    /// Everything in the Prometheus (`OpenMetrics`) text format.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        if let Some(memory) = memory_stats::memory_stats() {
            self.process_memory.set(memory.physical_mem as i64);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
