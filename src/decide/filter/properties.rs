//! What holds for every filter and every item.

use super::{tests::NOW, *};
use crate::domain::{Cents, ItemFields, time::DAY_MS};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Few values, so that they often meet those of [`condition`].
fn any_item() -> impl Strategy<Value = Item> {
    let text = || prop::option::of(prop::sample::select(vec!["a", "B", "ab", "é\"'\\"]));
    let list = || prop::collection::vec(prop::sample::select(vec!["a", "b", "Ab"]), 0..3);
    let cents = || prop::option::of(-1_i64..400);
    let attribute = prop::sample::select(vec![
        Value::Null,
        json!(1),
        json!(2.5),
        json!("a"),
        json!(true),
        json!([]),
        json!(["a", 2, false]),
        json!({"b": 1}),
    ]);
    let texts = (text(), text(), text(), list(), list());
    let amounts = (cents(), cents(), cents(), prop::option::of(0_u64..4));
    (texts, amounts, any::<[Option<bool>; 2]>(), -1_i64..5, attribute).prop_map(
        |(
            (title, brand, group, categories, tags),
            (in_force, price, cost, stock),
            [available, promoted],
            age,
            attribute,
        )| {
            let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
            let fields = ItemFields {
                title: title.map(str::to_owned),
                brand: brand.map(str::to_owned),
                group: group.map(str::to_owned),
                categories: owned(categories),
                tags: owned(tags),
                price: price.map(Cents),
                cost: cost.map(Cents),
                stock,
                available,
                promoted,
                attributes: json!({"a": attribute}).as_object().unwrap().clone(),
                ..ItemFields::default()
            };
            Item {
                price_in_force: in_force.map(Cents),
                first_seen_at: NOW.plus_ms(-age * DAY_MS),
                ..super::tests::item("a", fields)
            }
        },
    )
}

/// A field and a value that suits it.
fn field_and_value() -> impl Strategy<Value = (&'static str, String)> {
    let text =
        prop::sample::select(vec![r#""a""#, "'B'", "'ab'", r#"'é"\'\\'"#, r#""\u{e9}\"'\\""#]);
    let number = prop::sample::select(vec!["0", "1", "2.5", "-0.01", "3.990", "0.5", "00.250"]);
    let texts = prop::sample::select(vec!["item", "title", "brand", "group", "category", "tags"]);
    let numbers = prop::sample::select(vec!["price", "list_price", "cost", "margin", "discount"]);
    let counts = prop::sample::select(vec!["stock", "age_days", "lead_time_days"]);
    let paths =
        prop::sample::select(vec!["attributes.a", "attributes.a.b", "attributes.'not' . b"]);
    let flag = prop::sample::select(vec!["true", "FALSE"]);
    let any_value = prop_oneof![text.clone(), number.clone(), flag.clone()];
    let owned = |(field, value): (&'static str, &str)| (field, value.to_owned());
    prop_oneof![
        (texts, text).prop_map(owned),
        (prop_oneof![numbers, counts], number).prop_map(owned),
        (prop::sample::select(vec!["available", "promoted"]), flag).prop_map(owned),
        (paths, any_value).prop_map(owned),
    ]
}

fn comparison() -> impl Strategy<Value = String> {
    let operators = ["=", "!=", "<", "<=", ">", ">=", "contains", "not  contains", "in", "NOT in"];
    let operator = prop::sample::select(operators.to_vec());
    let pair = (field_and_value(), prop::collection::vec(field_and_value(), 0..3));
    (operator, pair).prop_map(|(operator, ((field, value), more))| {
        let is_list = operator.ends_with("in") && !operator.ends_with("contains");
        let more = more.iter().filter(|(other, _)| *other == field).map(|(_, value)| value);
        let values: Vec<&String> = [&value].into_iter().chain(more).collect();
        let text = if is_list {
            let values: Vec<&str> = values.iter().map(|value| value.as_str()).collect();
            format!("{field} {operator}({})", values.join(" ,"))
        } else {
            format!("{field} {operator} {value}")
        };
        // Not every operator suits every field.
        if Filter::parse(&text, 2).is_ok() { text } else { format!("{field} = {value}") }
    })
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => comparison(),
        1 => field_and_value().prop_map(|(field, _)| format!("exists {field}")),
        1 => field_and_value().prop_map(|(field, _)| format!("{field} is  MISSING")),
        1 => prop::sample::select(vec!["true".to_owned(), "False".to_owned()]),
    ];
    leaf.prop_recursive(5, 24, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            parts.clone().prop_map(|parts| format!("({})", parts.join(" and "))),
            parts.prop_map(|parts| format!("( {})", parts.join(" OR "))),
            inner.prop_map(|inner| format!("not({inner})")),
        ]
    })
}

