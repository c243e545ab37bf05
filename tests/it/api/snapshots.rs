//! Training, versions and going back, as an operator sees them.

use crate::support::shop::{NOW, Shop, ids};
use serde_json::{Value, json};
use shopkeeper::{
    domain::{ModelRun, RunOutcome},
    learn::trainer::Occasion,
};
use std::{future::poll_fn, pin::Pin, task::Poll};
use tokio_util::sync::CancellationToken;

async fn served(shop: &Shop) -> Value {
    shop.get("/models").await.is(200)["served"].clone()
}

#[tokio::test]
async fn training_on_request_publishes_and_is_reported() {
    let mut shop = Shop::open().await;
    shop.start_trainer();
    let run = shop.post("/models/train", json!(null)).await.is(200);
    assert_eq!((&run["outcome"], &run["version"]), (&json!("skipped"), &Value::Null));
    assert!(run["reason"].as_str().unwrap().contains("no events"), "{run}");
    shop.open_doors().await;
    let needs = shop.get("/status").await.is(200)["snapshot"]["needs"].clone();
    assert!(needs.as_str().unwrap().contains("180 events"), "{needs}");

    let run = shop.post("/models/train", json!(null)).await.is(200);
    assert_eq!((&run["outcome"], &run["version"]), (&json!("published"), &json!(1)));
    assert_eq!(run["report"]["events"], 180);
    let models = shop.get("/models").await.is(200);
    assert_eq!((&models["served"], &models["versions"]), (&json!(1), &json!([1])));
    assert_eq!(models["runs"][0], run);
    let parts = models["blend"].as_array().unwrap();
    assert!(!parts.is_empty() && parts.iter().all(|part| part["bytes"].as_u64() > Some(0)));
    let status = shop.get("/status").await.is(200);
    assert_eq!((&status["snapshot"]["version"], &status["runs"][0]), (&json!(1), &run));
    assert_eq!(
        (&status["snapshot"]["items"], &status["snapshot"]["shoppers"]),
        (&json!(20), &json!(20))
    );
    assert_eq!(status["snapshot"]["needs"], Value::Null);

    let run = shop.post("/models/train", json!(null)).await.is(200);
    assert_eq!(run["outcome"], "skipped");
    assert!(run["reason"].as_str().unwrap().contains("nothing changed"), "{run}");
    let metrics = shop.get("/metrics").await.is(200);
    let metrics = metrics.as_str().unwrap();
    for (model, outcome, n) in
        [("all", "published", 1), ("all", "skipped", 2), ("item_knn", "published", 1)]
    {
        let line = format!("training_runs_total{{model=\"{model}\",outcome=\"{outcome}\"}} {n}\n");
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    assert!(metrics.contains("shopkeeper_snapshot_version 1"));
}

#[tokio::test]
async fn the_timer_waits_for_enough_new_events() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    assert_eq!(shop.train_by_the_clock().await.version, Some(1), "a first one needs few");
    shop.act("u", "click", "tea-1").await;
    let run = shop.train_by_the_clock().await;
    assert_eq!(run.outcome, RunOutcome::Skipped);
    assert!(run.reason.contains("1 new events") && run.reason.contains("100"), "{}", run.reason);
    assert_eq!(shop.train().await.version, Some(2), "whoever asks need not wait");
}

#[tokio::test]
async fn rollback_serves_the_version_before_and_says_so() {
    let mut shop = Shop::open().await;
    assert_eq!(
        shop.post("/models/rollback", json!(null)).await.is(409)["type"],
        "/problems/conflict"
    );
    shop.open_doors().await;
    shop.train().await;
    shop.post("/models/rollback", json!(null)).await.is(409);
    let before = shop.get("/recommendations/t0").await.is(200)["items"].clone();
    for _ in 0..4 {
        shop.act("t0", "dislike", "tea-1").await;
        shop.act("late", "click", "tea-1").await;
    }
    shop.train().await;
    assert_eq!(served(&shop).await, 2);
    let run = shop.post("/models/rollback", json!(null)).await.is(200);
    assert_eq!((&run["outcome"], &run["version"]), (&json!("rolled_back"), &json!(1)));
    assert!(run["reason"].as_str().unwrap().contains("version 2"), "{run}");
    assert_eq!(served(&shop).await, 1);
    let status = shop.get("/status").await.is(200);
    assert_eq!(status["runs"][0], run);
    let list = shop.get("/recommendations/c0").await.is(200);
    assert_eq!(list["model"]["version"], 1);
    // What the shopper did since the old version counts on top of it.
    assert_ne!(shop.get("/recommendations/t0").await.is(200)["items"], before);
    assert_eq!(
        shop.beside().await.get("/models").await.is(200)["served"],
        1,
        "after a restart too"
    );
    // Nothing is overwritten: the next one is new.
    assert_eq!(shop.train().await.version, Some(3));
}

