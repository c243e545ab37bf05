//! Pricing runs: proposed, held, approved, taken back, stopped; and what is told of a price.

use super::prices::{lively, lively_with};
use crate::support::shop::Shop;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

async fn amount(shop: &Shop, item: &str) -> String {
    let quote = shop.get(&format!("/prices/{item}")).await.is(200);
    quote["price"]["amount"].as_str().unwrap().to_owned()
}

async fn runs(shop: &Shop) -> Vec<Value> {
    shop.get("/pricing/runs").await.is(200)["runs"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_run_that_a_person_must_see_waits_and_is_applied_once() {
    let shop = lively_with(|config| config.pricing.needs_approval = true).await;
    assert_eq!(shop.reprice().await, 0);
    assert_eq!(amount(&shop, "hot").await, "12.00");
    let waiting = runs(&shop).await[0].clone();
    assert_eq!((&waiting["state"], &waiting["by_person"]), (&json!("proposed"), &json!(false)));
    assert_eq!(waiting["summary"]["held"][0]["kind"], "needs_approval");
    let id = waiting["run"].as_str().unwrap();
    let decisions = shop.get(&format!("/pricing/runs/{id}/decisions")).await.is(200);
    let hot = decisions["decisions"].as_array().unwrap().iter().find(|d| d["item"] == "hot");
    let hot = hot.unwrap();
    assert_eq!(
        (&hot["before"]["amount"], &hot["price"]["amount"]),
        (&json!("12.00"), &json!("10.80"))
    );
    assert_eq!(hot["replayed_price"], hot["price"], "a kept decision comes to the same price");
    assert_eq!(decisions["next_after"], Value::Null);
    let approved = shop.post(&format!("/pricing/runs/{id}/approve"), json!(null)).await.is(200);
    assert_eq!((&approved["state"], &approved["by_person"]), (&json!("applied"), &json!(true)));
    assert!(approved["moved_now"].as_u64().unwrap() >= 1);
    assert_eq!(amount(&shop, "hot").await, "10.80");
    let again = shop.post(&format!("/pricing/runs/{id}/approve"), json!(null)).await.is(409);
    assert!(again["detail"].as_str().unwrap().contains("applied"), "{again}");
    // The same after a restart, from the database.
    assert_eq!(runs(&shop.beside().await).await[0]["state"], "applied");
}

#[tokio::test]
async fn a_later_run_supersedes_one_that_waits_and_a_refused_one_changes_nothing() {
    let shop = lively_with(|config| config.pricing.needs_approval = true).await;
    shop.reprice().await;
    shop.reprice().await;
    let all = runs(&shop).await;
    let states: Vec<_> = all.iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["proposed", "superseded"]);
    let path = |at: usize, what: &str| {
        format!("/pricing/runs/{}/{what}", all[at]["run"].as_str().unwrap())
    };
    shop.post(&path(1, "approve"), json!(null)).await.is(409);
    let refused = shop.post(&path(0, "reject"), json!(null)).await.is(200);
    assert_eq!((&refused["state"], &refused["moved_now"]), (&json!("rejected"), &json!(0)));
    assert_eq!(amount(&shop, "hot").await, "12.00");
    shop.post("/pricing/runs/none/approve", json!(null)).await.is(404);
    shop.get("/pricing/runs/none").await.is(404);
    assert_eq!(shop.get("/pricing/runs?limit=0").await.faults(422), ["/limit"]);
}

#[tokio::test]
async fn a_run_is_taken_back_but_for_what_the_merchant_changed_since() {
    let shop = lively().await;
    assert!(shop.reprice().await >= 2);
    let id = runs(&shop).await[0]["run"].as_str().unwrap().to_owned();
    let warm = amount(&shop, "warm").await;
    shop.clock.advance_ms(1_000);
    shop.patch("/items/hot", json!({ "price": "11.11" })).await.is(200);
    let back = shop.post(&format!("/pricing/runs/{id}/rollback"), json!(null)).await.is(200);
    assert_eq!(back["state"], "rolled_back");
    assert_eq!(amount(&shop, "hot").await, "11.11");
    assert_eq!((warm.as_str(), amount(&shop, "warm").await.as_str()), ("10.80", "12.00"));
    let history = shop.get("/prices/warm/history").await.is(200);
    let last = history["prices"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["reason"], "restored");
    let again = shop.post(&format!("/pricing/runs/{id}/rollback"), json!(null)).await.is(200);
    assert_eq!((&again["state"], &again["moved_now"]), (&json!("rolled_back"), &json!(0)));
}

#[tokio::test]
async fn an_approved_price_does_not_override_what_changed_while_it_waited() {
    let shop = lively_with(|config| config.pricing.needs_approval = true).await;
    shop.reprice().await;
    let id = runs(&shop).await[0]["run"].as_str().unwrap().to_owned();
    shop.patch("/items/hot", json!({ "price": 13 })).await.is(200);
    shop.patch("/items/warm", json!({ "price_min": "11.90" })).await.is(200);
    shop.post(&format!("/pricing/runs/{id}/approve"), json!(null)).await.is(200);
    assert_eq!(amount(&shop, "hot").await, "13.00");
    assert_eq!(amount(&shop, "warm").await, "12.00");
}

#[tokio::test]
async fn the_same_request_key_gives_the_same_run() {
    let shop = lively().await;
    let ask = async |key: &str| shop.post_once("/pricing/runs", key).await;
    let first = ask("a").await.is(200);
    assert_eq!(first["state"], "applied");
    assert!(first["moved_now"].as_u64().unwrap() >= 1);
    let again = ask("a").await.is(200);
    assert_eq!((&again["run"], &again["moved_now"]), (&first["run"], &json!(0)));
    let other = ask("b").await.is(200);
    assert_ne!(other["run"], first["run"]);
    assert_eq!(other["summary"]["moved"], 0, "all is where it should be");
    ask(&"k".repeat(201)).await.is(400);
}

#[tokio::test]
async fn stopping_restores_the_book_that_a_person_approved_and_nothing_moves_until_it_goes_on() {
    let shop = lively_with(|config| config.pricing.needs_approval = true).await;
    shop.reprice().await;
    let id = runs(&shop).await[0]["run"].as_str().unwrap().to_owned();
    shop.post(&format!("/pricing/runs/{id}/approve"), json!(null)).await.is(200);
    assert_eq!(amount(&shop, "hot").await, "10.80");
    // A shop beside it, which wants no approval, moves prices on.
    let hasty = shop.beside_with(|config| config.pricing.needs_approval = false).await;
    shop.clock.advance_ms(DAY_MS + 1);
    assert!(hasty.reprice().await >= 1);
    assert_ne!(amount(&hasty, "hot").await, "10.80");
    let stopped = hasty.post("/pricing/stop", json!(null)).await.is(200);
    assert!(stopped["moved_now"].as_u64().unwrap() >= 1, "{stopped}");
    assert!(stopped["restored_to"].is_string());
    assert_eq!(amount(&hasty, "hot").await, "10.80");
    hasty.clock.advance_ms(DAY_MS + 1);
    hasty.post("/pricing/runs", json!(null)).await.is(409);
    assert!(hasty.get("/pricing/runs").await.is(200)["stopped_since"].is_string());
    let gone_on = hasty.post("/pricing/resume", json!(null)).await.is(200);
    let waits = |run: &Value| ["proposed", "approved"].contains(&run["state"].as_str().unwrap());
    assert!(!runs(&hasty).await.iter().any(waits), "nothing of before is finished now");
    assert_eq!(gone_on["stopped_since"], Value::Null);
    assert!(hasty.reprice().await >= 1);
}

#[tokio::test]
async fn without_an_approved_book_stopping_brings_back_list_prices() {
    let shop = lively().await;
    shop.reprice().await;
    assert_eq!(amount(&shop, "hot").await, "10.80");
    let stopped = shop.post("/pricing/stop", json!(null)).await.is(200);
    assert_eq!(stopped["restored_to"], Value::Null);
    assert_eq!(amount(&shop, "hot").await, "12.00");
    let history = shop.get("/prices/hot/history").await.is(200);
    assert_eq!(history["prices"].as_array().unwrap().last().unwrap()["reason"], "restored");
}

#[tokio::test]
async fn brakes_hold_a_run_after_a_jump_of_cost_or_a_silent_week() {
    let shop = lively().await;
    shop.reprice().await;
    shop.clock.advance_ms(DAY_MS + 1);
    shop.patch("/items/hot", json!({ "cost": 9 })).await.is(200);
    shop.reprice().await;
    let held = runs(&shop).await[0].clone();
    assert_eq!(held["state"], "proposed", "{held}");
    let reasons = held["summary"]["held"].as_array().unwrap();
    let jump = reasons.iter().find(|reason| reason["kind"] == "cost_jumps").unwrap();
    assert_eq!((&jump["worst"], &jump["share"]), (&json!("hot"), &json!(0.5)));
    // Neither does the slip of the pen move the price by itself.
    assert_eq!(amount(&shop, "hot").await, "10.80");
    shop.clock.advance_ms(8 * DAY_MS);
    shop.reprice().await;
    let reasons = runs(&shop).await[0]["summary"]["held"].clone();
    assert!(reasons.as_array().unwrap().iter().any(|reason| reason["kind"] == "feed_gap"));
}

#[tokio::test]
async fn an_explanation_tells_the_curve_the_guard_rails_and_what_they_cost() {
    let shop = lively().await;
    let told = shop.get("/prices/hot/explanation").await.is(200);
    assert_eq!((&told["status"], &told["chosen"]["amount"]), (&json!("moved"), &json!("10.80")));
    let best: f64 = told["unconstrained"]["amount"].as_str().unwrap().parse().unwrap();
    assert!((8.4..10.4).contains(&best), "{best}");
    let step =
        told["rails"].as_array().unwrap().iter().find(|rail| rail["rail"] == "step").unwrap();
    assert!(step["cost_per_week"].as_f64().unwrap() > 0.0, "{step}");
    assert_eq!(step["after"]["low"]["amount"], "10.80");
    let curve = told["curve"].as_array().unwrap();
    assert!(curve.len() > 10);
    let units: Vec<f64> = curve.iter().map(|point| point["units"].as_f64().unwrap()).collect();
    assert!(units.is_sorted_by(|a, b| a >= b), "demand falls with the price: {units:?}");
    assert!(told["change"]["probability_better"].as_f64().unwrap() > 0.9);
    assert!(told["change"]["mean"].as_f64().unwrap() > 0.0);
    let own = told["demand"]["own"]["mean"].as_f64().unwrap();
    assert!((-3.8..-2.2).contains(&own), "{own}");
    assert!(["A", "B", "C"].contains(&told["demand"]["grade"].as_str().unwrap()));
    assert_eq!(
        (&told["last_decision"], &told["trial"]["not_now"]),
        (&Value::Null, &json!("disabled"))
    );
    shop.reprice().await;
    let told = shop.get("/prices/hot/explanation").await.is(200);
    assert_eq!(told["last_decision"]["replayed_price"]["amount"], "10.80");
    assert!(told["ages_hours"]["learned_from"].as_f64().unwrap() >= 0.0);
    shop.get("/prices/none/explanation").await.is(404);
    // Nothing to choose by: said, not hidden.
    let plain = shop.get("/prices/plain/explanation").await.is(200);
    assert_eq!(plain["status"], "no_guard_rails");
    let calm = shop.get("/prices/calm/explanation").await.is(200);
    assert_eq!(calm["status"], "cost_unknown");
    let elasticity = shop.get("/items/hot/elasticity").await.is(200);
    assert_eq!(elasticity["demand"]["own"]["mean"], told["demand"]["own"]["mean"]);
    assert_eq!(elasticity["bias_meter"], Value::Null, "no price was drawn");
}

#[tokio::test]
async fn what_if_a_price_were_another() {
    let shop = lively().await;
    let ask = json!({ "items": [{ "item": "hot", "prices": ["9", "12", "30"] }, { "item": "even", "prices": ["1"] }] });
    let told = shop.post("/prices/simulate", ask).await.is(200);
    let weeks = told["items"][0]["weeks"].as_array().unwrap();
    let number = |at: usize, what: &str| weeks[at][what]["mean"].as_f64().unwrap();
    // 40·(10/9)³ = 55 and 40·(10/12)³ = 23 were sold in such weeks.
    assert!((number(0, "units") - 55.0).abs() < 10.0, "{told}");
    assert!((number(1, "units") - 23.0).abs() < 5.0, "{told}");
    assert!(number(0, "profit") > number(1, "profit"));
    for week in weeks {
        let of = |what: &str| week["units"][what].as_f64().unwrap();
        assert!(of("q05") <= of("mean") && of("mean") <= of("q95"), "{week}");
    }
    assert_eq!(
        (&weeks[0]["extrapolated"], &weeks[2]["extrapolated"]),
        (&json!(false), &json!(true))
    );
    assert!(told["items"][1]["unknown_because"].is_string(), "it never had a price");
    for (body, pointer) in [
        (json!({ "items": [] }), "/items"),
        (json!({ "items": [{ "item": "hot", "prices": [] }] }), "/items/0/prices"),
        (json!({ "items": [{ "item": "hot", "prices": ["0"] }] }), "/items/0/prices/0"),
        (json!({ "items": [{ "item": "hot", "prices": ["x"] }] }), "/items/0/prices/0"),
        (json!({ "items": [{ "item": "", "prices": ["1"] }] }), "/items/0/item"),
    ] {
        assert_eq!(
            shop.post("/prices/simulate", body.clone()).await.faults(422),
            [pointer],
            "{body}"
        );
    }
    shop.post("/prices/simulate", json!({ "items": [{ "item": "x", "prices": ["1"] }] }))
        .await
        .is(404);
}

#[tokio::test]
async fn a_stock_is_planned_to_be_sold_by_a_date() {
    let shop = lively().await;
    let plan = async |body: Value| shop.post("/prices/hot/markdown", body).await;
    let told = plan(json!({ "units": 60, "weeks": 3, "salvage": "2" })).await.is(200);
    let money = |value: &Value| value["amount"].as_str().unwrap().parse::<f64>().unwrap();
    let of = |what: &str| money(&told["plan"][what]["expected"]);
    assert!(of("now") <= of("single") && of("single") <= of("path"), "{told}");
    assert!(of("path") < 60.0 * 30.0, "60 pieces at 30 are more than there is: {told}");
    let weeks = told["plan"]["path"]["weeks"].as_array().unwrap();
    assert_eq!(weeks.iter().map(|week| week["weeks_left"].as_i64().unwrap()).sum::<i64>(), 6);
    for week in weeks {
        let steps = week["prices"].as_array().unwrap();
        assert_eq!(steps[0]["units_from"], 1);
        let prices: Vec<f64> = steps.iter().map(|step| money(&step["price"])).collect();
        assert!(prices.windows(2).all(|pair| pair[0] > pair[1]), "more left, cheaper: {week}");
    }
    let last = weeks[0]["prices"].as_array().unwrap().last().unwrap();
    assert_eq!(last["price"], told["plan"]["path"]["price"], "60 are left");
    // Stock and date of the catalogue stand in for what is not said.
    let by = shop.now().plus_ms(21 * 86_400_000).to_string();
    let patch = json!({ "stock": 60, "attributes": { "sell_by": by } });
    shop.patch("/items/hot", patch).await.is(200);
    let stands = plan(json!({ "salvage": "2" })).await.is(200);
    assert_eq!((&stands["units"], &stands["weeks"]), (&json!(60), &json!(3.0)));
    assert_eq!(stands["plan"], told["plan"]);
    for (body, pointer) in [
        (json!({ "units": 0 }), "/units"),
        (json!({ "units": 2001 }), "/units"),
        (json!({ "weeks": 0 }), "/weeks"),
        (json!({ "weeks": 105 }), "/weeks"),
        (json!({ "weeks": 0.1 }), "/weeks"),
        (json!({ "salvage": "-1" }), "/salvage"),
        (json!({ "salvage": "x" }), "/salvage"),
        (json!({ "units": 2000, "weeks": 104 }), "/units"),
    ] {
        assert_eq!(plan(body.clone()).await.faults(422), [pointer], "{body}");
    }
    let asked = json!({ "units": 5, "weeks": 1 });
    let past = json!({ "attributes": { "sell_by": shop.now().plus_ms(-1).to_string() } });
    shop.patch("/items/hot", past).await.is(200);
    assert_eq!(plan(json!({})).await.faults(422), ["/weeks"]);
    let calm = shop.post("/prices/calm/markdown", asked.clone()).await.is(200);
    assert!(calm["plan"].is_object(), "what a unit cost is spent, and need not be known: {calm}");
    let even = shop.post("/prices/even/markdown", asked.clone()).await.is(200);
    assert_eq!(even["plan"], Value::Null);
    assert!(even["unknown_because"].is_string(), "it never had a price: {even}");
    shop.post("/prices/none/markdown", asked).await.is(404);
    assert_eq!(shop.post("/prices/calm/markdown", json!({})).await.faults(422), ["/units"]);
}

#[tokio::test]
async fn a_quote_verifies_if_and_only_if_it_is_unchanged_and_not_expired() {
    let shop = lively().await;
    let quote = shop.get("/prices/hot").await.is(200);
    let id = quote["quote_id"].as_str().unwrap().to_owned();
    let body =
        |price: &str| json!({ "item": "hot", "price": price, "valid_until": quote["valid_until"] });
    let verify = async |shop: &Shop, id: &str, body: Value| {
        let told = shop.post(&format!("/prices/quotes/{id}/verify"), body).await.is(200);
        (told["valid"].as_bool().unwrap(), told["verdict"].as_str().unwrap().to_owned())
    };
    assert_eq!(verify(&shop, &id, body("12.00")).await, (true, "valid".into()));
    // As a number, and as the answer has it.
    for price in [json!(12), json!(12.0), quote["price"].clone()] {
        let body = json!({ "item": "hot", "price": price, "valid_until": quote["valid_until"] });
        assert_eq!(verify(&shop, &id, body).await, (true, "valid".into()));
    }
    assert_eq!(verify(&shop, &id, body("11.99")).await, (false, "changed".into()));
    assert_eq!(verify(&shop, &"0".repeat(32), body("12.00")).await, (false, "changed".into()));
    // The shop stands by it though the price has moved since.
    shop.clock.advance_ms(1_000);
    shop.reprice().await;
    assert_eq!(verify(&shop, &id, body("12.00")).await, (true, "valid".into()));
    assert_eq!(verify(&shop.beside().await, &id, body("12.00")).await, (true, "valid".into()));
    shop.clock.advance_ms(DAY_MS);
    assert_eq!(verify(&shop, &id, body("12.00")).await, (false, "expired".into()));
    let path = format!("/prices/quotes/{id}/verify");
    assert_eq!(shop.post(&path, body("x")).await.faults(422), ["/price"]);
    let wrong = json!({ "item": "hot", "price": "1", "valid_until": "soon" });
    assert_eq!(shop.post(&path, wrong).await.faults(422), ["/valid_until"]);
}

#[tokio::test]
async fn a_reduction_is_measured_against_the_lowest_price_of_the_days_before() {
    let shop = Shop::open().await;
    // The worked case: 100 for a long time, 80 for a week, 100 for three days.
    shop.put("/items/a", json!({ "price": 100 })).await.is(200);
    shop.clock.advance_ms(50 * DAY_MS);
    shop.patch("/items/a", json!({ "price": 80 })).await.is(200);
    shop.clock.advance_ms(7 * DAY_MS);
    shop.patch("/items/a", json!({ "price": 100 })).await.is(200);
    shop.clock.advance_ms(3 * DAY_MS);
    let told = async |price: &str| {
        shop.get(&format!("/prices/a/prior-price?market=fi&price={price}")).await.is(200)
    };
    let reduced = told("70").await;
    assert_eq!(reduced["prior_price"]["amount"], "80.00", "{reduced}");
    assert_eq!((&reduced["may_announce"], &reduced["percent"]), (&json!(true), &json!(12.5)));
    for price in ["80", "85"] {
        let refused = told(price).await;
        assert_eq!(
            (&refused["may_announce"], &refused["kind"]),
            (&json!(false), &json!("plain_change"))
        );
        assert!(refused["reasons"][0]["detail"].is_string());
        assert!(refused["announceable_from"].is_string(), "{refused}");
    }
    assert_eq!(shop.get("/prices/a/prior-price?on=soon").await.faults(422), ["/on"]);
    assert_eq!(shop.get("/prices/a/prior-price?price=x").await.faults(422), ["/price"]);
    shop.get("/prices/none/prior-price").await.is(404);
    shop.put("/items/new", json!({ "price": 10 })).await.is(200);
    let new = shop.get("/prices/new/prior-price?market=fi&price=9").await.is(200);
    assert_eq!(new["may_announce"], false, "too new: {new}");
}

#[tokio::test]
async fn prices_are_tried_for_everybody_alike_and_the_ledger_says_with_what_chance() {
    let mut shop = lively_with(|config| {
        config.pricing.explore = true;
        config.pricing.explore_share = 1.0;
        config.pricing.dwell_days = 7.0;
        config.pricing.explore_loss_max = 0.1;
    })
    .await;
    let mut drawn = Vec::new();
    for _ in 0..12 {
        shop.reprice().await;
        shop.clock.advance_ms(7 * DAY_MS + 1);
        // Somebody is there, so that what was learned does not grow old.
        shop.post("/events", json!({ "type": "view", "user": "u", "item": "hot" })).await.is(200);
        shop.train().await;
    }
    let history = shop.get("/prices/hot/history").await.is(200);
    for entry in history["prices"].as_array().unwrap() {
        assert_eq!(entry["reason"] == "trial", entry["propensity"].is_number(), "{entry}");
        drawn.extend(entry["propensity"].as_f64());
    }
    assert!(!drawn.is_empty(), "{history}");
    assert!(drawn.iter().all(|chance| 0.0 < *chance && *chance <= 1.0));
    for entry in history["prices"].as_array().unwrap() {
        let price: f64 = entry["price"]["amount"].as_str().unwrap().parse().unwrap();
        assert!((7.0..=14.0).contains(&price));
    }
    let elasticity = shop.get("/items/hot/elasticity").await.is(200);
    assert!(elasticity["demand"]["n_randomised"].as_u64().unwrap() >= 1, "{elasticity}");
}

#[tokio::test]
async fn competitors_prices_bound_the_price_where_the_shop_wants_it() {
    let shop = lively_with(|config| config.pricing.corridor = vec![0.9, 1.1]).await;
    let seen = json!([
        { "item": "hot", "competitor": "acme", "price": 13, "shipping": 0, "in_stock": true },
        { "item": "hot", "competitor": "bold", "price": "13.50", "condition": "new", "match_confidence": 0.9 },
        { "item": "hot", "competitor": "junk", "price": "0.01" },
        { "item": "hot", "competitor": "gone", "price": 9, "in_stock": false },
        { "item": "hot", "competitor": "odd", "price": 9, "condition": "broken" },
    ]);
    let taken = shop.post("/competitor-prices", seen).await.is(200);
    assert_eq!((&taken["accepted"], &taken["rejected"][0]["index"]), (&json!(4), &json!(4)));
    let told = shop.get("/prices/hot/explanation").await.is(200);
    let rail = told["rails"].as_array().unwrap().iter().find(|rail| rail["rail"] == "corridor");
    let low = rail.unwrap()["after"]["low"]["amount"].as_str().unwrap().to_owned();
    assert_eq!(low, "11.70", "nine tenths of the lowest offer that counts: {told}");
    assert!(told["ages_hours"]["competitors"].as_f64().unwrap() < 1.0);
    shop.reprice().await;
    assert_eq!(amount(&shop, "hot").await, "11.70");
}
