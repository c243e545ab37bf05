//! Stock in a price.

use super::*;

/// The markdown of MERCHANDISING in minor units: 40 units for 8 weeks, 3 a week at 50.00, salvage 5.00.
fn markdown() -> Case {
    let mut case = free_case();
    let elsewhere = Some(evidence(2000.0, 8000.0));
    case.demand = Some(DemandBelief {
        coefficients: [3.0_f64.ln(), -2.5, 0.0],
        reference_price: 5000.0,
        evidence: elsewhere,
        ..belief(-2.5)
    });
    (case.cost, case.list) = (Some(Cents(2000)), Some(Cents(5000)));
    case.policy.salvage_share = 0.25;
    let price = Some(Cents(5000));
    case.past = Past { current: price, day_ago: price, month_ago: price, ..case.past };
    case.limits.is_clearance = true;
    case.stock = Some(Stock { units: 40, weeks_to_delivery: None, weeks_to_end: Some(8.0) });
    case
}

#[test]
fn the_price_of_a_markdown_is_the_best_single_price() {
    let choice = choose(&markdown());
    // 40.40 by the reference; 8 cents are 2e-3 of it, within which the value is flat to 1e-6.
    assert!((choice.price.unwrap().0 - 4040).abs() <= 8, "{choice:?}");
    let single = Markdown {
        units: 40,
        weeks: 8,
        base: 3.0,
        reference_price: 5000.0,
        elasticity: -2.5,
        salvage: 500.0,
    };
    let best = single.best_single_price([2000.0, 8000.0]).unwrap();
    assert!((choice.price.unwrap().0 as f64 - best.price).abs() <= 2.0, "{best:?}");
    let value = single.value_at(choice.price.unwrap().0 as f64);
    assert!(value >= best.value - 1.0);
}

#[test]
fn a_shadow_price_lies_between_salvage_and_price() {
    let shadow = |units| {
        let mut case = markdown();
        case.stock = Some(Stock { units, weeks_to_delivery: None, weeks_to_end: Some(8.0) });
        let choice = choose(&case);
        (choice.shadow_price, choice.price.unwrap().0, choice.notes)
    };
    let (ample, low, notes) = shadow(4000);
    assert!((ample + 1500.0).abs() < 1e-6, "all that a unit loses beyond its salvage: {ample}");
    assert!(notes.contains(&ChoiceNote::StockAmple));
    let (scarce, high, notes) = shadow(5);
    assert!(scarce > 1000.0 && notes.contains(&ChoiceNote::StockScarce), "{scarce}");
    let mut before = (ample, low);
    for units in [400, 100, 60, 40, 20, 10, 5] {
        let (now, price, _) = shadow(units);
        assert!(now >= before.0 - 1e-6 && price >= before.1, "{units}: {now} {price}");
        before = (now, price);
    }
    assert_eq!(before.1, high);
}

#[test]
fn stock_that_lasts_to_the_delivery_changes_nothing() {
    let price = |stock| {
        let mut case = free_case();
        case.stock = stock;
        choose(&case).price
    };
    let plain = price(None);
    let stock = |units, delivery, end| {
        Some(Stock { units, weeks_to_delivery: delivery, weeks_to_end: end })
    };
    assert_eq!(price(stock(500, Some(4.0), None)), plain);
    assert_eq!(price(stock(5, None, None)), plain, "nobody knows for how long it should last");
    assert!(price(stock(5, Some(4.0), None)) > plain);
    // More comes before the end, and all of it will sell: scarce only until then.
    assert_eq!(price(stock(5, Some(4.0), Some(40.0))), price(stock(5, Some(4.0), None)));
    assert!(price(stock(500, Some(1.0), Some(2.0))) < plain);
    for broken in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
        for stock in [stock(5, Some(broken), None), stock(5, None, Some(broken))] {
            assert!(price(stock).is_some());
        }
    }
    assert_eq!(price(stock(0, Some(4.0), Some(8.0))), plain, "no price sells what is not there");
}
