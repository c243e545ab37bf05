-- What the shop sells, at which prices it sold it, and what others ask.
create table items (
    item_id text primary key not null,
    fields text not null,                -- JSON of ItemFields
    price_in_force_minor integer,
    first_seen_ms integer not null,
    updated_ms integer not null,
    removed boolean not null default false,
    revision integer not null
);

create unique index items_by_revision on items (revision);

-- In force from from_ms (inclusive) to to_ms (exclusive); open while it still is.
create table price_ledger (
    item_id text not null references items (item_id),
    from_ms integer not null,
    to_ms integer,
    price_minor integer not null,
    reason text not null,                -- PriceReason::name
    primary key (item_id, from_ms)
);

create unique index price_ledger_open on price_ledger (item_id) where to_ms is null;

create table competitor_prices (
    item_id text not null,
    competitor text not null,
    observed_at_ms integer not null,
    price_minor integer not null,
    primary key (item_id, competitor, observed_at_ms)
);
