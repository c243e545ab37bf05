//! Lists: personal, fresh, explained, and never with what must not be shown.

use crate::support::shop::{Shop, ids};
use axum::http::Method;
use serde_json::{Value, json};

async fn trained() -> Shop {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    let run = shop.train().await;
    assert_eq!(run.version, Some(1), "{}", run.reason);
    shop
}

/// The list without what names this one answer.
async fn list(shop: &Shop, path: &str) -> Value {
    let mut list = shop.get(path).await.is(200);
    let id = list.as_object_mut().unwrap().remove("recommendation_id").unwrap();
    assert!(!id.as_str().unwrap().is_empty());
    list
}

#[tokio::test]
async fn an_empty_shop_answers_an_empty_list_that_says_why() {
    let shop = Shop::open().await;
    let answer = list(&shop, "/recommendations/u").await;
    assert_eq!(answer["items"], json!([]));
    assert!(answer["empty_because"].as_str().unwrap().contains("no events"), "{answer}");
    assert_eq!((&answer["source"], &answer["model"]["version"]), (&json!("popular"), &json!(0)));
    assert_eq!((&answer["user"], &answer["scenario"]), (&json!("u"), &json!("home")));
    assert_eq!(answer["degraded"], false);
}

#[tokio::test]
async fn the_first_ten_events_give_popularity_without_training() {
    let shop = Shop::open().await;
    for n in 0..10 {
        let item = if n < 6 { "much" } else { "little" };
        shop.act(&format!("u{n}"), "click", item).await;
    }
    let answer = list(&shop, "/recommendations/stranger?explain=true").await;
    assert_eq!((ids(&answer), &answer["source"]), (vec!["much", "little"], &json!("popular")));
    assert_eq!(answer["items"][0]["reasons"], json!([{ "kind": "popular", "items": [] }]));
    assert_eq!(answer["empty_because"], Value::Null);
    // Also then a bought item leaves its buyer's list.
    shop.act("u1", "purchase", "much").await;
    assert_eq!(ids(&list(&shop, "/recommendations/u1").await), ["little"]);
    assert_eq!(ids(&list(&shop, "/recommendations/stranger").await), ["much", "little"]);
}

#[tokio::test]
async fn a_list_is_personal_after_training() {
    let shop = trained().await;
    for (user, first) in [("t3", "tea-3"), ("c7", "coffee-7")] {
        let answer = list(&shop, &format!("/recommendations/{user}?n=5")).await;
        assert_eq!((ids(&answer)[0], &answer["source"]), (first, &json!("personal")));
        assert_eq!(answer["model"]["version"], 1);
        assert_eq!(answer["model"]["age_seconds"], 0);
        let items = answer["items"].as_array().unwrap();
        assert_eq!(items.len(), 5);
        for (item, rank) in items.iter().zip(1..) {
            assert_eq!((&item["rank"], &item["stock"]), (&json!(rank), &json!("unknown")));
            assert!(item["score"].is_number() && item["reasons"] == json!([]));
        }
    }
}

#[tokio::test]
async fn a_stranger_gets_what_is_popular() {
    let shop = trained().await;
    let before = list(&shop, "/recommendations/nobody?n=20").await;
    assert_eq!((ids(&before).len(), &before["source"]), (20, &json!("popular")));
    for _ in 0..9 {
        shop.act("someone", "wishlist", "coffee-5").await;
    }
    assert_eq!(ids(&list(&shop, "/recommendations/nobody").await)[0], "coffee-5");
}

#[tokio::test]
async fn a_click_changes_the_very_next_answer() {
    let shop = trained().await;
    let path = "/recommendations/new?n=5&explain=true";
    assert_eq!(list(&shop, path).await["source"], "popular");
    shop.act("new", "click", "coffee-2").await;
    let answer = list(&shop, path).await;
    assert_eq!(answer["source"], "session");
    assert!(ids(&answer).iter().all(|item| item.starts_with("coffee")), "{answer}");
    for _ in 0..3 {
        shop.act("new", "add_to_cart", "tea-1").await;
    }
    let answer = list(&shop, path).await;
    assert!(ids(&answer)[0].starts_with("tea"), "{answer}");
    // A session that is signed in later counts as well.
    let event = json!({ "type": "click", "session": "s/1", "item": "coffee-1" });
    shop.post("/events", event).await.is(200);
    let answer = list(&shop, "/recommendations/other?session=s%2F1").await;
    assert!(ids(&answer)[0].starts_with("coffee"), "{answer}");
}

