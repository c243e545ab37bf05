//! How events come in when they are right.

use crate::support::shop::{NOW, Shop, ids};
use axum::http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_event_an_array_and_lines_are_all_taken() {
    let shop = Shop::open().await;
    let view = json!({ "type": "view", "user": "u", "item": "a" });
    let expected = json!({ "accepted": 1, "duplicates": 0, "rejected": [] });
    assert_eq!(shop.post("/events", view.clone()).await.is(200), expected);
    let two = json!([view, { "type": "search", "session": "s" }]);
    assert_eq!(shop.post("/events", two).await.is(200)["accepted"], 2);
    let lines = format!("{view}\n\n{view}\r\n{view}");
    assert_eq!(shop.ndjson(lines).await.is(200)["accepted"], 3);
    assert_eq!(shop.post("/events", json!([])).await.is(200)["accepted"], 0);
    let answer = shop.body(Method::POST, "/events", "application/ndjson", view.to_string()).await;
    assert_eq!(answer.is(200)["accepted"], 1);
    assert_eq!(shop.n_events().await, 7);
}

#[tokio::test]
async fn every_field_alias_means_the_field() {
    let shop = Shop::open().await;
    let base = json!({ "type": "purchase", "user": "u", "item": "i", "session": "s", "id": "e" });
    let aliases = [
        ("user", &["user_id", "userId", "UserId"][..]),
        ("item", &["item_id", "itemId", "ItemId", "product_id"]),
        ("type", &["event_type", "eventType", "FeedbackType"]),
        ("session", &["session_id", "sessionId", "visitorId"]),
        ("id", &["event_id", "eventId"]),
    ];
    let mut n = 0;
    for (field, names) in aliases {
        for name in names {
            n += 1;
            let mut event = base.clone();
            event["id"] = json!(format!("e{n}"));
            event["recommId"] = json!("r1");
            event["order_id"] = json!("o1");
            let fields = event.as_object_mut().unwrap();
            let value = fields.remove(field).unwrap();
            fields.insert((*name).to_owned(), value);
            assert_eq!(shop.post("/events", event.clone()).await.is(200)["accepted"], 1, "{name}");
            let again = shop.post("/events", event).await.is(200);
            assert_eq!(again["duplicates"], 1, "{name} {again}");
        }
    }
    let with = json!({ "type": "click", "user": "u", "item": "i", "recommendation_id": "r1" });
    shop.post("/events", with).await.is(200);
    let events = shop.get("/users/u/export").await.is(200)["events"].clone();
    let events = events.as_array().unwrap();
    assert_eq!(events.len(), n + 1);
    for event in events {
        assert_eq!(event["item"], "i");
        assert_eq!(event["context"]["recommendation"], "r1");
    }
    for event in &events[..n] {
        let named = ["type", "session", "order"].map(|field| event[field].as_str().unwrap());
        assert_eq!(named, ["purchase", "s", "o1"]);
    }
}

#[tokio::test]
async fn every_type_and_its_aliases_are_known() {
    let shop = Shop::open().await;
    for (name, kind) in [
        ("view", "view"),
        ("click", "click"),
        ("impression", "impression"),
        ("search", "search"),
        ("add_to_cart", "add_to_cart"),
        ("remove_from_cart", "remove_from_cart"),
        ("checkout", "checkout"),
        ("purchase", "purchase"),
        ("return", "return"),
        ("wishlist", "wishlist"),
        ("rating", "rating"),
        ("dislike", "dislike"),
        ("purchase-complete", "purchase"),
        ("detail-page-view", "view"),
        ("add-to-cart", "add_to_cart"),
        ("view_item", "view"),
        ("read", "view"),
        ("like", "wishlist"),
        ("star", "wishlist"),
    ] {
        let event = json!({ "type": name, "user": name, "item": "i", "value": 4.5 });
        assert_eq!(shop.post("/events", event).await.is(200)["accepted"], 1, "{name}");
        let export = shop.get(&format!("/users/{name}/export")).await.is(200);
        assert_eq!(export["events"][0]["type"], kind);
    }
}

#[tokio::test]
async fn what_is_sent_is_what_is_kept() {
    let shop = Shop::open().await;
    let sent = json!({
        "id": "e1", "type": "purchase", "user": "u42", "session": "s9", "item": "sku/1 ☕",
        "timestamp": "2026-02-28T23:00:00+01:00", "quantity": 3, "price": "12.90", "order": "o77",
        "recommendation": "r", "scenario": "home", "channel": "web", "campaign": "spring",
        "properties": { "colour": "red", "nested": [1, null] }, "a field of theirs": true,
    });
    shop.post("/events", sent).await.is(200);
    let kept = shop.get("/users/u42/export").await.is(200)["events"][0].clone();
    assert_eq!(kept["timestamp"], "2026-02-28T22:00:00Z");
    assert_eq!(kept["price"], json!({ "amount": "12.90", "currency": "EUR" }));
    assert_eq!(kept["quantity"], 3);
    assert_eq!(kept["item"], "sku/1 ☕");
    assert_eq!(kept["context"]["properties"], json!({ "colour": "red", "nested": [1, null] }));
}

