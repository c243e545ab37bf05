//! What filters say of one item, and what is said of texts that are no filters.

use super::*;
use crate::domain::{Cents, ItemFields, ItemId, time::DAY_MS};
use serde_json::json;

/// Ten days after the item of [`mug`] was first seen.
pub(super) const NOW: Timestamp = Timestamp(20_000 * DAY_MS);

pub(super) fn item(id: &str, fields: ItemFields) -> Item {
    Item {
        item_id: ItemId::new(id).unwrap(),
        fields,
        price_in_force: None,
        first_seen_at: NOW.plus_ms(-10 * DAY_MS),
        updated_at: NOW,
        removed: false,
        back_on_sale_at: None,
        revision: 1,
    }
}

fn mug() -> Item {
    let attributes = json!({
        "color": "red", "vegan": true, "volume": 0.3, "sizes": [1, 2.5], "none": null, "empty": [],
        "released": "2024-05-01", "size": {"width": 8, "a b": "x"}, "in": "stock", "big": u64::MAX,
    });
    let fields = ItemFields {
        title: Some("Große Tasse, BLUE".into()),
        brand: Some("Acme".into()),
        categories: vec!["mugs".into(), "kitchen".into()],
        price: Some(Cents(1500)),
        cost: Some(Cents(840)),
        stock: Some(7),
        attributes: attributes.as_object().unwrap().clone(),
        ..ItemFields::default()
    };
    Item { price_in_force: Some(Cents(1200)), ..item("sku-1", fields) }
}

