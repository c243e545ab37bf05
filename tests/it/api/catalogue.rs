//! Items: what is put is what is there, and a change is in the very next answer.

use crate::support::shop::{NOW, Shop, ids, pointers};
use axum::http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_item_is_what_was_put() {
    let shop = Shop::open().await;
    let sent = json!({
        "title": "Mug", "description": "Blue", "categories": ["mugs", "kitchen"], "brand": "Acme",
        "tags": ["new"], "price": "12.90", "cost": 4, "price_min": "10", "price_max": 20.5,
        "stock": 7, "lead_time_days": 3, "image_url": "https://example.com/mug.png",
        "available": true, "promoted": true, "group": "mug", "attributes": { "colour": "blue" },
    });
    let answer = shop.put("/items/sku-1", sent).await.is(200);
    assert_eq!(answer["item"], "sku-1");
    assert_eq!(answer["price"], json!({ "amount": "12.90", "currency": "EUR" }));
    assert_eq!(answer["price_max"]["amount"], "20.50");
    assert_eq!(answer["price_in_force"]["amount"], "12.90");
    assert_eq!(answer["categories"], json!(["mugs", "kitchen"]));
    assert_eq!(answer["promoted"], true);
    assert_eq!(answer["attributes"], json!({ "colour": "blue" }));
    assert_eq!(shop.get("/items/sku-1").await.is(200), answer);
    // What is read can be written again, but not as another item, and a patch names no such field.
    assert_eq!(shop.put("/items/sku-1", answer.clone()).await.is(200), answer);
    assert_eq!(shop.put("/items/sku-2", answer.clone()).await.faults(422), ["/item"]);
    let moved = shop.patch("/items/sku-1", json!({ "price_in_force": "1" })).await;
    assert_eq!(moved.faults(422), ["/price_in_force"]);
    // A put replaces: what it does not name is empty.
    let answer = shop.put("/items/sku-1", json!({ "title": "Mug" })).await.is(200);
    assert_eq!((&answer["title"], &answer["price"]), (&json!("Mug"), &Value::Null));
    assert_eq!((&answer["stock"], &answer["available"]), (&Value::Null, &json!(true)));
    assert_eq!(answer["promoted"], false);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_null_empties() {
    let shop = Shop::open().await;
    shop.put("/items/a", json!({ "title": "A", "price": 5, "stock": 3, "tags": ["x"] })).await;
    let answer = shop.patch("/items/a", json!({ "price": "6", "stock": null })).await.is(200);
    assert_eq!(answer["price"]["amount"], "6.00");
    assert_eq!((&answer["title"], &answer["stock"]), (&json!("A"), &Value::Null));
    assert_eq!(answer["tags"], json!(["x"]));
    shop.patch("/items/new", json!({})).await.is(404);
    shop.get("/items/new").await.is(404);
}

#[tokio::test]
async fn a_patch_must_not_make_bounds_contradict_each_other() {
    for shop in [Shop::open().await, Shop::on_postgres().await] {
        shop.put("/items/a", json!({ "price": 5, "price_min": 4, "price_max": 8 })).await.is(200);
        let before = shop.get("/items/a").await.is(200);
        for (change, pointer) in [
            (json!({ "price_min": 9 }), "/price_min"),
            (json!({ "price_max": 3, "title": "no" }), "/price_max"),
        ] {
            assert_eq!(shop.patch("/items/a", change.clone()).await.faults(422), [pointer]);
            let mut row = change;
            row["item"] = json!("a");
            let rows = json!([{ "item": "b", "price": 1 }, row, { "item": "b", "stock": 3 }]);
            let answer = shop.post("/items", rows).await.is(200);
            assert_eq!(answer["accepted"], 2);
            let rejected = &answer["rejected"][0];
            let at = &rejected["errors"][0]["pointer"];
            assert_eq!((&rejected["index"], at), (&json!(1), &json!(format!("/1{pointer}"))));
        }
        assert_eq!(shop.get("/items/a").await.is(200), before);
        shop.patch("/items/a", json!({ "price_min": 9, "price_max": 10 })).await.is(200);
        shop.patch("/items/a", json!({ "price_min": null })).await.is(200);
    }
}

#[tokio::test]
async fn a_deleted_item_is_gone_until_it_is_put_again() {
    let shop = Shop::open().await;
    shop.put("/items/a", json!({ "price": 5 })).await.is(200);
    assert_eq!(shop.delete("/items/a").await.is(204), "");
    for path in ["/items/a", "/prices/a"] {
        assert_eq!(shop.get(path).await.is(404)["type"], "/problems/not-found");
    }
    shop.delete("/items/a").await.is(404);
    shop.delete("/items/never").await.is(404);
    shop.act("u", "view", "a").await;
    shop.get("/items/a").await.is(404);
    assert!(ids(&shop.get("/recommendations/x").await.is(200)).is_empty());
    shop.put("/items/a", json!({ "title": "Again" })).await.is(200);
    assert_eq!(shop.get("/items/a").await.is(200)["title"], "Again");
}

#[tokio::test]
async fn any_id_is_percent_encoded_in_a_path() {
    let shop = Shop::open().await;
    for (path, id) in [
        ("a%2Fb", "a/b"),
        ("%E2%98%95", "☕"),
        ("100%25", "100%"),
        ("a%20b%3Fc%23d", "a b?c#d"),
        ("a+b", "a+b"),
        ("..", ".."),
        (&"x".repeat(128), &"x".repeat(128)),
    ] {
        let put = shop.put(&format!("/items/{path}"), json!({ "price": 1 })).await.is(200);
        assert_eq!(put["item"], id);
        assert_eq!(shop.get(&format!("/items/{path}")).await.is(200)["item"], id);
        assert_eq!(shop.get(&format!("/prices/{path}")).await.is(200)["item"], id);
        shop.delete(&format!("/items/{path}")).await.is(204);
    }
    for path in ["a%0Ab", &"x".repeat(129), "a%00"] {
        let problem = shop.put(&format!("/items/{path}"), json!({})).await.is(422);
        assert!(problem["detail"].as_str().unwrap().contains("item id"), "{problem}");
        shop.get(&format!("/items/{path}")).await.is(422);
    }
    shop.get("/items/%FF").await.is(400);
}

#[tokio::test]
async fn a_wrong_field_is_pointed_at_and_nothing_changes() {
    let shop = Shop::open().await;
    shop.put("/items/a", json!({ "price": 5 })).await.is(200);
    for (body, pointer) in [
        (json!({ "titel": "x" }), "/titel"),
        (json!({ "a/b~c": 1 }), "/a~1b~0c"),
        (json!({ "price": "abc" }), "/price"),
        (json!({ "price": -1 }), "/price"),
        (json!({ "cost": "1.234" }), "/cost"),
        (json!({ "price": { "amount": "1", "currency": "USD" } }), "/price"),
        (json!({ "price_min": 10, "price_max": 9 }), "/price_min"),
        (json!({ "stock": -1 }), "/stock"),
        (json!({ "stock": "many" }), "/stock"),
        (json!({ "available": "yes" }), "/available"),
        (json!({ "promoted": "yes" }), "/promoted"),
        (json!({ "categories": "mugs" }), "/categories"),
        (json!({ "lead_time_days": 1.5 }), "/lead_time_days"),
        (json!({ "attributes": [] }), "/attributes"),
        (json!([]), ""),
        (json!("x"), ""),
    ] {
        assert_eq!(shop.put("/items/a", body.clone()).await.faults(422), [pointer], "{body}");
        assert_eq!(shop.patch("/items/a", body.clone()).await.faults(422), [pointer], "{body}");
    }
    for body in ["", "{", "{\"title\": NaN}", "{} {}"] {
        let answer = shop.body(Method::PUT, "/items/a", "application/json", body).await;
        assert_eq!(answer.is(400)["type"], "/problems/malformed", "{body}");
    }
    shop.body(Method::PUT, "/items/a", "text/plain", "{}").await.is(415);
    assert_eq!(shop.get("/items/a").await.is(200)["price"]["amount"], "5.00");
}

#[tokio::test]
async fn many_items_come_at_once_and_the_good_ones_are_taken() {
    let shop = Shop::open().await;
    let rows = json!([
        { "item": "a", "price": 1 },
        { "item": "b", "price": "x", "nope": 1 },
        { "price": 1 },
        { "item_id": "c", "title": "C" },
    ]);
    let answer = shop.post("/items", rows).await.is(200);
    assert_eq!(answer["accepted"], 2);
    let mut faults = pointers(&answer["rejected"][0]);
    faults.sort();
    assert_eq!(faults, ["/1/nope", "/1/price"]);
    assert_eq!(pointers(&answer["rejected"][1]), ["/2/item"]);
    let lines = "{\"item\":\"a\",\"stock\":4}\nno json\n{\"item\":\"d\"}\n";
    let answer = shop.body(Method::POST, "/items", "application/x-ndjson", lines).await.is(200);
    assert_eq!((&answer["accepted"], &answer["rejected"][0]["index"]), (&json!(2), &json!(1)));
    let a = shop.get("/items/a").await.is(200);
    assert_eq!((&a["stock"], &a["price"]["amount"]), (&json!(4), &json!("1.00")));
    let many: Vec<Value> = (0..1001).map(|n| json!({ "item": n })).collect();
    shop.post("/items", many.into()).await.is(413);
    shop.get("/items/7").await.is(404);
}

#[tokio::test]
async fn a_change_of_price_stock_or_availability_is_in_the_very_next_answer() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.train().await;
    let first = |list: Value| ids(&list).first().map(|id| (*id).to_owned());
    let list = "/recommendations/t0?n=3";
    for (change, is_shown) in [
        (json!({ "price": "2.50", "stock": 3 }), true),
        (json!({ "stock": 0 }), false),
        (json!({ "stock": null }), true),
        (json!({ "available": false }), false),
        (json!({ "available": true, "price": "2.40" }), true),
    ] {
        shop.patch("/items/tea-0", change.clone()).await.is(200);
        let answer = shop.get(list).await.is(200);
        assert_eq!(first(answer.clone()).as_deref() == Some("tea-0"), is_shown, "{change}");
        assert_eq!(ids(&answer).contains(&"tea-0"), is_shown);
        let quote = shop.get("/prices/tea-0").await.is(200);
        if is_shown {
            let shown = &answer["items"][0]["price"];
            assert_eq!(shown["amount"], quote["price"]["amount"]);
            assert_eq!(shown["quote_id"], quote["quote_id"]);
        }
    }
    shop.delete("/items/tea-0").await.is(204);
    assert!(!ids(&shop.get(list).await.is(200)).contains(&"tea-0"));
}

