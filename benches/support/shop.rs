//! The shop that benches are run on: the Online Retail file, or without it a simulated one; and its
//! training, again and again.

use super::{
    block_on,
    report::{Report, count, say},
    service::{program, request},
};
use serde_json::json;
use shopkeeper::{
    domain::{Clock, ItemChange, SystemClock},
    record::store::{ChangeTerms, NothingKnown, Store, sqlite::SqliteStore},
    simulate::{SimulationParams, simulate},
};
use sqlx::{Connection as _, SqliteConnection};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// Fills an embedded database with a shop.
pub(crate) fn fill(dir: &Path, report: &mut Report) {
    let given = std::env::var_os("SHOPKEEPER_BENCH_DATA").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/online-retail/online-retail.csv.zst");
    let begun = Instant::now();
    if let Some(file) = given.or(usual.exists().then_some(usual)) {
        say(format!("the shop is {}", file.display()));
        let mut import = program(dir, &[]);
        import.args(["--json", "import", "online-retail"]).arg(&file).arg("--rejects");
        let done = import.arg(dir.join("rejects")).output().unwrap();
        assert!(done.status.success(), "import: {}", String::from_utf8_lossy(&done.stderr));
        say(String::from_utf8_lossy(&done.stdout).trim());
        report.fact("import into SQLite", format!("{:.1} s", begun.elapsed().as_secs_f64()));
    } else {
        say("the shop is a simulated one: there is no Online Retail file");
        block_on(fill_simulated(dir, &SimulationParams::new(7, SystemClock.now())));
        report.fact("shop", "simulated".into());
    }
}

/// Fills an embedded database with a simulated shop; how many events there are.
pub(crate) async fn fill_simulated(dir: &Path, params: &SimulationParams) -> usize {
    let (now, shop) = (params.end, simulate(params).unwrap());
    let store = SqliteStore::open(&dir.join("shopkeeper.db"), 2).await.unwrap();
    store.backfill_prices(&shop.prices).await.unwrap();
    let replaced = shop
        .items
        .iter()
        .map(|(item, fields)| (item.clone(), ItemChange::Replace(Box::new(fields.clone()))));
    for items in replaced.collect::<Vec<_>>().chunks(10_000) {
        store.change_items(items, ChangeTerms::ANY, now).await.unwrap();
    }
    for events in shop.events.chunks(10_000) {
        store.append_events(events, now, &NothingKnown).await.unwrap();
    }
    shop.events.len()
}

/// Every user with an id that needs no escapes in a path.
pub(crate) fn users(dir: &Path) -> Vec<String> {
    let users = plain_ids(dir, "select user_id from users order by user_id");
    say(format!("{} users", count(users.len() as f64)));
    users
}

/// Every item that has a price, and an id that needs no escapes in a path.
pub(crate) fn items(dir: &Path) -> Vec<String> {
    let items = plain_ids(
        dir,
        "select item_id from items where price_in_force_minor is not null order by item_id",
    );
    say(format!("{} items", count(items.len() as f64)));
    items
}

fn plain_ids(dir: &Path, query: &'static str) -> Vec<String> {
    let mut ids: Vec<String> = block_on(async {
        let url = format!("sqlite://{}", dir.join("shopkeeper.db").display());
        let mut database = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query_scalar(query).fetch_all(&mut database).await.unwrap()
    });
    ids.retain(|id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    ids
}

/// Trains again and again; a new event before each run gives it a reason. Tells how long runs took.
pub(crate) fn train_until(address: &str, stop: &AtomicBool) -> Vec<Duration> {
    let mut runs = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        for shopper in ["bench-1", "bench-2", "bench-3"] {
            let click = json!({ "user": shopper, "item": "bench" }).to_string();
            assert_eq!(request(address, "POST", "/events/click", &click).unwrap().0, 200);
        }
        let begun = Instant::now();
        let (status, run) = request(address, "POST", "/models/train", "").unwrap();
        assert_eq!(status, 200, "{run}");
        assert!(run["outcome"] == "published" || run["outcome"] == "refused", "{run}");
        runs.push(begun.elapsed());
    }
    runs
}
