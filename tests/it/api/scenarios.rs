//! How the lists of a scenario are made: settings, experiments, and what lists are credited with.

use crate::support::shop::{NOW, Shop, ids};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use shopkeeper::{config::Config, decide::recommend::Policy, domain::Sequence};

const MINUTE_MS: i64 = 60_000;

fn policy(json: Value) -> Policy {
    serde_json::from_value(json).unwrap()
}

/// A shop whose scenario `s` is made in this way, and `home` as usual.
async fn shop_with(json: Value) -> Shop {
    let mut shop = Shop::with(|config| {
        config.scenarios.insert("s".into(), policy(json));
    })
    .await;
    shop.open_doors().await;
    shop.train().await;
    shop
}

/// Says of every drink what it is.
async fn sort(shop: &Shop) {
    let items = ["tea", "coffee"].into_iter().flat_map(|drink| {
        (0..10).map(move |n| json!({ "item": format!("{drink}-{n}"), "categories": [drink] }))
    });
    let sorted = shop.post("/items", items.collect()).await.is(200);
    assert_eq!(sorted["rejected"], json!([]), "{sorted}");
}

async fn list(shop: &Shop, path: &str) -> Value {
    shop.get(path).await.is(200)
}

#[tokio::test]
async fn diversity_puts_unlike_items_side_by_side_and_counts_in_its_scenario_only() {
    let shop = shop_with(json!({ "diversity": 0.9, "hide_purchased_days": 0 })).await;
    sort(&shop).await;
    let kinds = |list: &Value| -> Vec<String> {
        ids(list).iter().map(|item| item.split('-').next().unwrap().to_owned()).collect()
    };
    let usual = list(&shop, "/recommendations/stranger?context=tea-1&n=6").await;
    let spread = list(&shop, "/recommendations/stranger?context=tea-1&n=6&scenario=s").await;
    assert_eq!(kinds(&usual), ["tea"; 6], "{usual}");
    assert_eq!(ids(&usual)[0], ids(&spread)[0], "the best item stays the best");
    assert!(kinds(&spread).contains(&"coffee".to_owned()), "{spread}");
    // What is asked for more of begins in the same way.
    let longer = list(&shop, "/recommendations/stranger?context=tea-1&n=9&scenario=s").await;
    assert_eq!(ids(&longer)[..6], ids(&spread)[..]);
    let second = ids(&spread)[1].to_owned();
    let why =
        list(&shop, &format!("/recommendations/stranger/why/{second}?context=tea-1&scenario=s"))
            .await;
    assert_eq!((&why["stage"], &why["rank"]), (&json!("shown"), &json!(2)));
}

#[tokio::test]
async fn what_was_shown_and_not_clicked_sinks_and_comes_up_again() {
    let shop = shop_with(json!({ "rotation": 1.0, "rotation_minutes": 80 })).await;
    let path = "/recommendations/guest?context=tea-1&n=9&scenario=s";
    let before = list(&shop, path).await;
    let first = ids(&before)[0].to_owned();
    shop.act("guest", "impression", &first).await;
    let after = list(&shop, path).await;
    assert!(!ids(&after)[..8].contains(&&*first), "{after}");
    assert_eq!(ids(&list(&shop, "/recommendations/guest?context=tea-1&n=9").await)[0], first);
    shop.clock.advance_ms(81 * MINUTE_MS);
    assert_eq!(ids(&list(&shop, path).await)[0], first, "it is forgotten");
    // What was clicked after it was shown was not passed over.
    shop.act("guest", "impression", &first).await;
    shop.act("guest", "click", &first).await;
    shop.clock.advance_ms(31 * MINUTE_MS);
    assert!(ids(&list(&shop, path).await)[..3].contains(&&*first));
}

