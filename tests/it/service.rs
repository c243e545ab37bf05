//! The real program: started, stopped, killed, and left without its database.

use crate::support::{
    postgres::{self, Cluster},
    service::{Service, eventually, request, run},
};
use serde_json::json;
use shopkeeper::{
    domain::Sequence,
    record::store::{Store, postgres::PostgresStore, sqlite::SqliteStore},
};
use std::{
    collections::HashSet,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

fn event(n: usize) -> serde_json::Value {
    json!({ "id": format!("e{n}"), "type": "view", "user": format!("u{}", n % 20), "item": format!("i{}", n % 30) })
}

#[test]
fn sigterm_ends_it_cleanly_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path(), &[], &[]);
    assert_eq!(service.get("/health/live").0, 200);
    assert_eq!(service.get("/health/ready").0, 200);
    assert_eq!(service.post("/events", &event(1)).1["accepted"], 1);
    assert!(service.terminate().success());
    let service = Service::start(dir.path(), &[], &["serve"]);
    assert_eq!(service.post("/events", &event(1)).1["duplicates"], 1);
}

#[test]
fn an_empty_shop_says_why_and_ten_events_already_count() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path(), &[], &[]);
    let (status, empty) = service.get("/recommendations/anybody");
    assert_eq!((status, &empty["items"]), (200, &json!([])));
    assert_eq!(empty["empty_because"], "no events have been recorded yet");
    let events: Vec<_> = (0..10).map(event).collect();
    assert_eq!(service.post("/events", &json!(events)).1["accepted"], 10);
    let (_, list) = service.get("/recommendations/anybody");
    assert_eq!(list["source"], "popular");
    assert_eq!(list["items"].as_array().unwrap().len(), 10);
    // Without being asked, it soon learns from them.
    eventually("a first snapshot", || service.get("/models").1["served"] == 1);
}

#[test]
fn neighbours_are_fitted_as_the_settings_say() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..60).map(|n| event(n).to_string()).collect();
    std::fs::write(dir.path().join("events.ndjson"), lines.join("\n")).unwrap();
    assert!(run(dir.path(), &[], &["import", "events", "events.ndjson"]).status.success());
    let settings =
        [("MODELS__ITEM_KNN__SIMILARITY", "pearson"), ("MODELS__USER_KNN__WEIGHTING", "none")];
    assert!(run(dir.path(), &settings, &["train"]).status.success());
    let refused = run(dir.path(), &[("MODELS__ITEM_KNN__SIMILARITY", "euclid")], &["train"]);
    let line = String::from_utf8(refused.stderr).unwrap();
    assert!(line.contains("models.item_knn.similarity") && line.contains("euclid"), "{line}");
}

/// Posts from several threads until the service is gone; answers what was acknowledged.
fn post_until_gone(address: &str, kill: impl FnOnce()) -> HashSet<String> {
    let enough = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|client: usize| {
                let enough = &enough;
                scope.spawn(move || {
                    let mut mine = HashSet::new();
                    for n in 0.. {
                        let batch: Vec<_> =
                            (0..=client).map(|e| event(client * 1_000_000 + n * 10 + e)).collect();
                        let body = json!(batch).to_string();
                        let Ok((status, _)) = request(address, "POST", "/events", &body) else {
                            break;
                        };
                        assert_eq!(status, 200);
                        let ids =
                            batch.iter().map(|event| event["id"].as_str().unwrap().to_owned());
                        mine.extend(ids);
                        if mine.len() > 100 {
                            enough.store(true, Ordering::Release);
                        }
                    }
                    mine
                })
            })
            .collect();
        eventually("some events", || enough.load(Ordering::Acquire));
        kill();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<HashSet<_>>()
    });
    assert!(acknowledged.len() > 100);
    acknowledged
}

async fn stored(store: &dyn Store) -> Vec<String> {
    let events = store.events_after(Sequence(0), 1_000_000).await.unwrap();
    events.into_iter().filter_map(|recorded| recorded.event.event_id).collect()
}

