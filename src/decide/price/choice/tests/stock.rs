//! Stock in a price.

use super::{markdown::Markdown, *};

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
        left: LeftOver { units: 40, weeks: 8, salvage: 500.0 },
        base: 3.0,
        reference_price: 5000.0,
        elasticity: -2.5,
    };
    let (price, value) = single.best_single_price([2000.0, 8000.0]);
    assert!((choice.price.unwrap().0 as f64 - price).abs() <= 2.0, "{price}");
    assert!(single.value_at(choice.price.unwrap().0 as f64) >= value - 1.0);
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

#[test]
fn a_plan_keeps_the_rules_and_its_path_is_not_worse_than_its_price() {
    let left = Clearance { units: 40, weeks: 8.0, salvage: 500.0 };
    let plan = plan_markdown(&markdown(), left).unwrap();
    // The reference's price and money, in minor units.
    assert!((plan.single.0.0 - 4040).abs() <= 1, "{:?}", plan.single);
    assert!((plan.single.1 - 154_118.0).abs() < 1.0, "{:?}", plan.single);
    let (price, value) = plan.now.unwrap();
    assert!(price == Cents(5000) && (value - 127_990.0).abs() < 1.0, "{value}");
    let path = plan.path.value(8, 40).unwrap();
    assert!(path > plan.single.1 && path < 1.05 * plan.single.1, "{path}");
    let fewer = plan.path.price(8, 4).unwrap();
    assert!(fewer > plan.path.price(8, 40).unwrap(), "what is scarce is not cheap: {fewer}");
    // Bounds and endings hold for every price of it.
    let mut case = markdown();
    case.limits.price_min = Some(Cents(4200));
    case.policy.endings = vec![99];
    let plan = plan_markdown(&case, left).unwrap();
    assert!((4299..4400).contains(&plan.single.0.0), "{:?}", plan.single);
    for weeks in 1..=8 {
        for units in 1..=40 {
            let price = plan.path.price(weeks, units).unwrap() as i64;
            assert!(price >= 4200 && (price % 100 == 99 || price == 5000), "{price}");
        }
    }
    // Fees are no money of the shop's.
    case.policy.fee_share = 0.1;
    let less = plan_markdown(&case, left).unwrap();
    let shares = [less.single.1 / plan.single.1, less.now.unwrap().1 / plan.now.unwrap().1];
    assert!(shares.iter().all(|share| (0.89..0.95).contains(share)), "{shares:?}");
}

#[test]
fn without_evidence_or_room_there_is_no_plan() {
    let left = Clearance { units: 40, weeks: 8.0, salvage: 500.0 };
    let because = |change: &dyn Fn(&mut Case)| {
        let mut case = markdown();
        change(&mut case);
        plan_markdown(&case, left).unwrap_err()
    };
    assert_eq!(because(&|case| case.demand = None), NoPlan::Because(ChoiceNote::DemandUnknown));
    assert_eq!(
        because(&|case| (case.past, case.list) = (Past::default(), None)),
        NoPlan::Because(ChoiceNote::NoListPrice)
    );
    let clash = because(&|case| {
        (case.limits.price_min, case.limits.recommended_max) = (Some(Cents(90)), Some(Cents(80)));
    });
    assert!(matches!(clash, NoPlan::Because(ChoiceNote::Clash(_))), "{clash:?}");
    let forever = Clearance { units: 2_000, weeks: 520.0, salvage: 0.0 };
    let error = plan_markdown(&markdown(), forever).unwrap_err();
    let NoPlan::Markdown(MarkdownError::TooMuch { units_max, .. }) = error else {
        panic!("{error:?}")
    };
    let most = Clearance { units: units_max, ..forever };
    assert!(units_max > 100 && plan_markdown(&markdown(), most).is_ok(), "{units_max}");
}

#[test]
fn a_part_of_a_week_sells_a_part_of_it() {
    let plan = |weeks| {
        plan_markdown(&markdown(), Clearance { units: 1_000, weeks, salvage: 0.0 }).unwrap()
    };
    // With so much on hand nothing runs out, and what is sold goes with the time.
    let [day, week, long] = [1.0 / 7.0, 1.0, 2.5].map(|weeks| plan(weeks).now.unwrap().1);
    assert!((7.0 * day / week - 1.0).abs() < 1e-9 && (long / week - 2.5).abs() < 1e-9);
    assert_eq!(plan(2.5).left.weeks, 3);
}

#[test]
fn endings_beyond_what_is_believed_are_better_than_none() {
    let mut case = markdown();
    case.policy.endings = vec![99];
    case.policy.step_max = 0.1;
    // Believed are 44.10 to 53.90, the merchant allows 54.00 to 60.00: the next ending beyond is 54.99.
    if let Some(demand) = &mut case.demand {
        demand.evidence = Some(evidence(4_900.0, 4_900.0));
    }
    case.limits.price_min = Some(Cents(5_400));
    case.limits.price_max = Some(Cents(6_000));
    let plan = plan_markdown(&case, Clearance { units: 5, weeks: 2.0, salvage: 0.0 }).unwrap();
    assert!(plan.single.0 == Cents(5_499), "{:?}", plan.single);
    case.limits.price_max = Some(Cents(5_450));
    let none = plan_markdown(&case, Clearance { units: 5, weeks: 2.0, salvage: 0.0 });
    assert_eq!(none.unwrap_err(), NoPlan::Because(ChoiceNote::NoEnding));
}