#[tokio::test]
async fn a_place_may_be_left_to_chance_and_the_answer_says_how_probable_it_was() {
    let shop = shop_with(json!({ "exploration_position": 2 })).await;
    let mut drawn = std::collections::BTreeSet::new();
    for user in 0..40 {
        let path = format!("/recommendations/x{user}?context=tea-1&n=3&scenario=s");
        let answer = list(&shop, &path).await;
        assert_eq!(answer["items"], list(&shop, &path).await["items"], "the same again");
        let items = answer["items"].as_array().unwrap();
        assert_eq!(items.len(), 3);
        for (at, item) in items.iter().enumerate() {
            let propensity = item["explored"]["propensity"].as_f64();
            // Of twenty items one is on the page and three come first.
            assert_eq!(propensity, (at == 1).then_some(1.0 / 16.0), "{item}");
        }
        drawn.insert(ids(&answer)[1].to_owned());
    }
    assert!(drawn.len() > 8, "{drawn:?}");
    // What follows from it is stored with the chance that it had, for the drawn item and no other.
    let answer = list(&shop, "/recommendations/x1?context=tea-1&n=3&scenario=s").await;
    for (at, item) in ids(&answer).into_iter().enumerate() {
        let event = json!({ "type": "click", "user": "x1", "item": item, "recommendation": answer["recommendation_id"] });
        shop.post("/events", event).await.is(200);
        let stored = shop.get("/users/x1/export").await.body;
        let event = stored["events"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(event["item"], *item);
        let chance = &event["context"]["credit"]["chance_ppm"];
        assert_eq!(chance.as_u64(), (at == 1).then_some(62_500), "{event}");
        // What follows later is, too, whether it names the answer, which is gone by then, or not.
        shop.clock.advance_ms(31 * 60_000);
        for named in [json!(answer["recommendation_id"]), json!(null)] {
            let event = json!({ "type": "add_to_cart", "user": "x1", "item": item, "recommendation": named });
            shop.post("/events", event).await.is(200);
            let stored = shop.get("/users/x1/export").await.body;
            let event = stored["events"].as_array().unwrap().last().unwrap().clone();
            let chance = &event["context"]["credit"]["chance_ppm"];
            assert_eq!(chance.as_u64(), (at == 1).then_some(62_500), "{event}");
        }
        shop.clock.advance_ms(-31 * 60_000);
    }
    let usual = list(&shop, "/recommendations/x1?context=tea-1&n=3").await;
    assert!(!drawn.contains(ids(&usual)[0]));
}

#[tokio::test]
async fn little_relevant_items_are_left_out_or_replaced_by_what_is_popular() {
    let shop = shop_with(json!({ "relevance_min": 0.2 })).await;
    let path = "/recommendations/guest?context=tea-1&n=15&scenario=s&explain=true";
    let short = list(&shop, path).await;
    let n = ids(&short).len();
    assert!(
        (1..15).contains(&n) && ids(&short).iter().all(|item| item.starts_with("tea")),
        "{short}"
    );
    let why = list(&shop, "/recommendations/guest/why/coffee-1?context=tea-1&scenario=s").await;
    assert_eq!(why["stage"], "below_relevance", "{why}");
    let filled = shop_with(json!({ "relevance_min": 0.2, "fill": true })).await;
    let full = list(&filled, path).await;
    assert_eq!(ids(&full)[..n], ids(&short)[..]);
    assert_eq!(ids(&full).len(), 15);
    let mut all = ids(&full);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 15);
    assert_eq!(full["items"][14]["reasons"][0]["kind"], "popular", "{full}");
}