pub(super) fn filter(text: &str) -> Filter {
    Filter::parse(text, 2).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn matches(text: &str) -> bool {
    filter(text).matches(&ItemView { item: &mug(), now: NOW })
}

#[track_caller]
fn check(holds: bool, texts: &[&str]) {
    for text in texts {
        assert_eq!(matches(text), holds, "{text}");
    }
}

#[test]
fn each_field_is_read_where_it_stands() {
    check(
        true,
        &[
            "item = 'sku-1'",
            "title contains 'tasse'",
            "brand = \"Acme\"",
            "category = 'kitchen'",
            "price = 12 and list_price = 15.00 and cost = 8.4",
            "margin = 0.3",
            "discount = 0.2",
            "stock = 7",
            "available = true and promoted = false",
            "age_days = 10",
            "attributes.color = 'red' and attributes.vegan = true and attributes.volume = 0.3",
            "attributes.size.width = 8 and attributes.size.\"a b\" = 'x' and attributes.in = 'stock'",
            "attributes.big > 18446744073709551 and attributes.sizes >= 2.5",
            "attributes.released >= '2024-01-01'",
        ],
    );
}

#[test]
fn numbers_are_compared_exactly() {
    check(
        true,
        &[
            "price <= 12 and price >= 12.00 and price < 12.01 and price > 11.99",
            "price != 11.99 and price in (1, 12, 30) and price not in (1, 13)",
            "stock > 6.5 and stock < 7.5 and stock != 7.5 and stock > -1",
            "margin >= 0.3 and margin <= 0.3 and margin in (0.3, 0.5) and margin not in (0.2)",
            "margin < 0.300000000000000001",
            "attributes.sizes in (2.5, 9)",
        ],
    );
    check(false, &["stock = 7.5", "stock in (6.5, 8)", "margin > 0.3", "price < 12", "price > 12"]);
    let yen = Filter::parse("price = 1200", 0).unwrap();
    assert!(yen.matches(&ItemView { item: &mug(), now: NOW }));
}

#[test]
fn lists_hold_if_any_member_does_and_differ_if_none_is_the_same() {
    check(
        true,
        &["category in ('x', 'mugs')", "category contains 'MUGS'", "category not in ('x')"],
    );
    check(
        false,
        &["category != 'mugs'", "category contains 'mug'", "category not contains 'Kitchen'"],
    );
}

#[test]
fn contains_disregards_case_and_equality_does_not() {
    check(true, &["title contains 'GROSSE' or title contains 'GROßE'", "title contains 'blue'"]);
    check(false, &["brand = 'acme'", "brand in ('ACME', 'x')", "title not contains 'Blue'"]);
}

#[test]
fn a_missing_value_makes_every_comparison_false() {
    let missing = ["group", "tag", "lead_time_days", "attributes.none", "attributes.empty"];
    for field in missing.into_iter().chain(["attributes.size.height", "attributes.color.x"]) {
        let value = if field == "lead_time_days" { "1" } else { "'x'" };
        check(
            false,
            &[
                &format!("{field} = {value}"),
                &format!("{field} != {value}"),
                &format!("{field} not in ({value}, {value})"),
                &format!("exists {field}"),
                &format!("{field} is not missing"),
            ],
        );
        check(true, &[&format!("not {field} = {value}"), &format!("{field} is missing")]);
    }
    let stranger = item("x", ItemFields::default());
    let view = ItemView { item: &stranger, now: NOW };
    assert!(
        filter("margin is missing and discount is missing and price is missing").matches(&view)
    );
    assert!(
        filter("available = true and promoted != true and exists promoted and exists item")
            .matches(&view)
    );
    let free =
        item("x", ItemFields { price: Some(Cents(0)), cost: Some(Cents(1)), ..stranger.fields });
    assert!(
        filter("margin is missing and exists price").matches(&ItemView { item: &free, now: NOW })
    );
}

#[test]
fn a_value_of_another_type_is_different_and_neither_less_nor_greater() {
    check(true, &["attributes.color != 5", "attributes.size != 'x'", "attributes.vegan != 'true'"]);
    check(false, &["attributes.color < 5", "attributes.color >= 5", "attributes.volume < 'x'"]);
}

#[test]
fn not_binds_tighter_than_and_and_tighter_than_or() {
    check(true, &["true or true and false", "not false and true", "NOT (false OR false)"]);
    check(false, &["not true or false", "(true or true) and false", "not not false"]);
}

#[test]
fn the_canonical_text_is_one_for_all_ways_to_write() {
    for (written, canonical) in [
        ("categories IN ( 'b',\"a\" , 'b')", r#"category in ("a", "b")"#),
        ("((price<=030.50))AND(stock>1)", "price <= 30.5 and stock > 1"),
        ("a or (b or c) and (d and e)", "a or (b or c) and d and e"),
        ("not not exists tag", "exists tag"),
        ("not exists tag", "tag is missing"),
        ("not (a and b)", "not (a and b)"),
        ("brand not in ('x')", r#"brand != "x""#),
        (r#"brand = "\"\u{41}\"""#, r#"brand = '"A"'"#),
        ("attributes.'a'.\"b c\".in = -0", r#"attributes.a."b c".in = 0"#),
        ("available = FALSE", "available = false"),
    ] {
        // Letters stand for conditions.
        let spelled = |text: &str| {
            let words = text.split(' ').map(|word| {
                let bare = word.trim_matches(['(', ')']);
                let is_letter =
                    written.starts_with(['a', 'n']) && ["a", "b", "c", "d", "e"].contains(&bare);
                if is_letter {
                    word.replace(bare, &format!("tag = \"{bare}\""))
                } else {
                    word.into()
                }
            });
            words.collect::<Vec<_>>().join(" ")
        };
        let (written, canonical) = (spelled(written), spelled(canonical));
        assert_eq!(filter(&written).to_string(), canonical);
        assert_eq!(filter(&canonical), filter(&written));
    }
    assert_ne!(Filter::parse("price = 1", 2), Filter::parse("price = 1", 0));
}

#[test]
fn mistakes_are_shown_where_they_are() {
    for (text, position, parts) in [
        ("", 1, ["expected a condition", "found the end"]),
        ("price <= 30 and", 16, ["expected a condition", "found the end"]),
        ("prise <= 30", 1, ["unknown field `prise`", "did you mean `price`?"]),
        ("price 30", 7, ["an operator after `price`", "the number 30"]),
        (
            "price = \"abc\"",
            9,
            ["a number because `price` is an amount of money", "the text \"abc\""],
        ),
        ("price = 12.905", 9, ["has 2 decimals", "12.905"]),
        ("price = 99999999999999999", 9, ["more money", "99999999999999999"]),
        ("stock = 1234567890123456789", 9, ["at most 18 digits", ""]),
        ("brand = 5", 9, ["text in quotes because `brand` is text", "the number 5"]),
        ("brand = Acme", 9, ["write \"Acme\"", "found `Acme`"]),
        ("brand < \"x\"", 7, ["`brand` is text", "found `<`"]),
        ("price contains 5", 7, ["`price` is an amount of money", "found `contains`"]),
        ("available > true", 11, ["expected = or !=", "found `>`"]),
        ("available = 1", 13, ["true or false", "the number 1"]),
        ("attributes.x < true", 16, ["`<` compares numbers or text", ""]),
        ("(price < 1", 1, ["this `(` is never closed", ""]),
        ("price < 1)", 10, ["this `)` closes nothing", ""]),
        ("price < 1 stock > 2", 11, ["expected `and`, `or` or the end", "found `stock`"]),
        ("(price < 1 stock > 2)", 12, ["expected `and`, `or` or `)`", "found `stock`"]),
        ("brand in \"x\"", 10, ["`(` and a list", "the text \"x\""]),
        ("brand in ()", 11, ["text in quotes", "found `)`"]),
        ("brand in (\"x\", 5)", 16, ["text in quotes", "the number 5"]),
        ("brand in (\"x\" \"y\")", 15, ["expected `,` or `)`", "the text \"y\""]),
        ("brand in (\"x\"", 10, ["this `(` is never closed", ""]),
        ("brand not = \"x\"", 11, ["`in` or `contains`", "found `=`"]),
        ("brand is nothing", 10, ["`missing`", "found `nothing`"]),
        ("attributes = 1", 12, ["name of an attribute", "found `=`"]),
        ("attributes.a. = 1", 15, ["name of an attribute", "found `=`"]),
        ("exists 5", 8, ["name of a field", "the number 5"]),
        ("title = \"größe", 9, ["no closing \"", ""]),
        ("\"größe\" = title", 1, ["expected a condition", "the text \"größe\""]),
        ("title = 'größe' & x", 17, ["found `&`", "write `and`"]),
        ("price == 3", 7, ["`==`", "written `=`"]),
        ("prise = 3 ; x", 1, ["unknown field", "did you mean"]),
    ] {
        let error = Filter::parse(text, 2).unwrap_err();
        assert_eq!(error.position, position, "{text}: {error}");
        for part in parts {
            assert!(error.message.contains(part), "{text}: {error}");
        }
        assert!(error.to_string().starts_with(&format!("at character {position}: ")));
    }
}

#[test]
fn every_length_has_its_bound() {
    let list = |n: usize| format!("stock in ({})", vec!["1"; n].join(","));
    assert!(Filter::parse(&list(COMPARISONS_MAX), 2).is_ok());
    let error = Filter::parse(&list(COMPARISONS_MAX + 1), 2).unwrap_err();
    assert_eq!((error.position, &error.message[..13]), (1011, "more than 500"));

    let chain = |n: usize| vec!["tag='a'"; n].join("or ");
    assert!(chain(COMPARISONS_MAX).len() < FILTER_BYTES_MAX);
    let longest = filter(&chain(COMPARISONS_MAX));
    assert!(Filter::parse(&chain(COMPARISONS_MAX + 1), 2).is_err());
    // With every space it would be too long, so those that can be spared are.
    assert!(longest.as_str().starts_with("tag=\"a\"or tag="));
    assert_eq!(filter(longest.as_str()), longest);

    let spaces = |n: usize| format!("{}true", " ".repeat(n - 4));
    assert!(Filter::parse(&spaces(FILTER_BYTES_MAX), 2).is_ok());
    let error = Filter::parse(&spaces(FILTER_BYTES_MAX + 1), 2).unwrap_err();
    assert!(error.message.contains("longer than 5000 bytes"), "{error}");
}

#[test]
fn nesting_has_its_bound_and_the_stack_is_safe() {
    let nested = |open: &str, n: usize, close: &str| {
        format!("{}stock = 1{}", open.repeat(n), close.repeat(n))
    };
    for (open, close) in [("(", ")"), ("not ", "")] {
        assert!(Filter::parse(&nested(open, NESTING_MAX, close), 2).is_ok());
        let error = Filter::parse(&nested(open, NESTING_MAX + 1, close), 2).unwrap_err();
        assert!(error.message.contains("more than 50 levels"), "{error}");
        assert_eq!(error.position, open.len() * NESTING_MAX + 1);
    }
    for endless in ["(", "not ", "not(", "(not "] {
        assert!(Filter::parse(&endless.repeat(FILTER_BYTES_MAX / endless.len()), 2).is_err());
    }
}

#[test]
fn only_ages_change_by_themselves() {
    for text in ["age_days < 3", "price < 3 or not (exists age_days)", "age_days in (1, 2)"] {
        assert!(filter(text).depends_on_time(), "{text}");
    }
    for text in ["true", "price < 3 and (discount > 0.1 or not brand = \"age_days\")"] {
        assert!(!filter(text).depends_on_time(), "{text}");
    }
}

#[test]
fn the_filter_of_a_category_is_the_one_that_is_written() {
    for name in ["mugs", "gifts & more", "say \"hi\"", ""] {
        let written = filter(&format!("category = '{name}'"));
        assert_eq!(Filter::of_category(name, 2), written);
        let view = ItemView { item: &mug(), now: NOW };
        assert_eq!(Filter::of_category(name, 2).matches(&view), name == "mugs");
    }
}