#[tokio::test]
async fn a_purchased_item_leaves_its_buyers_list_and_comes_back_later() {
    let mut shop = trained().await;
    let path = "/recommendations/t3?n=20";
    assert_eq!(ids(&list(&shop, path).await)[0], "tea-3");
    shop.act("t3", "purchase", "tea-3").await;
    assert!(!ids(&list(&shop, path).await).contains(&"tea-3"));
    shop.train().await;
    assert!(!ids(&list(&shop, path).await).contains(&"tea-3"));
    shop.clock.advance_ms(31 * 86_400_000);
    assert!(ids(&list(&shop, path).await).contains(&"tea-3"));
}

#[tokio::test]
async fn what_must_not_be_shown_never_is() {
    let shop = trained().await;
    shop.patch("/items/tea-0", json!({ "available": false })).await.is(200);
    shop.patch("/items/tea-1", json!({ "stock": 0 })).await.is(200);
    shop.delete("/items/coffee-0").await.is(204);
    let hidden = ["tea-0", "tea-1", "coffee-0", "tea-2", "coffee-2"];
    for user in ["t0", "c0", "nobody"] {
        let query = "n=100&exclude=tea-2,%20unknown&context=coffee-2";
        let answer = list(&shop, &format!("/recommendations/{user}?{query}")).await;
        let shown = ids(&answer);
        assert!(!shown.is_empty() && hidden.iter().all(|item| !shown.contains(item)), "{answer}");
    }
    let all: Vec<String> =
        (0..10).flat_map(|n| [format!("tea-{n}"), format!("coffee-{n}")]).collect();
    let body = json!({ "exclude": all, "user": "t0" });
    let answer = shop.post("/recommendations", body).await.is(200);
    assert_eq!(answer["items"], json!([]));
    assert!(answer["empty_because"].as_str().unwrap().contains("exclu"), "{answer}");
}

#[tokio::test]
async fn context_steers_the_list_of_a_stranger() {
    let shop = trained().await;
    for (context, drink) in [("tea-1,tea-2", "tea"), ("coffee-1", "coffee")] {
        let path = format!("/recommendations/nobody?n=4&context={context}&scenario=cart");
        let answer = list(&shop, &path).await;
        assert_eq!((&answer["source"], &answer["scenario"]), (&json!("related"), &json!("cart")));
        assert!(ids(&answer).iter().all(|item| item.starts_with(drink)), "{answer}");
    }
}

#[tokio::test]
async fn a_category_leaves_only_its_items() {
    let shop = trained().await;
    for item in ["tea-0", "coffee-4", "coffee-5"] {
        shop.put(&format!("/items/{item}"), json!({ "categories": ["gifts & more"] }))
            .await
            .is(200);
    }
    for user in ["t0", "nobody"] {
        let path = format!("/recommendations/{user}?category=gifts%20%26%20more");
        let answer = list(&shop, &path).await;
        let mut shown = ids(&answer);
        shown.sort_unstable();
        assert_eq!(shown, ["coffee-4", "coffee-5", "tea-0"]);
    }
    let answer = list(&shop, "/recommendations/t0?category=none").await;
    assert!(answer["empty_because"].as_str().unwrap().contains("category"));
}

#[tokio::test]
async fn reasons_name_what_the_shopper_really_did() {
    let shop = trained().await;
    let of = |answer: &Value, id: &str| {
        let items = answer["items"].as_array().unwrap().iter();
        items.clone().find(|item| item["item"] == id).unwrap()["reasons"].clone()
    };
    let answer = list(&shop, "/recommendations/t0?n=3&explain=true").await;
    let reasons = of(&answer, "tea-0");
    assert_eq!(reasons[0]["kind"], "because_you_bought", "{answer}");
    let named = reasons[0]["items"].as_array().unwrap();
    assert!(named.iter().all(|item| item.as_str().unwrap().starts_with("tea-")));
    shop.act("new", "click", "tea-4").await;
    let answer = list(&shop, "/recommendations/new?explain=true").await;
    let liked = json!({ "kind": "because_you_liked", "items": ["tea-4"] });
    assert_eq!(of(&answer, "tea-5"), json!([liked]), "{answer}");
    assert_eq!(of(&answer, "tea-4")[0]["kind"], "seen_before", "{answer}");
    shop.act("new", "purchase", "tea-6").await;
    let answer = list(&shop, "/recommendations/new?explain=true").await;
    let bought = json!({ "kind": "because_you_bought", "items": ["tea-6"] });
    assert_eq!(of(&answer, "tea-5"), json!([bought, liked]), "{answer}");
}

