//! What is wrong with an event is said of the field at fault, and its neighbours are stored.

use crate::support::shop::{NOW, Shop, pointers};
use axum::http::Method;
use serde_json::{Value, json};

/// Events with one thing wrong, and where.
fn wrong() -> Vec<(Value, &'static str)> {
    let with = |field: &str, value: Value| {
        let mut event = json!({ "type": "purchase", "user": "u", "item": "a" });
        event[field] = value;
        event
    };
    vec![
        (json!({ "user": "u", "item": "a" }), "/type"),
        (with("type", json!("teleport")), "/type"),
        (with("type", json!(7)), "/type"),
        (json!({ "type": "purchase", "user": "u" }), "/item"),
        (json!({ "type": "view", "user": "u", "item": null }), "/item"),
        (json!({ "type": "view", "item": "a" }), "/user"),
        (json!({ "type": "rating", "user": "u", "item": "a" }), "/value"),
        (with("item", json!("")), "/item"),
        (with("item", json!("x".repeat(129))), "/item"),
        (with("item", json!("ß".repeat(65))), "/item"),
        (with("item", json!("a\nb")), "/item"),
        (with("user", json!("\u{0}")), "/user"),
        (with("user", json!(["u"])), "/user"),
        (with("session", json!(1.5)), "/session"),
        (with("quantity", json!(-1)), "/quantity"),
        (with("quantity", json!(0)), "/quantity"),
        (with("quantity", json!(1.5)), "/quantity"),
        (with("quantity", json!("two")), "/quantity"),
        (with("price", json!("abc")), "/price"),
        (with("price", json!("NaN")), "/price"),
        (with("price", json!("-1")), "/price"),
        (with("price", json!("1.005")), "/price"),
        (with("price", json!(true)), "/price"),
        (with("price", json!({ "amount": "1", "currency": "USD" })), "/price"),
        (with("currency", json!("USD")), "/currency"),
        (with("value", json!("five")), "/value"),
        (with("timestamp", json!("yesterday")), "/timestamp"),
        (with("timestamp", json!("2026-03-01T12:05:00.001Z")), "/timestamp"),
        (with("timestamp", json!(NOW.0 / 1000 + 301)), "/timestamp"),
        (with("properties", json!([1])), "/properties"),
        (with("id", json!("x".repeat(129))), "/id"),
        (json!("not an object"), ""),
    ]
}

#[tokio::test]
async fn each_wrong_field_is_pointed_at_and_the_good_neighbours_are_stored() {
    let shop = Shop::open().await;
    let good = json!({ "type": "view", "user": "u", "item": "a/b ☕" });
    for (n, (bad, pointer)) in wrong().into_iter().enumerate() {
        let answer = shop.post("/events", json!([good, bad, good])).await.is(200);
        assert_eq!(answer["accepted"], 2, "{bad}");
        let rejected = answer["rejected"].as_array().unwrap();
        assert_eq!((rejected.len(), &rejected[0]["index"]), (1, &json!(1)), "{bad}");
        assert_eq!(rejected[0]["status"], 422);
        assert_eq!(pointers(&rejected[0]), [format!("/1{pointer}")], "{bad}");
        assert_eq!(shop.n_events().await, 2 * (n as u64 + 1));
    }
    assert_eq!(shop.get("/items/a%2Fb%20%E2%98%95").await.is(200)["item"], "a/b ☕");
}

#[tokio::test]
async fn a_lone_wrong_event_is_a_422_that_points_into_it() {
    let shop = Shop::open().await;
    for (bad, pointer) in wrong().into_iter().filter(|(bad, _)| bad.is_object()) {
        assert_eq!(shop.post("/events", bad.clone()).await.faults(422), [pointer], "{bad}");
    }
    assert_eq!(shop.post("/events/click", json!({})).await.faults(422), ["/user", "/item"]);
    assert_eq!(shop.n_events().await, 0);
}

#[tokio::test]
async fn atomic_means_all_or_none_and_names_every_fault() {
    let shop = Shop::open().await;
    let good = json!({ "type": "view", "user": "u", "item": "a" });
    let batch = json!([good, { "type": "?", "user": "u", "item": "a" }, good, { "type": "view" }]);
    let faults = shop.post("/events?atomic=true", batch.clone()).await.faults(422);
    assert_eq!(faults, ["/1/type", "/3/user", "/3/item"]);
    assert_eq!(shop.n_events().await, 0);
    assert_eq!(shop.post("/events?atomic=false", batch).await.is(200)["accepted"], 2);
    assert_eq!(shop.post("/events?atomic=true", json!([good, good])).await.is(200)["accepted"], 2);
    let lines = format!("{good}\nno json\n");
    let answer =
        shop.body(Method::POST, "/events?atomic=true", "application/x-ndjson", lines).await;
    assert_eq!(answer.faults(422), ["/1"]);
    assert_eq!(shop.post("/events?atomic=perhaps", good).await.faults(422), ["/atomic"]);
}

