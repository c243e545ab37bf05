//! What is laid down for the prices of some items.

use super::prices::{lively, lively_with};
use crate::support::shop::Shop;
use serde_json::{Value, json};

async fn amount(shop: &Shop, item: &str) -> String {
    let quote = shop.get(&format!("/prices/{item}")).await.is(200);
    quote["price"]["amount"].as_str().unwrap().to_owned()
}

async fn lowest(shop: &Shop, item: &str) -> Value {
    shop.get(&format!("/prices/{item}")).await.is(200)["bounds"]["low"]["amount"].clone()
}

/// Lays something down that was not there; answers for how many items it holds.
async fn lay_down(shop: &Shop, scope: &str, policy: Value) -> Value {
    let answer = shop.put(&format!("/pricing/policies/{scope}"), policy.clone()).await.is(201);
    assert_eq!((&answer["scope"], &answer["policy"]), (&json!(scope), &policy));
    answer["items"].clone()
}

/// Says that hot and warm are drinks, and what calm costs.
async fn sort(shop: &Shop) {
    shop.patch("/items/calm", json!({ "cost": 6 })).await.is(200);
    for item in ["hot", "warm"] {
        let drink = json!({ "categories": ["drinks"], "brand": "acme" });
        shop.patch(&format!("/items/{item}"), drink).await.is(200);
    }
}

#[tokio::test]
async fn a_policy_holds_for_its_scope_and_the_narrower_one_has_the_last_word() {
    let shop = lively().await;
    sort(&shop).await;
    assert_eq!(lay_down(&shop, "category:drinks", json!({ "step_max": 0.05 })).await, 2);
    assert_eq!(lay_down(&shop, "item:warm", json!({ "enabled": false })).await, 1);
    assert_eq!(lay_down(&shop, "brand:acme", json!({ "step_max": 0.01 })).await, 2);
    assert!(shop.reprice().await >= 2);
    assert_eq!(amount(&shop, "hot").await, "11.40", "a step of the category's 5 %");
    assert_eq!(amount(&shop, "warm").await, "12.00");
    assert_eq!(amount(&shop, "calm").await, "10.80", "the shop's step of 10 %");
    let why = shop.get("/prices/warm/explanation").await.is(200);
    assert_eq!(why["policies"], json!(["item:warm", "category:drinks", "brand:acme"]));
    assert_eq!(why["status"], "pricing_disabled");
    assert_eq!(shop.get("/prices/calm/explanation").await.is(200)["policies"], json!([]));
    let all = shop.get("/pricing/policies").await.is(200);
    assert_eq!((&all["shop"]["step_max"], &all["shop"]["goal"]), (&json!(0.1), &json!("profit")));
    let scopes = all["policies"].as_array().unwrap().iter().map(|policy| &policy["scope"]);
    assert!(scopes.eq(["brand:acme", "category:drinks", "item:warm"]), "{all}");
}

#[tokio::test]
async fn bounds_follow_at_once_and_go_back_with_the_policy() {
    let shop = lively().await;
    assert_eq!(lowest(&shop, "hot").await, "7.00");
    lay_down(&shop, "item:hot", json!({ "margin_floor": 0.9 })).await;
    assert_eq!(lowest(&shop, "hot").await, "11.40", "190 % of a cost of 6");
    assert_eq!(lowest(&shop, "warm").await, "7.00");
    let path = "/pricing/policies/item:hot";
    let changed = shop.put(path, json!({ "margin_floor": 0.5 })).await.is(200);
    assert_eq!(
        (&changed["policy"], &changed["items"]),
        (&json!({ "margin_floor": 0.5 }), &json!(1))
    );
    assert_eq!(lowest(&shop, "hot").await, "9.00");
    // After a restart, and in a process that runs already.
    assert_eq!(lowest(&shop.beside().await, "hot").await, "9.00");
    let mut other = shop.beside().await;
    shop.delete(path).await.is(204);
    assert_eq!(lowest(&other, "hot").await, "9.00");
    other.follower.follow().await.unwrap();
    assert_eq!(lowest(&other, "hot").await, "7.00");
    assert_eq!(lowest(&shop, "hot").await, "7.00");
    shop.delete(path).await.is(404);
    shop.get(path).await.is(404);
}

