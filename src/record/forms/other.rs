//! The forms of competitors' prices and of people.

use super::{
    FieldProblem, FormRules,
    event::{ITEM, TIME},
    reader::Reader,
    values,
};
use crate::domain::{Cents, CompetitorOffer, CompetitorPrice, Condition, ItemId};
use serde_json::{Map, Value};

/// Reads what a competitor asks for an item.
pub fn competitor_price_from_json(
    value: &Value,
    rules: &FormRules,
) -> Result<CompetitorPrice, Vec<FieldProblem>> {
    let mut reader = Reader::new(value)?;
    reader.refuse_unknown(&[
        ITEM,
        &["competitor"],
        &["price"],
        &["shipping"],
        &["in_stock"],
        &["condition"],
        &["match_confidence"],
        &["currency"],
        TIME,
    ]);
    reader.read(&["currency"], |code| values::check_currency(code, rules.currency));
    let item = reader.require(ITEM, values::typed_id::<ItemId>);
    let competitor = reader.require(&["competitor"], values::id_text);
    let price = reader.require(&["price"], |value| match values::price(value, rules.currency)? {
        Cents(0) => Err("must be above 0".to_owned()),
        price => Ok(price),
    });
    let shipping = reader.read(&["shipping"], |value| values::price(value, rules.currency));
    let in_stock = reader.read(&["in_stock"], values::boolean);
    let condition = reader.read(&["condition"], condition);
    let match_confidence = reader.read(&["match_confidence"], share);
    let time = reader.read(TIME, |value| values::time(value, rules));
    let built = (|| {
        Some(CompetitorPrice {
            item: item?,
            offer: CompetitorOffer {
                competitor: competitor?,
                price: price?,
                shipping,
                in_stock,
                condition: condition.unwrap_or_default(),
                match_confidence,
                observed_at: time.unwrap_or(rules.now),
            },
        })
    })();
    reader.finish(built)
}

fn condition(value: &Value) -> Result<Condition, String> {
    let name = value.as_str().unwrap_or_default();
    let known = Condition::ALL.map(Condition::name).join("`, `");
    Condition::from_name(name).ok_or_else(|| format!("must be one of `{known}`, not {value}"))
}

fn share(value: &Value) -> Result<f64, String> {
    let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("must be a number from 0 to 1, not {value}"))
}

/// Reads what the shop says about a person: any object of bounded size; a `null` is left out.
pub fn user_attributes_from_json(value: &Value) -> Result<Map<String, Value>, Vec<FieldProblem>> {
    let mut attributes = values::object(value)
        .map_err(|detail| vec![FieldProblem { pointer: String::new(), detail }])?;
    attributes.retain(|_, value| !value.is_null());
    Ok(attributes)
}
