//! Rules: what the shop's people want shown is in the very next answer, and no model can undo it.

use crate::support::shop::{Shop, ids};
use serde_json::{Value, json};

async fn trained() -> Shop {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.train().await;
    for n in 0..10 {
        let brand = if n < 5 { "leaf" } else { "root" };
        let fields = json!({ "brand": brand, "price": n + 1, "categories": ["tea"] });
        shop.put(&format!("/items/tea-{n}"), fields).await.is(200);
        let fields = json!({ "brand": "bean", "price": n + 1, "categories": ["coffee"] });
        shop.put(&format!("/items/coffee-{n}"), fields).await.is(200);
    }
    shop
}

async fn list(shop: &Shop, path: &str) -> Vec<String> {
    let answer = shop.get(&format!("/recommendations/{path}")).await.is(200);
    ids(&answer).into_iter().map(str::to_owned).collect()
}

async fn why(shop: &Shop, path: &str) -> Value {
    shop.get(&format!("/recommendations/{path}")).await.is(200)
}

#[tokio::test]
async fn a_rule_is_written_read_and_removed() {
    let shop = Shop::open().await;
    let pin = json!({ "action": { "kind": "pin", "items": ["mug"], "position": 2 } });
    shop.put("/rules/spring%2F1", pin.clone()).await.is(201);
    let answer = shop.put("/rules/spring%2F1", pin).await.is(200);
    assert_eq!(answer["id"], "spring/1");
    assert_eq!(shop.get("/rules/spring%2F1").await.is(200), answer);
    assert_eq!(shop.get("/rules").await.is(200)["rules"], json!([answer]));
    // What is read can be written again.
    shop.put("/rules/spring%2F1", answer).await.is(200);
    shop.delete("/rules/spring%2F1").await.is(204);
    shop.delete("/rules/spring%2F1").await.is(404);
    shop.get("/rules/spring%2F1").await.is(404);
}

#[tokio::test]
async fn a_wrong_rule_is_refused_at_its_place() {
    let shop = Shop::open().await;
    for (body, pointer) in [
        (json!({ "action": { "kind": "hide", "filter": "price <" } }), "/action/filter"),
        (json!({ "action": { "kind": "boost", "filter": "true", "factor": 0 } }), "/action/factor"),
        (json!({ "action": { "kind": "pin", "items": ["a"], "position": 0 } }), "/action/position"),
        (json!({ "id": "other", "action": { "kind": "hide", "filter": "true" } }), "/id"),
    ] {
        assert_eq!(shop.put("/rules/r", body.clone()).await.faults(422), [pointer], "{body}");
    }
    for body in [json!({}), json!([]), json!({ "action": { "kind": "hid" } })] {
        shop.put("/rules/r", body).await.is(422);
    }
    assert_eq!(shop.get("/rules").await.is(200)["rules"], json!([]));
}

#[tokio::test]
async fn rules_steer_the_very_next_answer() {
    let shop = trained().await;
    let before = list(&shop, "c7?n=8").await;
    let rule = |action: Value| json!({ "action": action });
    shop.put("/rules/no-roots", rule(json!({ "kind": "hide", "filter": "brand = \"root\"" })))
        .await
        .is(201);
    shop.put(
        "/rules/lead",
        rule(json!({ "kind": "pin", "items": ["tea-3", "tea-4"], "position": 2 })),
    )
    .await
    .is(201);
    let shown = list(&shop, "c7?n=8").await;
    assert_eq!(shown[1..3], ["tea-3", "tea-4"]);
    assert_eq!(shown[0], before[0]);
    assert!(shown.iter().all(|item| !item.starts_with("tea") || item < &"tea-5".to_owned()));
    let answer = shop.get("/recommendations/c7?explain=true&n=3").await.is(200);
    assert_eq!(answer["items"][1]["reasons"][0]["kind"], "pinned", "{answer}");
    assert_eq!(why(&shop, "c7/why/tea-7").await["stage"], "hidden_by_rule");
    let pinned = why(&shop, "c7/why/tea-3").await;
    assert_eq!((&pinned["stage"], &pinned["rank"]), (&json!("shown"), &json!(2)), "{pinned}");

    let all = list(&shop, "nobody?n=20").await;
    shop.put("/rules/few", rule(json!({ "kind": "cap", "by": "brand", "max": 2 }))).await.is(201);
    let shown = list(&shop, "nobody?n=20").await;
    assert_eq!(shown.iter().filter(|item| item.starts_with("coffee")).count(), 2, "{shown:?}");
    let last = all.iter().filter(|item| item.starts_with("coffee")).nth(2).unwrap();
    assert_eq!(why(&shop, &format!("nobody/why/{last}?n=20")).await["stage"], "capped_by_rule");

    for rule in ["no-roots", "lead", "few"] {
        shop.delete(&format!("/rules/{rule}")).await.is(204);
    }
    assert_eq!(list(&shop, "c7?n=8").await, before);
}

