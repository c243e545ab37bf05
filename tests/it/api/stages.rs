//! What `why` says of random items, against lists made with the stage that it names switched off; and answers by their
//! id, against what was answered. In a simulated shop with rules, variants, sold-out items and returning customers.

use crate::support::shop::{NOW, Shop, ids};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use serde_json::{Value, json};
use shopkeeper::{
    config::Config,
    decide::recommend::Policy,
    simulate::{Simulation, SimulationParams, simulate},
};
use std::collections::BTreeMap;

const N_PAIRS: usize = 1_000;
const N_ANSWERS: usize = 10_000;
/// Events in one request.
const BATCH: usize = 1_000;

fn policy(json: Value) -> Policy {
    serde_json::from_value(json).unwrap()
}

fn settings(config: &mut Config) {
    config.recommendations.n_max = 400;
    for (name, body) in [
        ("home", json!({})),
        // The rules count in `home` and here, not in `unruled`.
        ("open", json!({ "hide_purchased_days": 0, "hide_seen_minutes": 0 })),
        ("unruled", json!({})),
        ("chance", json!({ "exploration_position": 3 })),
        ("filled", json!({ "exploration_position": 2, "fill": true, "relevance_min": 0.6 })),
        ("still", json!({})),
    ] {
        config.scenarios.insert(name.into(), policy(body));
    }
}

/// A shop of 150 items with all that can keep one out of a list.
async fn simulated() -> (Shop, Simulation) {
    let mut shop = Shop::with(settings).await;
    let params = SimulationParams {
        n_items: 150,
        n_shoppers: 200,
        days: 40,
        ..SimulationParams::new(3, NOW.plus_ms(-600_000))
    };
    let made = simulate(&params).unwrap();
    for (at, (item, fields)) in made.items.iter().enumerate() {
        let mut fields = serde_json::to_value(fields).unwrap();
        fields["price"] = json!("10.00");
        for gone in ["price_min", "price_max", "cost"] {
            fields.as_object_mut().unwrap().remove(gone);
        }
        match at % 12 {
            3 => fields["stock"] = json!(0),
            5 => fields["available"] = json!(false),
            // Two by two.
            8 | 9 => fields["group"] = json!(format!("group-{}", at / 12)),
            _ => fields["stock"] = json!(9),
        }
        if at % 4 == 0 {
            fields["brand"] = json!("plain");
        }
        shop.put(&format!("/items/{item}"), fields).await.is(200);
    }
    for events in made.events.chunks(BATCH) {
        let events = events.iter().map(|event| {
            json!({
                "type": event.kind.name(), "user": event.user.as_ref().map(ToString::to_string),
                "session": event.session.as_ref().map(ToString::to_string),
                "item": event.item.as_ref().map(ToString::to_string),
                "value": event.value, "timestamp": event.occurred_at.to_string(),
            })
        });
        let answer = shop.post("/events", events.collect()).await.is(200);
        assert_eq!(answer["rejected"], json!([]), "{answer}");
    }
    shop.train().await;
    let brands = ["hide", "filter", "cap"].map(|kind| {
        let action = match kind {
            "hide" => json!({ "kind": "hide", "filter": "group = \"group-2\" or tag = \"x\"" }),
            "filter" => json!({ "kind": "filter", "filter": "not brand = \"plain\"" }),
            _ => json!({ "kind": "cap", "by": "category", "max": 2 }),
        };
        (kind, action)
    });
    for (kind, action) in brands {
        let rule = json!({ "action": action, "scenarios": ["home", "open"] });
        shop.put(&format!("/rules/{kind}"), rule).await.is(201);
    }
    // Some customers have just looked at something.
    for (at, (item, _)) in made.items.iter().enumerate().filter(|item| item.0 % 10 == 1) {
        shop.act(&customer(&made, at), "click", item.as_str()).await;
    }
    for removed in made.items.iter().step_by(30) {
        shop.delete(&format!("/items/{}", removed.0)).await.is(204);
    }
    (shop, made)
}

