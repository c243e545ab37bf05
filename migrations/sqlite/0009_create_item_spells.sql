-- When an item could not be bought, and when it was promoted: from from_ms (inclusive) to to_ms (exclusive); open
-- while it still is so.
create table item_spells (
    item_id text not null references items (item_id),
    kind text not null,                  -- SpellKind::name
    from_ms integer not null,
    to_ms integer,
    primary key (item_id, kind, from_ms)
);

create unique index item_spells_open on item_spells (item_id, kind) where to_ms is null;

create index item_spells_by_end on item_spells (to_ms) where to_ms is not null;

-- When the item could last be bought again after it could not; null = never.
alter table items add column back_on_sale_ms integer;

-- What cannot be bought now could not since its last change at the latest.
insert into item_spells (item_id, kind, from_ms)
select item_id, 'sold_out', updated_ms from items
where removed or fields ->> '$.stock' = 0 or fields ->> '$.available' = 0;
