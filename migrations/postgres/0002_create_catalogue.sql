-- What the shop sells, at which prices it sold it, and what others ask.
--
-- Revisions follow the rule of event_sequence: CACHE 1, taken under the writers' lock.
create sequence item_revision cache 1;

create table items (
    item_id text collate "C" primary key,
    fields text not null,                -- JSON of ItemFields
    price_in_force_minor bigint,
    first_seen_ms bigint not null,
    updated_ms bigint not null,
    removed boolean not null default false,
    revision bigint not null
);

create unique index items_by_revision on items (revision);

-- In force from from_ms (inclusive) to to_ms (exclusive); open while it still is.
create table price_ledger (
    item_id text collate "C" not null references items (item_id),
    from_ms bigint not null,
    to_ms bigint,
    price_minor bigint not null,
    reason text not null,                -- PriceReason::name
    primary key (item_id, from_ms)
);

create unique index price_ledger_open on price_ledger (item_id) where to_ms is null;

create table competitor_prices (
    item_id text collate "C" not null,
    competitor text collate "C" not null,
    observed_at_ms bigint not null,
    price_minor bigint not null,
    primary key (item_id, competitor, observed_at_ms)
);
