//! What is taken although it looks like a slip of the pen, and the answer says so.

use super::state::ApiState;
use crate::{
    domain::{
        Event, ItemFields,
        doubt::{UnitMixUp, is_far, mixes_tax, mixes_units, ratio},
    },
    record::forms::FieldProblem,
};

/// What is doubtful about the amounts of an item that were changed. `before`: the item as it was, if it was there.
pub(super) fn of_item(
    state: &ApiState,
    before: &ItemFields,
    after: &ItemFields,
) -> Vec<FieldProblem> {
    let trust = &state.config.pricing.competition.trust;
    let units = state.currency.minor_units_of_one();
    let format = |amount| state.currency.format(amount);
    let mut doubts = Vec::new();
    let mut doubt = |pointer: &str, detail| {
        doubts.push(FieldProblem { pointer: pointer.into(), detail });
    };
    let touches_price = after.price != before.price;
    if let (true, Some((price, was))) = (touches_price, after.price.zip(before.price)) {
        let rate = mixes_tax(price, was, &trust.vat_rates);
        if let Some(rate) = rate {
            // To a hundredth: 7 % is not 7.000000000000001 %.
            let (percent, was) = ((1e4 * rate).round() / 100.0, format(was));
            let detail = format!(
                "differs by a tax of {percent} % from the price before ({was}): was tax added, or left out?"
            );
            doubt("/price", detail);
        } else if is_far(price, was, trust.ratio_max) {
            let factor = ratio(price, was).unwrap_or(1.0);
            doubt("/price", format!("is {factor:.2} times the price before ({})", format(was)));
        }
    }
    let touches_cost = after.cost != before.cost;
    if let (true, Some((cost, price))) =
        (touches_price || touches_cost, after.cost.zip(after.price))
    {
        let is_clearance = after.attributes.get("clearance").and_then(serde_json::Value::as_bool);
        if cost >= price && is_clearance != Some(true) {
            let price = format(price);
            doubt(
                "/cost",
                format!("is not below the price ({price}): every unit sold at it is a loss"),
            );
        } else if units.is_some_and(|units| mixes_units(price, cost, units)) {
            let beside =
                UnitMixUp { field: "price", amount: price, beside: "its cost", other: cost };
            doubt("/price", beside.detail(state.currency));
        }
    }
    for (pointer, bound, was, is_low) in [
        ("/price_min", after.price_min, before.price_min, true),
        ("/price_max", after.price_max, before.price_max, false),
    ] {
        let Some((bound, price)) = bound.zip(after.price) else { continue };
        let factor = ratio(bound, price).unwrap_or(1.0);
        let excludes = if is_low { factor } else { factor.recip() };
        if (touches_price || Some(bound) != was) && excludes > trust.ratio_max {
            doubt(pointer, format!("is {factor:.2} times the price ({})", format(price)));
        }
    }
    doubts
}

/// Takes from an event an amount that looks like minor units taken for whole ones beside the item's price, and says so.
/// The event counts without it: that it happened is worth more than what it says was paid.
pub(super) fn leave_out_price(state: &ApiState, event: &mut Event) -> Option<FieldProblem> {
    let (item, paid) = (event.item.as_ref()?, event.price?);
    let entry = state.live.catalogue.get(item)?;
    let price = entry.item.price_in_force.or(entry.item.fields.price)?;
    if !mixes_units(paid, price, state.currency.minor_units_of_one()?) {
        return None;
    }
    event.price = None;
    let [paid, price] = [paid, price].map(|amount| state.currency.format(amount));
    let detail = format!(
        "{paid} was left out beside the item's price of {price}: is one of them in minor units?"
    );
    Some(FieldProblem { pointer: "/price".into(), detail })
}
