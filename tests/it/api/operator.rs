//! What an operator watches.

use crate::support::shop::Shop;
use serde_json::{Value, json};

#[tokio::test]
async fn a_new_shop_is_live_and_ready() {
    let shop = Shop::open().await;
    assert_eq!(shop.get("/health/live").await.is(200), json!({ "status": "ok" }));
    assert_eq!(shop.get("/health/ready").await.is(200), json!({ "status": "ok" }));
    let status = shop.get("/status").await.is(200);
    assert_eq!(status["database"], json!({ "kind": "sqlite", "up": true }));
    assert_eq!(status["data"]["items"], 0);
    assert_eq!(status["memory"]["ingest_queue_events"], 0);
    assert_eq!(status["runs"], json!([]));
    assert!(status["snapshot"]["needs"].as_str().unwrap().contains("no events"));
    let models = shop.get("/models").await.is(200);
    assert_eq!((&models["served"], &models["versions"]), (&json!(0), &json!([])));
    shop.act("u", "click", "a").await;
    shop.put("/items/b", json!({ "price": 1 })).await.is(200);
    let data = shop.get("/status").await.is(200)["data"].clone();
    let expected = json!({
        "events": { "click": 1 }, "items": 2, "users": 1, "prices": 1, "competitor_prices": 0,
    });
    assert_eq!(data, expected);
}

#[tokio::test]
async fn metrics_have_the_names_that_dashboards_use() {
    let shop = Shop::open().await;
    let metrics = shop.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    let text = metrics.is(200);
    let text = text.as_str().unwrap();
    for name in [
        "build_info",
        "events_total{kind=\"purchase\",outcome=\"stored\"} 0",
        "events_total{kind=\"unknown\",outcome=\"rejected\"} 0",
        "ingest_queue_events 0",
        "commit_events_bucket",
        "commit_duration_seconds_bucket",
        "training_runs_total{model=\"all\",outcome=\"published\"} 0",
        "training_runs_total{model=\"all\",outcome=\"refused\"} 0",
        "training_runs_total{model=\"all\",outcome=\"failed\"} 0",
        "snapshot_version 0",
        "snapshot_timestamp_seconds",
        "live_shoppers 0",
        "catalogue_items 0",
        "list_cache_bytes",
        "store_up 1",
        "process_memory_bytes",
    ] {
        assert!(text.contains(&format!("\nshopkeeper_{name}")), "{name} is not in {text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn requests_are_counted_by_template_and_status() {
    let shop = Shop::open().await;
    shop.act("u42", "click", "sku-1").await;
    shop.post("/events", json!([{}, {}])).await.is(200);
    shop.post("/events/click?atomic=true", json!([{}])).await.is(422);
    shop.post("/events", json!({ "type": "rating", "user": "u42" })).await.is(422);
    shop.get("/items/sku-1").await.is(200);
    shop.get("/items/other").await.is(404);
    shop.get("/recommendations/u42?n=0").await.is(422);
    shop.get("/no/such/path/u42").await.is(404);
    shop.delete("/events").await.is(405);
    let odd = axum::http::Request::builder().method("BREW").uri("/events");
    shop.send(odd.body(axum::body::Body::empty()).unwrap()).await.is(405);
    let text = shop.get("/metrics").await.is(200);
    let text = text.as_str().unwrap();
    for (method, route, status, n) in [
        ("POST", "/events", 200, 2),
        ("POST", "/events", 422, 1),
        ("GET", "/items/{item}", 200, 1),
        ("GET", "/items/{item}", 404, 1),
        ("GET", "/recommendations/{user}", 422, 1),
        ("GET", "unmatched", 404, 1),
        ("DELETE", "/events", 405, 1),
        // Anybody can make up a method; a series for each would never end.
        ("other", "/events", 405, 1),
    ] {
        let labels = format!("{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {n}\n");
        let line = format!("shopkeeper_http_requests_total{labels}");
        assert!(text.contains(&line), "{line} is not in {text}");
        let timed = format!(
            "shopkeeper_http_request_duration_seconds_count{{method=\"{method}\",route=\"{route}\"}}"
        );
        assert!(text.contains(&timed), "{timed}");
    }
    assert!(text.contains("shopkeeper_events_total{kind=\"click\",outcome=\"stored\"} 1\n"));
    assert!(text.contains("shopkeeper_events_total{kind=\"unknown\",outcome=\"rejected\"} 2\n"));
    assert!(text.contains("shopkeeper_events_total{kind=\"rating\",outcome=\"rejected\"} 1\n"));
    assert!(text.contains("shopkeeper_commit_events_count 1\n"));
    for id in ["u42", "sku-1", "BREW"] {
        assert!(!text.contains(id), "{id} is in a label");
    }
}

#[tokio::test]
async fn events_that_are_not_taken_are_counted() {
    let shop = Shop::without_committer(|config| config.events.queue_max = 1).await;
    let two = json!([{ "type": "view", "user": "u", "item": "a" }, { "type": "click", "user": "u", "item": "a" }]);
    let problem = shop.post("/events", two).await.is(503);
    assert_eq!(problem["detail"], "too many events wait to be written");
    let text = shop.get("/metrics").await.is(200);
    for kind in ["view", "click"] {
        let line = format!("events_total{{kind=\"{kind}\",outcome=\"refused\"}} 1\n");
        assert!(text.as_str().unwrap().contains(&line), "{line}");
    }
}

#[tokio::test]
async fn the_openapi_document_lists_every_route() {
    let shop = Shop::open().await;
    let document = shop.get("/openapi.json").await.is(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in [
        ("/events", &["post"][..]),
        ("/events/click", &["post"]),
        ("/events/purchase", &["post"]),
        ("/recommendations/{user}", &["get"]),
        ("/recommendations", &["post"]),
        ("/prices/{item}", &["get"]),
        ("/prices", &["post"]),
        ("/prices/{item}/history", &["get"]),
        ("/items/{item}", &["get", "put", "patch", "delete"]),
        ("/items", &["post"]),
        ("/competitor-prices", &["post"]),
        ("/users/{user}", &["get", "put", "delete"]),
        ("/users/{user}/export", &["get"]),
        ("/health/live", &["get"]),
        ("/health/ready", &["get"]),
        ("/metrics", &["get"]),
        ("/status", &["get"]),
        ("/models", &["get"]),
        ("/models/train", &["post"]),
        ("/models/rollback", &["post"]),
    ] {
        for method in methods {
            let operation = &paths[path][*method];
            assert!(operation["responses"].is_object(), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
    references_resolve(&document, &document);
    let docs = shop.get("/docs").await;
    let page = match docs.header("location") {
        "" => docs,
        place => shop.get(place).await,
    };
    assert!(page.header("content-type").starts_with("text/html"));
    page.is(200);
}

/// Every `$ref` of the document names something that is in it.
fn references_resolve(document: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            if let Some(Value::String(to)) = fields.get("$ref") {
                let pointer = to.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{to} is not there");
            }
            fields.values().for_each(|field| references_resolve(document, field));
        }
        Value::Array(parts) => parts.iter().for_each(|part| references_resolve(document, part)),
        _ => {}
    }
}