fn customer(made: &Simulation, at: usize) -> String {
    let n = made.truth.n_shoppers();
    made.truth.shopper_ids().nth(at % n).unwrap().to_string()
}

/// What is asked, as parts of a query.
#[derive(Clone, Debug)]
struct Question {
    user: String,
    item: String,
    parts: BTreeMap<&'static str, String>,
}

impl Question {
    fn query(&self) -> String {
        let part = |(name, value): (&&str, &String)| format!("{name}={value}");
        self.parts.iter().map(part).collect::<Vec<_>>().join("&")
    }

    fn with(&self, name: &'static str, value: &str) -> Self {
        let mut changed = self.clone();
        changed.parts.insert(name, value.to_owned());
        changed
    }

    fn without(&self, name: &str) -> Self {
        let mut changed = self.clone();
        changed.parts.remove(name);
        changed
    }

    async fn list(&self, shop: &Shop) -> Value {
        shop.get(&format!("/recommendations/{}?{}", self.user, self.query())).await.is(200)
    }

    async fn why(&self, shop: &Shop) -> Value {
        let Self { user, item, .. } = self;
        shop.get(&format!("/recommendations/{user}/why/{item}?{}", self.query())).await.is(200)
    }

    /// Holds `why` against the list, short and whole; its stage.
    async fn checked(&self, shop: &Shop) -> String {
        let (why, list) = (self.why(shop).await, self.list(shop).await);
        let place = ids(&list).iter().position(|shown| *shown == self.item);
        let stage = why["stage"].as_str().unwrap().to_owned();
        assert_eq!(why["shown"], place.is_some(), "{self:?}: {why}");
        assert_eq!(place.is_some(), stage == "shown", "{self:?}: {why}");
        if let Some(place) = place {
            assert_eq!(why["rank"], place + 1, "{self:?}: {why}");
            assert_eq!(why["explored"], list["items"][place]["explored"], "{self:?}: {why}");
        }
        let whole = self.with("n", "400").list(shop).await;
        let place = ids(&whole).iter().position(|shown| *shown == self.item);
        match &*stage {
            // A cap counts in a longer list as in a short one, and what is behind comes in its turn.
            "ranked_below" => assert_eq!(why["rank"], place.unwrap() + 1, "{self:?}: {why}"),
            // What a longer list is filled up with may be what a short one left out.
            "shown" | "below_relevance" => {}
            // The place of a drawn item is another one in a longer list.
            "left_to_chance" => assert!(place.is_some(), "{self:?}: {why}"),
            _ => assert_eq!(place, None, "{self:?}: {why}"),
        }
        stage
    }
}

