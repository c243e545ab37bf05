//! How many answers a second, how late, and how current?
//!
//! `cargo bench --bench answers` prints all tables but the soak's; names after `--` pick some:
//! `online-retail` (some 4,000 items, imported and trained; also with one sparse model alone), `100k` and `1m` (items that are made up),
//! `stream` (events pour in and models are trained), `pricing` (a run over 100,000 items), `scan` (every item scored by
//! its factors, beside reading these from memory), `soak` with a number of minutes (10). Beside each rate stands the limit
//! of the same run: a bare axum handler that answers as many bytes to as many connections.

#![expect(clippy::unwrap_used, reason = "a bench may fail")]

#[path = "answers/pricing.rs"]
mod pricing;
#[path = "answers/rates.rs"]
mod rates;
#[path = "answers/scan.rs"]
mod scan;
#[path = "answers/soak.rs"]
mod soak;
#[path = "answers/stream.rs"]
mod stream;
#[expect(dead_code, reason = "the other benches use the rest")]
mod support;

use std::{path::Path, time::Instant};
use support::{
    bare::serve_if_asked,
    large,
    report::{Report, count, say, say_where},
    service::{Service, run},
    shop,
};

/// Shops that are made up: their names, and how many items they have.
const LARGE: [(&str, usize); 2] = [("100k", 100_000), ("1m", 1_000_000)];
/// Items whose prices are decided at once.
const PRICED: usize = 100_000;
const SOAK_MINUTES: u64 = 10;
/// A scenario whose lists are those of a sparse model alone.
const SPARSE: (&str, &str) = ("SCENARIOS__SPARSE__MODELS__ITEM_KNN", "1");

fn main() {
    serve_if_asked();
    if !support::is_bench() {
        return say("measures only under `cargo bench`");
    }
    let given: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let minutes = given.iter().find_map(|arg| arg.parse().ok()).unwrap_or(SOAK_MINUTES);
    let named: Vec<&String> = given.iter().filter(|arg| arg.parse::<u64>().is_err()).collect();
    let is_named = |part: &str| named.iter().any(|name| *name == part);
    let is_asked = |part: &str| named.is_empty() || is_named(part);
    say_where();
    say("clients, service and bare handler share these cores: read ratios, not rates");
    if is_asked("scan") {
        let mut report = Report::default();
        scan::measure(&mut report);
        report.print();
    }
    let is_trained_needed = ["online-retail", "stream"].into_iter().any(is_asked);
    if is_trained_needed || is_named("soak") {
        let folder = folder();
        let trained = Trained::new(folder.path());
        if is_asked("online-retail") {
            let mut report = Report::default();
            let target = rates::Target {
                name: "Online Retail",
                users: &trained.users,
                items: &trained.items,
                floors: rates::Floors { list: Some(0.5), lookup: Some(0.6) },
                has_sparse: true,
            };
            rates::measure(folder.path(), &target, &mut report);
            rates::print(&report);
        }
        if is_asked("stream") {
            stream::measure(folder.path(), (&trained.users, &trained.items));
        }
        if is_named("soak") {
            soak::measure(folder.path(), &trained.users, minutes);
        }
    }
    if is_asked("pricing") {
        let folder = folder();
        make(folder.path(), PRICED);
        pricing::measure(folder.path(), PRICED);
    }
    for (name, n_items) in LARGE.into_iter().filter(|(name, _)| is_asked(name)) {
        let (folder, mut report) = (folder(), Report::default());
        make(folder.path(), n_items);
        let users: Vec<String> = (0..large::n_users(n_items)).map(large::user).collect();
        let items: Vec<String> = (0..n_items).map(large::item).collect();
        let is_bound = n_items <= 100_000;
        let target = rates::Target {
            name,
            users: &users,
            items: &items,
            floors: rates::Floors { list: None, lookup: is_bound.then_some(0.6) },
            has_sparse: false,
        };
        rates::measure(folder.path(), &target, &mut report);
        rates::print(&report);
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("shopkeeper-bench").tempdir().unwrap()
}

/// A shop that was imported and trained.
struct Trained {
    users: Vec<String>,
    items: Vec<String>,
}

impl Trained {
    fn new(dir: &Path) -> Self {
        shop::fill(dir, &mut Report::default());
        let begun = Instant::now();
        let done = run(dir, &[SPARSE], &["--json", "train"]);
        assert!(done.status.success(), "train: {}", String::from_utf8_lossy(&done.stderr));
        say(format!("trained in {:.1} s", begun.elapsed().as_secs_f64()));
        Self { users: shop::users(dir), items: shop::items(dir) }
    }
}

/// Makes up a large shop.
fn make(dir: &Path, n_items: usize) {
    let begun = Instant::now();
    large::stock(dir, n_items);
    let stocked = begun.elapsed().as_secs_f64();
    large::learn(dir, n_items);
    let learnt = begun.elapsed().as_secs_f64() - stocked;
    let n = count(n_items as f64);
    say(format!("{n} items: written in {stocked:.1} s, snapshot made and saved in {learnt:.1} s"));
}

/// The service on a shop, which trains when asked only.
fn serve(dir: &Path, settings: &[(&str, &str)]) -> Service {
    let settings = [&[("TRAINING__ENABLED", "false"), SPARSE][..], settings].concat();
    let service = Service::start(dir, &settings, &[]);
    assert_eq!(service.get("/health/ready").0, 200);
    service
}
