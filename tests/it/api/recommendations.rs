//! Lists: personal, fresh, explained, and never with what must not be shown.

use crate::support::shop::{NOW, Shop, ids};
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
    let fields = list.as_object_mut().unwrap();
    let id = fields.remove("recommendation_id").unwrap();
    assert!(!id.as_str().unwrap().is_empty());
    let cursor = fields.remove("next_cursor").unwrap();
    assert!(cursor.is_null() || !fields["items"].as_array().unwrap().is_empty());
    list
}

#[tokio::test]
async fn a_list_is_the_beginning_of_a_longer_one_however_much_is_left_out() {
    let mut shop = Shop::open().await;
    let event = |kind: &str, user: i64, item: i64| {
        let at = NOW.0 - (user + item) * 60_000;
        json!({ "type": kind, "user": format!("u{user}"), "item": format!("i{item}"), "timestamp": at })
    };
    let clicks = (0..30).flat_map(|user| (0..40).map(move |n| (user, (user * 7 + n * 11) % 200)));
    let clicks = clicks.map(|(user, item)| event("click", user, item)).collect::<Vec<_>>();
    shop.post("/events", clicks[..600].to_vec().into()).await.is(200);
    shop.post("/events", clicks[600..].to_vec().into()).await.is(200);
    shop.train().await;
    // What is left out later: most of the best, by purchases of today.
    let best = shop.get("/recommendations/u1?n=100").await.is(200);
    let best: Vec<String> = ids(&best).into_iter().map(str::to_owned).collect();
    assert_eq!(best.len(), 100);
    let bought = |item: &String| json!({ "type": "purchase", "user": "u2", "item": item, "timestamp": NOW.0 });
    shop.post("/events", best[..60].iter().map(bought).collect()).await.is(200);
    for user in ["u2", "u3"] {
        let short = shop.get(&format!("/recommendations/{user}?n=4")).await.is(200);
        let all = shop.get(&format!("/recommendations/{user}?n=100")).await.is(200);
        assert_eq!(ids(&all)[..4], ids(&short)[..]);
        let exclude = ids(&all)[..90].join(",");
        let rest =
            shop.get(&format!("/recommendations/{user}?n=10&exclude={exclude}")).await.is(200);
        assert_eq!(ids(&all)[90..], ids(&rest)[..]);
        assert!(user != "u2" || ids(&all).iter().all(|item| !best[..60].iter().any(|b| b == item)));
    }
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
    let long = format!("/recommendations/t0?category={}", "c".repeat(201));
    assert_eq!(shop.get(&long).await.faults(422), ["/category"]);
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
    assert!(!ids(&answer).contains(&"tea-4"), "just seen: {answer}");
    shop.clock.advance_ms(31 * 60_000);
    let answer = list(&shop, "/recommendations/new?explain=true").await;
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
        let answer = shop.get(&format!("/recommendations/u?{query}")).await;
        let parameter = query.split('=').next().unwrap();
        assert_eq!(answer.faults(422), [format!("/{parameter}")], "{query}");
    }
    let twice = shop.get("/recommendations/u?session=a&session=b").await;
    let problem = twice.is(422);
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("`session`"), "{problem}");
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

#[tokio::test]
async fn what_was_just_seen_is_not_shown_again_at_once() {
    let shop = trained().await;
    let path = "/recommendations/new?n=20";
    shop.act("new", "impression", "tea-1").await;
    shop.act("new", "click", "tea-4").await;
    let shown = list(&shop, path).await;
    assert!(!ids(&shown).contains(&"tea-4") && ids(&shown).contains(&"tea-1"), "{shown}");
    // Strangers are not concerned, and a visit that was posted is like one that was recorded.
    assert!(ids(&list(&shop, "/recommendations/nobody?n=20").await).contains(&"tea-4"));
    let body = json!({ "session": ["tea-4"], "n": 20 });
    assert!(!ids(&shop.post("/recommendations", body).await.is(200)).contains(&"tea-4"));
    shop.clock.advance_ms(30 * 60_000);
    assert!(ids(&list(&shop, path).await).contains(&"tea-4"));
}

