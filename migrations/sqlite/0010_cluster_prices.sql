-- Rows lie in the order of their keys: pages of whole items are read in it, and a row apart from its key would be looked
-- up anew each.
create table price_ledger_clustered (
    item_id text not null references items (item_id),
    from_ms integer not null,
    to_ms integer,
    price_minor integer not null,
    reason text not null,                -- PriceReason::name
    expected_minor integer,              -- mean of the prices that could have been drawn
    chance_ppm integer,                  -- the chance of the one that was
    primary key (item_id, from_ms)
) without rowid;

insert into price_ledger_clustered
select item_id, from_ms, to_ms, price_minor, reason, expected_minor, chance_ppm
from price_ledger order by item_id, from_ms;

drop table price_ledger;

alter table price_ledger_clustered rename to price_ledger;

create unique index price_ledger_open on price_ledger (item_id) where to_ms is null;

create table competitor_prices_clustered (
    item_id text not null,
    competitor text not null,
    observed_at_ms integer not null,
    price_minor integer not null,
    shipping_minor integer,
    in_stock boolean,                    -- this and the two around it: null = not known
    condition text not null default 'new',   -- Condition::name
    match_confidence real,
    primary key (item_id, competitor, observed_at_ms)
) without rowid;

insert into competitor_prices_clustered
select item_id, competitor, observed_at_ms, price_minor, shipping_minor, in_stock, condition, match_confidence
from competitor_prices order by item_id, competitor, observed_at_ms;

drop table competitor_prices;

alter table competitor_prices_clustered rename to competitor_prices;
