//! Guard-rails: what they allow, what they cost, and what happens where they contradict each other.

use super::*;

/// The optimum, at an elasticity of -2.5, is 10.00: so at 12.00 a price wants down.
fn dear() -> Case {
    let mut case = case();
    let price = Some(Cents(1200));
    case.past = Past { current: price, day_ago: price, month_ago: price, ..case.past };
    case
}

fn clash(choice: &Choice) -> Option<(Rail, Rail)> {
    match choice.status {
        ChoiceStatus::Infeasible(clash) => Some((clash.first, clash.second)),
        _ => None,
    }
}

#[test]
fn a_step_is_the_farthest_a_price_goes_at_once() {
    let choice = choose(&dear());
    assert_eq!((choice.price, choice.status), (Some(Cents(1080)), ChoiceStatus::Moved));
    assert_eq!(choice.unconstrained, Some(Cents(1000)));
    let step = choice.rails.iter().find(|effect| effect.rail == Rail::Step).unwrap();
    assert_eq!((step.before.low, step.after.low), (Cents(630), Cents(1080)));
    assert_eq!((step.best_before, step.best_after), (Some(Cents(1000)), Some(Cents(1080))));
    // 400 · 10 at 10.00, and 480 · 10 · 1.08^-2.5 at 10.80.
    let lost = 4000.0 - 4800.0 * 1.08_f64.powf(-2.5);
    assert!((step.cost_per_week.unwrap() - lost).abs() < 1e-6 * lost, "{step:?}");
    let others = choice.rails.iter().filter(|effect| effect.rail != Rail::Step);
    assert!(others.clone().count() > 0);
    assert!(others.clone().all(|effect| effect.cost_per_week.is_none()), "they took nothing");
    let gained = 4800.0 * 1.08_f64.powf(-2.5) - 6000.0 * 1.2_f64.powf(-2.5);
    let change = choice.change.unwrap();
    assert!((change.mean - gained).abs() < 1e-6 * gained);
    assert!((change.probability_better - 1.0).abs() < f64::EPSILON);
}

#[test]
fn thirty_days_have_a_step_of_their_own() {
    let mut case = dear();
    case.past.month_ago = Some(Cents(1500));
    case.policy.step_30d_max = 0.25;
    assert_eq!(choose(&case).price, Some(Cents(1125)));
    // Already farther than that, in a day's reach of nothing allowed: as near as a day allows.
    case.past.month_ago = Some(Cents(2500));
    let choice = choose(&case);
    assert_eq!(choice.bounds, Some(bounds(1320, 1320)));
    assert_eq!(choice.price, Some(Cents(1200)), "to stay is no step");
}

fn bounds(low: i64, high: i64) -> crate::decide::price::Bounds {
    crate::decide::price::Bounds { low: Cents(low), high: Cents(high) }
}

#[test]
fn a_price_outside_hard_bounds_is_brought_inside_at_once() {
    let mut case = dear();
    case.limits.price_min = Some(Cents(2000));
    case.limits.price_max = Some(Cents(3000));
    let choice = choose(&case);
    assert_eq!((choice.price, choice.status), (Some(Cents(2000)), ChoiceStatus::Moved));
    assert!(choice.notes.contains(&ChoiceNote::BroughtInside(Rail::Merchant)));
    assert!(choice.notes.contains(&ChoiceNote::Breach(Rail::Merchant)));
    case.policy.endings = vec![99];
    assert_eq!(choose(&case).price, Some(Cents(2099)), "with the next ending inside");
    case.limits.price_min = None;
    case.limits.price_max = Some(Cents(850));
    assert_eq!(choose(&case).price, Some(Cents(799)));
    // So it is without a word on demand.
    case.demand = None;
    let choice = choose(&case);
    assert_eq!((choice.price, choice.status), (Some(Cents(799)), ChoiceStatus::UnknownDemand));
}

