//! The form of an event.

use super::{FieldProblem, FormRules, reader::Reader, values};
use crate::domain::{Event, EventContext, EventKind};
use serde_json::Value;

const ID: &[&str] = &["id", "event_id", "eventId"];
const TYPE: &[&str] = &["type", "event_type", "eventType", "FeedbackType"];
const USER: &[&str] = &["user", "user_id", "userId", "UserId"];
const SESSION: &[&str] = &["session", "session_id", "sessionId", "visitorId"];
pub(super) const ITEM: &[&str] = &["item", "item_id", "itemId", "ItemId", "product_id"];
pub(super) const TIME: &[&str] = &["timestamp", "Timestamp", "time"];
const ORDER: &[&str] = &["order", "order_id"];
const RECOMMENDATION: &[&str] = &["recommendation", "recommendation_id", "recommId"];

/// What other recommendation services call some kinds. A `like` or a `star` says "I want this" and
/// nothing about a scale, so it is a wish, not a rating; a `read` is a look at a page.
const TYPE_ALIASES: [(&str, EventKind); 9] = [
    ("purchase-complete", EventKind::Purchase),
    ("detail-page-view", EventKind::View),
    ("view_item", EventKind::View),
    ("read", EventKind::View),
    ("add-to-cart", EventKind::AddToCart),
    ("remove-from-cart", EventKind::RemoveFromCart),
    ("like", EventKind::Wishlist),
    ("star", EventKind::Wishlist),
    ("add_to_wishlist", EventKind::Wishlist),
];

/// The kind that a value names, were everything else wrong with it; `kind` as for [`event_from_json`].
pub fn kind_of(value: &Value, kind: Option<EventKind>) -> Option<EventKind> {
    let named = TYPE.iter().find_map(|name| value.get(name));
    kind.or_else(|| named.and_then(|named| parse_kind(named).ok()))
}

/// Reads an event; `kind` is the one that the path gives (`/events/click`), if it gives one.
///
/// # Errors
///
/// Everything that is wrong with it, not only the first thing.
pub fn event_from_json(
    value: &Value,
    rules: &FormRules,
    kind: Option<EventKind>,
) -> Result<Event, Vec<FieldProblem>> {
    let mut reader = Reader::new(value)?;
    let kind = read_kind(&mut reader, kind);
    let has_shopper = reader.has(USER) || reader.has(SESSION);
    if !has_shopper {
        reader.refuse("user", "or session is required");
    }
    if let Some(kind) = kind.filter(|kind| kind.needs_item() && !reader.has(ITEM)) {
        reader.refuse("item", format!("is required for type {kind}"));
    }
    if kind == Some(EventKind::Rating) && !reader.has(&["value"]) {
        reader.refuse("value", "is required for type rating");
    }
    reader.read(&["currency"], |code| values::check_currency(code, rules.currency));
    let event = Event {
        event_id: reader.read(ID, values::id_text),
        // A missing kind was complained about; the stand-in never leaves this function.
        kind: kind.unwrap_or(EventKind::View),
        user: reader.read(USER, values::typed_id),
        session: reader.read(SESSION, values::typed_id),
        item: reader.read(ITEM, values::typed_id),
        occurred_at: reader.read(TIME, |value| values::time(value, rules)).unwrap_or(rules.now),
        quantity: reader.read(&["quantity"], values::quantity).unwrap_or(1),
        price: reader.read(&["price"], |value| values::price(value, rules.currency)),
        order: reader.read(ORDER, values::id_text),
        value: reader.read(&["value"], values::rating),
        context: EventContext {
            recommendation: reader.read(RECOMMENDATION, values::id_text),
            scenario: reader.read(&["scenario"], values::id_text),
            channel: reader.read(&["channel"], values::id_text),
            campaign: reader.read(&["campaign"], values::id_text),
            credit: None,
            properties: reader.read(&["properties"], values::object).unwrap_or_default(),
        },
    };
    reader.finish(Some(event))
}

fn read_kind(reader: &mut Reader<'_>, from_path: Option<EventKind>) -> Option<EventKind> {
    let Some(from_path) = from_path else {
        return reader.require(TYPE, parse_kind);
    };
    let read = reader.read(TYPE, |value| match parse_kind(value)? {
        kind if kind == from_path => Ok(kind),
        kind => Err(format!("is {kind}, but the path says {from_path}")),
    });
    read.or(Some(from_path))
}

fn parse_kind(value: &Value) -> Result<EventKind, String> {
    let Value::String(name) = value else {
        return Err(format!("must be a string, not {}", values::type_name(value)));
    };
    let known = EventKind::ALL.into_iter().find(|kind| kind.name() == name);
    let alias = || TYPE_ALIASES.into_iter().find(|(alias, _)| alias == name).map(|(_, kind)| kind);
    known.or_else(alias).ok_or_else(|| {
        let shown: String = name.chars().take(40).collect();
        let names: Vec<&str> = EventKind::ALL.into_iter().map(EventKind::name).collect();
        format!("`{shown}` is not known; known are {}", names.join(", "))
    })
}
