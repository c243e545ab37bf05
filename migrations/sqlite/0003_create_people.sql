-- Whom the shop knows, and proof of whom it has forgotten.
create table users (
    user_id text primary key not null,
    attributes text not null,            -- a JSON object
    first_seen_ms integer not null,
    updated_ms integer not null
);

-- The person is named by a hash alone, so that the receipt can be kept.
create table erasures (
    sequence integer primary key autoincrement,
    user_hash text not null,
    erased_at_ms integer not null,
    events_erased integer not null
);