#[tokio::test]
async fn an_item_exists_when_first_seen_in_an_event() {
    let mut shop = Shop::open().await;
    let event = json!({ "type": "view", "user": "u", "item": "a", "timestamp": NOW.0 - 9_000_000 });
    shop.post("/events", event).await.is(200);
    let seen = shop.get("/items/a").await.is(200);
    assert_eq!(seen["price"], Value::Null);
    assert_eq!(seen["first_seen_at"], NOW.to_string());
    shop.follower.follow().await.unwrap();
    assert_eq!(shop.get("/items/a").await.is(200), seen);
    assert_eq!(shop.beside().await.get("/items/a").await.is(200), seen);
}

#[tokio::test]
async fn what_one_process_changes_another_follows() {
    let shop = Shop::open().await;
    let mut other = shop.beside().await;
    shop.put("/items/a", json!({ "price": 5, "stock": 1 })).await.is(200);
    shop.act("u", "click", "a").await;
    other.follower.follow().await.unwrap();
    assert_eq!(other.get("/prices/a").await.is(200)["price"]["amount"], "5.00");
    assert_eq!(ids(&other.get("/recommendations/x").await.is(200)), ["a"]);
    other.patch("/items/a", json!({ "stock": 0 })).await.is(200);
    assert_eq!(ids(&other.get("/recommendations/x").await.is(200)), [""; 0]);
}
