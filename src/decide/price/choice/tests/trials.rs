//! Trials: who is tried, what it may cost, and what is told of the chances.

use super::*;
use std::collections::BTreeMap;

/// An item on trial whose elasticity is uncertain.
fn on_trial() -> Case {
    let mut case = case();
    case.demand = Some(doubtful(-2.5, 0.6));
    case.may_explore = true;
    case
}

/// The same in one slot of time after another.
fn slots(case: &Case, n: i64) -> impl Iterator<Item = Choice> {
    (0..n).map(move |slot| {
        let at = case.at.plus_ms(slot * 7 * DAY_MS);
        choose_without_curve(&Case { at, ..case.clone() })
    })
}

#[test]
fn a_trial_keeps_the_loss_budget_and_its_chances_are_those_that_happen() {
    let case = on_trial();
    let mut drawn: BTreeMap<Cents, f64> = BTreeMap::new();
    let (mut expected, mut mean, n) = (0.0, 0.0, 2000);
    for choice in slots(&case, n) {
        let trial = choice.exploration;
        assert!(trial.is_exploring(), "{choice:?}");
        assert_eq!(choice.status, ChoiceStatus::Exploring);
        assert!(trial.loss_share <= 0.02 && trial.propensity > 0.0 && trial.propensity < 1.0);
        let price = choice.price.unwrap();
        *drawn.entry(price).or_default() += trial.propensity.recip() / n as f64;
        expected += trial.expected_price.unwrap() / n as f64;
        mean += price.0 as f64 / n as f64;
    }
    // The deviation of one price is some 60 cents of 1000, so that of the mean of 2000 is 1.4.
    assert!((expected - mean).abs() < 6.0, "{expected} {mean}");
    // By slot, a price turns up as often as its chance says: the sum of 1 over it counts the prices possible.
    let total: f64 = drawn.values().sum();
    assert!(drawn.len() > 20 && total > 20.0, "{} {total}", drawn.len());
    assert!(drawn.keys().any(|&price| price < Cents(980)));
    assert!(drawn.keys().any(|&price| price > Cents(1040)));
}

#[test]
fn a_tighter_budget_keeps_prices_nearer() {
    let spread = |loss_max: f64| {
        let mut case = on_trial();
        case.policy.explore.loss_max = loss_max;
        let prices: Vec<i64> = slots(&case, 300).map(|choice| choice.price.unwrap().0).collect();
        prices.iter().max().unwrap() - prices.iter().min().unwrap()
    };
    assert!(spread(0.001) < spread(0.005), "{} {}", spread(0.001), spread(0.005));
    assert!(spread(0.005) < spread(0.02), "{} {}", spread(0.005), spread(0.02));
    // Nothing may be lost: only what is expected to be as good.
    let mut case = on_trial();
    case.policy.explore.loss_max = 0.0;
    for choice in slots(&case, 50) {
        assert!(choice.exploration.loss_share <= 0.0, "{choice:?}");
        assert!((choice.price.unwrap().0 - 1000).abs() < 30);
    }
}

#[test]
fn a_steady_price_is_moved_a_little() {
    let mut case = on_trial();
    let seen = evidence(1000.0, 1000.0);
    let steady =
        Evidence { price_sd: 0.0, price_sd_beyond_promotion: 0.0, grade: Grade::E, ..seen };
    case.demand = Some(DemandBelief { evidence: Some(steady), ..doubtful(-2.5, 0.6) });
    let mut drawn: BTreeMap<i64, u32> = BTreeMap::new();
    for choice in slots(&case, 600) {
        *drawn.entry(choice.price.unwrap().0).or_default() += 1;
        let trial = choice.exploration;
        assert!((trial.propensity - 1.0 / 6.0).abs() < 1e-12, "{trial:?}");
        assert!((trial.expected_price.unwrap() - 1000.0).abs() < 1e-9);
        assert_eq!(trial.exploit, Some(Cents(1000)), "without evidence the price stays");
    }
    assert_eq!(drawn.keys().copied().collect::<Vec<_>>(), [970, 980, 990, 1010, 1020, 1030]);
    // 100 each; the deviation of 600 lots with a chance of a sixth is 9.
    assert!(drawn.values().all(|n| (60..140).contains(n)), "{drawn:?}");
    // So it is where nothing at all was sold.
    case.demand = Some(DemandBelief { evidence: None, ..doubtful(-2.5, 0.6) });
    let choice = choose(&case);
    assert_eq!(choice.status, ChoiceStatus::Exploring);
    assert_eq!((choice.change, choice.curve.len()), (None, 0), "no level, no money");
    // One ending in reach: chance says whether to.
    case.policy.endings = vec![50];
    for choice in slots(&case, 20) {
        let trial = choice.exploration;
        let price = choice.price.unwrap();
        assert!([Cents(1000), Cents(950), Cents(1050)].contains(&price), "{choice:?}");
        assert!((trial.propensity - 0.5).abs() < 1e-12);
    }
}