#[tokio::test]
async fn a_time_may_be_text_seconds_or_milliseconds_and_lie_far_in_the_past() {
    let shop = Shop::open().await;
    for time in [
        json!("2026-03-01T12:05:00Z"),
        json!(NOW.0 / 1000 + 300),
        json!(NOW.0 + 300_000),
        json!("1999-12-31T23:59:59.5Z"),
        json!(0),
        json!("1970-01-01T00:00:00Z"),
    ] {
        let event = json!({ "type": "view", "user": "u", "item": "a", "timestamp": time });
        assert_eq!(shop.post("/events", event).await.is(200)["accepted"], 1, "{time}");
    }
}

#[tokio::test]
async fn a_retry_with_the_same_id_is_harmless_for_ever() {
    let mut shop = Shop::open().await;
    let event = json!({ "id": "e1", "type": "purchase", "user": "u", "item": "a" });
    let twice = json!([event, event]);
    let answer = shop.post("/events", twice).await.is(200);
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(1), &json!(1)));
    assert_eq!(shop.train().await.version, Some(1));
    shop.clock.advance_ms(400 * 86_400_000);
    let restarted = shop.beside().await;
    assert_eq!(restarted.post("/events", event).await.is(200)["duplicates"], 1);
    assert_eq!(restarted.n_events().await, 1);
}

#[tokio::test]
async fn the_path_may_say_the_type() {
    let shop = Shop::open().await;
    let body = json!([{ "user": "u", "item": "a" }, { "user": "u", "item": "b", "type": "view" }]);
    for (path, kind) in [("/events/click", "click"), ("/events/purchase", "purchase")] {
        let answer = shop.post(path, body.clone()).await.is(200);
        assert_eq!(answer["accepted"], 1, "{answer}");
        assert_eq!(answer["rejected"][0]["errors"][0]["pointer"], "/1/type");
        let status = shop.get("/status").await.is(200);
        assert_eq!(status["data"]["events"][kind], 1);
    }
    let lines = "{\"user\":\"u\",\"item\":\"a\"}\n{\"user\":\"u\",\"item\":\"b\"}\n";
    let media = "application/x-ndjson; charset=utf-8";
    let answer = shop.body(Method::POST, "/events/purchase", media, lines).await.is(200);
    assert_eq!(answer["accepted"], 2);
    let one = json!({ "user": "u", "item": "a", "quantity": 2, "price": 3.5 });
    assert_eq!(shop.post("/events/purchase", one).await.is(200)["accepted"], 1);
}

#[tokio::test]
async fn a_thousand_events_fit_into_one_request() {
    let shop = Shop::open().await;
    let events: Vec<Value> = (0..1000)
        .map(|n| json!({ "type": "view", "user": format!("u{n}"), "item": "a" }))
        .collect();
    assert_eq!(shop.post("/events", events.into()).await.is(200)["accepted"], 1000);
}

#[tokio::test]
async fn writers_at_the_same_time_all_get_their_answer() {
    let shop = Shop::open().await;
    let mut clients = tokio::task::JoinSet::new();
    let router = std::sync::Arc::new(shop);
    for n in 0..64 {
        let shop = router.clone();
        clients.spawn(async move {
            let bad = json!({ "type": "view", "item": "a" });
            let good =
                json!({ "type": "view", "user": format!("u{n}"), "item": "a", "id": n % 32 });
            shop.post("/events", json!([bad, good])).await.is(200)
        });
    }
    let (mut accepted, mut duplicates) = (0, 0);
    while let Some(answer) = clients.join_next().await {
        let answer = answer.unwrap();
        accepted += answer["accepted"].as_u64().unwrap();
        duplicates += answer["duplicates"].as_u64().unwrap();
        assert_eq!(answer["rejected"][0]["index"], 0);
    }
    assert_eq!((accepted, duplicates), (32, 32));
}

#[tokio::test]
async fn postgres_takes_events_and_answers_from_them_like_sqlite() {
    let mut shop = Shop::on_postgres().await;
    shop.open_doors().await;
    shop.put("/items/tea-0", json!({ "price": "2.50" })).await.is(200);
    let event = json!({ "id": "x", "type": "view", "user": "ümläut ☕", "item": "a/b" });
    let answer = shop.post("/events", json!([event, event, { "type": "?" }])).await.is(200);
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(1), &json!(1)));
    assert_eq!(answer["rejected"][0]["index"], 2);
    assert_eq!(shop.train().await.version, Some(1));
    let list = shop.get("/recommendations/t0?n=3").await.is(200);
    assert_eq!(list["source"], "personal");
    assert_eq!(ids(&list)[0], "tea-0");
    assert_eq!(list["items"][0]["price"]["amount"], "2.50");
    assert_eq!(shop.get("/status").await.is(200)["database"]["kind"], "postgres");
}
