//! Lists that are the same for everybody: what goes with an item, and what is trending.

use crate::support::shop::{Shop, ids};
use serde_json::{Value, json};

async fn trained() -> Shop {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    for order in 0..8 {
        for item in ["cup", "saucer"] {
            let event = json!({
                "type": "purchase", "user": format!("b{order}"), "item": item,
                "order": format!("o{order}"), "timestamp": "2026-03-01T11:00:00Z"
            });
            shop.post("/events", event).await.is(200);
        }
    }
    shop.train().await;
    shop
}

#[tokio::test]
async fn what_goes_with_an_item_is_shown_and_nothing_else() {
    let shop = trained().await;
    let answer = shop.get("/items/tea-1/related?n=5").await.is(200);
    assert_eq!((&answer["kind"], &answer["item"]), (&json!("similar"), &json!("tea-1")));
    let shown = ids(&answer);
    assert!(!shown.is_empty() && !shown.contains(&"tea-1"), "{answer}");
    assert!(shown.iter().all(|item| item.starts_with("tea")), "{answer}");
    let with = shop.get("/items/cup/related?kind=bought_together").await.is(200);
    assert_eq!(ids(&with), ["saucer"], "no filler: {with}");
    assert!(with["items"][0]["lift"].as_f64().unwrap() > 1.0);
    assert_eq!(with["items"][0]["support"], 8);
    // What cannot be sold is not shown, and a list says why it is empty.
    shop.patch("/items/saucer", json!({ "stock": 0 })).await.is(200);
    let with = shop.get("/items/cup/related?kind=bought_together").await.is(200);
    assert_eq!(with["items"], json!([]));
    assert!(with["empty_because"].as_str().unwrap().contains("sellable"), "{with}");
    let none = shop.get("/items/cup/related?kind=substitute").await.is(200);
    assert!(none["empty_because"].as_str().unwrap().contains("too little"), "{none}");
}

#[tokio::test]
async fn a_wrong_question_about_an_item_is_refused() {
    let shop = trained().await;
    shop.get("/items/unheard-of/related").await.is(404);
    assert_eq!(shop.get("/items/cup/related?kind=other").await.faults(422), ["/kind"]);
    assert_eq!(shop.get("/items/cup/related?n=0").await.faults(422), ["/n"]);
    assert_eq!(shop.get("/trending?filter=price%20%3C").await.faults(422), ["/filter"]);
}

#[tokio::test]
async fn what_everybody_turns_to_is_trending_at_once_and_fades() {
    let shop = trained().await;
    let first = |answer: &Value| ids(answer)[0].to_owned();
    let before = shop.get("/trending?n=100").await.is(200);
    for n in 0..60 {
        shop.act(&format!("v{n}"), "add_to_cart", "coffee-9").await;
    }
    let after = shop.get("/trending").await.is(200);
    assert_eq!(first(&after), "coffee-9");
    assert_ne!(first(&before), "coffee-9");
    let score = |answer: &Value| answer["items"][0]["score"].as_f64().unwrap();
    let then = score(&after);
    shop.clock.advance_ms(24 * 3_600_000);
    let faded = score(&shop.get("/trending").await.is(200)) / then;
    assert!((faded - 0.5).abs() < 1e-6, "a day is a half-life: {faded}");
    shop.put("/items/tea-3", json!({ "categories": ["gifts"] })).await.is(200);
    assert_eq!(ids(&shop.get("/trending?category=gifts").await.is(200)), ["tea-3"]);
}

#[tokio::test]
async fn an_empty_shop_has_no_trends_and_says_so() {
    let shop = Shop::open().await;
    let answer = shop.get("/trending").await.is(200);
    assert_eq!(answer["items"], json!([]));
    assert!(answer["empty_because"].as_str().unwrap().contains("no events"), "{answer}");
}
