//! Prices on trial: what was drawn by lot tells how demand answers, where history misleads.

use crate::support::shop::Shop;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;
const N_ITEMS: u64 = 24;

/// Whether more is wanted of an item in a week than usual, whatever it costs: by chance.
fn is_wanted(item: u64, week: u64) -> bool {
    let mixed = (item * 7_919 + week * 104_729 + 17).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40).is_multiple_of(2)
}

/// A week of sales at the prices in force; demand falls with the third power of the price.
async fn week(shop: &Shop, week: u64) {
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
            let user = format!("u{}", (sale + item as i64) % 40);
            events.push(json!({ "user": user, "item": names[item as usize], "timestamp": at }));
        }
    }
    shop.clock.advance_ms(7 * DAY_MS);
    for batch in events.chunks(1_000) {
        shop.post("/events/purchase", batch.into()).await.is(200);
    }
}

#[tokio::test]
async fn where_history_misleads_the_prices_drawn_by_lot_tell_how_demand_answers() {
    let mut shop = Shop::with(|config| {
        config.pricing.enabled = true;
        config.pricing.explore = true;
        config.pricing.explore_share = 0.5;
        config.pricing.explore_loss_max = 0.1;
        config.pricing.moved_share_max = 1.0;
    })
    .await;
    // To the beginning of a week, so that each price has one to itself.
    shop.clock.advance_ms(3 * DAY_MS + DAY_MS / 2);
    // A merchant who asks more whenever more is wanted: dear weeks lose fewer buyers than their price drives away.
    for now in 0..20 {
        let row = |item| {
            let price = if is_wanted(item, now) { 12 } else { 9 };
            json!({ "item": format!("i{item}"), "price": price, "cost": 6, "price_min": 8, "price_max": 14 })
        };
        let rows: Vec<Value> = (0..N_ITEMS).map(row).collect();
        assert_eq!(shop.post("/items", rows.into()).await.is(200)["accepted"], N_ITEMS);
        week(&shop, now).await;
    }
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
        week(&shop, now).await;
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