#[tokio::test]
async fn rollback_passes_over_a_damaged_version() {
    let mut shop = Shop::open().await;
    for n in 0..3 {
        shop.act(&format!("u{n}"), "click", "a").await;
        shop.train().await;
    }
    std::fs::write(shop.snapshot_file(2), "damaged").unwrap();
    let run = shop.post("/models/rollback", json!(null)).await.is(200);
    assert_eq!(run["version"], 1);
}

#[tokio::test]
async fn five_versions_are_kept() {
    let mut shop = Shop::open().await;
    for n in 1..=7 {
        shop.act(&format!("u{n}"), "click", "a").await;
        assert_eq!(shop.train().await.version, Some(n));
    }
    assert_eq!(shop.get("/models").await.is(200)["versions"], json!([3, 4, 5, 6, 7]));
}

#[tokio::test]
async fn a_restart_answers_from_the_saved_snapshot_and_what_happened_since() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.put("/items/tea-0", json!({ "price": 4 })).await.is(200);
    shop.train().await;
    shop.act("new", "click", "tea-3").await;
    shop.act("t5", "purchase", "tea-5").await;
    let restarted = shop.beside().await;
    for path in
        ["/recommendations/t0", "/recommendations/new", "/recommendations/t5", "/recommendations/x"]
    {
        let (before, after) = (shop.get(path).await.is(200), restarted.get(path).await.is(200));
        assert_eq!(before["items"], after["items"], "{path}");
        assert_eq!((&after["model"]["version"], &after["source"]), (&json!(1), &before["source"]));
    }
    assert_eq!(restarted.get("/health/ready").await.is(200)["status"], "ok");
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused_and_the_one_before_is_taken() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.train().await;
    shop.act("u", "click", "tea-1").await;
    shop.train().await;
    let file = shop.snapshot_file(2);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let mut restarted = shop.beside().await;
    assert_eq!(served(&restarted).await, 1);
    let list = restarted.get("/recommendations/t0").await.is(200);
    assert_eq!((ids(&list)[0], &list["source"]), ("tea-0", &json!("personal")));
    // From now on that is the one to serve, so nobody tries the damaged one again.
    assert_eq!(restarted.state.folder.served(), Some(1));
    assert_eq!(restarted.train().await.version, Some(3));
    assert_eq!(served(&restarted).await, 3);
    // One of an older version of the program is no damage, and says what it is.
    let bytes = std::fs::read(restarted.snapshot_file(3)).unwrap();
    let body = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    let old = [b"SHOPKEEPER SNAPSHOT 1 3 0".as_slice(), &bytes[body..]].concat();
    std::fs::write(restarted.snapshot_file(3), old).unwrap();
    let passed_over = restarted.state.folder.load(3).unwrap_err().to_string();
    assert!(passed_over.contains("has format 1") && passed_over.contains("anew"), "{passed_over}");
    // An empty folder is a new shop's.
    for version in restarted.state.folder.versions() {
        std::fs::write(restarted.snapshot_file(version), "").unwrap();
    }
    let restarted = shop.beside().await;
    assert_eq!(served(&restarted).await, 0);
    assert_eq!(restarted.get("/recommendations/t0").await.is(200)["source"], "popular");
}

#[tokio::test]
async fn what_another_process_publishes_is_adopted() {
    let shop = Shop::open().await;
    shop.open_doors().await;
    let mut other = shop.beside().await;
    other.train().await;
    assert_eq!(served(&shop).await, 0);
    shop.adopt().await;
    assert_eq!(served(&shop).await, 1);
    assert_eq!(shop.get("/recommendations/t0").await.is(200)["source"], "personal");
    let metrics = shop.get("/metrics").await.is(200);
    assert!(metrics.as_str().unwrap().contains("shopkeeper_snapshot_version 1"));
    std::fs::write(shop.snapshot_file(1), "damaged").unwrap();
    shop.adopt().await;
    assert_eq!(served(&shop).await, 1);
    // One that cannot be read is not tried in every round, but it is tried again.
    shop.act("late", "click", "tea-1").await;
    other.train().await;
    let whole = std::fs::read(shop.snapshot_file(2)).unwrap();
    std::fs::write(shop.snapshot_file(2), "damaged").unwrap();
    shop.adopt().await;
    std::fs::write(shop.snapshot_file(2), whole).unwrap();
    shop.adopt().await;
    assert_eq!(served(&shop).await, 1);
    shop.clock.advance_ms(61_000);
    shop.adopt().await;
    assert_eq!(served(&shop).await, 2);
}

