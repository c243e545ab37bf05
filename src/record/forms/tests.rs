use super::*;
use crate::domain::{
    Cents, EventKind, ItemChange, ItemFields, Patch,
    time::{DAY_MS, SECOND_MS},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn rules() -> FormRules {
    FormRules {
        currency: "EUR".parse().unwrap(),
        now: Timestamp::parse("2026-03-01T12:00:00Z").unwrap(),
        future_skew_max_ms: 300 * SECOND_MS,
    }
}

fn event(value: &Value) -> crate::domain::Event {
    event_from_json(value, &rules(), None).unwrap()
}

fn pointers(value: &Value) -> Vec<String> {
    let problems = event_from_json(value, &rules(), None).unwrap_err();
    problems.into_iter().map(|problem| problem.pointer).collect()
}

/// A click with one field changed.
fn click_with(name: &str, value: Value) -> Value {
    let mut click = json!({"type": "click", "user": "u1", "item": "sku-1"});
    click[name] = value;
    click
}

#[test]
fn a_full_event_keeps_every_field() {
    let read = event(&json!({
        "id": "e1", "type": "purchase", "user": "u42", "session": "s9", "item": "a/b ☕",
        "timestamp": "2026-02-28T10:00:00+01:00", "quantity": 2, "price": 12.90, "order": 77,
        "value": 4.5, "recommendation": "r1", "scenario": "home", "channel": "web",
        "campaign": "spring", "currency": "EUR", "properties": {"size": "L"}, "unheard_of": 1
    }));
    assert_eq!(read.event_id.as_deref(), Some("e1"));
    assert_eq!(read.kind, EventKind::Purchase);
    assert_eq!(read.item.unwrap().as_str(), "a/b ☕");
    assert_eq!(read.occurred_at.to_string(), "2026-02-28T09:00:00Z");
    assert_eq!((read.quantity, read.price), (2, Some(Cents(1290))));
    assert_eq!(read.order.as_deref(), Some("77"));
    assert_eq!(read.value, Some(4.5));
    assert_eq!(read.context.recommendation.as_deref(), Some("r1"));
    assert_eq!(read.context.properties["size"], "L");
}

#[test]
fn the_names_of_other_services_mean_the_same() {
    let gorse = event(
        &json!({"FeedbackType": "read", "UserId": 7, "ItemId": "i", "Timestamp": 1_700_000_000}),
    );
    assert_eq!(gorse.kind, EventKind::View);
    assert_eq!(gorse.user.unwrap().as_str(), "7");
    assert_eq!(gorse.occurred_at, Timestamp(1_700_000_000_000));
    let google = event(
        &json!({"eventType": "purchase-complete", "visitorId": "v", "product_id": "p", "eventId": "e", "order_id": "o"}),
    );
    assert_eq!(google.kind, EventKind::Purchase);
    assert_eq!(google.session.unwrap().as_str(), "v");
    assert_eq!((google.event_id.as_deref(), google.order.as_deref()), (Some("e"), Some("o")));
    let recombee = event(
        &json!({"event_type": "add-to-cart", "userId": "u", "sessionId": "s", "itemId": "i", "recommId": "r"}),
    );
    assert_eq!(recombee.kind, EventKind::AddToCart);
    assert_eq!(recombee.context.recommendation.as_deref(), Some("r"));
    for (alias, kind) in [
        ("detail-page-view", EventKind::View),
        ("view_item", EventKind::View),
        ("like", EventKind::Wishlist),
        ("star", EventKind::Wishlist),
    ] {
        assert_eq!(event(&click_with("type", json!(alias))).kind, kind);
    }
}

#[test]
fn defaults_fill_what_is_absent_or_null() {
    let read = event(
        &json!({"type": "purchase", "session": "s", "user": null, "item": "i", "price": null}),
    );
    assert_eq!((read.quantity, read.price, read.occurred_at), (1, None, rules().now));
    assert!(read.user.is_none() && read.event_id.is_none() && read.context.is_empty());
    assert!(event(&json!({"type": "search", "user": "u"})).item.is_none());
}

#[test]
fn every_bad_field_is_named() {
    for (name, bad) in [
        ("price", json!("NaN")),
        ("price", json!("abc")),
        ("price", json!(-0.01)),
        ("price", json!("1.005")),
        ("price", json!(true)),
        ("price", json!({"amount": "1.00", "currency": "USD"})),
        ("price", json!({"currency": "EUR"})),
        ("currency", json!("USD")),
        ("quantity", json!(-1)),
        ("quantity", json!(0)),
        ("quantity", json!(1.5)),
        ("quantity", json!("2")),
        ("quantity", json!(1_000_001)),
        ("quantity", json!(1e300)),
        ("value", json!("NaN")),
        ("value", json!(1e300)),
        ("user", json!("x".repeat(129))),
        ("user", json!("")),
        ("user", json!("a\u{7}")),
        ("user", json!(1.5)),
        ("item", json!(["sku"])),
        ("session", json!({})),
        ("type", json!("clack")),
        ("type", json!(3)),
        ("timestamp", json!("yesterday")),
        ("timestamp", json!("2026-03-01T12:05:01Z")),
        ("timestamp", json!(1e300)),
        ("timestamp", json!(false)),
        ("id", json!("é".repeat(65))),
        ("order", json!("o".repeat(129))),
        ("recommendation", json!("r".repeat(129))),
        ("campaign", json!("c\n")),
        ("properties", json!([])),
        ("properties", json!({"a": "x".repeat(OBJECT_BYTES_MAX)})),
        ("properties", json!({"a": ["\0"]})),
    ] {
        assert_eq!(pointers(&click_with(name, bad.clone())), [format!("/{name}")], "{bad}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let bad = json!({"type": "rating", "price": "abc", "quantity": -2});
    assert_eq!(pointers(&bad), ["/user", "/item", "/value", "/quantity", "/price"]);
    assert_eq!(pointers(&json!({})), ["/type", "/user"]);
    assert_eq!(pointers(&json!("click")), [""]);
    assert_eq!(pointers(&click_with("user_id", json!("u2"))), ["/user_id"]);
}

#[test]
fn an_unknown_type_lists_the_known_ones() {
    let problems =
        event_from_json(&click_with("type", json!("clack")), &rules(), None).unwrap_err();
    assert!(problems[0].detail.contains("`clack`"));
    assert!(problems[0].detail.contains("add_to_cart"));
}

#[test]
fn the_path_gives_the_type_and_must_not_be_contradicted() {
    let body = json!({"user": "u", "item": "i"});
    let click = Some(EventKind::Click);
    assert_eq!(event_from_json(&body, &rules(), click).unwrap().kind, EventKind::Click);
    let same = event_from_json(&click_with("user", json!("u")), &rules(), click);
    assert_eq!(same.unwrap().kind, EventKind::Click);
    let other = event_from_json(&click_with("type", json!("view")), &rules(), click);
    assert_eq!(other.unwrap_err()[0].pointer, "/type");
}

#[test]
fn prices_are_read_exactly() {
    for (given, cents) in [
        (json!(19.99), 1999),
        (json!(0.07), 7),
        (json!(1e2), 10_000),
        (json!("4.10"), 410),
        (json!(0), 0),
        (json!({"amount": 3.5}), 350),
        (json!({"amount": "3.50", "currency": "EUR"}), 350),
    ] {
        assert_eq!(event(&click_with("price", given)).price, Some(Cents(cents)));
    }
    assert_eq!(event(&click_with("quantity", json!(2.0))).quantity, 2);
    let ahead = rules().now.plus_ms(299 * SECOND_MS);
    assert_eq!(event(&click_with("timestamp", json!(ahead.0))).occurred_at, ahead);
}

#[test]
fn an_item_keeps_every_field() {
    let fields = json!({
        "title": "Mug", "description": "A mug", "categories": ["mugs"], "brand": "b", "tags": ["t"],
        "price": "12.90", "cost": 4, "price_min": 10, "price_max": "15", "stock": 3,
        "lead_time_days": 7, "image_url": "https://example.com/m.png", "available": true, "promoted": true,
        "group": "mug", "attributes": {"colour": "red"}
    });
    let read = item_fields_from_json(&fields, &rules()).unwrap();
    assert_eq!((read.price, read.cost, read.stock), (Some(Cents(1290)), Some(Cents(400)), Some(3)));
    assert_eq!((read.categories, read.promoted), (vec!["mugs".into()], Some(true)));
    let again = item_fields_from_json(&json!({"title": null}), &rules()).unwrap();
    assert_eq!(again, ItemFields::default());
}

#[test]
fn a_patch_tells_null_from_absent() {
    let patch = item_patch_from_json(&json!({"title": null, "stock": 0}), &rules()).unwrap();
    assert_eq!((patch.title, patch.stock, patch.price), (Patch::Clear, Patch::Set(0), Patch::Keep));
}

#[test]
fn bad_item_fields_are_named() {
    let too_many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    for (name, bad) in [
        ("titel", json!("x")),
        ("a/b", json!("x")),
        ("title", json!("x".repeat(1_001))),
        ("title", json!("a\0")),
        ("description", json!("x".repeat(16 * 1024 + 1))),
        ("categories", json!("mugs")),
        ("categories", json!(too_many)),
        ("tags", json!([1])),
        ("tags", json!([""])),
        ("price", json!(-1)),
        ("cost", json!("abc")),
        ("stock", json!(-1)),
        ("stock", json!(u64::MAX)),
        ("lead_time_days", json!(0.5)),
        ("available", json!("yes")),
        ("promoted", json!(1)),
        ("attributes", json!({"a": "x".repeat(OBJECT_BYTES_MAX)})),
    ] {
        let problems = item_patch_from_json(&json!({name: bad}), &rules()).unwrap_err();
        assert_eq!(problems[0].pointer, format!("/{}", name.replace('/', "~1")));
    }
    let crossed = item_fields_from_json(&json!({"price_min": 2, "price_max": 1}), &rules());
    assert_eq!(crossed.unwrap_err()[0].pointer, "/price_min");
}

#[test]
fn an_item_row_needs_its_id() {
    let (item, change) = item_row_from_json(&json!({"item_id": 7, "stock": 1}), &rules()).unwrap();
    assert_eq!(item.as_str(), "7");
    assert!(matches!(change, ItemChange::Merge(patch) if patch.stock == Patch::Set(1)));
    let problems = item_row_from_json(&json!({"stock": 1}), &rules()).unwrap_err();
    assert_eq!(problems[0].pointer, "/item");
}

#[test]
fn competitors_and_people_have_forms_too() {
    let read = competitor_price_from_json(
        &json!({"item": "i", "competitor": "acme", "price": "9.99"}),
        &rules(),
    );
    assert_eq!(read.unwrap().offer.price, Cents(999));
    let problems = competitor_price_from_json(&json!({"item": "i", "rice": 1}), &rules());
    let pointers: Vec<String> = problems.unwrap_err().into_iter().map(|p| p.pointer).collect();
    assert_eq!(pointers, ["/rice", "/competitor", "/price"]);
    let attributes = user_attributes_from_json(&json!({"country": "DE", "age": null})).unwrap();
    assert_eq!(Value::Object(attributes), json!({"country": "DE"}));
    assert!(user_attributes_from_json(&json!([])).is_err());
}

#[test]
fn a_body_is_one_object_an_array_or_lines() {
    let n =
        |body: &str, is_ndjson| decode_batch(body.as_bytes(), is_ndjson, 3).map(|all| all.len());
    assert_eq!(n("{}", false), Ok(1));
    assert_eq!(n("[{}, {}]", false), Ok(2));
    assert_eq!(n("[]", false), Ok(0));
    assert_eq!(n("{}\r\n\n{}\n", true), Ok(2));
    assert_eq!(n(" \n", false), Err(BatchError::Empty));
    assert_eq!(n("3", false), Err(BatchError::NotAnObjectOrArray));
    assert_eq!(n("[1,2,3,4]", false), Err(BatchError::TooMany { n: 4, max: 3 }));
    assert!(matches!(
        n("{\n\"price\": NaN}", false),
        Err(BatchError::Malformed { line: 2, column: 10, .. })
    ));
    let lines = decode_batch(b"{}\n{oops\n\xff\n", true, 3).unwrap();
    assert!(lines[0].is_ok() && lines[1].is_err() && lines[2].is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        proptest::sample::select(vec![
            "type",
            "user",
            "item",
            "price",
            "quantity",
            "timestamp",
            "value",
            "properties",
            "stock",
            "title",
            "categories",
            "amount",
            "currency",
            "competitor",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    leaf.prop_recursive(3, 32, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_a_form_panic(value in any_json()) {
        if let Ok(event) = event_from_json(&value, &rules(), Some(EventKind::View)) {
            prop_assert!(event.shopper().is_some() && event.item.is_some());
            prop_assert!(event.occurred_at.0 < rules().now.0 + DAY_MS && event.quantity >= 1);
        }
        let problems = event_from_json(&value, &rules(), None).err();
        prop_assert!(problems.is_none_or(|problems| !problems.is_empty()));
        let _ = item_row_from_json(&value, &rules());
        let _ = item_fields_from_json(&value, &rules());
        let _ = competitor_price_from_json(&value, &rules());
        let _ = user_attributes_from_json(&value);
    }

    #[test]
    fn no_bytes_make_the_batch_panic(body in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = decode_batch(&body, true, 10);
        let _ = decode_batch(&body, false, 10);
    }
}
