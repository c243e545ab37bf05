//! The forms of an item: all of it, a change of it, and one row of many.

use super::{
    FieldProblem, FormRules,
    event::ITEM,
    reader::{Field, Reader},
    values,
};
use crate::domain::item::LABEL_CHARS_MAX;
use crate::domain::{Cents, ItemChange, ItemFields, ItemId, Patch, item::ItemPatch};
use serde_json::Value;

/// Longest title, in characters.
const TITLE_CHARS_MAX: usize = 1_000;
const DESCRIPTION_BYTES_MAX: usize = 16 * 1024;
const URL_BYTES_MAX: usize = 2_048;
const LABELS_MAX: usize = 100;
/// Far above any warehouse, far below the sign bit of a database's whole numbers.
const STOCK_MAX: u64 = 1_000_000_000_000;
const LEAD_TIME_DAYS_MAX: u64 = 3_650;

/// Also `id`, as exports of catalogues call it.
const ROW_ITEM: &[&str] = &[ITEM[0], ITEM[1], ITEM[2], ITEM[3], ITEM[4], "id"];

const FIELDS: &[&[&str]] = &[
    &["title"],
    &["description"],
    &["categories"],
    &["brand"],
    &["tags"],
    &["price"],
    &["cost"],
    &["price_min"],
    &["price_max"],
    &["stock"],
    &["lead_time_days"],
    &["image_url"],
    &["available"],
    &["promoted"],
    &["group"],
    &["attributes"],
];

/// Reads all fields of an item, for a replacement.
pub fn item_fields_from_json(
    value: &Value,
    rules: &FormRules,
) -> Result<ItemFields, Vec<FieldProblem>> {
    let patch = item_patch_from_json(value, rules)?;
    let fields = ItemChange::Merge(Box::new(patch)).apply(&ItemFields::default());
    Ok(fields.unwrap_or_default())
}

/// Reads the fields of an item that are to change; `null` makes a field empty.
pub fn item_patch_from_json(
    value: &Value,
    rules: &FormRules,
) -> Result<ItemPatch, Vec<FieldProblem>> {
    let mut reader = Reader::new(value)?;
    reader.refuse_unknown(FIELDS);
    let patch = read_patch(&mut reader, rules);
    reader.finish(Some(patch))
}

/// Reads one row of many: the item's id beside the fields that are to change.
pub fn item_row_from_json(
    value: &Value,
    rules: &FormRules,
) -> Result<(ItemId, ItemChange), Vec<FieldProblem>> {
    let mut reader = Reader::new(value)?;
    let known: Vec<&[&str]> = [ROW_ITEM].into_iter().chain(FIELDS.iter().copied()).collect();
    reader.refuse_unknown(&known);
    let item = reader.require(ROW_ITEM, values::typed_id::<ItemId>);
    let patch = read_patch(&mut reader, rules);
    reader.finish(item.map(|item| (item, ItemChange::Merge(Box::new(patch)))))
}

fn read_patch(reader: &mut Reader<'_>, rules: &FormRules) -> ItemPatch {
    let amount = |value: &Value| values::price(value, rules.currency);
    // What an item is sold for is no slip of the pen: for nothing, it has no price.
    let price = |value: &Value| match amount(value)? {
        Cents(0) => Err("must be above 0; leave it out for what is given away".to_owned()),
        price => Ok(price),
    };
    let labels = |value: &Value| values::texts(value, LABELS_MAX, LABEL_CHARS_MAX);
    let patch = ItemPatch {
        title: field(reader, "title", |value| values::text(value, TITLE_CHARS_MAX)),
        description: field(reader, "description", |value| {
            values::long_text(value, DESCRIPTION_BYTES_MAX)
        }),
        categories: field(reader, "categories", labels),
        brand: field(reader, "brand", |value| values::text(value, LABEL_CHARS_MAX)),
        tags: field(reader, "tags", labels),
        price: field(reader, "price", price),
        cost: field(reader, "cost", amount),
        price_min: field(reader, "price_min", amount),
        price_max: field(reader, "price_max", price),
        stock: field(reader, "stock", |value| values::whole(value, 0, STOCK_MAX)),
        lead_time_days: field(reader, "lead_time_days", |value| {
            values::whole(value, 0, LEAD_TIME_DAYS_MAX).map(|days| days as u32)
        }),
        image_url: field(reader, "image_url", |value| values::long_text(value, URL_BYTES_MAX)),
        available: field(reader, "available", values::boolean),
        promoted: field(reader, "promoted", values::boolean),
        group: field(reader, "group", values::id_text),
        attributes: field(reader, "attributes", values::object),
    };
    check_bounds(reader, &patch.price_min, &patch.price_max);
    patch
}

fn field<T>(
    reader: &mut Reader<'_>,
    name: &'static str,
    parse: impl FnOnce(&Value) -> Result<T, String>,
) -> Patch<T> {
    match reader.find(&[name]) {
        Field::Absent => Patch::Keep,
        Field::Null => Patch::Clear,
        Field::Given(..) => reader.read(&[name], parse).map_or(Patch::Keep, Patch::Set),
    }
}

fn check_bounds(reader: &mut Reader<'_>, min: &Patch<Cents>, max: &Patch<Cents>) {
    if let (Patch::Set(min), Patch::Set(max)) = (min, max)
        && min > max
    {
        reader.refuse("price_min", "must not be above price_max");
    }
}
