-- Whom the shop knows, and proof of whom it has forgotten.
create table users (
    user_id text collate "C" primary key not null,
    attributes text not null,            -- a JSON object
    first_seen_ms bigint not null,
    updated_ms bigint not null
);

-- The person is named by a hash alone, so that the receipt can be kept.
create table erasures (
    sequence bigint generated always as identity primary key,
    user_hash text not null,
    erased_at_ms bigint not null,
    events_erased bigint not null
);
