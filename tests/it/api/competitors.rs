//! What competitors ask: taken row by row, and what counts of it is told.

use crate::support::shop::{NOW, Shop, pointers};
use serde_json::json;

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn competitors_prices_are_taken_once_and_can_be_put_right() {
    let shop = Shop::open().await;
    let rows = json!([
        { "item": "a", "competitor": "Other", "price": "9.99", "timestamp": "2026-02-01T00:00:00Z" },
        { "item": "a", "competitor": "Other", "price": "abc" },
        { "item": "a", "price": "1", "margin": 1 },
    ]);
    let answer = shop.post("/competitor-prices", rows.clone()).await.is(200);
    assert_eq!(answer["accepted"], 1);
    assert_eq!(pointers(&answer["rejected"][0]), ["/1/price"]);
    assert_eq!(pointers(&answer["rejected"][1]), ["/2/margin", "/2/competitor"]);
    assert_eq!(shop.post("/competitor-prices", rows.clone()).await.is(200)["duplicates"], 1);
    // What was wrong is sent again and put right; two prices at one time contradict each other.
    let mut right = rows[0].clone();
    right["price"] = json!("8.88");
    let rows = json!([right, right, rows[0]]);
    let answer = shop.post("/competitor-prices", rows).await.is(200);
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(1), &json!(1)));
    assert_eq!(pointers(&answer["rejected"][0]), ["/2/price"]);
    assert_eq!(shop.get("/status").await.is(200)["data"]["competitor_prices"], 1);
}

#[tokio::test]
async fn which_offers_count_is_told_and_why_the_others_do_not() {
    for shop in [Shop::open().await, Shop::on_postgres().await] {
        shop.put("/items/a", json!({ "price": 12, "cost": 8 })).await.is(200);
        shop.get("/competitor-prices/never").await.is(404);
        let none = shop.get("/competitor-prices/a").await.is(200);
        assert_eq!((&none["index"], &none["used"]), (&json!(null), &json!([])));
        let row = |competitor: &str, price: f64, hours: i64| {
            let at = NOW.plus_ms(-hours * HOUR_MS).0;
            json!({ "item": "a", "competitor": competitor, "price": price, "timestamp": at })
        };
        let mut gone = row("gone", 11.5, 1);
        gone["in_stock"] = json!(false);
        let mut with_shipping = row("near", 10.9, 3);
        (with_shipping["shipping"], with_shipping["in_stock"]) = (json!("0.60"), json!(true));
        let rows = json!([
            row("cents", 1190.0, 1),
            row("tenfold", 119.0, 1),
            row("penny", 0.01, 1),
            row("old", 11.9, 24 * 30),
            row("far", 12.5, 2),
            row("middle", 12.1, 2),
            row("near", 3.0, 5),
            gone,
            with_shipping,
        ]);
        assert_eq!(shop.post("/competitor-prices", rows).await.is(200)["accepted"], 9);
        let market = shop.get("/competitor-prices/a").await.is(200);
        let refused = market["refused"].as_array().unwrap().iter();
        let refused: Vec<(&str, &str)> = refused
            .map(|offer| (offer["competitor"].as_str().unwrap(), offer["kind"].as_str().unwrap()))
            .collect();
        assert_eq!(
            refused,
            [
                ("cents", "unit_mix_up"),
                ("gone", "out_of_stock"),
                ("old", "stale"),
                ("penny", "below_cost"),
                ("tenfold", "far_from_ours"),
            ]
        );
        assert_eq!((&market["superseded"], &market["may_follow"]), (&json!(1), &json!(true)));
        let used = market["used"].as_array().unwrap();
        let near = used.iter().find(|offer| offer["competitor"] == "near").unwrap();
        assert_eq!((&near["delivered"]["amount"], &near["flags"]), (&json!("11.50"), &json!([])));
        let far = used.iter().find(|offer| offer["competitor"] == "far").unwrap();
        assert_eq!(far["flags"], json!(["shipping_assumed", "stock_unknown"]));
        assert_eq!((used.len(), &market["index"]["amount"]), (3, &json!("11.50")));
    }
}