#[tokio::test]
async fn the_stage_that_why_names_is_the_one_that_keeps_an_item_out() {
    let (shop, made) = simulated().await;
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let some = |rng: &mut ChaCha8Rng| rng.random_range(0..made.items.len());
    for _ in 0..N_PAIRS {
        let (item, other) = (some(&mut rng), some(&mut rng));
        let id = |at: usize| made.items[at].0.to_string();
        let mut question = Question {
            user: customer(&made, rng.random_range(0..10_000)),
            item: id(item),
            parts: BTreeMap::from([("n", rng.random_range(1..30).to_string())]),
        };
        match rng.random_range(0..12) {
            0 => question = question.with("exclude", &id(item)),
            1 => question = question.with("context", &id(item)),
            2 => question = question.with("context", &id(other)),
            3 => {
                let category = &made.items[other].1.categories[0];
                question = question.with("category", &category.replace(' ', "%20"));
            }
            4 => question = question.with("filter", "group%20is%20missing"),
            5 => question = question.with("filter", "brand%20%3D%20%22plain%22"),
            6 => question = question.with("scenario", "chance"),
            7 => question = question.with("scenario", "filled"),
            8 | 9 => question = question.with("scenario", "unruled"),
            _ => {}
        }
        // `home` is what is not named.
        let stage = question.checked(&shop).await;
        *counts.entry(stage.clone()).or_default() += 1;
        let path = format!("/items/{}", question.item);
        let again = match &*stage {
            "excluded" => question.without("exclude").checked(&shop).await,
            "in_context" => question.without("context").checked(&shop).await,
            "other_category" => question.without("category").checked(&shop).await,
            "filtered" => question.without("filter").checked(&shop).await,
            "hidden_by_rule" | "filtered_by_rule" | "capped_by_rule" => {
                question.with("scenario", "unruled").checked(&shop).await
            }
            "below_relevance" => question.with("scenario", "still").checked(&shop).await,
            "left_to_chance" => {
                let again = question.with("scenario", "still").checked(&shop).await;
                assert_eq!(again, "shown", "{question:?}");
                again
            }
            "bought_lately" | "seen_in_visit" => {
                question.with("scenario", "open").checked(&shop).await
            }
            "out_of_stock" | "not_available" | "variant_shown" => {
                let before = shop.get(&path).await.is(200);
                let change = match &*stage {
                    "out_of_stock" => json!({ "stock": 5 }),
                    "not_available" => json!({ "available": true }),
                    _ => json!({ "group": null }),
                };
                shop.patch(&path, change).await.is(200);
                let again = question.checked(&shop).await;
                let field = match &*stage {
                    "out_of_stock" => "stock",
                    "not_available" => "available",
                    _ => "group",
                };
                shop.patch(&path, json!({ field: before[field] })).await.is(200);
                assert_eq!(question.checked(&shop).await, stage, "as it was");
                again
            }
            "removed_from_catalogue" => {
                shop.put(&path, json!({ "categories": made.items[item].1.categories })).await;
                let again = question.checked(&shop).await;
                shop.delete(&path).await.is(204);
                again
            }
            "shown" | "ranked_below" | "not_a_candidate" => continue,
            unknown => panic!("{unknown}: {question:?}"),
        };
        assert_ne!(again, stage, "{question:?}");
    }
    for stage in [
        "shown",
        "ranked_below",
        "excluded",
        "in_context",
        "bought_lately",
        "seen_in_visit",
        "other_category",
        "filtered",
        "out_of_stock",
        "not_available",
        "removed_from_catalogue",
        "hidden_by_rule",
        "filtered_by_rule",
        "capped_by_rule",
        "left_to_chance",
        "variant_shown",
    ] {
        assert!(counts.contains_key(stage), "{stage} was never met: {counts:?}");
    }
}

#[tokio::test]
async fn ten_thousand_answers_are_the_same_by_their_id_and_when_they_are_asked_for_again() {
    let (shop, made) = simulated().await;
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut given: Vec<(String, Value)> = Vec::with_capacity(N_ANSWERS);
    let mut asked: Vec<String> = Vec::with_capacity(N_ANSWERS);
    for _ in 0..N_ANSWERS {
        let user = customer(&made, rng.random_range(0..10_000));
        let item = &made.items[rng.random_range(0..made.items.len())].0;
        let steer = match rng.random_range(0..6) {
            0 => format!("&context={item}"),
            1 => format!("&exclude={item}"),
            2 => "&filter=group%20is%20missing".to_owned(),
            3 => "&scenario=chance".to_owned(),
            4 => format!("&session=s{}", rng.random_range(0..50)),
            _ => String::new(),
        };
        let path = format!("/recommendations/{user}?n={}{steer}", rng.random_range(1..20));
        let answer = shop.get(&path).await.is(200);
        given.push((answer["recommendation_id"].as_str().unwrap().to_owned(), answer));
        asked.push(path);
    }
    for ((id, answer), path) in given.iter().zip(&asked) {
        let past = shop.get(&format!("/recommendations/by-id/{id}")).await.is(200);
        assert_eq!(ids(&past), ids(answer), "{path}");
        assert_eq!(past["source"], answer["source"], "{path}");
        // Nothing has happened since, so that it is made again from the same models and history.
        assert_eq!(shop.get(path).await.is(200)["items"], answer["items"], "{path}");
    }
}
