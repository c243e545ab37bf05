//! People, their data and their rights.

use crate::support::shop::{Shop, ids};
use serde_json::{Value, json};
use shopkeeper::domain::{ShopperId, UserId, person::user_hash};

#[tokio::test]
async fn a_user_is_what_was_put() {
    let shop = Shop::open().await;
    let attributes = json!({ "city": "Wien", "age": 41, "gone": null });
    let put = shop.put("/users/u%2F1", attributes).await.is(200);
    assert_eq!(put["user"], "u/1");
    assert_eq!(put["attributes"], json!({ "city": "Wien", "age": 41 }));
    assert_eq!(shop.get("/users/u%2F1").await.is(200), put);
    let put = shop.put("/users/u%2F1", json!({})).await.is(200);
    assert_eq!(put["attributes"], json!({}));
    for body in [json!([]), json!("x"), json!({ "a": "\u{0}" }), json!({ "a": "x".repeat(20_000) })]
    {
        assert_eq!(shop.put("/users/u", body).await.faults(422), [""]);
    }
    for path in ["/users/u", "/users/u/export"] {
        assert_eq!(shop.get(path).await.is(404)["type"], "/problems/not-found");
    }
    shop.delete("/users/u").await.is(404);
    shop.get(&format!("/users/{}", "x".repeat(129))).await.is(422);
}

#[tokio::test]
async fn a_user_exists_when_first_seen_and_can_read_all_that_is_kept() {
    let shop = Shop::open().await;
    shop.act("u", "view", "a").await;
    shop.act("u", "purchase", "b").await;
    shop.act("other", "view", "c").await;
    assert_eq!(shop.get("/users/u").await.is(200)["attributes"], json!({}));
    let export = shop.get("/users/u/export").await.is(200);
    assert_eq!(export["user"]["user"], "u");
    let items = export["events"].as_array().unwrap().iter().map(|event| event["item"].clone());
    assert_eq!(items.collect::<Vec<Value>>(), ["a", "b"]);
}

#[tokio::test]
async fn an_erased_user_is_a_stranger_after_the_next_training() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.train().await;
    let answer = shop.get("/recommendations/t0").await.is(200);
    assert_eq!(answer["source"], "personal");
    let receipt = shop.delete("/users/t0").await.is(200);
    let past = format!("/recommendations/by-id/{}", answer["recommendation_id"].as_str().unwrap());
    shop.get(&past).await.is(404);
    assert_eq!(receipt["events_erased"], 9);
    assert_eq!(receipt["user_hash"], user_hash(&UserId::new("t0").unwrap()));
    assert_eq!(receipt["model_until_retrained"], 1);
    shop.get("/users/t0").await.is(404);
    shop.get("/users/t0/export").await.is(404);
    assert_eq!(shop.n_events().await, 171);
    shop.clock.advance_ms(1000);
    // An erasure is reason enough for the timer, without any new event.
    let run = shop.train_by_the_clock().await;
    assert_eq!(run.version, Some(2), "{}", run.reason);
    let (mut erased, mut stranger) = (
        shop.get("/recommendations/t0").await.is(200),
        shop.get("/recommendations/nobody").await.is(200),
    );
    assert_eq!(erased["source"], "popular");
    for answer in [&mut erased, &mut stranger] {
        for own in ["recommendation_id", "next_cursor", "user"] {
            answer[own].take();
        }
    }
    assert_eq!(erased, stranger);
    assert_eq!(shop.train_by_the_clock().await.version, None, "once is enough");
}

#[tokio::test]
async fn an_erased_user_loses_live_history_at_once() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.train().await;
    let mut other = shop.beside().await;
    shop.act("new", "click", "tea-1").await;
    other.follower.follow().await.unwrap();
    for shop in [&shop, &other] {
        assert_ne!(shop.get("/recommendations/new").await.is(200)["source"], "popular");
    }
    let receipt = shop.delete("/users/new").await.is(200);
    assert_eq!(receipt["model_until_retrained"], Value::Null);
    other.follower.follow().await.unwrap();
    for shop in [&shop, &other] {
        assert_eq!(shop.get("/recommendations/new").await.is(200)["source"], "popular");
    }
}

#[tokio::test]
async fn who_comes_back_after_erasure_is_known_again() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.train().await;
    let mut other = shop.beside().await;
    shop.act("u", "click", "coffee-1").await;
    shop.delete("/users/u").await.is(200);
    shop.clock.advance_ms(1000);
    shop.act("u", "click", "tea-1").await;
    shop.follower.follow().await.unwrap();
    other.follower.follow().await.unwrap();
    let restarted = shop.beside().await;
    for shop in [&shop, &other, &restarted] {
        let list = shop.get("/recommendations/u?explain=true").await.is(200);
        assert_ne!(list["source"], "popular");
        let reasons = &list["items"][1]["reasons"];
        assert!(!reasons.to_string().contains("coffee-1"), "{list}");
    }
    // A trainer that starts afresh learns from what was recorded since.
    let mut fresh = shop.beside().await;
    fresh.train().await;
    let list = fresh.get("/recommendations/u").await.is(200);
    assert_eq!(list["source"], "personal");
    assert!(ids(&list)[0].starts_with("tea"));
}