#[tokio::test]
async fn a_rollback_holds_until_somebody_trains() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.train().await;
    shop.act("late", "click", "tea-1").await;
    assert_eq!(shop.train().await.version, Some(2));
    shop.post("/models/rollback", json!(null)).await.is(200);
    assert_eq!(served(&shop).await, 1);
    for n in 0..200 {
        shop.act(&format!("new-{n}"), "click", "tea-1").await;
    }
    let run = shop.train_by_the_clock().await;
    assert_eq!(run.outcome, RunOutcome::Skipped);
    assert!(run.reason.contains("POST /models/train"), "{}", run.reason);
    assert_eq!(shop.train().await.version, Some(3));
    for n in 200..400 {
        shop.act(&format!("new-{n}"), "click", "tea-1").await;
    }
    assert_eq!(shop.train_by_the_clock().await.version, Some(4), "and then by itself again");
}

/// What is done while a run goes on, which takes much longer.
async fn meanwhile<T>(
    run: &mut Pin<Box<impl Future<Output = ModelRun>>>,
    deed: impl Future<Output = T>,
) -> T {
    tokio::select! {
        run = run => panic!("it ended before it was looked at: {run:?}"),
        done = deed => done,
    }
}

/// Goes on with a run until it holds the lease.
async fn begin(shop: &Shop, run: &mut Pin<Box<impl Future<Output = ModelRun>>>) {
    let (store, now) = (&shop.state.store, NOW);
    // A lease that has run out at once is in nobody's way.
    while meanwhile(run, store.take_lease("training", "test", now, now)).await.unwrap() {}
}

/// A shop that serves version 2 of two, and has something more to learn.
async fn with_two_versions() -> Shop {
    // Runs last long enough for something to happen meanwhile.
    let mut shop = Shop::with(|config| config.models.als.n_epochs = 300).await;
    shop.open_doors().await;
    shop.train().await;
    shop.act("late", "click", "tea-1").await;
    assert_eq!(shop.train().await.version, Some(2));
    for n in 0..200 {
        shop.act(&format!("new-{n}"), "click", "tea-1").await;
    }
    shop
}

#[tokio::test]
async fn a_run_in_progress_does_not_undo_a_rollback() {
    for occasion in [Occasion::Asked, Occasion::Periodic] {
        let mut shop = with_two_versions().await;
        let (mut trainer, stop) = (shop.take_trainer(), CancellationToken::new());
        let mut run = Box::pin(trainer.train_once(occasion, &stop));
        begin(&shop, &mut run).await;
        meanwhile(&mut run, shop.post("/models/rollback", json!(null))).await.is(200);
        let run = run.await;
        assert_eq!((run.outcome, run.version), (RunOutcome::Refused, None), "{occasion:?}");
        assert!(run.reason.contains("went back to version 1"), "{}", run.reason);
        let models = shop.get("/models").await.is(200);
        assert_eq!((&models["served"], &models["held"]), (&json!(1), &json!(true)));
        assert_eq!(models["versions"], json!([1, 2]), "nothing is left of what was refused");
        assert_eq!(shop.get("/status").await.is(200)["snapshot"]["held"], true);
        assert_eq!(shop.beside().await.state.snapshots.current().version, 1);
        let run = trainer.train_once(Occasion::Periodic, &stop).await;
        assert_eq!(run.outcome, RunOutcome::Skipped, "it still holds");
        // Whoever asks now, knows.
        assert_eq!(trainer.train_once(Occasion::Asked, &stop).await.version, Some(3));
        assert_eq!(shop.get("/models").await.is(200)["held"], false);
    }
}