#[tokio::test]
async fn a_filter_leaves_only_what_passes() {
    let shop = trained().await;
    for (item, price, brand) in
        [("tea-2", 3, "leaf"), ("tea-5", 9, "leaf"), ("coffee-1", 3, "bean")]
    {
        let fields = json!({ "price": price, "brand": brand });
        shop.put(&format!("/items/{item}"), fields).await.is(200);
    }
    let filter = "price%20%3C%205%20and%20not%20brand%20%3D%20%22bean%22";
    for user in ["c7", "nobody"] {
        let answer = list(&shop, &format!("/recommendations/{user}?filter={filter}")).await;
        assert_eq!(ids(&answer), ["tea-2"]);
    }
    let body = json!({ "filter": "brand in (\"leaf\", \"bean\")" });
    assert_eq!(ids(&shop.post("/recommendations", body).await.is(200)).len(), 3);
    shop.put("/items/tea-2", json!({ "price": 6, "brand": "leaf" })).await.is(200);
    let answer = list(&shop, &format!("/recommendations/c7?filter={filter}")).await;
    assert!(answer["empty_because"].as_str().unwrap().contains("filter"), "{answer}");
    // Mistakes are pointed at to the character.
    for (filter, position) in [("price <", "character 8"), ("prise = 3", "character 1")] {
        let answer = shop.post("/recommendations", json!({ "filter": filter })).await;
        let problem = answer.is(422);
        assert_eq!(problem["errors"][0]["pointer"], "/filter");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(position), "{detail}");
    }
}

#[tokio::test]
async fn pages_of_an_answer_never_repeat() {
    let shop = trained().await;
    for user in ["t3", "nobody"] {
        let path = format!("/recommendations/{user}");
        let whole = ids(&list(&shop, &format!("{path}?n=20")).await)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let mut page = shop.get(&format!("{path}?n=6")).await.is(200);
        let mut paged: Vec<String> = Vec::new();
        loop {
            for (item, rank) in page["items"].as_array().unwrap().iter().zip(paged.len() + 1..) {
                assert_eq!(item["rank"], rank);
            }
            paged.extend(ids(&page).into_iter().map(str::to_owned));
            let Some(cursor) = page["next_cursor"].as_str().map(str::to_owned) else { break };
            // What the shopper does in between does not move the frozen answer.
            shop.act("t3", "click", "coffee-9").await;
            page = shop.get(&format!("{path}?cursor={cursor}")).await.is(200);
        }
        if user == "t3" {
            assert_eq!(paged, whole);
        } else {
            let mut once = paged.clone();
            once.sort();
            once.dedup();
            assert_eq!((once.len(), paged.len()), (whole.len(), whole.len()));
        }
    }
}

#[tokio::test]
async fn cursors_are_ours_fresh_and_for_the_same_shopper() {
    let shop = trained().await;
    let first = shop.get("/recommendations/t3?n=2").await.is(200);
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    for (path, pointer) in [
        (format!("t3?cursor={cursor}x"), "/cursor"),
        ("t3?cursor=00000000000000000000000000000000".to_owned(), "/cursor"),
        (format!("t4?cursor={cursor}"), "/cursor"),
        (format!("t3?cursor={cursor}&filter=true"), "/filter"),
        (format!("t3?cursor={cursor}&n=0"), "/n"),
    ] {
        let answer = shop.get(&format!("/recommendations/{path}")).await;
        assert_eq!(answer.faults(422), [pointer], "{path}");
    }
    shop.clock.advance_ms(31 * 60_000);
    let late = shop.get(&format!("/recommendations/t3?cursor={cursor}")).await;
    assert_eq!(late.faults(422), ["/cursor"]);
}

#[tokio::test]
async fn an_answer_can_be_looked_up_by_its_id() {
    let shop = trained().await;
    let answer = shop.get("/recommendations/t3?n=4&exclude=tea-9").await.is(200);
    let id = answer["recommendation_id"].as_str().unwrap();
    shop.act("t3", "purchase", "tea-3").await;
    let past = shop.get(&format!("/recommendations/by-id/{id}")).await.is(200);
    assert_eq!(ids(&past), ids(&answer));
    assert_eq!((&past["user"], &past["source"]), (&json!("t3"), &json!("personal")));
    assert_eq!(past["request"]["exclude"], json!(["tea-9"]));
    shop.get("/recommendations/by-id/none").await.is(404);
    shop.clock.advance_ms(31 * 60_000);
    shop.get(&format!("/recommendations/by-id/{id}")).await.is(404);
}

