//! What becomes of a price at once where the guard-rails have moved, without a run that a person could look at.

use super::{
    Bounds, PricePolicy,
    brakes::is_leap,
    situation::{BoundsOf, bounds_of, is_frozen},
};
use crate::domain::{Cents, Currency, Item, doubt::is_far};

/// A price that is to come into force at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// The price.
    pub price: Cents,
    /// Whether bounds of the merchant's are followed however far they lie from it: because it is new, and they are not.
    pub follows_far: bool,
}

/// The price inside of today's bounds that comes into force at once in place of the one that is wanted.
///
/// Bounds that the price in force keeps to, or that lie within a step of the price, are believed. What is further off may
/// be a slip of the pen, so the cost is left aside first, then contracts, until only the merchant's own lowest and
/// highest price are left, which are orders, unless they are far off, too. What was left aside waits for a run, and that
/// for a person. Where bounds clash the price stays.
pub fn at_once(item: &Item, policy: &PricePolicy, currency: Currency, wanted: Wanted) -> Cents {
    let price = wanted.price;
    let kept = |bounds: &Bounds| {
        let inside = |price: Cents| bounds.clamp(price) == price;
        item.price_in_force.is_some_and(inside)
            || !is_leap(price, bounds.clamp(price), &policy.choice)
    };
    let of = |parts| bounds_of(item, policy, currency, parts);
    let Some(all) = of(BoundsOf::ALL) else { return price };
    if is_frozen(item, policy, currency) || kept(&all) {
        return all.clamp(price);
    }
    let parts = [(false, true), (true, false)];
    let parts = parts.map(|(margin, contract)| BoundsOf { margin, contract });
    if let Some(bounds) = parts.into_iter().filter_map(of).find(kept) {
        return bounds.clamp(price);
    }
    let orders = of(BoundsOf { margin: false, contract: false });
    let ordered = orders.map_or(price, |bounds| bounds.clamp(price));
    let is_far = ordered.0 == 0 || is_far(ordered, price, policy.competition.trust.ratio_max);
    if is_far && !wanted.follows_far { price } else { ordered }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ItemFields, ItemId, Timestamp};
    use serde_json::{Value, json};

    /// An item with its list price, cost, bounds and price in force; and what becomes of a price.
    fn becomes(
        [list, cost, min, max, in_force]: [i64; 5],
        attributes: Value,
        price: i64,
        follows_far: bool,
    ) -> i64 {
        let amount = |amount: i64| (amount > 0).then_some(Cents(amount));
        let Value::Object(attributes) = attributes else { panic!("an object") };
        let fields = ItemFields {
            price: amount(list),
            cost: amount(cost),
            price_min: amount(min),
            price_max: amount(max),
            attributes,
            ..ItemFields::default()
        };
        let item = Item {
            item_id: ItemId::new("a").unwrap(),
            fields,
            price_in_force: amount(in_force),
            first_seen_at: Timestamp(0),
            updated_at: Timestamp(0),
            removed: false,
            back_on_sale_at: None,
            revision: 0,
        };
        let policy = PricePolicy { keeps_advertised_min: true, ..PricePolicy::default() };
        let wanted = Wanted { price: Cents(price), follows_far };
        at_once(&item, &policy, "EUR".parse().unwrap(), wanted).0
    }

    #[test]
    fn a_cost_within_a_step_is_followed_and_one_beyond_waits() {
        let none = || json!({});
        assert_eq!(becomes([1_000, 1_000, 800, 2_000, 1_000], none(), 1_000, false), 1_050);
        assert_eq!(becomes([1_000, 1_900, 800, 2_000, 1_000], none(), 1_000, false), 1_000);
        // Neither is the list price conjured up as a floor where the cost is left aside.
        assert_eq!(becomes([1_000, 790, 0, 1_400, 700], none(), 700, false), 700);
    }

    #[test]
    fn bounds_that_the_price_in_force_keeps_to_are_no_slip() {
        // A cost that rose step by step: the old list price lies below it, and does not come back.
        assert_eq!(becomes([1_000, 1_371, 800, 2_000, 1_500], json!({}), 1_000, false), 1_440);
        let contract = json!({ "price_advertised_min": 14 });
        assert_eq!(becomes([1_000, 0, 800, 2_000, 1_500], contract, 1_000, false), 1_400);
    }

    #[test]
    fn what_is_no_slip_is_kept_to_beside_what_may_be_one() {
        let contract = |name: &str, amount: &str| json!({ name: amount });
        let advertised = contract("price_advertised_min", "10.50");
        assert_eq!(becomes([1_000, 4_800, 800, 9_000, 1_000], advertised, 1_000, false), 1_050);
        let recommended = contract("price_recommended_max", "0.12");
        assert_eq!(becomes([1_000, 1_000, 0, 0, 1_000], recommended, 1_000, false), 1_000);
        let advertised = contract("price_advertised_min", "90");
        assert_eq!(becomes([1_000, 1_000, 800, 20_000, 1_000], advertised, 1_000, false), 1_050);
    }

    #[test]
    fn a_bound_is_an_order_unless_it_is_beyond_belief() {
        let of = |min, max, follows_far| {
            becomes([1_000, 0, min, max, 1_000], json!({}), 1_000, follows_far)
        };
        assert_eq!((of(1_500, 2_000, false), of(500, 700, false)), (1_500, 700));
        assert_eq!((of(9_000, 20_000, false), of(9_000, 20_000, true)), (1_000, 9_000));
        assert_eq!((of(1, 100, false), of(1, 100, true)), (1_000, 100));
        assert_eq!(becomes([1_000, 0, 0, 0, 1_000], json!({}), 1_000, false), 1_000);
        let frozen =
            becomes([1_000, 0, 500, 2_000, 900], json!({ "price_frozen": true }), 1_000, false);
        assert_eq!(frozen, 900);
    }
}
