//! Events in the binary format of Postgres' COPY (PostgreSQL documentation, COPY, "Binary Format").

use super::rows::context_json;
use crate::domain::{Event, ItemId, SessionId, Timestamp, UserId};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const N_COLUMNS: i16 = 13;
/// About what an event takes.
const EVENT_BYTES: usize = 192;

/// Numbered events, in the order of the columns of `COPY_EVENTS`.
pub(super) fn events(numbered: &[(i64, &Event)], received_at: Timestamp) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64 + EVENT_BYTES * numbered.len());
    bytes.extend_from_slice(SIGNATURE);
    // No flags, no extension of the header.
    bytes.extend_from_slice(&[0; 8]);
    for (number, event) in numbered {
        bytes.extend_from_slice(&N_COLUMNS.to_be_bytes());
        put(&mut bytes, Some(&number.to_be_bytes()));
        put_text(&mut bytes, event.event_id.as_deref());
        put(&mut bytes, Some(&event.kind.code().to_be_bytes()));
        put_text(&mut bytes, event.user.as_ref().map(UserId::as_str));
        put_text(&mut bytes, event.session.as_ref().map(SessionId::as_str));
        put_text(&mut bytes, event.item.as_ref().map(ItemId::as_str));
        put(&mut bytes, Some(&event.occurred_at.0.to_be_bytes()));
        put(&mut bytes, Some(&received_at.0.to_be_bytes()));
        put(&mut bytes, Some(&i64::from(event.quantity).to_be_bytes()));
        put(
            &mut bytes,
            event.price.map(|price| price.0.to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice),
        );
        put_text(&mut bytes, event.order.as_deref());
        put(&mut bytes, event.value.map(f64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        put_text(&mut bytes, context_json(event).as_deref());
    }
    bytes.extend_from_slice(&(-1_i16).to_be_bytes());
    bytes
}

fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    put(bytes, text.map(str::as_bytes));
}

/// One field: its length and itself; -1 alone stands for null.
fn put(bytes: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
        Some(field) => {
            bytes.extend_from_slice(&(field.len() as i32).to_be_bytes());
            bytes.extend_from_slice(field);
        }
    }
}
