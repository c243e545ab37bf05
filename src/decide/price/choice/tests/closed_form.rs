//! Against prices that are known in closed form.

use super::*;

#[test]
fn without_doubt_the_price_is_the_markup_of_the_elasticity() {
    // MERCHANDISING: -1.5 → 3.000 c, -2 → 2.000 c, -2.62 → 1.6173 c, -3 → 1.500 c.
    for (elasticity, markup) in [(-1.5, 3.0), (-2.0, 2.0), (-2.62, 1.6173), (-3.0, 1.5)] {
        let mut case = free_case();
        case.demand = Some(belief(elasticity));
        let choice = choose(&case);
        let price = choice.price.unwrap().0 as f64;
        // Within one minor unit, and half a unit of the markup's last digit.
        assert!((price - markup * 600.0).abs() <= 1.0 + 0.5e-4 * 600.0, "{elasticity}: {choice:?}");
        assert_eq!(choice.status, ChoiceStatus::Moved);
        assert_eq!(choice.unconstrained, choice.price);
    }
}

#[test]
fn fees_raise_the_price_and_revenue_knows_no_cost() {
    let mut case = free_case();
    case.policy.fee_share = 0.2;
    case.demand = Some(belief(-3.0));
    // 1.5 times the cost over what is left of a price after fees.
    assert_eq!(choose(&case).price, Some(Cents(1125)));
    case.policy.goal = Goal::Revenue;
    let choice = choose(&case);
    assert_eq!(choice.price, Some(Cents(600)), "as low as the margin floor allows");
    assert!(choice.notes.contains(&ChoiceNote::AtRail(Rail::MarginFloor)));
    case.policy.goal = Goal::Units;
    assert_eq!(choose(&case).price, Some(Cents(600)));
    // A half of each: 0.9 p - 300 a unit, times 1.5.
    case.policy.goal = Goal::Mixture(0.5);
    assert_eq!(choose(&case).price, Some(Cents(600)), "500 is below cost");
}

#[test]
fn where_demand_hardly_falls_the_price_ends_with_what_was_tried() {
    let mut case = free_case();
    case.policy.step_max = 0.1;
    case.policy.step_30d_max = 10.0;
    case.past.current = Some(Cents(3200));
    case.past.day_ago = Some(Cents(3200));
    case.demand = Some(belief(-0.7));
    let choice = choose(&case);
    assert_eq!(choice.price, Some(Cents(3300)), "a step above the highest price tried");
    assert!(choice.notes.contains(&ChoiceNote::EvidenceRange));
}
