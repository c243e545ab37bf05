//! What every problem has in common.

use crate::support::shop::{Answer, Shop};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderValue, Request},
    routing::get,
};
use serde_json::{Value, json};
use shopkeeper::api::router::around;
use tower::ServiceExt;

async fn named(shop: &Shop, path: &str, id: HeaderValue) -> Answer {
    let request = Request::get(path).header("x-request-id", id);
    shop.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_request_id_is_kept_or_made() {
    let shop = Shop::open().await;
    let (one, two) = (shop.get("/health/live").await, shop.get("/health/live").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    let kept = named(&shop, "/health/live", HeaderValue::from_static("mine-7")).await;
    assert_eq!(kept.header("x-request-id"), "mine-7");
    // What cannot be written into a document is not kept.
    for odd in [vec![b'x'; 129], vec![], vec![0xff, 0xfe]] {
        let odd = HeaderValue::from_bytes(&odd).unwrap();
        let answer = named(&shop, "/nowhere", odd.clone()).await;
        assert_ne!(answer.headers["x-request-id"], odd);
        assert_eq!(answer.body["instance"], answer.header("x-request-id"));
    }
}

#[tokio::test]
async fn every_problem_is_a_document_that_names_its_request() {
    let shop = Shop::open().await;
    for (path, status, kind, title) in [
        ("/nowhere", 404, "/problems/no-route", "No such path"),
        ("/items/none", 404, "/problems/not-found", "Not known"),
        ("/items/", 404, "/problems/no-route", "No such path"),
        ("/events", 405, "/problems/method", "Method not allowed"),
        ("/items/%FF", 400, "/problems/malformed", "Malformed request"),
        ("/recommendations/u?n=0", 422, "/problems/invalid", "Invalid request"),
    ] {
        let answer = named(&shop, path, HeaderValue::from_static("r1")).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(answer.header("x-request-id"), "r1");
        let problem = answer.is(status);
        assert_eq!((&problem["type"], &problem["title"]), (&json!(kind), &json!(title)), "{path}");
        assert_eq!((&problem["status"], &problem["instance"]), (&json!(status), &json!("r1")));
        assert!(problem["detail"].is_string(), "{problem}");
    }
    assert_eq!(shop.get("/events").await.header("allow"), "POST");
}

async fn broken() -> &'static str {
    panic!("said by the test")
}

#[tokio::test]
async fn a_handler_that_panics_costs_its_own_answer_alone() {
    let shop = Shop::open().await;
    let router = Router::new()
        .route("/broken", get(broken))
        .route("/well", get(async || "well"))
        .layer(around(&shop.state, None));
    let ask = async |path: &str| {
        let request = Request::get(path).header("x-request-id", "r7").body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    };
    let response = ask("/broken").await;
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["x-request-id"], "r7");
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&problem["status"], &problem["instance"]), (&json!(500), &json!("r7")));
    assert!(!problem.to_string().contains("said by the test"), "no insides of ours: {problem}");
    assert_eq!(ask("/well").await.status(), 200);
    let metrics = shop.get("/metrics").await.body;
    let failed = metrics.as_str().unwrap().lines().any(|line| {
        line.contains("route=\"/broken\"")
            && line.contains("status=\"500\"")
            && line.ends_with(" 1")
    });
    assert!(failed, "{metrics}");
}

#[tokio::test]
async fn a_problem_of_a_whole_batch_names_its_request_too() {
    let shop = Shop::open().await;
    let bad = json!({ "type": "?".repeat(200), "item": "\n", "quantity": -1, "price": "abc" });
    let answer = shop.post("/events?atomic=true", vec![bad; 1000].into()).await;
    let id = answer.header("x-request-id").to_owned();
    let problem = answer.is(422);
    assert_eq!(problem["instance"], id);
    assert_eq!(problem["errors"].as_array().unwrap().len(), 5000);
}