#[tokio::test]
async fn a_scenario_may_name_its_models() {
    let shop = shop_with(json!({ "models": { "popularity": 1.0 } })).await;
    shop.act("guest", "click", "coffee-3").await;
    let why = |scenario: &str| format!("/recommendations/guest/why/tea-1?scenario={scenario}");
    let models = async |path: String| -> Vec<String> {
        let answer = shop.get(&path).await.is(200);
        let models = answer["models"].as_array().unwrap().clone();
        models.iter().map(|model| model["model"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(models(why("s")).await, ["popularity"]);
    assert!(models(why("home")).await.len() > 1);
    let popular = list(&shop, "/recommendations/guest?scenario=s&n=20").await;
    let personal = list(&shop, "/recommendations/guest?n=20").await;
    assert_ne!(ids(&popular), ids(&personal));
}

fn with_experiment(config: &mut Config) {
    let experiment = json!({
        "id": "spread", "scenario": "home", "salt": "s1", "enabled": true,
        "variants": [
            { "name": "control", "share": 0.5 },
            { "name": "spread", "share": 0.5, "settings": { "diversity": 0.9 } },
        ],
    });
    config.experiments.push(serde_json::from_value(experiment).unwrap());
}

#[tokio::test]
async fn an_experiment_draws_everybody_once_and_measures_what_they_do() {
    for mut shop in
        [Shop::with(with_experiment).await, Shop::on_postgres_with(with_experiment).await]
    {
        shop.open_doors().await;
        sort(&shop).await;
        shop.train().await;
        let mut variants: [u64; 2] = [0, 0];
        for user in 0..30 {
            let user = format!("x{user}");
            let answer = list(&shop, &format!("/recommendations/{user}?context=tea-1&n=4")).await;
            let again = list(&shop, &format!("/recommendations/{user}?context=tea-1&n=4")).await;
            assert_eq!(answer["experiment"], again["experiment"]);
            assert_eq!(answer["experiment"]["id"], "spread");
            let is_spread = answer["experiment"]["variant"] == "spread";
            let has_coffee = ids(&answer).iter().any(|item| item.starts_with("coffee"));
            assert_eq!(is_spread, has_coffee, "{answer}");
            variants[usize::from(is_spread)] += 1;
            let id = &answer["recommendation_id"];
            let item = ids(&answer)[0];
            let event = |kind: &str| json!({ "type": kind, "user": user, "item": item });
            let mut shown = event("impression");
            shown["recommendation"] = id.clone();
            shop.post("/events", shown).await.is(200);
            if is_spread {
                // The click names the list, the purchase a day later does not.
                let mut click = event("click");
                click["recommendation"] = id.clone();
                shop.post("/events", click).await.is(200);
                let mut bought = event("purchase");
                bought["price"] = json!("12.50");
                bought["quantity"] = json!(2);
                bought["timestamp"] = json!(NOW.0 + 1000);
                shop.post("/events", bought).await.is(200);
            }
        }
        assert!(variants.iter().all(|&n| n > 5), "{variants:?}");
        let measured = list(&shop, "/experiments/spread").await;
        assert_eq!(
            (&measured["running"], &measured["variants"][0]["name"]),
            (&json!(true), &json!("control"))
        );
        let [control, spread] = [0, 1].map(|at| measured["variants_measured"][at].clone());
        assert_eq!(control["users"], variants[0]);
        assert_eq!((&control["purchases"], &control["revenue"]), (&json!(0), &json!(0.0)));
        for field in ["users", "impressions", "clicks", "purchases"] {
            assert_eq!(spread[field], variants[1], "{field}: {spread}");
        }
        assert_eq!(spread["revenue"], 25.0 * variants[1] as f64);
        assert_eq!(spread["conversion"]["value"]["value"], 1.0);
        assert!(spread["conversion"]["difference"]["low"].as_f64().unwrap() > 0.0, "{spread}");
        assert_eq!(measured["sample_ratio"]["mismatch"], false);
        shop.get("/experiments/other").await.is(404);
        assert_eq!(list(&shop, "/experiments").await.as_array().unwrap().len(), 1);

        let status = list(&shop, "/status").await;
        let lines = status["attribution"].as_array().unwrap();
        assert_eq!(lines.len(), 2, "{status}");
        let line = lines.iter().find(|line| line["variant"] == "spread").unwrap();
        assert_eq!((&line["scenario"], &line["source"]), (&json!("home"), &json!("related")));
        assert_eq!(
            (&line["clicks"], &line["purchases"]),
            (&json!(variants[1]), &json!(variants[1]))
        );
        assert_eq!(line["revenue"]["amount"], format!("{}.00", 25 * variants[1]));
        let metrics = shop.get("/metrics").await.is(200);
        let counted =
            format!("credited_events_total{{scenario=\"home\",kind=\"click\"}} {}", variants[1]);
        assert!(metrics.as_str().unwrap().contains(&counted), "{counted}");

        // A process that did not give the answer knows from its id what it was, in whatever words.
        let other = shop.beside().await;
        let answer = list(&shop, "/recommendations/x0?context=tea-1&n=4").await;
        let id = answer["recommendation_id"].as_str().unwrap();
        assert!(id.ends_with(answer["experiment"]["variant"].as_str().unwrap()), "{id}");
        let late = json!({ "type": "view", "user": "x0", "item": ids(&answer)[0],
            "recommendation": id });
        other.post("/events", late).await.is(200);
        let status = list(&other, "/status").await;
        let lines = status["attribution"].as_array().unwrap().iter();
        let viewed: Vec<&Value> = lines.filter(|line| line["views"] == 1).collect();
        assert_eq!(viewed.len(), 1, "{status}");
        for (field, value) in
            [("source", &answer["source"]), ("variant", &answer["experiment"]["variant"])]
        {
            assert_eq!(viewed[0][field], *value, "{status}");
        }
        let made_up = id.replace("spread", "spreads");
        let forged = json!({ "type": "view", "user": "x0", "item": ids(&answer)[0],
            "recommendation": made_up, "scenario": "made-up" });
        other.post("/events", forged).await.is(200);
        let status = list(&other, "/status").await;
        assert!(!status["attribution"].to_string().contains("spreads"), "{status}");
        // Nor who saw which variant: this shopper was drawn for the other one.
        let (seen, unseen) = match answer["experiment"]["variant"].as_str().unwrap() {
            "spread" => ("spread", "control"),
            seen => (seen, "spread"),
        };
        let forged = format!("{}{unseen}", id.strip_suffix(seen).unwrap());
        let forged = json!({ "type": "wishlist", "user": "x0", "item": ids(&answer)[0],
            "recommendation": forged });
        other.post("/events", forged).await.is(200);
        let stored = other.state.store.events_after(Sequence(0), 10_000).await.unwrap();
        let credit = stored.last().unwrap().event.context.credit.clone().unwrap();
        assert_eq!((credit.scenario.as_str(), credit.variant), ("home", None));
    }
}

#[tokio::test]
async fn an_event_is_credited_to_what_it_follows_from_and_to_nothing_else() {
    let mut shop = shop_with(json!({})).await;
    let answer = list(&shop, "/recommendations/t0?scenario=s").await;
    let item = ids(&answer)[0].to_owned();
    let credited = async |shop: &Shop| {
        let status = list(shop, "/status").await;
        let sum = |field: &str| -> u64 {
            let lines = status["attribution"].as_array().unwrap().iter();
            lines.map(|line| line[field].as_u64().unwrap()).sum()
        };
        (sum("clicks"), sum("purchases"))
    };
    shop.act("t0", "click", &item).await;
    assert_eq!(credited(&shop).await, (0, 0), "nobody says that it was in a list");
    let click = json!({ "type": "click", "user": "t0", "item": item,
        "recommendation": answer["recommendation_id"] });
    shop.post("/events", click).await.is(200);
    shop.act("t0", "purchase", "coffee-9").await;
    assert_eq!(credited(&shop).await, (1, 0), "that was another item");
    shop.act("t0", "purchase", &item).await;
    assert_eq!(credited(&shop).await, (1, 1));
    // A process that was not there knows it from the events, and the window ends.
    let other = shop.beside().await;
    shop.clock.advance_ms(25 * 60 * MINUTE_MS);
    other.act("t0", "purchase", &item).await;
    assert_eq!(credited(&other).await, (1, 1), "a day is over");
    // An id that nobody gave is taken at the word of the event.
    let made_up = json!({ "type": "click", "user": "t1", "item": item, "recommendation": "r", "scenario": "cart" });
    shop.post("/events", made_up).await.is(200);
    let status = list(&shop, "/status").await;
    let lines = status["attribution"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["scenario"] == "cart" && line["source"] == Value::Null));
    shop.follower.follow().await.unwrap();
}

#[tokio::test]
async fn a_deadline_is_kept_with_what_is_ready() {
    let shop = shop_with(json!({})).await;
    let ask = async |user: &str, deadline: &str| {
        let request = Request::get(format!("/recommendations/{user}"))
            .header("x-deadline-ms", deadline)
            .body(Body::empty())
            .unwrap();
        shop.send(request).await
    };
    // The first one says how long it takes.
    let whole = ask("t1", "10000").await.is(200);
    assert_eq!((&whole["degraded"], &whole["source"]), (&json!(false), &json!("personal")));
    let hurried = ask("t2", "0").await.is(200);
    assert_eq!((&hurried["degraded"], &hurried["source"]), (&json!(true), &json!("popular")));
    assert!(hurried["degraded_because"].as_str().unwrap().contains("no time"));
    assert!(!ids(&hurried).is_empty());
    assert_eq!(ask("t1", "0").await.is(200)["source"], "personal", "that one is ready");
    assert_eq!(ask("t2", "10000").await.is(200)["source"], "personal", "haste is not kept");
    assert_eq!(ask("t2", "soon").await.status, 400);
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let base = "[scenarios.cart]\n";
    let load = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path), [])
    };
    let config = load(&format!("{base}diversity = 0.5\nhide_seen_minutes = 0\n")).unwrap();
    assert_eq!(config.scenarios["cart"].hide_seen_minutes, Some(0));
    assert!(config.scenarios.contains_key("home"));
    let variants = |share: f64, settings: &str| {
        format!(
            "[[experiments]]\nid = \"e\"\nscenario = \"home\"\nsalt = \"e\"\nenabled = true\nvariants = [\
             {{ name = \"a\", share = {share} }}, {{ name = \"b\", share = 0.5, settings = {{ {settings} }} }}]\n"
        )
    };
    let one = variants(0.5, "diversity = 0.3");
    assert_eq!(load(&one).unwrap().experiments.len(), 1);
    for (text, part) in [
        (format!("{base}diversity = 7.0\n"), "scenarios.cart.diversity"),
        (format!("{base}divresity = 0.5\n"), "divresity"),
        (variants(0.7, "diversity = 0.3"), "shares"),
        (variants(0.5, "diversity = 3.0"), "experiments[0].b.diversity"),
        (variants(0.5, "magic = 3.0"), "magic"),
        (format!("{one}{one}"), "twice"),
        (format!("{one}{}", one.replace("id = \"e\"", "id = \"f\"")), "same scenario"),
    ] {
        let error = load(&text).unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
}