#[test]
fn guard_rails_that_contradict_each_other_are_named_and_nothing_moves() {
    let with = |change: fn(&mut Case)| {
        let mut case = dear();
        change(&mut case);
        choose(&case)
    };
    let torn = with(|case| {
        case.limits.price_min = Some(Cents(1300));
        case.limits.price_max = Some(Cents(1100));
    });
    assert_eq!(clash(&torn), Some((Rail::Merchant, Rail::Merchant)));
    let floor = with(|case| {
        case.cost = Some(Cents(1300));
        case.limits.recommended_max = Some(Cents(1250));
    });
    assert_eq!(clash(&floor), Some((Rail::Contract, Rail::MarginFloor)));
    let frozen = with(|case| {
        case.limits.is_frozen = true;
        case.limits.price_max = Some(Cents(1100));
    });
    assert_eq!(clash(&frozen), Some((Rail::Frozen, Rail::Merchant)));
    let line = with(|case| {
        case.limits.price_min = Some(Cents(1150));
        case.limits.line = Some((Cents(900), Cents(1000)));
    });
    assert_eq!(clash(&line), Some((Rail::Merchant, Rail::Line)));
    for choice in [torn, floor, frozen, line] {
        assert_eq!((choice.price, choice.bounds), (Some(Cents(1200)), None), "{choice:?}");
        assert!(matches!(choice.notes[0], ChoiceNote::Clash(_)));
        assert!(!choice.exploration.is_exploring());
    }
    // Where a weak one contradicts, the strong ones still hold.
    let breached = with(|case| {
        case.limits.price_max = Some(Cents(1100));
        case.limits.line = Some((Cents(1300), Cents(1400)));
    });
    assert_eq!(clash(&breached), Some((Rail::Merchant, Rail::Line)));
    assert_eq!(breached.price, Some(Cents(1100)));
}

#[test]
fn a_frozen_price_stays() {
    let mut case = dear();
    case.limits.is_frozen = true;
    case.may_explore = true;
    let choice = choose(&case);
    assert_eq!((choice.price, choice.status), (Some(Cents(1200)), ChoiceStatus::Kept));
    assert!(choice.notes.contains(&ChoiceNote::AtRail(Rail::Frozen)), "{:?}", choice.notes);
    assert_eq!(choice.exploration.not_exploring, Some(NoTrial::OnePrice));
}

#[test]
fn cost_is_a_floor_but_for_clearance() {
    let mut case = free_case();
    case.policy.margin_floor = 0.8;
    assert_eq!(choose(&case).price, Some(Cents(1080)));
    case.limits.is_clearance = true;
    assert_eq!(choose(&case).price, Some(Cents(1000)));
    // A cost above the price: up at once, whatever the step.
    let mut case = self::case();
    case.cost = Some(Cents(1500));
    assert_eq!(choose(&case).price, Some(Cents(1575)));
}

#[test]
fn competitors_hold_a_price_but_never_lift_it() {
    let index = |price| CompetitorIndex { price, n_offers: 3, age_hours: 2.0, may_follow: true };
    let mut case = free_case();
    case.policy.corridor = Some([0.9, 1.1]);
    let price = |case: &Case, price| {
        let mut case = case.clone();
        case.competitors = Some(index(price));
        choose(&case)
    };
    assert_eq!(price(&case, 800.0).price, Some(Cents(880)));
    assert_eq!(price(&case, 1000.0).price, Some(Cents(1000)));
    let risen = price(&case, 2000.0);
    assert_eq!(risen.price, Some(Cents(1000)), "they rose to 20.00, and nothing follows");
    case.past.current = Some(Cents(1200));
    assert_eq!(price(&case, 2000.0).price, Some(Cents(1200)), "nor falls farther below");
    // Not while a rival answers our own moves.
    case.competitors = Some(CompetitorIndex { may_follow: false, ..index(800.0) });
    let choice = choose(&case);
    assert_eq!(choice.price, Some(Cents(1000)));
    assert!(choice.notes.contains(&ChoiceNote::CompetitorsNotFollowed));
    // A cent, ten times the price, a number that is none: not of this item.
    for odd in [1.0, 12_000.0, 299.0, f64::NAN, f64::INFINITY, -5.0] {
        let choice = price(&case, odd);
        assert_eq!(choice.price, Some(Cents(1000)), "{odd}");
        assert!(choice.notes.contains(&ChoiceNote::CompetitorsOdd));
    }
}