#[tokio::test]
async fn why_agrees_with_the_list() {
    let shop = trained().await;
    shop.patch("/items/coffee-1", json!({ "stock": 0 })).await.is(200);
    shop.patch("/items/coffee-2", json!({ "available": false })).await.is(200);
    shop.delete("/items/coffee-0").await.is(204);
    shop.put("/items/unheard-of", json!({ "title": "New" })).await.is(200);
    shop.act("t3", "click", "coffee-5").await;
    let query = "n=3&exclude=tea-9&context=tea-8";
    for user in ["t3", "nobody"] {
        let answer = list(&shop, &format!("/recommendations/{user}?{query}")).await;
        for item in (0..10).flat_map(|n| [format!("tea-{n}"), format!("coffee-{n}")]) {
            let path = format!("/recommendations/{user}/why/{item}?{query}");
            let why = shop.get(&path).await.is(200);
            let place = ids(&answer).iter().position(|shown| *shown == item);
            assert_eq!(why["shown"], place.is_some(), "{why}");
            if let Some(place) = place {
                assert_eq!(why["rank"], place + 1, "{why}");
                assert_eq!(why["score"], answer["items"][place]["score"]);
                assert_eq!((&why["stage"], &why["remedy"]), (&json!("shown"), &Value::Null));
            } else {
                assert!(why["remedy"].is_string(), "{why}");
            }
        }
    }
    for (item, stage) in [
        ("coffee-1", "out_of_stock"),
        ("coffee-2", "not_available"),
        ("coffee-0", "removed_from_catalogue"),
        ("tea-9", "excluded"),
        ("tea-8", "in_context"),
        ("coffee-5", "seen_in_visit"),
        ("tea-0", "bought_lately"),
        ("coffee-9", "ranked_below"),
        ("unheard-of", "not_a_candidate"),
        ("never-seen", "not_in_catalogue"),
    ] {
        let why = shop.get(&format!("/recommendations/t3/why/{item}?{query}")).await.is(200);
        assert_eq!(why["stage"], stage, "{why}");
    }
    let why = shop.get("/recommendations/t3/why/tea-3").await.is(200);
    assert!(!why["models"].as_array().unwrap().is_empty(), "{why}");
    assert_eq!(why["reasons"][0]["kind"], "because_you_bought", "{why}");
}

#[tokio::test]
async fn thousands_of_names_are_taken_and_more_are_refused() {
    let shop = trained().await;
    let named = |n: u32| (0..n).map(|at| format!("gone-{at}")).chain(["tea-3".into()]);
    let body =
        |n, field: &str| json!({ "user": "t3", "n": 20, field: named(n).collect::<Vec<_>>() });
    for field in ["exclude", "context"] {
        let answer = shop.post("/recommendations", body(9_999, field)).await.is(200);
        assert!(!ids(&answer).is_empty() && !ids(&answer).contains(&"tea-3"), "{answer}");
        let pointer = format!("/{field}");
        assert_eq!(shop.post("/recommendations", body(10_000, field)).await.faults(422), [pointer]);
    }
    let visit: Vec<String> = (0..10_000).map(|at| format!("tea-{}", at % 10)).collect();
    let answer = shop.post("/recommendations", json!({ "session": visit })).await.is(200);
    assert!(ids(&answer).iter().all(|item| item.starts_with("coffee")), "{answer}");
    shop.get("/recommendations/t3/why/tea-3?cursor=x").await.is(422);
}

#[tokio::test]
async fn a_shop_may_show_at_once_what_was_just_seen() {
    let mut shop = Shop::with(|config| config.recommendations.hide_seen_minutes = 0).await;
    shop.open_doors().await;
    shop.train().await;
    shop.act("new", "click", "tea-4").await;
    assert!(ids(&list(&shop, "/recommendations/new?n=20").await).contains(&"tea-4"));
    let body = json!({ "session": ["tea-4"], "n": 20 });
    assert!(ids(&shop.post("/recommendations", body).await.is(200)).contains(&"tea-4"));
}