fn kill_and_count(dir: &Path, settings: &[(&str, &str)]) -> HashSet<String> {
    let service = Service::start(dir, settings, &[]);
    let address = service.address().to_owned();
    let acknowledged = post_until_gone(&address, || service.kill());
    // It comes back by itself, and a retry of everything changes nothing.
    let service = Service::start(dir, settings, &[]);
    assert_eq!(service.get("/health/ready").1["status"], "ok");
    let retried = acknowledged.iter().next().unwrap();
    let again = json!({ "id": retried, "type": "view", "user": "u", "item": "i" });
    assert_eq!(service.post("/events", &again).1["duplicates"], 1);
    assert!(service.terminate().success());
    acknowledged
}

fn assert_all_once(acknowledged: &HashSet<String>, stored: Vec<String>) {
    let n_stored = stored.len();
    let distinct: HashSet<String> = stored.into_iter().collect();
    assert_eq!(distinct.len(), n_stored, "an event is there twice");
    let lost: Vec<_> = acknowledged.difference(&distinct).take(3).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_events_pour_in_it_keeps_all_acknowledged_ones_in_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let acknowledged = tokio::task::block_in_place(|| kill_and_count(dir.path(), &[]));
    let store = SqliteStore::open(&dir.path().join("shopkeeper.db"), 1).await.unwrap();
    assert_all_once(&acknowledged, stored(&store).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_events_pour_in_it_keeps_all_acknowledged_ones_in_postgres() {
    let (dir, cluster) = (tempfile::tempdir().unwrap(), postgres::shared());
    let url = cluster.database().await;
    let settings = [("DATABASE__URL", url.as_str())];
    let acknowledged = tokio::task::block_in_place(|| kill_and_count(dir.path(), &settings));
    let store = PostgresStore::connect(&url, 2, Duration::from_secs(5)).await.unwrap();
    assert_all_once(&acknowledged, stored(&store).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_it_answers_from_memory_and_recovers() {
    let (dir, cluster) = (tempfile::tempdir().unwrap(), Cluster::start(false));
    let url = cluster.database().await;
    let settings = [("DATABASE__URL", url.as_str()), ("DATABASE__ACQUIRE_TIMEOUT_MS", "1000")];
    tokio::task::block_in_place(|| {
        let service = Service::start(dir.path(), &settings, &[]);
        let items: Vec<_> =
            (0..30).map(|n| json!({ "item": format!("i{n}"), "price": "12.90" })).collect();
        assert_eq!(service.post("/items", &json!(items)).0, 200);
        let events: Vec<_> = (0..400).map(event).collect();
        assert_eq!(service.post("/events", &json!(events)).1["accepted"], 400);
        assert_eq!(service.post("/models/train", &json!({})).0, 200);
        assert_eq!(service.get("/recommendations/u1").1["source"], "personal");

        let (down, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let readers: Vec<_> = ["/recommendations/u1", "/prices/i1", "/recommendations/new"]
                .into_iter()
                .map(|path| {
                    let (service, stop) = (&service, &stop);
                    scope.spawn(move || {
                        let mut n = 0;
                        while !stop.load(Ordering::Acquire) {
                            let (status, answer) = service.get(path);
                            assert_eq!(status, 200, "{path}: {answer}");
                            n += 1;
                        }
                        n
                    })
                })
                .collect();
            let writer = scope.spawn(|| {
                let mut refused = 0;
                for n in 1_000.. {
                    let (status, answer) = service.post("/events", &event(n));
                    assert!(status == 200 || status == 503, "{status}: {answer}");
                    refused += usize::from(status == 503);
                    if stop.load(Ordering::Acquire) {
                        break;
                    }
                    assert!(status == 200 || down.load(Ordering::Acquire), "503 while it is up");
                }
                refused
            });
            std::thread::sleep(Duration::from_millis(300));
            down.store(true, Ordering::Release);
            cluster.stop();
            eventually("a degraded list", || {
                service.get("/recommendations/u1").1["degraded"] == true
            });
            for path in ["/health/ready", "/status", "/models"] {
                let begun = Instant::now();
                let (status, answer) = service.get(path);
                assert_eq!(status, 200, "{path}: {answer}");
                assert!(begun.elapsed() < Duration::from_millis(900), "{path} waits");
            }
            assert_eq!(service.get("/health/ready").1["status"], "degraded");
            // Why training fails is told, though it cannot be written down.
            let (_, run) = service.post("/models/train", &json!({}));
            assert_eq!(run["outcome"], "failed");
            for path in ["/status", "/models"] {
                let (_, answer) = service.get(path);
                assert_eq!(answer["runs"][0], run, "{path}");
                let mut runs = answer["runs"].as_array().unwrap().iter();
                assert!(runs.any(|run| run["outcome"] == "published"), "{path}: {answer}");
            }
            std::thread::sleep(Duration::from_millis(500));
            let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
            let refused = log.lines().find(|line| line.contains("request refused")).unwrap();
            for part in ["WARN", "request.id=", "/events", "status=503", "database"] {
                assert!(refused.contains(part), "{part} is not in {refused}");
            }
            cluster.resume();
            eventually("recovery", || service.post("/events", &event(999)).0 == 200);
            eventually("a whole list", || {
                service.get("/recommendations/u1").1["degraded"] == false
            });
            stop.store(true, Ordering::Release);
            assert!(writer.join().unwrap() > 0, "nothing was refused while it was down");
            assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
        });
        assert!(service.terminate().success());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_later_is_waited_for() {
    let (dir, cluster) = (tempfile::tempdir().unwrap(), Cluster::start(false));
    let url = cluster.database().await;
    let settings =
        |seconds| [("DATABASE__URL", url.as_str()), ("DATABASE__START_WAIT_SECONDS", seconds)];
    tokio::task::block_in_place(|| {
        cluster.stop();
        let failed = run(dir.path(), &settings("0"), &["serve"]);
        assert_eq!(failed.status.code(), Some(1));
        std::thread::scope(|scope| {
            let service = scope.spawn(|| Service::start(dir.path(), &settings("60"), &[]));
            std::thread::sleep(Duration::from_millis(1_500));
            cluster.resume();
            assert_eq!(service.join().unwrap().get("/health/ready").1["status"], "ok");
        });
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        assert!(log.contains("trying again"), "{log}");
    });
}

#[test]
fn the_demo_answers_personally_within_a_minute() {
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let folder = dir.path().join("shop");
    let service = Service::start(dir.path(), &[], &["demo", "--dir", folder.to_str().unwrap()]);
    let shopper = "/recommendations/shopper-0001?n=5&explain=true";
    let personal = (1..50).map(|n| format!("/recommendations/shopper-{n:04}?n=5&explain=true"));
    let found = personal.into_iter().find(|path| service.get(path).1["source"] == "personal");
    assert!(found.is_some(), "{:?}", service.get(shopper));
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[test]
fn wrong_use_and_wrong_settings_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &[], &["sell"]).status.code(), Some(2));
    let refused = run(dir.path(), &[("TRAINING__PERIOD", "7")], &["config"]);
    assert_eq!(refused.status.code(), Some(1));
    let line = String::from_utf8(refused.stderr).unwrap();
    assert!(line.contains("training.period") && line.lines().count() == 1, "{line}");
    let shown = run(dir.path(), &[("AUTH__ADMIN_KEYS", "0123456789abcdef")], &["config"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("admin_keys") && !shown.contains("0123456789abcdef"), "{shown}");
    let open = run(dir.path(), &[("SERVER__LISTEN", "0.0.0.0:0")], &["serve"]);
    assert_eq!(open.status.code(), Some(1));
}

#[test]
fn amounts_of_one_currency_are_never_read_as_another() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("items.csv"), "item,price\na,5.00\n").unwrap();
    let items = dir.path().join("items.csv");
    let import = |currency| {
        let settings = [("SHOP__CURRENCY", currency)];
        run(dir.path(), &settings, &["import", "items", items.to_str().unwrap()])
    };
    // With nothing in it yet, whoever comes first settles it.
    let empty = dir.path().join("empty.csv");
    std::fs::write(&empty, "item,price\n").unwrap();
    let nothing = ["import", "items", empty.to_str().unwrap()];
    assert!(run(dir.path(), &[("SHOP__CURRENCY", "GBP")], &nothing).status.success());
    assert!(import("EUR").status.success());
    let refused = import("USD");
    assert_eq!(refused.status.code(), Some(1));
    let line = String::from_utf8(refused.stderr).unwrap();
    assert!(line.contains("in EUR") && line.contains("shop.currency"), "{line}");
    let serve = run(dir.path(), &[("SHOP__CURRENCY", "USD")], &["serve"]);
    assert_eq!(serve.status.code(), Some(1));
    assert!(import("EUR").status.success());
}

#[test]
fn commands_answer_in_json_for_scripts() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..60).map(|n| event(n).to_string()).collect();
    std::fs::write(dir.path().join("events.ndjson"), lines.join("\n")).unwrap();
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = run(dir.path(), &[], arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let imported = json(&["import", "events", "events.ndjson", "--json"]);
    assert_eq!((&imported["rows"], &imported["stored"]), (&json!(60), &json!(60)));
    let again = json(&["import", "events", "events.ndjson", "--json"]);
    assert_eq!((&again["stored"], &again["duplicates"]), (&json!(0), &json!(60)));
    assert_eq!(json(&["train", "--json"])["outcome"], "published");
    assert_eq!(json(&["train", "--json"])["outcome"], "skipped");
    assert!(json(&["config", "--json"])["training"]["period_seconds"].is_u64());
    // A service that starts now has the snapshot at once.
    let service = Service::start(dir.path(), &[], &[]);
    assert_eq!(service.get("/models").1["served"], 1);
}

#[test]
fn an_estimate_is_carried_from_small_shops_that_were_learned_from() {
    let dir = tempfile::tempdir().unwrap();
    let estimate = |events: &str| {
        let size = ["--users", "600", "--items", "90", "--events", events];
        let arguments: Vec<&str> = ["--json", "estimate"].into_iter().chain(size).collect();
        run(dir.path(), &[("MODELS__ENABLED", "item_knn,als")], &arguments)
    };
    let output = estimate("18000");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let (forecast, pilots) = (&answer["forecast"], answer["pilots"].as_array().unwrap());
    assert!(forecast["seconds"].as_f64().unwrap() > 0.0, "{answer}");
    let bytes = |pilot: &serde_json::Value| {
        let mut models = pilot["models"].as_array().unwrap().iter();
        models.find(|model| model["model"] == "als").unwrap()["bytes"].as_f64().unwrap()
    };
    // The larger pilot is the shop itself.
    let said = forecast["models"]["als"]["bytes"].as_f64().unwrap();
    assert!((said / bytes(&pilots[1]) - 1.0).abs() < 0.2, "{answer}");
    // Whatever the small shops were served by, the one that is asked about is reckoned with a personal model.
    let served = forecast["served_models"].as_array().unwrap();
    assert!(!served.is_empty(), "{answer}");
    for model in served {
        assert!(!forecast["snapshot_bytes"][model.as_str().unwrap()].is_null(), "{answer}");
    }
    assert!(bytes(&pilots[0]) < bytes(&pilots[1]), "{answer}");
    assert!(forecast["swap_bytes"].as_f64() > forecast["serving_bytes"].as_f64(), "{answer}");
    assert_eq!(estimate("0").status.code(), Some(2));
    assert_eq!(estimate("many").status.code(), Some(2));
}
