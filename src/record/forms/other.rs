//! The forms of competitors' prices and of people.

use super::{
    FieldProblem, FormRules,
    event::{ITEM, TIME},
    reader::Reader,
    values,
};
use crate::domain::{CompetitorPrice, ItemId};
use serde_json::{Map, Value};

/// Reads what a competitor asks for an item.
pub fn competitor_price_from_json(
    value: &Value,
    rules: &FormRules,
) -> Result<CompetitorPrice, Vec<FieldProblem>> {
    let mut reader = Reader::new(value)?;
    reader.refuse_unknown(&[ITEM, &["competitor"], &["price"], &["currency"], TIME]);
    reader.read(&["currency"], |code| values::check_currency(code, rules.currency));
    let item = reader.require(ITEM, values::typed_id::<ItemId>);
    let competitor = reader.require(&["competitor"], values::id_text);
    let price = reader.require(&["price"], |value| values::price(value, rules.currency));
    let time = reader.read(TIME, |value| values::time(value, rules));
    let built = (|| {
        Some(CompetitorPrice {
            item: item?,
            competitor: competitor?,
            price: price?,
            observed_at: time.unwrap_or(rules.now),
        })
    })();
    reader.finish(built)
}

/// Reads what the shop says about a person: any object of bounded size; a `null` is left out.
pub fn user_attributes_from_json(value: &Value) -> Result<Map<String, Value>, Vec<FieldProblem>> {
    let mut attributes = values::object(value)
        .map_err(|detail| vec![FieldProblem { pointer: String::new(), detail }])?;
    attributes.retain(|_, value| !value.is_null());
    Ok(attributes)
}
