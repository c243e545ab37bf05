//! Prices: quoted, bounded, explained, and the same everywhere.

use crate::support::shop::Shop;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

/// The kinds of a quote's reasons.
fn kinds(quote: &Value) -> Vec<&str> {
    let reasons = quote["reasons"].as_array().unwrap().iter();
    reasons.map(|reason| reason["kind"].as_str().unwrap()).collect()
}

/// The prices that `hot` and `calm` had, week by week.
const WEEKS: [i64; 16] = [10, 12, 9, 11, 12, 10, 11, 9, 10, 12, 9, 11, 11, 9, 10, 12];

/// A shop whose demand falls with the third power of the price, and that has turned pricing on. It has tried prices for 16
/// weeks, the last of them 12; at a cost of 6 the best one is 9.
pub(super) async fn lively() -> Shop {
    lively_with(|_| {}).await
}

/// As [`lively`], with other settings.
pub(super) async fn lively_with(settings: impl FnOnce(&mut shopkeeper::config::Config)) -> Shop {
    let mut shop = Shop::with(|config| {
        config.pricing.enabled = true;
        config.pricing.dwell_days = 0.0;
        settings(config);
    })
    .await;
    // To the beginning of a week, so that each price has one to itself.
    shop.clock.advance_ms(3 * DAY_MS + DAY_MS / 2);
    for price in WEEKS {
        let item = json!({ "price": price, "cost": 6, "price_min": 7, "price_max": 14 });
        shop.put("/items/hot", item.clone()).await.is(200);
        shop.put("/items/warm", item).await.is(200);
        shop.put("/items/calm", json!({ "price": price, "price_min": 8, "price_max": 14 }))
            .await
            .is(200);
        shop.put("/items/plain", json!({ "price": price })).await.is(200);
        let now = shop.now().0;
        let n = (40.0 * (10.0 / price as f64).powi(3)).round() as i64;
        let mut events = Vec::new();
        for (item, n) in [("hot", n), ("warm", n), ("calm", n), ("plain", n), ("even", 3)] {
            for sale in 0..n {
                let at = now + (sale + 1) * (6 * DAY_MS / (n + 1));
                let user = format!("u{}", sale % 20);
                events.push(json!({ "user": user, "item": item, "timestamp": at }));
            }
        }
        shop.clock.advance_ms(7 * DAY_MS);
        shop.post("/events/purchase", events.into()).await.is(200);
    }
    let run = shop.train().await;
    assert_eq!(run.version, Some(1), "{}", run.reason);
    shop
}

#[tokio::test]
async fn a_quote_says_what_the_contract_promises() {
    let shop = Shop::open().await;
    shop.put("/items/a", json!({ "price": "12.90", "cost": 5, "price_max": 20 })).await.is(200);
    let quote = shop.get("/prices/a").await.is(200);
    let euro = |amount: &str| json!({ "amount": amount, "currency": "EUR" });
    assert_eq!((&quote["price"], &quote["list_price"]), (&euro("12.90"), &euro("12.90")));
    assert_eq!(quote["lowest_30d"], euro("12.90"));
    assert_eq!(quote["bounds"], json!({ "low": euro("5.25"), "high": euro("20.00") }));
    assert!(!quote["quote_id"].as_str().unwrap().is_empty());
    assert!(quote["valid_until"].as_str().unwrap() > "2026-03-01T12:00:00Z");
    assert_eq!(kinds(&quote), ["list_price", "pricing_disabled"]);
    assert!(quote["reasons"].as_array().unwrap().iter().all(|reason| reason["detail"].is_string()));
    assert_eq!(shop.get("/prices/a").await.is(200), quote);
    assert_eq!(shop.get("/prices/none").await.is(404)["type"], "/problems/not-found");
    shop.act("u", "view", "b").await;
    let quote = shop.get("/prices/b").await.is(200);
    assert_eq!((&quote["price"], kinds(&quote)), (&Value::Null, vec!["no_list_price"]));
}