#[tokio::test]
async fn pricing_may_begin_with_one_category_and_be_turned_on_for_the_shop() {
    let shop = lively_with(|config| config.pricing.enabled = false).await;
    sort(&shop).await;
    assert_eq!(shop.reprice().await, 0);
    lay_down(&shop, "category:drinks", json!({ "enabled": true })).await;
    assert_eq!(shop.reprice().await, 2);
    assert_eq!(
        (amount(&shop, "hot").await.as_str(), amount(&shop, "calm").await.as_str()),
        ("10.80", "12.00")
    );
    assert_eq!(lay_down(&shop, "shop", json!({ "enabled": true, "step_max": 0.02 })).await, 5);
    assert!(shop.reprice().await >= 1);
    assert_eq!(amount(&shop, "calm").await, "11.76");
    let all = shop.get("/pricing/policies").await.is(200);
    assert_eq!((&all["shop"]["enabled"], &all["shop"]["step_max"]), (&json!(true), &json!(0.02)));
    // The brakes see to what a policy moves, too.
    let careful = shop.beside_with(|config| config.pricing.needs_approval = true).await;
    careful.clock.advance_ms(2 * 86_400_000);
    assert_eq!(careful.reprice().await, 0);
    let waiting = careful.get("/pricing/runs").await.is(200)["runs"][0].clone();
    assert_eq!(waiting["state"], "proposed", "{waiting}");
}

#[tokio::test]
async fn where_pricing_is_turned_off_list_prices_come_back_and_stay_whatever_is_restored() {
    let shop = lively().await;
    sort(&shop).await;
    assert!(shop.reprice().await >= 2);
    let run = shop.get("/pricing/runs").await.is(200)["runs"][0]["run"].clone();
    lay_down(&shop, "category:drinks", json!({ "enabled": false })).await;
    // Though every run is to be looked at, and this one has more to say.
    let careful = shop.beside_with(|config| config.pricing.needs_approval = true).await;
    careful.clock.advance_ms(2 * 86_400_000);
    assert_eq!(careful.reprice().await, 2);
    let waiting = careful.get("/pricing/runs").await.is(200)["runs"][0].clone();
    assert_eq!(waiting["state"], "proposed", "{waiting}");
    assert_eq!(amount(&careful, "hot").await, "12.00");
    let approved = format!("/pricing/runs/{}/approve", waiting["run"].as_str().unwrap());
    careful.post(&approved, json!(null)).await.is(200);
    let quote = careful.get("/prices/hot").await.is(200);
    assert_eq!(quote["reasons"][0]["kind"], "back_to_list", "{quote}");
    // Neither taking the first run back nor stopping brings back what pricing had made of them.
    let back = format!("/pricing/runs/{}/rollback", run.as_str().unwrap());
    careful.post(&back, json!(null)).await.is(200);
    careful.post("/pricing/stop", json!(null)).await.is(200);
    for item in ["hot", "warm"] {
        assert_eq!(amount(&careful, item).await, "12.00");
    }
}

#[tokio::test]
async fn an_explanation_names_the_product_line_that_a_price_stands_in() {
    let shop = lively().await;
    let rails = async |item: &str| {
        let why = shop.get(&format!("/prices/{item}/explanation")).await.is(200);
        let rails = why["rails"].as_array().unwrap().clone();
        rails.into_iter().find(|rail| rail["rail"] == "line")
    };
    for item in ["hot", "warm"] {
        shop.patch(&format!("/items/{item}"), json!({ "group": "drinks" })).await.is(200);
    }
    assert_eq!(rails("hot").await, None, "the first of the line is free");
    let line = rails("warm").await.expect("the other costs the same");
    assert_eq!(
        (&line["after"]["low"], &line["after"]["high"]),
        (&line["after"]["high"], &line["after"]["low"])
    );
}

