//! What is said to Postgres.

pub(super) const LOCK_SHARED: &str = "select pg_advisory_xact_lock_shared($1)";
pub(super) const LOCK: &str = "select pg_advisory_xact_lock($1)";
/// One round trip for both; `materialized` keeps the lock before the numbers.
pub(super) const RESERVE_SEQUENCES: &str = "with locked as materialized (select pg_advisory_xact_lock_shared($1)) \
     select nextval('event_sequence') from locked, generate_series(1, $2)";
pub(super) const LAST_EVENT: &str =
    "select case when is_called then last_value else 0 end from event_sequence";
pub(super) const LAST_REVISION: &str =
    "select case when is_called then last_value else 0 end from item_revision";
pub(super) const INSERT_EVENTS: &str = "insert into events (sequence, event_id, kind, user_id, session_id, \
     item_id, occurred_at_ms, received_at_ms, quantity, price_minor, order_id, value, context) \
     select s, e, k, u, v, i, o, $13, q, p, r, x, c from unnest($1::bigint[], $2::text[], \
     $3::smallint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], \
     $9::bigint[], $10::text[], $11::double precision[], $12::text[]) \
     as t(s, e, k, u, v, i, o, q, p, r, x, c) \
     on conflict (event_id) where event_id is not null do nothing returning sequence";
pub(super) const COPY_EVENTS: &str = "copy events (sequence, event_id, kind, user_id, session_id, item_id, \
     occurred_at_ms, received_at_ms, quantity, price_minor, order_id, value, context) \
     from stdin (format binary)";
pub(super) const INSERT_USERS: &str = "insert into users (user_id, attributes, first_seen_ms, updated_ms) \
     select id, '{}', $2, $2 from unnest($1::text[]) as t(id) on conflict do nothing";
pub(super) const INSERT_ITEMS: &str = "insert into items (item_id, fields, first_seen_ms, updated_ms, \
     revision) select id, '{}', $2, $2, nextval('item_revision') \
     from unnest($1::text[]) as t(id) on conflict do nothing";
pub(super) const EVENTS_BETWEEN: &str = "select sequence, event_id, kind, user_id, session_id, item_id, \
     occurred_at_ms, quantity, price_minor, order_id, value, context \
     from events where sequence > $1 and sequence <= $2 order by sequence limit $3";
pub(super) const STANDING: &str = "select i.item_id, i.fields, i.price_in_force_minor, i.first_seen_ms, \
     i.updated_ms, i.removed, i.back_on_sale_ms, i.revision, \
     (select max(l.from_ms) from price_ledger l where l.item_id = i.item_id) as ledger_from_ms \
     from items i where i.item_id = any($1)";
pub(super) const WRITE_ITEMS: &str = "insert into items (item_id, fields, price_in_force_minor, \
     first_seen_ms, updated_ms, removed, back_on_sale_ms, revision) \
     select id, fields, price, first_seen, updated, removed, back_on_sale, nextval('item_revision') \
     from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[], \
     $7::bigint[]) as t(id, fields, price, first_seen, updated, removed, back_on_sale) \
     on conflict (item_id) do update set fields = excluded.fields, \
     price_in_force_minor = excluded.price_in_force_minor, updated_ms = excluded.updated_ms, \
     removed = excluded.removed, back_on_sale_ms = excluded.back_on_sale_ms, \
     revision = excluded.revision returning item_id, revision";
pub(super) const ITEM: &str = "select item_id, fields, price_in_force_minor, first_seen_ms, updated_ms, \
     removed, back_on_sale_ms, revision from items where item_id = $1";
pub(super) const ITEMS_BETWEEN: &str = "select item_id, fields, price_in_force_minor, first_seen_ms, \
     updated_ms, removed, back_on_sale_ms, revision from items where revision > $1 and revision <= $2 \
     order by revision limit $3";
pub(super) const DROP_PRICES_AT: &str = "delete from price_ledger l \
     using unnest($1::text[], $2::bigint[]) as t(id, at) where l.item_id = t.id and l.from_ms = t.at";
pub(super) const CLOSE_PRICES: &str = "update price_ledger l set to_ms = t.at \
     from unnest($1::text[], $2::bigint[]) as t(id, at) where l.item_id = t.id and l.to_ms is null";
pub(super) const INSERT_PRICES: &str = "insert into price_ledger (item_id, from_ms, to_ms, price_minor, \
     reason, expected_minor, chance_ppm) select * from unnest($1::text[], $2::bigint[], \
     $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::integer[])";
pub(super) const INSERT_COMPETITORS: &str = "insert into competitor_prices (item_id, competitor, \
     observed_at_ms, price_minor, shipping_minor, in_stock, condition, match_confidence) \
     select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], \
     $6::boolean[], $7::text[], $8::double precision[]) \
     on conflict (item_id, competitor, observed_at_ms) do update set \
     price_minor = excluded.price_minor, shipping_minor = excluded.shipping_minor, \
     in_stock = excluded.in_stock, condition = excluded.condition, \
     match_confidence = excluded.match_confidence \
     where excluded.condition in (competitor_prices.condition, 'new') \
     and (competitor_prices.price_minor, competitor_prices.shipping_minor, \
     competitor_prices.in_stock, competitor_prices.condition, competitor_prices.match_confidence) \
     is distinct from (excluded.price_minor, excluded.shipping_minor, excluded.in_stock, \
     excluded.condition, excluded.match_confidence)";
pub(super) const WRITE_USERS: &str = "insert into users (user_id, attributes, first_seen_ms, updated_ms) \
     select id, attributes, $3, $3 from unnest($1::text[], $2::text[]) as t(id, attributes) \
     on conflict (user_id) do update set attributes = excluded.attributes, \
     updated_ms = excluded.updated_ms returning user_id, attributes, first_seen_ms, updated_ms";
/// One statement, so that what is counted is what is moved.
pub(super) const MERGE_EVENTS: &str = "with moved as (update events set user_id = $2 \
     where user_id = $1 or (user_id is null and session_id = $1) returning sequence) \
     select coalesce(max(sequence), 0), count(*) from moved";
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
