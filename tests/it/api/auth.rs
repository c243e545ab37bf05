//! Who may call what.

use crate::support::shop::{Answer, Shop};
use axum::{
    body::Body,
    http::{Method, Request},
};
use shopkeeper::config::Secret;

const KEYS: [(&str, &str); 3] = [
    ("storefront", "storefront-key-0"),
    ("ingest", "ingest-key-00000"),
    ("admin", "admin-key-000000"),
];

async fn guarded() -> Shop {
    Shop::with(|config| {
        let auth = &mut config.auth;
        let lists = [&mut auth.storefront_keys, &mut auth.ingest_keys, &mut auth.admin_keys];
        for (list, (_, key)) in lists.into_iter().zip(KEYS) {
            list.push(Secret(key.to_owned()));
        }
    })
    .await
}

async fn call(shop: &Shop, method: &Method, path: &str, header: Option<(&str, &str)>) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    shop.send(request.body(Body::from("[]")).unwrap()).await
}

#[tokio::test]
async fn each_scope_opens_its_own_doors() {
    let shop = guarded().await;
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    for (method, path, scopes) in [
        (&post, "/events", &["storefront", "ingest", "admin"][..]),
        (&post, "/events/click", &["storefront", "ingest", "admin"]),
        (&get, "/recommendations/u", &["storefront", "admin"]),
        (&post, "/recommendations", &["storefront", "admin"]),
        (&get, "/prices/a", &["storefront", "admin"]),
        (&post, "/prices", &["storefront", "admin"]),
        (&get, "/prices/a/history", &["storefront", "admin"]),
        (&post, "/items", &["ingest", "admin"]),
        (&put, "/items/a", &["ingest", "admin"]),
        (&Method::DELETE, "/items/a", &["ingest", "admin"]),
        (&post, "/competitor-prices", &["ingest", "admin"]),
        (&get, "/users/u", &["admin"]),
        (&Method::DELETE, "/users/u", &["admin"]),
        (&get, "/users/u/export", &["admin"]),
        (&get, "/status", &["admin"]),
        (&get, "/models", &["admin"]),
        (&post, "/models/rollback", &["admin"]),
    ] {
        let answer = call(&shop, method, path, None).await;
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.is(401)["type"], "/problems/unauthorized", "{path}");
        let wrong = Some(("x-api-key", "storefront-key-1"));
        call(&shop, method, path, wrong).await.is(401);
        for (scope, key) in KEYS {
            let status = call(&shop, method, path, Some(("x-api-key", key))).await.status;
            if scopes.contains(&scope) {
                assert!(![401, 403].contains(&status), "{scope} {path}: {status}");
            } else {
                assert_eq!(status, 403, "{scope} {path}");
            }
        }
    }
}

#[tokio::test]
async fn who_may_not_read_may_not_ask_whether_there_is_anything() {
    let shop = guarded().await;
    for path in ["/status", "/recommendations/u", "/items/none"] {
        assert_eq!(call(&shop, &Method::HEAD, path, None).await.status, 401, "{path}");
    }
    let key = Some(("x-api-key", "admin-key-000000"));
    assert_eq!(call(&shop, &Method::HEAD, "/status", key).await.status, 200);
    assert_eq!(call(&shop, &Method::DELETE, "/status", key).await.status, 405);
}

#[tokio::test]
async fn a_key_comes_as_bearer_or_in_a_header_of_its_own() {
    let shop = guarded().await;
    for (name, value) in [
        ("authorization", "Bearer admin-key-000000"),
        ("authorization", "bearer admin-key-000000"),
        ("x-api-key", "admin-key-000000"),
    ] {
        call(&shop, &Method::GET, "/status", Some((name, value))).await.is(200);
    }
    for value in ["Basic admin-key-000000", "Bearer", "Bearer ", "admin-key-000000"] {
        let answer = call(&shop, &Method::GET, "/status", Some(("authorization", value))).await;
        let problem = answer.is(401);
        assert!(!problem.to_string().contains("admin-key"), "{problem}");
    }
}

#[tokio::test]
async fn health_metrics_and_documents_need_no_key() {
    let shop = guarded().await;
    for path in ["/health/live", "/health/ready", "/metrics", "/openapi.json"] {
        call(&shop, &Method::GET, path, None).await.is(200);
    }
    call(&shop, &Method::GET, "/nowhere", None).await.is(404);
}

#[tokio::test]
async fn without_keys_everything_is_open() {
    let shop = Shop::open().await;
    for path in ["/status", "/models", "/recommendations/u"] {
        shop.get(path).await.is(200);
    }
}