#[test]
fn who_is_sure_of_one_price_still_tries_its_neighbours() {
    // Hardly any answer to the price: every draw wants the highest one allowed.
    let mut case = on_trial();
    case.demand = Some(doubtful(-1.05, 0.01));
    case.limits.price_max = Some(Cents(1040));
    let mut drawn: BTreeMap<i64, u32> = BTreeMap::new();
    for choice in slots(&case, 200) {
        let trial = choice.exploration;
        assert_eq!(trial.exploit, Some(Cents(1040)), "{choice:?}");
        assert!(trial.is_exploring() && trial.propensity < 1.0 && trial.loss_share <= 0.02);
        *drawn.entry(choice.price.unwrap().0).or_default() += 1;
    }
    assert!(
        drawn.len() > 1 && drawn.keys().all(|price| (1000..=1040).contains(price)),
        "{drawn:?}"
    );
}

#[test]
fn nothing_is_tried_where_it_may_not_be() {
    let why = |change: fn(&mut Case)| {
        let mut case = on_trial();
        change(&mut case);
        let choice = choose(&case);
        assert!((choice.exploration.propensity - 1.0).abs() < f64::EPSILON);
        assert_eq!(choice.exploration.expected_price, None);
        assert_ne!(choice.status, ChoiceStatus::Exploring);
        choice.exploration.not_exploring.unwrap()
    };
    assert_eq!(why(|case| case.may_explore = false), NoTrial::NotDrawn);
    assert_eq!(why(|case| case.policy.explore.enabled = false), NoTrial::Disabled);
    assert_eq!(why(|case| case.past.since = Some(NOW.plus_ms(-3 * DAY_MS))), NoTrial::Dwell);
    assert_eq!(why(|case| case.past.sold_out_at = Some(NOW)), NoTrial::SoldOut);
    assert_eq!(why(|case| case.past.sold_out_at = Some(NOW.plus_ms(-DAY_MS))), NoTrial::CoolDown);
    assert_eq!(why(|case| case.is_promoted = true), NoTrial::Promoted);
    let sold_out = why(|case| {
        case.stock = Some(Stock { units: 0, weeks_to_delivery: None, weeks_to_end: None });
    });
    assert_eq!(sold_out, NoTrial::SoldOut);
    assert_eq!(why(|case| case.limits.price_min = Some(Cents(2000))), NoTrial::NotFree);
    assert_eq!(why(|case| case.cost = None), NoTrial::NotFree);
    assert_eq!(why(|case| case.limits.is_frozen = true), NoTrial::OnePrice);
}

#[test]
fn trials_go_on_a_dwell_time_after_the_item_came_back() {
    let tried = |ago_ms: i64| {
        let mut case = on_trial();
        case.past.sold_out_at = Some(NOW.plus_ms(-ago_ms));
        choose(&case).exploration.not_exploring
    };
    assert_eq!(tried(7 * DAY_MS - 1), Some(NoTrial::CoolDown));
    assert_eq!(tried(7 * DAY_MS), None);
}

#[test]
fn a_price_stays_for_its_dwell_time_unless_bounds_force_it() {
    let mut case = case();
    let price = Some(Cents(1200));
    let since = Some(NOW.plus_ms(-6 * DAY_MS));
    case.past = Past { current: price, day_ago: price, month_ago: price, since, sold_out_at: None };
    let choice = choose(&case);
    assert_eq!((choice.price, choice.status), (price, ChoiceStatus::Kept));
    assert_eq!(choice.notes[0], ChoiceNote::Dwell);
    assert_eq!(choice.best.unwrap().price, Cents(1080), "what it would be");
    case.past.since = Some(NOW.plus_ms(-7 * DAY_MS));
    assert_eq!(choose(&case).price, Some(Cents(1080)));
    case.past.since = since;
    case.limits.price_max = Some(Cents(1150));
    assert_eq!(choose(&case).status, ChoiceStatus::Moved);
}

#[test]
fn a_gain_that_may_be_a_loss_is_not_worth_a_change() {
    let mut case = case();
    // Whether up or down is better depends on which side of -2.5 the elasticity is.
    case.demand = Some(doubtful(-2.45, 0.5));
    let choice = choose(&case);
    assert_eq!((choice.price, choice.status), (Some(Cents(1000)), ChoiceStatus::Kept));
    assert_eq!(choice.notes[0], ChoiceNote::GainIsNoise, "{choice:?}");
    let change = choice.best.unwrap().change.unwrap();
    assert!(change.q10 < 0.0 && change.q90 > 0.0, "{change:?}");
}