#[test]
fn a_corridor_and_a_line_out_of_reach_are_approached_by_steps() {
    let mut case = dear();
    case.policy.corridor = Some([0.9, 1.0]);
    let index = CompetitorIndex { price: 700.0, n_offers: 3, age_hours: 2.0, may_follow: true };
    case.competitors = Some(index);
    let choice = choose(&case);
    assert_eq!(choice.price, Some(Cents(1080)));
    assert!(choice.notes.contains(&ChoiceNote::Breach(Rail::Corridor)));
    let mut case = dear();
    case.limits.line = Some((Cents(1500), Cents(1500)));
    let choice = choose(&case);
    assert_eq!((choice.price, choice.bounds), (Some(Cents(1320)), Some(bounds(1320, 1320))));
    assert!(choice.notes.contains(&ChoiceNote::Breach(Rail::Line)));
}

#[test]
fn a_step_without_an_ending_goes_to_the_next_one_near_or_stays() {
    let mut case = dear();
    case.policy.endings = vec![99];
    case.policy.step_max = 0.05;
    let choice = choose(&case);
    assert_eq!(choice.bounds, Some(bounds(1140, 1260)));
    assert_eq!((choice.price, choice.best.unwrap().price), (Some(Cents(1200)), Cents(1199)));
    assert!(choice.notes.contains(&ChoiceNote::GainIsNoise), "a cent is not worth a label");
    // 11.40 to 12.60 hold no 9.99, nor do twice as many.
    case.policy.endings = vec![999];
    let choice = choose(&case);
    assert_eq!((choice.price, choice.status), (Some(Cents(1200)), ChoiceStatus::Kept));
    assert!(choice.notes.contains(&ChoiceNote::StepTooSmall), "{:?}", choice.notes);
    // 9.99 lies within twice a step of 10 %.
    case.policy.step_max = 0.1;
    let choice = choose(&case);
    assert_eq!(choice.price, Some(Cents(999)));
    assert!(choice.notes.contains(&ChoiceNote::StepWidened));
}

#[test]
fn bounds_without_an_ending_are_named() {
    let mut case = dear();
    case.policy.endings = vec![99];
    case.limits.price_min = Some(Cents(1100));
    case.limits.price_max = Some(Cents(1198));
    // 11.99 lies beyond, 10.99 below; the price itself is outside too.
    let choice = choose(&case);
    assert_eq!(clash(&choice), Some((Rail::Merchant, Rail::Endings)));
    assert_eq!(choice.price, Some(Cents(1198)), "hard bounds hold all the same");
    case.past.current = Some(Cents(1150));
    let choice = choose(&case);
    assert_eq!(clash(&choice), Some((Rail::Merchant, Rail::Endings)));
    assert_eq!(choice.price, Some(Cents(1150)));
}

#[test]
fn guard_rails_are_told_in_sentences() {
    let clash = |first, second| ChoiceNote::Clash(Clash { first, second });
    let notes = [
        (
            ChoiceNote::AtRail(Rail::Step),
            "at_rail",
            "The price goes as far as the largest step lets it.",
        ),
        (
            clash(Rail::Merchant, Rail::Line),
            "clash",
            "The price does not move because no price keeps to both the bounds price_min and price_max and \
             the product line.",
        ),
    ];
    for (note, kind, sentence) in notes {
        assert_eq!((note.kind(), note.to_string().as_str()), (kind, sentence));
    }
    assert_eq!(clash(Rail::Merchant, Rail::Line).rail(), Some(Rail::Line));
}