fn filter(text: &str) -> Filter {
    Filter::parse(text, 2).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn holds(text: &str, item: &Item) -> bool {
    filter(text).matches(&ItemView { item, now: NOW })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        if let Err(error) = Filter::parse(&text, 2) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.position));
            prop_assert!(!error.message.is_empty());
        }
    }

    #[test]
    fn no_order_of_tokens_makes_the_parser_panic(
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                "price", "brand", "attributes", ".", "x", "=", "<", "in", "not", "and", "or", "(",
                ")", ",", "1", "-2.5", "'a'", "true", "exists", "is", "missing", "contains", "\\",
            ]),
            0..40,
        ),
        joint in prop::sample::select(vec!["", " "]),
    ) {
        let text = tokens.join(joint);
        match Filter::parse(&text, 2) {
            Ok(read) => prop_assert_eq!(&filter(read.as_str()), &read),
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.position)),
        }
    }

    #[test]
    fn the_canonical_text_reads_as_the_same_filter(text in condition(), item in any_item()) {
        let read = filter(&text);
        let again = filter(read.as_str());
        prop_assert_eq!(again.as_str(), read.as_str());
        prop_assert_eq!(holds(read.as_str(), &item), holds(&text, &item));
    }

    #[test]
    fn the_tight_text_is_a_filter_and_no_longer_than_what_was_read(text in condition()) {
        let expression = grammar::parse(&text, 2).unwrap();
        let tight = expression.tight_text();
        prop_assert!(tight.len() <= text.len(), "{} became {}", text, tight);
        prop_assert_eq!(grammar::parse(&tight, 2).unwrap(), expression);
    }

    #[test]
    fn de_morgan_and_double_negation_hold(
        left in condition(), right in condition(), item in any_item(),
    ) {
        let pairs = [
            (format!("not (({left}) and ({right}))"), format!("not ({left}) or not ({right})")),
            (format!("not (({left}) or ({right}))"), format!("not ({left}) and not ({right})")),
            (format!("not not ({left})"), left.clone()),
        ];
        for (one, other) in &pairs {
            prop_assert_eq!(holds(one, &item), holds(other, &item), "{} / {}", one, other);
        }
        prop_assert_eq!(
            holds(&format!("({left}) and ({right})"), &item),
            holds(&left, &item) && holds(&right, &item),
        );
    }

    #[test]
    fn in_is_a_chain_of_or((field, value) in field_and_value(), others in prop::collection::vec(field_and_value(), 0..6), item in any_item()) {
        let mut values = vec![value];
        values.extend(others.into_iter().filter(|(other, _)| *other == field).map(|(_, value)| value));
        let list = values.join(", ");
        let chain = |operator: &str, joint: &str| {
            let parts: Vec<String> = values.iter().map(|v| format!("{field} {operator} {v}")).collect();
            parts.join(joint)
        };
        prop_assert_eq!(holds(&format!("{field} in ({list})"), &item), holds(&chain("=", " or "), &item));
        prop_assert_eq!(holds(&format!("{field} not in ({list})"), &item), holds(&chain("!=", " and "), &item));
    }

    #[test]
    fn a_comparison_and_its_opposite_part_those_that_have_a_value(
        (field, value) in field_and_value(), item in any_item(),
    ) {
        let (same, other) = (format!("{field} = {value}"), format!("{field} != {value}"));
        let exists = holds(&format!("exists {field}"), &item);
        prop_assert_eq!(exists, holds(&same, &item) || holds(&other, &item));
        prop_assert!(!(holds(&same, &item) && holds(&other, &item)));
        prop_assert_eq!(exists, !holds(&format!("{field} is missing"), &item));
    }

    #[test]
    fn prices_are_ordered_as_their_cents(price in -500_i64..500, bound in -500_i64..500) {
        let fields = ItemFields { price: Some(Cents(price)), ..ItemFields::default() };
        let item = super::tests::item("a", fields);
        let sign = if bound < 0 { "-" } else { "" };
        let bound_text = format!("{sign}{}.{:02}", bound.abs() / 100, bound.abs() % 100);
        prop_assert_eq!(holds(&format!("price < {bound_text}"), &item), price < bound);
        prop_assert_eq!(holds(&format!("price <= {bound_text}"), &item), price <= bound);
        prop_assert_eq!(holds(&format!("price > {bound_text}"), &item), price > bound);
        prop_assert_eq!(holds(&format!("price >= {bound_text}"), &item), price >= bound);
        prop_assert_eq!(holds(&format!("price = {bound_text}"), &item), price == bound);
    }

    #[test]
    fn a_bitmap_holds_what_matches(text in condition(), items in prop::collection::vec(prop::option::of(any_item()), 0..70)) {
        let filter = filter(&text);
        let view = |item| ItemView { item, now: NOW };
        let bitmap = filter.bitmap(items.len(), |at| items[at].as_ref().map(view));
        for (at, item) in items.iter().enumerate() {
            let expected = item.as_ref().is_some_and(|item| filter.matches(&view(item)));
            prop_assert_eq!(bitmap.get(at), expected);
        }
    }
}
