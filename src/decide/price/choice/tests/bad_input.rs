//! What cannot be reckoned with: a safe price, a reason, never a panic.

use super::*;

fn with(change: impl Fn(&mut Case)) -> Choice {
    let mut case = case();
    let price = Some(Cents(1200));
    case.past = Past { current: price, day_ago: price, month_ago: price, ..case.past };
    change(&mut case);
    choose(&case)
}

fn believing(change: impl Fn(&mut DemandBelief)) -> Choice {
    with(|case| change(case.demand.as_mut().unwrap()))
}

#[test]
fn a_belief_that_is_not_a_number_keeps_the_price() {
    for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for choice in [
            believing(|belief| belief.coefficients[0] = broken),
            believing(|belief| belief.coefficients[1] = broken),
            believing(|belief| belief.coefficients[2] = broken),
            believing(|belief| belief.covariance.0[2] = broken),
            believing(|belief| belief.covariance.0[3] = broken),
            believing(|belief| belief.bounds[0][1] = broken),
            believing(|belief| belief.reference_price = broken),
            believing(|belief| belief.reference_competitor = Some(broken)),
            believing(|belief| belief.evidence.as_mut().unwrap().price_max = broken),
            believing(|belief| belief.bounds[0] = [-0.2, -8.0]),
            believing(|belief| belief.covariance.0[2] = -1.0),
            believing(|belief| belief.reference_price = 0.0),
        ] {
            assert_eq!(choice.price, Some(Cents(1200)));
            assert_eq!(choice.status, ChoiceStatus::UnknownDemand);
            assert_eq!(choice.notes[0], ChoiceNote::DemandBroken);
        }
    }
}

#[test]
fn a_belief_beyond_all_measure_stays_finite() {
    for (at, extreme) in [(0, 1e300), (0, -1e300), (1, -1e300), (1, 1e300), (2, 1e300)] {
        let choice = believing(|belief| {
            belief.coefficients[at] = extreme;
            belief.bounds = [[-1e300, 1e300]; 2];
        });
        let price = choice.price.unwrap();
        assert!((Cents(1080)..=Cents(1320)).contains(&price), "{choice:?}");
        assert!(choice.curve.iter().all(|point| point.objective.is_finite()));
    }
    let wide = believing(|belief| belief.covariance = Symmetric3([1e300; 6]));
    assert!(wide.price.is_some());
}

#[test]
fn rules_that_are_not_numbers_keep_the_price() {
    type Change = fn(&mut ChoicePolicy);
    let changes: [Change; 9] = [
        |policy| policy.step_max = f64::NAN,
        |policy| policy.step_30d_max = -1.0,
        |policy| policy.margin_floor = f64::INFINITY,
        |policy| policy.fee_share = 1.5,
        |policy| policy.salvage_share = f64::NAN,
        |policy| policy.corridor = Some([f64::NAN, 1.0]),
        |policy| policy.explore.loss_max = f64::NAN,
        |policy| policy.explore.dwell_days = f64::INFINITY,
        |policy| policy.goal = Goal::Mixture(f64::NAN),
    ];
    for change in changes {
        let choice = with(|case| change(&mut case.policy));
        assert_eq!((choice.price, choice.status), (Some(Cents(1200)), ChoiceStatus::Kept));
        assert_eq!(choice.notes, [ChoiceNote::PolicyBroken]);
    }
}

#[test]
fn what_is_missing_is_named() {
    let choice = with(|case| (case.past.current, case.list) = (None, None));
    assert_eq!((choice.price, choice.status), (None, ChoiceStatus::NoListPrice));
    let choice = with(|case| case.demand = None);
    assert_eq!((choice.price, choice.status), (Some(Cents(1200)), ChoiceStatus::UnknownDemand));
    let choice = with(|case| case.cost = None);
    assert_eq!((choice.price, choice.notes[0]), (Some(Cents(1200)), ChoiceNote::NoGuardRails));
    let choice = with(|case| {
        case.cost = None;
        case.limits.price_min = Some(Cents(500));
    });
    assert_eq!((choice.price, choice.notes[0]), (Some(Cents(1200)), ChoiceNote::CostUnknown));
    assert_eq!(choice.status, ChoiceStatus::CostUnknown);
    // Revenue does without cost where the merchant says how low a price may go.
    let choice = with(|case| {
        case.cost = None;
        case.limits.price_min = Some(Cents(500));
        case.policy.goal = Goal::Revenue;
    });
    assert_eq!((choice.price, choice.status), (Some(Cents(1080)), ChoiceStatus::Moved));
    assert!(choice.curve.iter().all(|point| point.profit.is_none()));
    let choice = with(|case| case.cost = Some(Cents(-600)));
    assert_eq!(choice.status, ChoiceStatus::CostUnknown, "a cost below 0 is none");
}

#[test]
fn an_item_without_a_price_in_force_starts_from_its_list_price() {
    let choice = with(|case| case.past = Past::default());
    assert_eq!((choice.price, choice.status), (Some(Cents(1000)), ChoiceStatus::Kept));
    assert_eq!(choice.change, None);
    let choice = with(|case| {
        case.past = Past::default();
        case.list = Some(Cents(1200));
    });
    assert_eq!(choice.price, Some(Cents(1080)));
}

#[test]
fn a_price_that_is_none_stays_but_for_bounds() {
    for price in [0, -500, i64::MIN] {
        let choice = with(|case| {
            case.past.current = Some(Cents(price));
            case.cost = None;
        });
        assert_eq!((choice.price, choice.status), (Some(Cents(price)), ChoiceStatus::Kept));
        assert_eq!(choice.notes[0], ChoiceNote::NotAPrice);
        let choice = with(|case| case.past.current = Some(Cents(price)));
        assert_eq!(choice.price, Some(Cents(630)), "never below cost and its margin");
    }
    let choice = with(|case| case.past.current = Some(Cents(i64::MAX)));
    assert!(choice.price.is_some());
}

#[test]
fn a_price_of_another_unit_is_not_touched() {
    // Cents for euros, or another currency: the evidence is of something else.
    for price in [120_000, 12] {
        let choice = with(|case| {
            case.past.current = Some(Cents(price));
            case.cost = Some(Cents(5));
        });
        assert_eq!(
            (choice.price, choice.status),
            (Some(Cents(price)), ChoiceStatus::UnknownDemand)
        );
        assert_eq!(choice.notes[0], ChoiceNote::EvidenceElsewhere);
    }
}

#[test]
fn without_evidence_the_price_stays() {
    // Its price never moved, or only together with promotions, or nothing was sold: all of these are graded E.
    let choice = believing(|belief| belief.evidence.as_mut().unwrap().grade = Grade::E);
    assert_eq!((choice.price, choice.status), (Some(Cents(1200)), ChoiceStatus::Kept));
    assert_eq!(choice.notes[0], ChoiceNote::NoEvidence);
    assert_eq!(choice.best.unwrap().price, Cents(1080), "what it would be");
    let choice = believing(|belief| belief.evidence = None);
    assert_eq!((choice.price, choice.status), (Some(Cents(1200)), ChoiceStatus::Kept));
    assert_eq!(choice.change, None);
}