#[tokio::test]
async fn a_run_that_was_asked_for_before_a_rollback_does_not_lift_it() {
    let mut shop = with_two_versions().await;
    let requests = shop.state.trainer.clone();
    let mut asked = Box::pin(requests.train(Occasion::Asked));
    // It waits in the queue from now on.
    assert!(poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_pending())).await);
    shop.post("/models/rollback", json!(null)).await.is(200);
    shop.start_trainer();
    assert_eq!(asked.await.unwrap().outcome, RunOutcome::Refused);
    assert_eq!(served(&shop).await, 1);
    let run = shop.post("/models/train", json!(null)).await.is(200);
    assert_eq!((&run["outcome"], &run["version"]), (&json!("published"), &json!(3)));
}

#[tokio::test]
async fn a_run_that_lost_its_lease_publishes_nothing() {
    let mut shop = with_two_versions().await;
    let (mut trainer, stop) = (shop.take_trainer(), CancellationToken::new());
    let mut run = Box::pin(trainer.train_once(Occasion::Asked, &stop));
    begin(&shop, &mut run).await;
    let later = NOW.plus_ms(3_600_000);
    let store = &shop.state.store;
    let taking = store.take_lease("training", "other", later, later.plus_ms(1));
    assert!(meanwhile(&mut run, taking).await.unwrap());
    let run = run.await;
    assert_eq!(run.outcome, RunOutcome::Failed, "{}", run.reason);
    assert!(run.reason.contains("another process"), "{}", run.reason);
    let models = shop.get("/models").await.is(200);
    assert_eq!((&models["served"], &models["versions"]), (&json!(2), &json!([1, 2])));
    // What it does not hold it does not give back.
    assert!(!store.take_lease("training", "third", later, later).await.unwrap());
}

#[tokio::test]
async fn a_periodic_run_that_is_skipped_is_told_of_until_another_ends() {
    let mut shop = with_two_versions().await;
    assert_eq!(shop.train_by_the_clock().await.version, Some(3));
    for _ in 0..3 {
        assert_eq!(shop.train_by_the_clock().await.outcome, RunOutcome::Skipped);
    }
    let runs = shop.get("/status").await.is(200)["runs"].clone();
    let outcomes: Vec<_> = runs.as_array().unwrap().iter().map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, ["skipped", "published", "published", "published"]);
    assert!(runs[0]["reason"].as_str().unwrap().contains("nothing changed"), "{runs}");
}

#[tokio::test]
async fn other_settings_are_a_reason_to_train_though_nothing_happened() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    assert_eq!(shop.train_by_the_clock().await.version, Some(1));
    assert_eq!(shop.train_by_the_clock().await.outcome, RunOutcome::Skipped);
    let named = json!({ "models": { "nmf": 1.0 } });
    let mut restarted = shop
        .beside_with(|config| {
            config.scenarios.insert("named".into(), serde_json::from_value(named).unwrap());
        })
        .await;
    let parts = |models: &Value| models["blend"].to_string();
    assert!(!parts(&restarted.get("/models").await.is(200)).contains("nmf"));
    assert_eq!(restarted.train_by_the_clock().await.version, Some(2));
    let bytes = restarted.get("/status").await.is(200)["memory"].to_string();
    assert!(bytes.contains("nmf"), "{bytes}");
    assert_eq!(restarted.train().await.outcome, RunOutcome::Skipped, "the same again is not");
    // Both go on with what they have: the timer tries its settings once.
    let mut shorter = shop.beside_with(|config| config.training.window_days = 30).await;
    assert_eq!(shorter.train_by_the_clock().await.version, Some(3));
    restarted.adopt().await;
    assert_eq!(restarted.train_by_the_clock().await.outcome, RunOutcome::Skipped);
    assert_eq!(restarted.train().await.version, Some(4), "whoever asks gets it");
}

#[tokio::test]
async fn a_pause_of_years_takes_nothing_away() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.train().await;
    let before = shop.get("/models").await.is(200)["report"].clone();
    shop.clock.advance_ms(15 * 365 * 86_400_000);
    shop.act("visitor", "click", "tea-1").await;
    shop.train().await;
    let after = shop.get("/models").await.is(200)["report"].clone();
    assert_eq!(after["events"].as_u64(), before["events"].as_u64().map(|n| n + 1));
    let list = shop.get("/recommendations/t1?n=5").await.is(200);
    assert_eq!(list["source"], "personal");
    assert!(ids(&list).iter().all(|id| id.starts_with("tea")), "{list}");
}
