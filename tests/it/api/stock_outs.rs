//! Stock-outs and promotions: recorded as they happen, learned from, and kept out of trials.

use super::prices::lively_with;
use crate::support::shop::Shop;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

/// What the last training run reports of how demand answers to price.
async fn report(shop: &Shop) -> Value {
    let models = shop.get("/models").await.is(200);
    let report = &models["report"]["price_response"];
    assert!(report.is_object(), "{models}");
    report.clone()
}

/// Units that a week is expected to bring.
async fn units_of_a_week(shop: &Shop) -> f64 {
    let asked = json!({ "items": [{ "item": "hot", "prices": ["10.00"] }] });
    let told = shop.post("/prices/simulate", asked).await.is(200);
    told["items"][0]["weeks"][0]["units"]["mean"].as_f64().unwrap()
}

/// A week in which `hot` sells `n` pieces.
async fn week(shop: &Shop, n: i64) {
    let now = shop.now().0;
    let events: Vec<Value> = (0..n)
        .map(|sale| {
            let at = now + (sale + 1) * (6 * DAY_MS / (n + 1));
            json!({ "user": format!("u{}", sale % 20), "item": "hot", "timestamp": at })
        })
        .chain([json!({ "user": "u1", "item": "even", "timestamp": now + 6 * DAY_MS })])
        .collect();
    shop.clock.advance_ms(7 * DAY_MS);
    shop.post("/events/purchase", events.into()).await.is(200);
}

#[tokio::test]
async fn a_week_that_was_sold_out_is_censored_and_a_promoted_one_is_told_apart() {
    let mut shop = lively_with(|_| {}).await;
    let before = report(&shop).await;
    for count in ["weeks_sold_out", "weeks_partly_sold_out", "weeks_promoted"] {
        assert_eq!(before[count], 0, "nothing of the kind was recorded: {before}");
    }
    let told = shop.get("/items/hot/elasticity").await.is(200);
    assert_eq!(told["demand"]["weeks_sold_out"], 0);
    let weeks = told["demand"]["effective_weeks"].as_f64().unwrap();
    // Sold out for a week and a half, then promoted for a week.
    shop.patch("/items/hot", json!({ "stock": 0 })).await.is(200);
    week(&shop, 0).await;
    shop.clock.advance_ms(7 * DAY_MS / 2);
    shop.patch("/items/hot", json!({ "stock": 500 })).await.is(200);
    shop.clock.advance_ms(7 * DAY_MS / 2);
    shop.patch("/items/hot", json!({ "promoted": true })).await.is(200);
    week(&shop, 60).await;
    shop.patch("/items/hot", json!({ "promoted": false })).await.is(200);
    week(&shop, 23).await;
    let run = shop.train().await;
    assert_eq!(run.version, Some(2), "{}", run.reason);
    let after = report(&shop).await;
    let counts =
        ["weeks_sold_out", "weeks_partly_sold_out", "weeks_promoted"].map(|name| &after[name]);
    assert_eq!(counts, [1, 1, 1], "{after}");
    let told = shop.get("/items/hot/elasticity").await.is(200);
    assert_eq!(told["demand"]["weeks_sold_out"], 1);
    let more = told["demand"]["effective_weeks"].as_f64().unwrap() - weeks;
    assert!((2.0..3.0).contains(&more), "two weeks and a half are on sale, less one: {more}");
    let warm = shop.get("/prices/warm/explanation").await.is(200);
    assert_eq!(warm["demand"]["weeks_sold_out"], 0, "that was another item");
    let own = told["demand"]["own"]["mean"].as_f64().unwrap();
    assert!((-3.8..-2.2).contains(&own), "demand is what it was: {own}");
    // 60 pieces were sold in the promoted week, 23 in the next; all else sold nothing in either, which the weeks share.
    // In a shop that never promoted anything a promotion is not counted on.
    let never = lively_with(|_| {}).await;
    let plain = units_of_a_week(&never).await;
    never.patch("/items/hot", json!({ "promoted": true })).await.is(200);
    let unknown = units_of_a_week(&never).await;
    assert!((unknown - plain).abs() < 1e-9, "{plain} and {unknown}");
    let usual = units_of_a_week(&shop).await;
    shop.patch("/items/hot", json!({ "promoted": true })).await.is(200);
    let promoted = units_of_a_week(&shop).await;
    assert!((2.0..30.0).contains(&(promoted / usual)), "{usual} and {promoted}");
}

#[tokio::test]
async fn nothing_is_tried_while_an_item_is_sold_out_just_back_or_promoted() {
    let shop = lively_with(|config| {
        config.pricing.explore = true;
        config.pricing.explore_share = 1.0;
        config.pricing.dwell_days = 7.0;
        // Nothing comes into force, so that only what is looked at here keeps trials away.
        config.pricing.needs_approval = true;
    })
    .await;
    let trial = async |shop: &Shop| {
        let told = shop.get("/prices/hot/explanation").await.is(200);
        told["trial"].clone()
    };
    let runs = async |shop: &Shop| {
        shop.clock.advance_ms(1_000);
        let run = shop.post("/pricing/runs", json!(null)).await.is(200);
        let id = run["run"].as_str().unwrap().to_owned();
        let told = shop.get(&format!("/pricing/runs/{id}/decisions")).await.is(200);
        let decisions = told["decisions"].as_array().unwrap();
        decisions.iter().any(|d| d["item"] == "hot" && d["reason"] == "trial")
    };
    shop.patch("/items/hot", json!({ "available": false })).await.is(200);
    assert!(!runs(&shop).await, "it cannot be bought");
    let told = trial(&shop).await;
    assert_eq!((&told["not_now"], &told["back_on_sale_at"]), (&json!("sold_out"), &Value::Null));
    shop.clock.advance_ms(DAY_MS);
    shop.patch("/items/hot", json!({ "available": true })).await.is(200);
    let back_at = shop.now().to_string();
    shop.clock.advance_ms(6 * DAY_MS);
    assert!(!runs(&shop).await, "it came back six days ago");
    let told = trial(&shop).await;
    assert_eq!(
        (&told["not_now"], &told["back_on_sale_at"]),
        (&json!("cool_down"), &json!(back_at))
    );
    // So it is for a process that saw neither the one nor the other.
    assert_eq!(trial(&shop.beside().await).await, told);
    shop.clock.advance_ms(DAY_MS);
    shop.patch("/items/hot", json!({ "promoted": true })).await.is(200);
    assert!(!runs(&shop).await, "it is promoted");
    let told = trial(&shop).await;
    assert_eq!((&told["not_now"], &told["promoted"]), (&json!("promoted"), &json!(true)));
    shop.patch("/items/hot", json!({ "promoted": null })).await.is(200);
    let told = trial(&shop).await;
    assert_eq!((&told["not_now"], &told["promoted"]), (&json!("not_drawn"), &json!(false)));
    assert!(runs(&shop).await, "nothing keeps it from being tried");
}
