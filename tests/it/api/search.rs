//! Parameters that are searched while the shop is open.

use crate::support::shop::{NOW, Shop};
use serde_json::{Value, json};
use shopkeeper::config::Config;

/// Tea drinkers and coffee drinkers who come back every day and look at things of their kind.
async fn busy_days(shop: &Shop) {
    let mut events = Vec::new();
    for day in 0..20_i64 {
        for user in 0..24_i64 {
            let kind = if user % 2 == 0 { "tea" } else { "coffee" };
            let item = (user * 5 + day * 7) % 20;
            let at = NOW.0 - (20 - day) * 86_400_000 + user * 60_000;
            events.push(json!({
                "type": "click", "user": format!("u{user}"),
                "item": format!("{kind}-{item}"), "timestamp": at,
            }));
        }
    }
    let accepted = shop.post("/events", events.into()).await.is(200)["accepted"].clone();
    assert_eq!(accepted, 480);
}

fn small(config: &mut Config) {
    config.search.trials_max = 6;
    config.search.run_seconds = 1e-6;
    config.training.new_events_min = 1_000_000;
}

fn candidates(answer: &Value) -> usize {
    answer["candidates"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn the_first_snapshot_does_not_wait_and_every_run_goes_on() {
    let mut shop = Shop::with(small).await;
    busy_days(&shop).await;
    assert_eq!(shop.train_by_the_clock().await.version, Some(1));
    assert_eq!(shop.get("/models").await.is(200)["report"]["search"], Value::Null);
    for _ in 0..8 {
        shop.train_by_the_clock().await;
    }
    // However it came out, the next run that publishes tells of it.
    shop.act("u1", "click", "tea-1").await;
    let run = shop.train().await;
    let search = &run.report["search"];
    assert_eq!(candidates(search), 6, "{search}");
    assert!(search["ended"].as_str().unwrap().contains("6 trials"));
    let status = shop.get("/status").await.is(200);
    assert_eq!(candidates(&status["snapshot"]["search"]), 6);
    assert!(status["snapshot"]["choice"].is_string());
    let models = shop.get("/models").await.is(200);
    for model in models["report"]["models"].as_array().unwrap() {
        assert!(model["verdict"].is_string() && model["bytes"].is_u64(), "{model}");
    }
    let best = search["candidates"].as_array().unwrap().iter().filter(|c| c["is_best"] == true);
    assert!(best.count() >= 2, "{search}");
}

#[tokio::test]
async fn whoever_asks_gets_the_whole_search_and_a_restart_knows_of_it() {
    let mut shop = Shop::with(small).await;
    busy_days(&shop).await;
    shop.train().await;
    assert_eq!(shop.get("/models").await.is(200)["report"]["search"], Value::Null);
    shop.start_trainer();
    let run = shop.post("/models/train?search=true", Value::Null).await.is(200);
    assert_eq!(candidates(&run["report"]["search"]), 6, "{run}");
    let mut again = shop.beside().await;
    again.act("u1", "click", "tea-1").await;
    let run = again.train().await;
    assert_eq!(candidates(&run.report["search"]), 6, "what was found before is used again");
    let refused = shop.post("/models/train?serach=true", Value::Null).await;
    assert_eq!(refused.faults(422), ["/serach"]);
}

#[tokio::test]
async fn what_was_found_under_other_settings_is_no_answer() {
    let mut shop = Shop::with(small).await;
    busy_days(&shop).await;
    shop.train().await;
    shop.start_trainer();
    shop.post("/models/train?search=true", Value::Null).await.is(200);
    let mut other = shop.beside_with(|config| config.models.svd.n_factors = 3).await;
    other.act("u1", "click", "tea-1").await;
    assert_eq!(other.train().await.report["search"], Value::Null);
}