#[tokio::test]
async fn up_to_500_quotes_come_at_once_in_the_order_asked() {
    let shop = Shop::open().await;
    let rows: Vec<Value> = (0..500).map(|n| json!({ "item": n, "price": n + 1 })).collect();
    shop.post("/items", rows.into()).await.is(200);
    let asked: Vec<String> = (0..500).rev().map(|n| n.to_string()).collect();
    let answer = shop.post("/prices", json!({ "items": asked })).await.is(200);
    let prices = answer["prices"].as_array().unwrap();
    let items: Vec<&str> = prices.iter().map(|price| price["item"].as_str().unwrap()).collect();
    assert_eq!(items, asked);
    assert_eq!(shop.get("/prices/7").await.is(200), prices[492]);
    let answer = shop.post("/prices", json!({ "items": ["x/y", "7"] })).await.is(200);
    assert_eq!(answer["unknown"], json!(["x/y"]));
    let too_many: Vec<u32> = (0..501).collect();
    let too_many: Vec<String> = too_many.iter().map(ToString::to_string).collect();
    for (body, pointer) in [
        (json!({ "items": too_many }), "/items"),
        (json!({ "items": [] }), "/items"),
        (json!({ "items": ["7", ""] }), "/items/1"),
        (json!({ "items": ["7", 8] }), "/items/1"),
        (json!({ "items": "7" }), "/items"),
        (json!({ "item": "7" }), "/item"),
    ] {
        assert_eq!(shop.post("/prices", body.clone()).await.faults(422), [pointer], "{body}");
    }
}

#[tokio::test]
async fn the_history_holds_every_price_with_from_to_and_reason() {
    let shop = Shop::open().await;
    for price in ["10", "8", "9"] {
        shop.put("/items/a%2F1", json!({ "price": price })).await.is(200);
        shop.clock.advance_ms(DAY_MS);
    }
    let history = shop.get("/prices/a%2F1/history").await.is(200);
    let prices = history["prices"].as_array().unwrap();
    assert_eq!(history["item"], "a/1");
    assert_eq!(prices.len(), 3);
    assert_eq!(prices[0]["price"], json!({ "amount": "10.00", "currency": "EUR" }));
    assert_eq!(prices[0]["from"], "2026-03-01T12:00:00Z");
    assert_eq!(prices[0]["to"], prices[1]["from"]);
    assert_eq!((&prices[2]["to"], &prices[2]["reason"]), (&Value::Null, &json!("list_price")));
    assert_eq!(shop.get("/prices/a%2F1").await.is(200)["lowest_30d"]["amount"], "8.00");
    for (query, n) in [
        ("from=2026-03-03T12:00:00Z", 1),
        ("to=2026-03-02T12:00:00Z", 1),
        ("from=2026-03-02T12:00:00%2B00:00&to=2026-03-03T12:00:00.001Z", 2),
        ("from=1772539200", 1),
        ("from=1772539200000", 1),
    ] {
        let part = shop.get(&format!("/prices/a%2F1/history?{query}")).await.is(200);
        assert_eq!(part["prices"].as_array().unwrap().len(), n, "{query}");
    }
    assert_eq!(shop.get("/prices/a%2F1/history?from=soon").await.faults(422), ["/from"]);
    shop.get("/prices/none/history").await.is(404);
}

#[tokio::test]
async fn a_price_moves_only_on_the_rounds_step_by_step_to_where_it_earns_most() {
    let mut shop = lively().await;
    assert_eq!(shop.get("/prices/hot").await.is(200)["price"]["amount"], "12.00");
    assert!(shop.reprice().await >= 1);
    assert_eq!(shop.reprice().await, 0, "the same decision changes nothing");
    let quote = shop.get("/prices/hot").await.is(200);
    assert_eq!(quote["price"]["amount"], "10.80", "one day's step: {quote}");
    assert_eq!(kinds(&quote), ["demand"]);
    assert_eq!(
        (&quote["list_price"]["amount"], &quote["bounds"]["high"]["amount"]),
        (&json!("12.00"), &json!("14.00"))
    );
    for _ in 0..4 {
        shop.clock.advance_ms(DAY_MS + 1);
        shop.reprice().await;
    }
    let quote = shop.get("/prices/hot").await.is(200);
    let amount: f64 = quote["price"]["amount"].as_str().unwrap().parse().unwrap();
    assert!((8.4..10.4).contains(&amount), "{quote}");
    let history = shop.get("/prices/hot/history?from=2026-06-20T00:00:00Z").await.is(200);
    let reasons: Vec<_> =
        history["prices"].as_array().unwrap().iter().map(|entry| &entry["reason"]).collect();
    assert_eq!(reasons[..2], ["list_price", "demand"], "{reasons:?}");
    // The same after a restart, and for another process.
    assert_eq!(shop.beside().await.get("/prices/hot").await.is(200), quote);
    let item = shop.get("/items/hot").await.is(200);
    assert_eq!(
        (&item["price_in_force"], &item["price"]["amount"]),
        (&quote["price"], &json!("12.00"))
    );
    shop.follower.follow().await.unwrap();
    assert_eq!(shop.get("/prices/hot").await.is(200), quote);
}