#[tokio::test]
async fn a_guests_history_is_the_customers_in_the_very_next_answer() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    let guest = |item: &str| json!({ "type": "purchase", "session": "tab-7", "item": item });
    shop.post("/events", json!([guest("tea-1"), guest("tea-2")])).await.is(200);
    shop.train().await;
    let mut other = shop.beside().await;
    let before = shop.get("/recommendations/customer").await.is(200);
    assert_eq!(before["source"], "popular");
    shop.get("/recommendations/customer?session=tab-7").await.is(200);
    // Of the guest one event is in the snapshot and one is later.
    let click = json!({ "type": "click", "session": "tab-7", "item": "tea-3" });
    shop.post("/events", click).await.is(200);
    let merged = shop.post("/users/customer/merge", json!({ "from": "tab-7" })).await.is(200);
    assert_eq!(merged, json!({ "user": "customer", "from": "tab-7", "events_moved": 3 }));
    other.follower.follow().await.unwrap();
    let restarted = shop.beside().await;
    for shop in [&shop, &other, &restarted] {
        let list = shop.get("/recommendations/customer?n=7&explain=true").await.is(200);
        assert_eq!(list["source"], "personal", "{list}");
        assert!(ids(&list).iter().all(|item| item.starts_with("tea")), "{list}");
        assert!(!ids(&list).contains(&"tea-1"), "what the guest has bought is bought: {list}");
        let posted = json!({ "session": [] });
        assert_eq!(shop.post("/recommendations", posted).await.is(200)["source"], "popular");
        let nobody = shop.get("/recommendations/nobody?session=tab-7").await.is(200);
        assert_eq!(nobody["source"], "popular", "the guest is gone");
    }
    let again = shop.post("/users/customer/merge", json!({ "from": "tab-7" })).await.is(200);
    assert_eq!(again["events_moved"], 0);
    // The same after training, in the process that has learned from the guest and in a new one.
    assert_eq!(
        shop.get("/users/customer/export").await.is(200)["events"].as_array().unwrap().len(),
        3
    );
    let mut fresh = shop.beside().await;
    for shop in [&mut shop, &mut fresh] {
        shop.train().await;
        let list = shop.get("/recommendations/customer?n=7").await.is(200);
        assert_eq!(list["source"], "personal");
        assert!(ids(&list).iter().all(|item| item.starts_with("tea")), "{list}");
    }
    let snapshot = fresh.state.snapshots.current();
    for guest in ShopperId::named("tab-7").filter_map(|guest| snapshot.shopper_position(&guest)) {
        assert!(snapshot.history_of(guest).is_empty());
    }
}

#[tokio::test]
async fn a_guest_who_comes_back_is_a_new_guest_and_rollback_remembers_the_merge() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.act("guest", "purchase", "coffee-1").await;
    shop.act("guest", "purchase", "coffee-2").await;
    shop.train().await;
    shop.post("/users/c/merge", json!({ "from": "guest" })).await.is(200);
    shop.act("guest", "click", "tea-1").await;
    let kind_of = |list: &Value| ids(list)[0].split('-').next().unwrap().to_owned();
    let both = async |shop: &Shop| {
        let customer = shop.get("/recommendations/c").await.is(200);
        let guest = shop.get("/recommendations/guest").await.is(200);
        assert_eq!((kind_of(&customer), kind_of(&guest)), ("coffee".into(), "tea".into()));
    };
    both(&shop).await;
    shop.train().await;
    both(&shop).await;
    both(&shop.beside().await).await;
    shop.post("/models/rollback", json!(null)).await.is(200);
    both(&shop).await;
    both(&shop.beside().await).await;
}

#[tokio::test]
async fn a_customer_is_erased_with_the_guest_they_were() {
    let mut shop = Shop::open().await;
    shop.open_doors().await;
    shop.act("guest", "purchase", "coffee-1").await;
    shop.train().await;
    let mut other = shop.beside().await;
    shop.act("guest", "click", "coffee-2").await;
    other.follower.follow().await.unwrap();
    shop.post("/users/c/merge", json!({ "from": "guest" })).await.is(200);
    assert_eq!(shop.delete("/users/c").await.is(200)["events_erased"], 2);
    other.follower.follow().await.unwrap();
    for shop in [&shop, &other] {
        for user in ["c", "guest"] {
            let list = shop.get(&format!("/recommendations/{user}")).await.is(200);
            assert_eq!(list["source"], "popular", "{list}");
        }
    }
}

#[tokio::test]
async fn a_merge_that_makes_no_sense_is_refused() {
    let shop = Shop::open().await;
    for from in ["u", "", "a\nb"] {
        let answer = shop.post("/users/u/merge", json!({ "from": from })).await;
        assert_eq!(answer.faults(422), ["/from"]);
    }
    shop.post("/users/u/merge", json!({ "form": "x" })).await.faults(422);
    assert_eq!(shop.n_events().await, 0);
}

#[tokio::test]
async fn the_last_shopper_may_be_erased() {
    let mut shop = Shop::open().await;
    shop.act("u", "purchase", "a").await;
    assert_eq!(shop.train().await.version, Some(1));
    shop.delete("/users/u").await.is(200);
    let run = shop.train_by_the_clock().await;
    assert_eq!(run.version, Some(2), "{}", run.reason);
    let shopper = shopkeeper::domain::ShopperId::User(UserId::new("u").unwrap());
    assert!(shop.state.snapshots.current().shopper_position(&shopper).is_none());
}
