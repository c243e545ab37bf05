//! Amounts that look like a slip of the pen: refused, or taken with a warning, and never acted on unseen.

use super::prices::lively;
use crate::support::shop::{Shop, pointers};
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

fn details(answer: &Value) -> Vec<(&str, &str)> {
    let warnings = answer["warnings"].as_array().map_or(&[][..], Vec::as_slice);
    warnings.iter().map(|of| (text_of(of, "pointer"), text_of(of, "detail"))).collect()
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

#[tokio::test]
async fn an_amount_in_cents_is_refused_until_somebody_stands_by_it() {
    for shop in [Shop::open().await, Shop::on_postgres().await] {
        let item = json!({ "price": "9.99", "cost": 4, "price_min": 8, "price_max": 12 });
        shop.put("/items/a", item.clone()).await.is(200);
        for (change, pointer) in [
            (json!({ "price": 999 }), "/price"),
            (json!({ "price": "0.10" }), "/price"),
            (json!({ "cost": 400 }), "/cost"),
            (json!({ "price_min": 800, "price_max": null }), "/price_min"),
            (json!({ "price_max": "0.12", "price_min": null }), "/price_max"),
        ] {
            assert_eq!(
                shop.patch("/items/a", change.clone()).await.faults(422),
                [pointer],
                "{change}"
            );
            let mut whole = item.clone();
            whole.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(shop.put("/items/a", whole).await.faults(422), [pointer], "{change}");
            let mut row = change;
            row["item"] = json!("a");
            let rows = json!([{ "item": "b", "price": 1 }, row]);
            let answer = shop.post("/items", rows).await.is(200);
            assert_eq!(
                (&answer["accepted"], pointers(&answer["rejected"][0])),
                (&json!(1), vec![format!("/1{pointer}")])
            );
        }
        let refused = shop.patch("/items/a", json!({ "price": 999 })).await.is(422);
        assert_eq!(
            refused["errors"][0]["detail"],
            "is about 100 times the price before (9.99): is one of them in minor units? If it is meant, send it again with `?confirm=true`"
        );
        assert_eq!(shop.get("/prices/a").await.is(200)["price"]["amount"], "9.99");
        let taken = shop.patch("/items/a?confirm=true", json!({ "price": 999 })).await.is(200);
        assert_eq!(taken["price_in_force"]["amount"], "999.00");
        assert_eq!(details(&taken)[0], ("/price", "is 100.00 times the price before (9.99)"));
        let rows = json!([{ "item": "a", "price": "9.99" }]);
        assert_eq!(shop.post("/items?confirm=true", rows).await.is(200)["accepted"], 1);
        // An id that is used again is another item.
        shop.delete("/items/a").await.is(204);
        shop.put("/items/a", json!({ "price": 999 })).await.is(200);
        assert_eq!(shop.patch("/items/a?confirm=maybe", json!({})).await.faults(422), ["/confirm"]);
    }
}

#[tokio::test]
async fn doubtful_amounts_are_taken_and_named() {
    let shop =
        Shop::with(|config| config.pricing.competition.trust.vat_rates = vec![0.255, 0.07]).await;
    let put = shop.put("/items/a", json!({ "price": 10, "cost": 4 })).await.is(200);
    assert_eq!(put["warnings"], Value::Null);
    let patch = async |change| shop.patch("/items/a", change).await.is(200);
    let taxed = patch(json!({ "price": "12.55" })).await;
    let detail =
        "differs by a tax of 25.5 % from the price before (10.00): was tax added, or left out?";
    assert_eq!(details(&taxed), [("/price", detail)]);
    assert_eq!(shop.get("/items/a").await.is(200)["warnings"], Value::Null);
    shop.put("/items/a", taxed.clone()).await.is(200);
    assert!(details(&patch(json!({ "price": "12.99", "title": "A" })).await).is_empty());
    let far = patch(json!({ "price": "90.93" })).await;
    assert_eq!(details(&far), [("/price", "is 7.00 times the price before (12.99)")]);
    let loss = patch(json!({ "cost": "90.93" })).await;
    let detail = "is not below the price (90.93): every unit sold at it is a loss";
    assert_eq!(details(&loss), [("/cost", detail)]);
    assert!(details(&patch(json!({ "title": "B" })).await).is_empty(), "nothing of it was touched");
    let meant = patch(json!({ "cost": 91, "attributes": { "clearance": true } })).await;
    assert!(details(&meant).is_empty(), "{meant}");
    shop.put("/items/e", json!({ "price": 10 })).await.is(200);
    let taxed = shop.patch("/items/e", json!({ "price": "10.70" })).await.is(200);
    assert!(details(&taxed)[0].1.starts_with("differs by a tax of 7 % from"), "{taxed}");
    let rows = json!([
        { "item": "b", "price": 5, "cost": "0.05" },
        { "item": "c", "price": 5, "cost": 6 },
        { "item": "d", "price": 5, "cost": 500 },
        { "item": "c", "stock": 3 },
        { "item": "c", "cost": -1 },
    ]);
    let answer = shop.post("/items", rows).await.is(200);
    let found: Vec<&str> = details(&answer).iter().map(|(pointer, _)| *pointer).collect();
    assert_eq!(found, ["/0/price", "/3/cost"], "of the last row that made it so");
    let rejected = answer["rejected"].as_array().unwrap().iter();
    let rejected: Vec<Vec<String>> = rejected.map(pointers).collect();
    assert_eq!(rejected, [["/2/cost"], ["/4/cost"]]);
}

#[tokio::test]
async fn what_is_sold_for_nothing_has_no_price() {
    let shop = Shop::open().await;
    for field in ["price", "price_max"] {
        let pointer = format!("/{field}");
        assert_eq!(shop.put("/items/a", json!({ field: 0 })).await.faults(422), [pointer]);
    }
    shop.put("/items/a", json!({ "cost": 0, "price_min": 0 })).await.is(200);
    let offer = json!([{ "item": "a", "competitor": "x", "price": 0 }]);
    let answer = shop.post("/competitor-prices", offer).await.is(200);
    assert_eq!(pointers(&answer["rejected"][0]), ["/0/price"]);
}

#[tokio::test]
async fn a_purchase_in_cents_counts_without_what_it_says_was_paid() {
    let shop = Shop::open().await;
    shop.put("/items/a", json!({ "price": "7.64" })).await.is(200);
    let events = json!([
        { "type": "purchase", "user": "u", "item": "a", "price": "6.88" },
        { "type": "purchase", "user": "u", "item": "a", "price": 764 },
        { "type": "purchase", "user": "u", "item": "unknown", "price": 764 },
        { "type": "purchase", "user": "u", "item": "a", "price": 0 },
    ]);
    let answer = shop.post("/events", events).await.is(200);
    assert_eq!(answer["accepted"], 4);
    let detail =
        "764.00 was left out beside the item's price of 7.64: is one of them in minor units?";
    assert_eq!(details(&answer), [("/1/price", detail)]);
    let gift = json!({ "id": "e", "user": "u", "item": "a", "price": "0.08" });
    let alone = shop.post("/events/purchase", gift.clone()).await.is(200);
    assert_eq!((&alone["accepted"], details(&alone)[0].0), (&json!(1), "/price"));
    assert_eq!(shop.post("/events/purchase", gift).await.is(200)["duplicates"], 1);
    let meant = json!({ "user": "u", "item": "a", "price": 700 });
    let meant = shop.post("/events/purchase?confirm=true", meant).await.is(200);
    assert!(details(&meant).is_empty());
    let export = shop.get("/users/u/export").await.is(200);
    let events = export["events"].as_array().unwrap().iter();
    let paid: Vec<Option<&str>> = events.map(|event| event["price"]["amount"].as_str()).collect();
    assert_eq!(paid, [Some("6.88"), None, Some("764.00"), Some("0.00"), None, Some("700.00")]);
    let metrics = shop.get("/metrics").await.is(200).to_string();
    assert!(metrics.contains("shopkeeper_event_prices_left_out_total 2"), "{metrics}");
}

#[tokio::test]
async fn a_cost_above_the_price_waits_for_a_person() {
    let shop = lively().await;
    let put = shop.put("/items/new", json!({ "price": 10, "cost": 20 })).await.is(200);
    assert_eq!((&put["price_in_force"]["amount"], details(&put)[0].0), (&json!("10.00"), "/cost"));
    let price = async || shop.get("/prices/new").await.is(200)["price"]["amount"].clone();
    shop.reprice().await;
    assert_eq!(price().await, "10.00");
    let runs = shop.get("/pricing/runs").await.is(200)["runs"].clone();
    let (run, reasons) = (&runs[0], runs[0]["summary"]["held"].as_array().unwrap());
    let leap = reasons.iter().find(|reason| reason["kind"] == "leaps");
    assert_eq!(leap.expect("it moves further than a step")["worst"], "new");
    let path = format!("/pricing/runs/{}/approve", run["run"].as_str().unwrap());
    shop.post(&path, json!(null)).await.is(200);
    assert_eq!(price().await, "21.00", "cost and margin");
    // A bound is an order, and is followed at once, unless it is beyond belief.
    let bound = shop.patch("/items/new", json!({ "price_min": 30 })).await.is(200);
    assert_eq!(bound["price_in_force"]["amount"], "30.00");
    let far = shop.patch("/items/new", json!({ "price_min": 400 })).await.is(200);
    assert_eq!(far["price_in_force"]["amount"], "30.00");
    assert_eq!(details(&far), [("/price_min", "is 40.00 times the price (10.00)")]);
    // Not by whatever is said of the item next, either.
    let next = shop.patch("/items/new", json!({ "stock": 5 })).await.is(200);
    assert_eq!(next["price_in_force"]["amount"], "30.00");
}

#[tokio::test]
async fn a_slip_that_was_confirmed_and_an_id_that_is_used_again_are_not_learned_from() {
    let mut shop = lively().await;
    let own = async |shop: &Shop, item: &str| {
        let told = shop.get(&format!("/items/{item}/elasticity")).await.is(200);
        told["demand"]["own"]["mean"].as_f64().unwrap()
    };
    let left_out = async |shop: &Shop| {
        shop.get("/models").await.is(200)["report"]["price_response"]["prices_left_out"].clone()
    };
    let before = own(&shop, "hot").await;
    assert_eq!(left_out(&shop).await, 0);
    let open = json!({ "price": 1200, "price_max": null });
    shop.patch("/items/hot?confirm=true", open).await.is(200);
    shop.delete("/items/calm").await.is(204);
    shop.clock.advance_ms(DAY_MS);
    shop.patch("/items/hot?confirm=true", json!({ "price": 12, "price_max": 14 })).await.is(200);
    shop.put("/items/calm", json!({ "price": 400, "title": "Another" })).await.is(200);
    shop.clock.advance_ms(6 * DAY_MS);
    shop.act("u1", "purchase", "even").await;
    let run = shop.train().await;
    assert_eq!(run.version, Some(2), "{}", run.reason);
    // One price of a day, and all that `calm` cost as long as it was something else.
    assert!(left_out(&shop).await.as_u64().unwrap() > 10);
    let after = own(&shop, "hot").await;
    assert!((after - before).abs() < 0.5, "{before} {after}");
    let calm = shop.get("/items/calm/elasticity").await.is(200);
    assert_eq!(calm["demand"]["grade"], "E", "{calm}");
}

#[tokio::test]
async fn what_a_slip_would_move_far_waits_whoever_moves_it() {
    let shop = lively().await;
    let price = async |item: &str| {
        shop.get(&format!("/prices/{item}")).await.is(200)["price"]["amount"].clone()
    };
    // A contract that nobody can have meant.
    let contract = json!({ "price_recommended_max": "0.12" });
    let item = json!({ "price": 12, "price_max": 14, "attributes": contract });
    shop.put("/items/bound", item).await.is(200);
    assert_eq!(price("bound").await, "12.00");
    // A cost, below a list price that pricing has left: neither to the cost nor to the list price.
    shop.reprice().await;
    let before = price("hot").await;
    assert_eq!(before, "10.80");
    shop.patch("/items/hot", json!({ "price_min": null, "price_max": 17, "cost": "7.70" }))
        .await
        .is(200);
    shop.clock.advance_ms(DAY_MS);
    shop.patch("/items/hot", json!({ "cost": "15" })).await.is(200);
    assert_eq!(price("hot").await, before);
    // Nor does it when pricing is stopped, or a run is taken back.
    shop.post("/pricing/stop", json!(null)).await.is(200);
    assert_eq!((price("hot").await, price("bound").await), (json!("12.00"), json!("12.00")));
}