#[tokio::test]
async fn a_guest_posts_what_they_looked_at() {
    let shop = trained().await;
    let body = json!({ "session": ["coffee-1", "coffee-2"], "n": 3, "exclude": ["coffee-3"] });
    let answer = shop.post("/recommendations", body).await.is(200);
    assert_eq!((&answer["source"], &answer["user"]), (&json!("session"), &Value::Null));
    let shown = ids(&answer);
    assert!(shown.len() == 3 && shown.iter().all(|i| i.starts_with("coffee") && *i != "coffee-3"));
    let answer = shop.post("/recommendations", json!({})).await.is(200);
    assert_eq!((ids(&answer).len(), &answer["source"]), (10, &json!("popular")));
    // The same as the get.
    let body =
        json!({ "user": "t0", "n": 4, "context": ["tea-1"], "explain": true, "price": false });
    let posted = shop.post("/recommendations", body).await.is(200);
    let got = list(&shop, "/recommendations/t0?n=4&context=tea-1&explain=true&price=false").await;
    assert_eq!(posted["items"], got["items"]);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_at_its_place() {
    let shop = Shop::open().await;
    for n in ["0", "101", "1000000"] {
        assert_eq!(shop.get(&format!("/recommendations/u?n={n}")).await.faults(422), ["/n"]);
    }
    for query in ["n=abc", "n=-1", "explain=maybe", "nn=3"] {
        let problem = shop.get(&format!("/recommendations/u?{query}")).await.is(400);
        assert!(problem["detail"].is_string(), "{query}");
    }
    let long = "x".repeat(129);
    shop.get(&format!("/recommendations/{long}")).await.is(422);
    shop.get("/recommendations/a%0Ab").await.is(422);
    let answer = shop.get(&format!("/recommendations/u?exclude=a,{long}")).await;
    assert_eq!(answer.faults(422), ["/exclude/1"]);
    for (body, pointer) in [
        (json!({ "n": 0 }), "/n"),
        (json!({ "n": "three" }), "/n"),
        (json!({ "user": "" }), "/user"),
        (json!({ "user": 7 }), "/user"),
        (json!({ "exclude": ["a", ""] }), "/exclude/1"),
        (json!({ "context": [long] }), "/context/0"),
        (json!({ "session": "s9" }), "/session"),
        (json!({ "session": ["a\n"] }), "/session/0"),
        (json!({ "filtre": "x" }), "/filtre"),
    ] {
        let answer = shop.post("/recommendations", body.clone()).await;
        assert_eq!(answer.faults(422), [pointer], "{body}");
    }
    for body in ["", "{", "{} x", "{\"n\": 3}{"] {
        let media = "application/json";
        shop.body(Method::POST, "/recommendations", media, body).await.is(400);
    }
    assert_eq!(list(&shop, "/recommendations/u?n=100").await["items"], json!([]));
}

#[tokio::test]
async fn the_same_request_gives_the_same_answer() {
    let shop = trained().await;
    shop.put("/items/tea-0", json!({ "price": 3 })).await.is(200);
    shop.act("new", "click", "tea-4").await;
    for path in ["t0", "new", "nobody", "nobody?context=tea-1", "t0?explain=true&session=s"] {
        let path = format!("/recommendations/{path}");
        let first = list(&shop, &path).await;
        assert_eq!(first, list(&shop, &path).await);
        assert_eq!(first, list(&shop.beside().await, &path).await, "another process");
    }
    let answer = shop.get("/recommendations/t0").await.is(200);
    let again = shop.get("/recommendations/t0").await.is(200);
    assert_ne!(answer["recommendation_id"], again["recommendation_id"]);
}
