//! What comes next in a running visit.

use crate::support::shop::{NOW, Shop, ids};
use serde_json::{Value, json};

const MINUTE_MS: i64 = 60_000;

/// Whoever has looked at `phone` looks at `case` next, and whoever has looked at `book` at `lamp`; sixty visits
/// of different people, each of which ends with one of two things that many look at.
async fn open_doors(shop: &mut Shop) {
    let mut events = Vec::new();
    for visit in 0..60 {
        let begun = NOW.0 - (61 - visit) * 3 * 3_600_000;
        let pair = if visit % 2 == 0 { ["phone", "case"] } else { ["book", "lamp"] };
        let last = if visit % 3 == 0 { "gift-card" } else { "mug" };
        for (step, item) in pair.into_iter().chain([last]).enumerate() {
            events.push(json!({
                "type": "view", "session": format!("s{visit}"), "item": item,
                "timestamp": begun + step as i64 * MINUTE_MS,
            }));
        }
    }
    assert_eq!(shop.post("/events", events.into()).await.is(200)["accepted"], 180);
    shop.train().await;
}

async fn list(shop: &Shop, path: &str) -> Value {
    shop.get(path).await.is(200)
}

#[tokio::test]
async fn a_visit_leads_to_what_others_looked_at_next() {
    let mut shop = Shop::open().await;
    open_doors(&mut shop).await;
    for (seen, next) in [("phone", "case"), ("book", "lamp")] {
        let posted = json!({ "session": [seen], "n": 3 });
        let list = shop.post("/recommendations", posted).await.is(200);
        assert_eq!((&list["source"], ids(&list)[0]), (&json!("session"), next), "{list}");
        assert!(!ids(&list).contains(&seen));
    }
    // The same from events, also of a session that a stranger brings along.
    shop.act("somebody", "view", "book").await;
    let by_events = list(&shop, "/recommendations/somebody?n=1&explain=true").await;
    assert_eq!(ids(&by_events), ["lamp"]);
    assert_eq!(by_events["items"][0]["reasons"][0]["items"], json!(["book"]), "{by_events}");
    let event = json!({ "type": "view", "session": "tab", "item": "phone" });
    shop.post("/events", event).await.is(200);
    assert_eq!(ids(&list(&shop, "/recommendations/nobody?n=1&session=tab").await), ["case"]);
}

#[tokio::test]
async fn the_snapshot_says_what_visits_are_worth_and_why_names_the_model() {
    let mut shop = Shop::open().await;
    open_doors(&mut shop).await;
    let why = {
        shop.act("somebody", "view", "book").await;
        list(&shop, "/recommendations/somebody/why/lamp").await
    };
    let of = |name: &str| {
        let models = why["models"].as_array().unwrap();
        models.iter().find(|model| model["model"] == name).cloned().unwrap_or_default()
    };
    assert_eq!((&of("vmis_knn")["rank"], &why["rank"]), (&json!(1), &json!(1)), "{why}");
    assert!(of("vmis_knn")["score"].as_f64().unwrap() > 0.0);
    let after = list(&shop, "/recommendations/somebody/why/case").await;
    assert!(after["score"].as_f64() < why["score"].as_f64(), "{after}");
    // The shop has run for long after a restart, too: the model is part of the snapshot.
    let restarted = shop.beside().await;
    let posted = json!({ "session": ["phone"], "n": 1 });
    let again = restarted.post("/recommendations", posted).await.is(200);
    assert_eq!(ids(&again), ["case"]);
}

#[tokio::test]
async fn a_visit_is_over_after_a_pause() {
    let mut shop = Shop::open().await;
    open_doors(&mut shop).await;
    shop.act("somebody", "view", "phone").await;
    let visiting = list(&shop, "/recommendations/somebody/why/case").await;
    assert!(visiting["models"].as_array().unwrap().iter().any(|m| m["model"] == "vmis_knn"));
    shop.clock.advance_ms(31 * MINUTE_MS);
    let later = list(&shop, "/recommendations/somebody/why/case").await;
    assert!(!later["models"].as_array().unwrap().iter().any(|m| m["model"] == "vmis_knn"));
    assert!(later["score"].as_f64() < visiting["score"].as_f64(), "{later}");
}

#[tokio::test]
async fn a_shop_may_do_without_visits() {
    let mut shop = Shop::with(|config| config.sessions.enabled = false).await;
    open_doors(&mut shop).await;
    let posted = json!({ "session": ["phone"], "n": 1 });
    assert_eq!(shop.post("/recommendations", posted).await.is(200)["source"], "session");
    shop.act("somebody", "view", "book").await;
    let why = list(&shop, "/recommendations/somebody/why/lamp").await;
    assert!(!why["models"].as_array().unwrap().iter().any(|m| m["model"] == "vmis_knn"), "{why}");
}
