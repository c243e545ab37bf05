//! What is said to SQLite.

pub(super) const KNOWN_EVENT_IDS: &str =
    "select event_id from events where event_id in (select value from json_each($1))";
pub(super) const LAST_EVENT: &str =
    "select coalesce((select seq from sqlite_sequence where name = 'events'), 0)";
pub(super) const INSERT_EVENTS: &str = "insert into events (sequence, event_id, kind, user_id, session_id, \
     item_id, occurred_at_ms, received_at_ms, quantity, price_minor, order_id, value, context) \
     select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
     value ->> 6, $2, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11 \
     from json_each($1)";
pub(super) const INSERT_USERS: &str = "insert into users (user_id, attributes, first_seen_ms, updated_ms) \
     select value, '{}', $2, $2 from json_each($1) where true on conflict do nothing";
pub(super) const INSERT_ITEM: &str = "insert into items (item_id, fields, first_seen_ms, updated_ms, revision) \
     select $1, '{}', $2, $2, (select coalesce(max(revision), 0) + 1 from items) \
     where not exists (select 1 from items where item_id = $1)";
pub(super) const EVENTS_AFTER: &str = "select sequence, event_id, kind, user_id, session_id, item_id, \
     occurred_at_ms, quantity, price_minor, order_id, value, context \
     from events where sequence > $1 order by sequence limit $2";
pub(super) const STANDING: &str = "select i.item_id, i.fields, i.price_in_force_minor, i.first_seen_ms, \
     i.updated_ms, i.removed, i.back_on_sale_ms, i.revision, \
     (select max(l.from_ms) from price_ledger l where l.item_id = i.item_id) as ledger_from_ms \
     from items i where i.item_id in (select value from json_each($1))";
pub(super) const WRITE_ITEM: &str = "insert into items (item_id, fields, price_in_force_minor, first_seen_ms, \
     updated_ms, removed, back_on_sale_ms, revision) \
     values ($1, $2, $3, $4, $5, $6, $7, (select coalesce(max(revision), 0) + 1 from items)) \
     on conflict (item_id) do update set fields = excluded.fields, \
     price_in_force_minor = excluded.price_in_force_minor, updated_ms = excluded.updated_ms, \
     removed = excluded.removed, back_on_sale_ms = excluded.back_on_sale_ms, \
     revision = excluded.revision returning revision";
pub(super) const ITEM: &str = "select item_id, fields, price_in_force_minor, first_seen_ms, updated_ms, \
     removed, back_on_sale_ms, revision from items where item_id = $1";
pub(super) const ITEMS_AFTER: &str = "select item_id, fields, price_in_force_minor, first_seen_ms, \
     updated_ms, removed, back_on_sale_ms, revision from items where revision > $1 order by revision limit $2";
pub(super) const DROP_PRICES_AT: &str = "delete from price_ledger where (item_id, from_ms) in \
     (select value ->> 0, value ->> 1 from json_each($1))";
pub(super) const CLOSE_PRICES: &str = "update price_ledger set to_ms = t.at from \
     (select value ->> 0 as id, value ->> 1 as at from json_each($1)) as t \
     where price_ledger.item_id = t.id and price_ledger.to_ms is null";
pub(super) const INSERT_PRICES: &str = "insert into price_ledger (item_id, from_ms, to_ms, price_minor, \
     reason, expected_minor, chance_ppm) select value ->> 0, value ->> 1, value ->> 2, value ->> 3, \
     value ->> 4, value ->> 5, value ->> 6 from json_each($1)";
pub(super) const INSERT_COMPETITOR: &str = "insert into competitor_prices (item_id, competitor, \
     observed_at_ms, price_minor, shipping_minor, in_stock, condition, match_confidence) \
     values ($1, $2, $3, $4, $5, $6, $7, $8) \
     on conflict (item_id, competitor, observed_at_ms) do update set \
     price_minor = excluded.price_minor, shipping_minor = excluded.shipping_minor, \
     in_stock = excluded.in_stock, condition = excluded.condition, \
     match_confidence = excluded.match_confidence \
     where excluded.condition in (competitor_prices.condition, 'new') \
     and (competitor_prices.price_minor, competitor_prices.shipping_minor, \
     competitor_prices.in_stock, competitor_prices.condition, competitor_prices.match_confidence) \
     is not (excluded.price_minor, excluded.shipping_minor, excluded.in_stock, \
     excluded.condition, excluded.match_confidence)";
pub(super) const WRITE_USER: &str = "insert into users (user_id, attributes, first_seen_ms, updated_ms) \
     values ($1, $2, $3, $3) on conflict (user_id) do update set \
     attributes = excluded.attributes, updated_ms = excluded.updated_ms \
     returning user_id, attributes, first_seen_ms, updated_ms";
pub(super) const GUEST_EVENTS: &str = "select coalesce(max(sequence), 0), count(*) from events \
     where user_id = $1 or (user_id is null and session_id = $1)";
pub(super) const MERGE_EVENTS: &str = "update events set user_id = $2 \
     where user_id = $1 or (user_id is null and session_id = $1)";
pub(super) const ENSURE_USER: &str = "insert into users (user_id, attributes, first_seen_ms, updated_ms) \
     values ($1, '{}', $2, $2) on conflict do nothing";
pub(super) const MERGE_MERGES: &str = "update merges set into_user_id = $2 where into_user_id = $1";
pub(super) const WRITE_MERGE: &str = "insert into merges (from_id, into_user_id, merged_at_ms, moved_until, \
     events_moved) values ($1, $2, $3, $4, $5) returning sequence, from_id, into_user_id, \
     merged_at_ms, moved_until, events_moved";
pub(super) const ERASE_MERGES: &str =
    "delete from merges where into_user_id = $1 returning from_id";
pub(super) const ERASE_EVENTS: &str = "delete from events where user_id = $1";
pub(super) const ERASE_USER: &str = "delete from users where user_id = $1";
pub(super) const WRITE_ERASURE: &str = "insert into erasures (user_hash, erased_at_ms, events_erased) \
     values ($1, $2, $3) returning sequence, user_hash, erased_at_ms, events_erased";
