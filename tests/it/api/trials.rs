//! Prices on trial: what was drawn by lot tells how demand answers, where history misleads.

use crate::support::shop::Shop;
use serde_json::{Value, json};
use shopkeeper::domain::RunOutcome;

const DAY_MS: i64 = 86_400_000;
const N_ITEMS: u64 = 24;

/// Whether more is wanted of an item in a week than usual, whatever it costs: by chance.
fn is_wanted(item: u64, week: u64) -> bool {
    let mixed = (item * 7_919 + week * 104_729 + 17).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40).is_multiple_of(2)
}

/// Who buys what.
#[derive(Clone, Copy)]
enum Taste {
    Own,
    None,
}

/// A week of sales at the prices in force; demand falls with the third power of the price.
async fn week(shop: &Shop, week: u64, taste: Taste) {
    let names: Vec<String> = (0..N_ITEMS).map(|item| format!("i{item}")).collect();
    let quotes = shop.post("/prices", json!({ "items": names })).await.is(200);
    let now = shop.now().0;
    let mut events: Vec<Value> = Vec::new();
    for (item, quote) in (0..N_ITEMS).zip(quotes["prices"].as_array().unwrap()) {
        let price: f64 = quote["price"]["amount"].as_str().unwrap().parse().unwrap();
        let wanted = if is_wanted(item, week) { 1.15 } else { 0.87 };
        let n = (40.0 * wanted * (10.0 / price).powi(3)).round() as i64;
        for sale in 0..n {
            let at = now + (sale + 1) * (6 * DAY_MS / (n + 1));
            // Neighbours buy what neighbours bought, and tastes wander; or everybody buys anything.
            let user = match taste {
                Taste::Own => (sale % 16 + item as i64 + week as i64 / 2) % 40,
                Taste::None => (sale + 1) * (item as i64 + 3) * (week as i64 + 7) % 47,
            };
            let user = format!("u{user}");
            events.push(json!({ "user": user, "item": names[item as usize], "timestamp": at }));
        }
    }
    shop.clock.advance_ms(7 * DAY_MS);
    for batch in events.chunks(1_000) {
        shop.post("/events/purchase", batch.into()).await.is(200);
    }
}

/// A shop that tries prices, after 20 weeks of a merchant who asks more whenever more is wanted: dear weeks lose fewer
/// buyers than their price drives away.
async fn misled() -> Shop {
    let shop = Shop::with(|config| {
        config.pricing.enabled = true;
        config.pricing.explore = true;
        config.pricing.explore_share = 0.5;
        config.pricing.explore_loss_max = 0.1;
        config.pricing.moved_share_max = 1.0;
    })
    .await;
    // To the beginning of a week, so that each price has one to itself.
    shop.clock.advance_ms(3 * DAY_MS + DAY_MS / 2);
    for now in 0..20 {
        let row = |item| {
            let price = if is_wanted(item, now) { 12 } else { 9 };
            json!({ "item": format!("i{item}"), "price": price, "cost": 6, "price_min": 8, "price_max": 14 })
        };
        let rows: Vec<Value> = (0..N_ITEMS).map(row).collect();
        assert_eq!(shop.post("/items", rows.into()).await.is(200)["accepted"], N_ITEMS);
        week(&shop, now, Taste::Own).await;
    }
    shop
}

#[tokio::test]
async fn where_history_misleads_the_prices_drawn_by_lot_tell_how_demand_answers() {
    let mut shop = misled().await;
    let run = shop.train().await;
    assert_eq!(run.version, Some(1), "{}", run.reason);
    let before = shop.get("/items/i0/elasticity").await.is(200);
    let own = |told: &Value| told["demand"]["own"]["mean"].as_f64().unwrap();
    assert!(
        own(&before) > -2.4,
        "history alone says that prices matter less than they do: {before}"
    );
    assert_eq!(before["bias_meter"], Value::Null);
    let mut n_drawn = 0;
    for now in 20..44 {
        shop.reprice().await;
        let explained = shop.get("/prices/i0/explanation").await.is(200);
        if explained["trial"]["in_force_is_drawn"] == true {
            n_drawn += 1;
            let chance = explained["trial"]["in_force_propensity"].as_f64().unwrap();
            assert!(0.0 < chance && chance < 1.0, "{explained}");
        }
        week(&shop, now, Taste::Own).await;
        let run = shop.train().await;
        assert!(run.version.is_some(), "{}", run.reason);
    }
    assert!(n_drawn >= 4, "of 24 weeks {n_drawn} were drawn");
    let after = shop.get("/items/i0/elasticity").await.is(200);
    let meter = &after["bias_meter"];
    assert_eq!(meter["experiment_wins"], true, "{after}");
    let [observed, drawn] =
        ["observational", "experimental"].map(|of| meter[of][0].as_f64().unwrap());
    assert!(observed > -2.4 && (-4.0..-2.4).contains(&drawn), "{after}");
    assert!((own(&after) + 3.0).abs() < 0.6, "the experiment counts: {after}");
}