#[tokio::test]
async fn the_same_price_is_in_lists_and_quotes() {
    let shop = lively().await;
    shop.reprice().await;
    let list = shop.get("/recommendations/nobody").await.is(200);
    let hot = list["items"].as_array().unwrap().iter().find(|item| item["item"] == "hot").unwrap();
    let quote = shop.get("/prices/hot").await.is(200);
    let price = json!({
        "amount": quote["price"]["amount"], "currency": quote["price"]["currency"],
        "quote_id": quote["quote_id"], "valid_until": quote["valid_until"],
    });
    assert_eq!(hot["price"], price);
    assert_eq!(price["amount"], "10.80");
    let many = shop.post("/prices", json!({ "items": ["hot"] })).await.is(200);
    assert_eq!(many["prices"][0], quote);
    let bare = shop.get("/recommendations/nobody?price=false").await.is(200);
    assert!(bare["items"].as_array().unwrap().iter().all(|item| item.get("price").is_none()));
}

#[tokio::test]
async fn without_guard_rails_the_list_price_stays_and_says_so() {
    let shop = lively().await;
    shop.reprice().await;
    let quote = shop.get("/prices/plain").await.is(200);
    assert_eq!((&quote["price"], &quote["bounds"]), (&quote["list_price"], &Value::Null));
    assert_eq!(kinds(&quote), ["list_price", "no_guard_rails"]);
}

#[tokio::test]
async fn a_new_bound_holds_in_the_very_next_quote() {
    let shop = lively().await;
    shop.reprice().await;
    shop.patch("/items/hot", json!({ "price_max": "10.50" })).await.is(200);
    let quote = shop.get("/prices/hot").await.is(200);
    assert_eq!(quote["price"]["amount"], "10.50", "{quote}");
    assert_eq!(quote["bounds"]["high"]["amount"], "10.50");
    // The merchant's own price counts at once, and prices never go below cost and margin.
    shop.patch("/items/hot", json!({ "price": "9", "price_max": 12 })).await.is(200);
    let price = shop.get("/prices/hot").await.is(200)["price"]["amount"].clone();
    assert_eq!(price, "9.00");
    let history = shop.get("/prices/hot/history").await.is(200);
    let last = history["prices"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["price"]["amount"], &last["to"]), (&price, &Value::Null));
}

/// The newest entry of an item's ledger: amount and reason.
async fn last_entry(shop: &Shop, item: &str) -> (Value, Value) {
    let history = shop.get(&format!("/prices/{item}/history")).await.is(200);
    let last = history["prices"].as_array().unwrap().last().unwrap().clone();
    (last["price"]["amount"].clone(), last["reason"].clone())
}

#[tokio::test]
async fn what_the_merchant_moves_is_not_put_down_to_demand() {
    let shop = lively().await;
    let high = shop.get("/prices/hot").await.is(200)["bounds"]["high"]["amount"].clone();
    shop.patch("/items/hot", json!({ "price": "77.77" })).await.is(200);
    let quote = shop.get("/prices/hot").await.is(200);
    assert_eq!((&quote["price"]["amount"], kinds(&quote)), (&high, vec!["ceiling"]));
    assert_eq!(last_entry(&shop, "hot").await, (high.clone(), json!("guard_rail")));
    // The same after a restart.
    assert_eq!(kinds(&shop.beside().await.get("/prices/hot").await.is(200)), ["ceiling"]);
    // The bound moves away: nobody claims that it still holds.
    shop.patch("/items/hot", json!({ "price_max": 99 })).await.is(200);
    assert_eq!(kinds(&shop.get("/prices/hot").await.is(200)), ["guard_rail"]);
}

#[tokio::test]
async fn with_pricing_off_nothing_moves() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.put("/items/tea-1", json!({ "price": 10, "cost": 1, "price_max": 99 })).await.is(200);
    shop.train().await;
    assert_eq!(shop.reprice().await, 0);
    assert_eq!(shop.get("/prices/tea-1").await.is(200)["price"]["amount"], "10.00");
}