#[tokio::test]
async fn a_line_that_is_not_json_does_not_harm_the_others() {
    let shop = Shop::open().await;
    let good = json!({ "type": "view", "user": "u", "item": "a" });
    let nan = r#"{"type": "view", "user": "u", "item": "a", "price": NaN}"#;
    let answer = shop.ndjson(format!("{good}\n{nan}\n\n{{\n{good}\n")).await.is(200);
    assert_eq!(answer["accepted"], 2);
    assert_eq!(answer["rejected"][0]["errors"][0]["pointer"], "/1");
    assert_eq!(answer["rejected"][1]["index"], 2);
    // A batch of one line is a batch: its sender reads the same kind of answer as ever.
    let answer = shop.ndjson(r#"{"type": "view", "item": "a"}"#).await.is(200);
    assert_eq!(answer["rejected"][0]["errors"][0]["pointer"], "/0/user");
    assert_eq!(shop.ndjson("{oops").await.is(200)["rejected"][0]["index"], 0);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_400() {
    let shop = Shop::open().await;
    for body in ["", " \n", "{", "[1,", "{\"a\": NaN}", "[{}] x", "\u{feff}{", "\"\\ud800\""] {
        let answer = shop.body(Method::POST, "/events", "application/json", body).await;
        let problem = answer.is(400);
        assert_eq!(problem["type"], "/problems/malformed", "{body:?}");
        assert!(problem["detail"].is_string());
    }
    let answer = shop.body(Method::POST, "/events", "application/json", vec![b'"', 0xff, b'"']);
    answer.await.is(400);
    let deep = "[".repeat(200_000);
    shop.body(Method::POST, "/events", "application/json", deep).await.is(400);
    for body in ["1", "\"view\"", "null"] {
        shop.body(Method::POST, "/events", "application/json", body).await.is(422);
    }
}

#[tokio::test]
async fn only_json_is_taken_and_its_name_is_written_in_any_case() {
    let shop = Shop::open().await;
    let event = r#"{"type": "view", "user": "u", "item": "a"}"#;
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""] {
        let answer = shop.body(Method::POST, "/events", media, event).await;
        assert_eq!(answer.is(415)["type"], "/problems/media-type", "{media}");
    }
    for media in ["application/json; charset=utf-8", "Application/JSON", "application/x-ndjson"] {
        let answer = shop.body(Method::POST, "/events", media, event).await;
        assert_eq!(answer.is(200)["accepted"], 1, "{media}");
    }
    let with_mark = format!("\u{feff}{event}");
    let answer = shop.body(Method::POST, "/events", "application/json", with_mark).await;
    assert_eq!(answer.is(200)["accepted"], 1);
}

#[tokio::test]
async fn too_much_at_once_is_a_413_and_nothing_is_stored() {
    let shop = Shop::open().await;
    let event = r#"{"type": "view", "user": "u", "item": "a"}"#;
    let too_many = format!("[{}]", vec![event; 1001].join(","));
    let problem = shop.body(Method::POST, "/events", "application/json", too_many).await.is(413);
    assert!(problem["detail"].as_str().unwrap().contains("1000"), "{problem}");
    let lines = vec![event; 1001].join("\n");
    shop.ndjson(lines).await.is(413);
    let mut large = event.to_owned();
    large.push_str(&" ".repeat((2 << 20) - large.len()));
    let fits = shop.body(Method::POST, "/events", "application/json", large.clone()).await;
    assert_eq!(fits.is(200)["accepted"], 1);
    large.push(' ');
    let answer = shop.body(Method::POST, "/events", "application/json", large).await;
    assert_eq!(answer.is(413)["type"], "/problems/too-large");
    assert_eq!(shop.n_events().await, 1);
}

#[tokio::test]
async fn a_full_queue_is_a_503_that_says_when_to_come_again() {
    let mut shop = Shop::without_committer(|config| {
        config.events.batch_max = 2;
        config.events.queue_max = 3;
    })
    .await;
    let event = json!({ "type": "view", "user": "u", "item": "a" });
    let two = json!([event, event]);
    {
        let waiting = shop.post("/events", two.clone());
        tokio::pin!(waiting);
        // Lets the first request reach the queue, where nobody takes it out.
        let refused = tokio::select! {
            biased;
            _ = &mut waiting => unreachable!("nobody commits"),
            refused = shop.post("/events", two.clone()) => refused,
        };
        assert_eq!(refused.header("retry-after"), "1");
        let problem = refused.is(503);
        assert_eq!(problem["detail"], "too many events wait to be written", "{problem}");
        assert_eq!(shop.get("/status").await.is(200)["memory"]["ingest_queue_events"], 2);
    }
    // Whose sender has gone is written all the same.
    shop.start_committer();
    assert_eq!(shop.post("/events", event).await.is(200)["accepted"], 1);
    assert_eq!(shop.n_events().await, 3);
}