#[tokio::test]
async fn a_policy_that_makes_prices_leap_waits_for_a_person() {
    let shop = lively().await;
    lay_down(&shop, "item:hot", json!({ "margin_floor": 1.3 })).await;
    assert_eq!(shop.reprice().await, 0);
    assert_eq!(amount(&shop, "hot").await, "12.00", "13.80 is 15 % more, and a step 10 %");
    let waiting = shop.get("/pricing/runs").await.is(200)["runs"][0].clone();
    assert_eq!(waiting["state"], "proposed", "{waiting}");
    let held = &waiting["summary"]["held"][0];
    assert_eq!((&held["kind"], &held["worst"]), (&json!("leaps"), &json!("hot")), "{waiting}");
    let approved = format!("/pricing/runs/{}/approve", waiting["run"].as_str().unwrap());
    shop.post(&approved, json!(null)).await.is(200);
    assert_eq!(amount(&shop, "hot").await, "13.80");
    // Within a step nobody need look.
    let shop = lively().await;
    lay_down(&shop, "item:hot", json!({ "margin_floor": 1.2 })).await;
    assert!(shop.reprice().await >= 1);
    assert_eq!(amount(&shop, "hot").await, "13.20");
}

#[tokio::test]
async fn what_is_laid_down_for_the_shop_stands_upon_the_settings_not_upon_what_was() {
    let shop = Shop::open().await;
    lay_down(&shop, "shop", json!({ "step_max": 0.5, "step_30d_max": 0.6 })).await;
    let path = "/pricing/policies/shop";
    // The settings have 0.3 for 30 days.
    let faults = shop.put(path, json!({ "step_max": 0.5 })).await.faults(422);
    assert_eq!(faults, ["/step_30d_max"]);
    lay_down(&shop, "category:mugs", json!({ "step_max": 0.4 })).await;
    let narrower = shop.put(path, json!({ "step_30d_max": 0.4 })).await.is(200);
    assert_eq!(narrower["policy"], json!({ "step_30d_max": 0.4 }));
    let all = shop.get("/pricing/policies").await.is(200);
    assert_eq!(
        (&all["shop"]["step_max"], &all["shop"]["step_30d_max"]),
        (&json!(0.1), &json!(0.4))
    );
    // What goes beyond it by now is no fault of something else.
    shop.put(path, json!({ "step_30d_max": 0.2 })).await.is(200);
    lay_down(&shop, "item:pen", json!({ "enabled": true })).await;
}

#[tokio::test]
async fn what_cannot_be_applied_is_refused_and_changes_nothing() {
    let shop = Shop::open().await;
    for (policy, at) in [
        (json!({ "margin_flor": 0.1 }), "/margin_flor"),
        (json!({ "margin_floor": -1 }), "/margin_floor"),
        (json!({ "goal": "fame" }), "/goal"),
        (json!({ "endings": "99" }), "/endings"),
        (json!({ "margin_floor": 1e308 }), "/margin_floor"),
        (json!({ "corridor": [1.1, 0.9] }), "/corridor"),
        // More than the shop allows in 30 days.
        (json!({ "step_max": 0.5 }), "/step_30d_max"),
    ] {
        let faults = shop.put("/pricing/policies/category:mugs", policy.clone()).await.faults(422);
        assert_eq!(faults, [at], "{policy}");
    }
    let both = json!({ "step_max": 0.5, "step_30d_max": 0.5 });
    lay_down(&shop, "category:mugs", both).await;
    for nothing in [json!({}), json!({ "goal": null }), json!([true, "units"])] {
        shop.put("/pricing/policies/category:pens", nothing).await.is(422);
    }
    for scope in ["mugs", "category:", "user:ada", "item:", "brand:a%00b"] {
        let path = format!("/pricing/policies/{scope}");
        let refused = shop.put(&path, json!({ "enabled": true })).await.is(422);
        assert!(refused["detail"].as_str().unwrap().contains("item:ID"), "{refused}");
        shop.get(&path).await.is(422);
        shop.delete(&path).await.is(422);
    }
    let all = shop.get("/pricing/policies").await.is(200);
    assert_eq!(all["policies"].as_array().unwrap().len(), 1, "{all}");
}