#[tokio::test]
async fn demand_is_learned_anew_though_new_lists_are_refused() {
    let mut shop = misled().await;
    let run = shop.train().await;
    assert_eq!(run.version, Some(1));
    let trained_at = |list: &Value| list["model"]["trained_at"].clone();
    let list = async |shop: &Shop| shop.get("/recommendations/u1").await.is(200);
    let first = list(&shop).await;
    let mut late = shop.beside().await;
    shop.put("/items/late", json!({ "price": 10, "cost": 6, "price_max": 14 })).await.is(200);
    // What shoppers buy next is nobody's taste, so that no list foresees it.
    let mut refused = None;
    for now in 20..23 {
        for n in 0..9 {
            let user = format!("u{}", (now * 7 + n * 11) % 40);
            shop.act(&user, "purchase", "late").await;
        }
        week(&shop, now, Taste::None).await;
        let run = shop.train().await;
        if run.reason.contains("the lists stay as they are") {
            refused = run.version;
            break;
        }
    }
    let version = refused.expect("lists of these weeks are worse");
    let (second, told) = (list(&shop).await, shop.get("/items/late/elasticity").await.is(200));
    assert_eq!(second["model"]["version"], version);
    assert_eq!(trained_at(&second), trained_at(&first), "the lists are those of before");
    assert_eq!(
        told["demand"]["effective_weeks"].as_f64().map(|weeks| weeks > 0.5),
        Some(true),
        "{told}"
    );
    let ages = shop.get("/prices/late/explanation").await.is(200)["ages_hours"].clone();
    assert!(ages["learned_from"].as_f64().unwrap() < 48.0, "{ages}");
    // A process that has not seen this version does not bring back the lists of the one before.
    let behind = late.train().await;
    assert_eq!((behind.outcome, behind.version), (RunOutcome::Refused, None), "{}", behind.reason);
    assert_eq!(behind.reason, "another version is served by now");
    // It is saved, and the same events are not learned from again.
    let other = shop.beside().await;
    assert_eq!(other.get("/items/late/elasticity").await.is(200), told);
    // The search for parameters goes on meanwhile, and what it finds may be tried.
    let mut again = shop.train_by_the_clock().await;
    for _ in 0..20 {
        if again.outcome == RunOutcome::Skipped {
            break;
        }
        again = shop.train_by_the_clock().await;
    }
    assert_eq!(again.outcome, RunOutcome::Skipped, "{}", again.reason);
    let served = list(&shop).await["model"]["version"].clone();
    let versions = shop.get("/models").await.is(200)["versions"].as_array().unwrap().clone();
    assert_eq!((&versions[0], versions.last().unwrap()), (&json!(1), &served));
    assert!(versions.len() <= 3, "of one kind of lists the last two are kept: {versions:?}");
    // Once all that is held out came after the served lists, the past is no measure any more.
    for now in 23..30 {
        week(&shop, now, Taste::None).await;
    }
    let run = shop.train().await;
    assert!(!run.reason.contains("the lists stay"), "{}", run.reason);
    assert_ne!(trained_at(&list(&shop).await), trained_at(&first));
    let versions = shop.get("/models").await.is(200)["versions"].clone();
    let newest = run.version.unwrap();
    assert_eq!(versions.as_array().unwrap().last(), Some(&json!(newest)));
}