#[tokio::test]
async fn boosts_and_filters_count_in_their_scenario_and_time() {
    let shop = trained().await;
    let now = shop.get("/status").await.is(200);
    let before = list(&shop, "nobody?n=20").await;
    let boost = json!({
        "scenarios": ["cart"],
        "action": { "kind": "boost", "filter": "item = \"tea-8\"", "factor": 100 }
    });
    shop.put("/rules/boost", boost).await.is(201);
    assert_eq!(list(&shop, "nobody?n=20").await, before);
    assert_eq!(list(&shop, "nobody?n=20&scenario=cart").await[0], "tea-8");
    assert!(now.is_object());
    // From 12:30 on; the shop's clock begins at 12:00.
    let only = json!({
        "valid_from": "2026-03-01T12:30:00Z",
        "valid_until": "2026-03-01T13:00:00Z",
        "action": { "kind": "filter", "filter": "price <= 2" }
    });
    shop.put("/rules/only", only).await.is(201);
    assert_eq!(list(&shop, "nobody?n=20").await, before);
    shop.clock.advance_ms(30 * 60_000);
    let mut cheap = list(&shop, "nobody?n=20").await;
    cheap.sort();
    assert_eq!(cheap, ["coffee-0", "coffee-1", "tea-0", "tea-1"]);
    assert_eq!(why(&shop, "nobody/why/tea-5").await["stage"], "filtered_by_rule");
    shop.clock.advance_ms(30 * 60_000);
    assert_eq!(list(&shop, "nobody?n=20").await, before);
}

#[tokio::test]
async fn another_process_follows_a_rule() {
    let shop = trained().await;
    let mut other = shop.beside().await;
    let hide = json!({ "action": { "kind": "hide", "filter": "category = \"tea\"" } });
    shop.put("/rules/hide", hide).await.is(201);
    other.follower.follow().await.unwrap();
    assert!(list(&other, "t0?n=20").await.iter().all(|item| item.starts_with("coffee")));
    shop.delete("/rules/hide").await.is(204);
    other.follower.follow().await.unwrap();
    assert!(list(&other, "t0?n=20").await.iter().any(|item| item.starts_with("tea")));
}

#[tokio::test]
async fn variants_of_one_product_appear_once() {
    let shop = trained().await;
    for n in 0..6 {
        shop.patch(&format!("/items/coffee-{n}"), json!({ "group": "house blend" })).await.is(200);
    }
    for user in ["nobody", "t3"] {
        let shown = list(&shop, &format!("{user}?n=20")).await;
        let variants = |item: &&String| ("coffee-0"..="coffee-5").contains(&item.as_str());
        let variants: Vec<_> = shown.iter().filter(variants).collect();
        assert_eq!(variants.len(), 1, "{shown:?}");
        let other = if *variants[0] == "coffee-1" { "coffee-2" } else { "coffee-1" };
        let why = why(&shop, &format!("{user}/why/{other}?n=20")).await;
        assert_eq!(why["stage"], "variant_shown", "{why}");
    }
    // Nor beside another variant that is on the page.
    let shown = list(&shop, "nobody?n=20&context=coffee-0").await;
    assert!(shown.iter().all(|item| !("coffee-0"..="coffee-5").contains(&item.as_str())));
}

#[tokio::test]
async fn lint_says_what_is_odd_before_anything_is_written() {
    let shop = trained().await;
    let hide = json!({ "action": { "kind": "hide", "filter": "brand = \"leaf\"" } });
    shop.put("/rules/hide", hide).await.is(201);
    let pin = json!({ "id": "pin", "action": { "kind": "pin", "items": ["tea-1", "none"], "position": 1 } });
    let none = json!({ "id": "none", "action": { "kind": "hide", "filter": "brand = \"lead\"" } });
    let answer = shop.post("/rules/lint", json!({ "rules": [pin, none] })).await.is(200);
    assert_eq!(answer["rules"], 3);
    let findings = answer["findings"].as_array().unwrap();
    let codes: Vec<&str> = findings.iter().map(|f| f["code"].as_str().unwrap()).collect();
    for code in ["pin_against_hide", "pinned_unknown", "matches_nothing"] {
        assert!(codes.contains(&code), "{answer}");
    }
    let bad = json!({ "rules": [{ "id": "x" }] });
    shop.post("/rules/lint", bad).await.is(422);
    assert_eq!(shop.get("/rules").await.is(200)["rules"].as_array().unwrap().len(), 1);
}
