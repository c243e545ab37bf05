-- What pricing decided together, and what became of it. Prices on trial are lotteries: the ledger says how they were drawn.
alter table price_ledger add column expected_minor integer;   -- mean of the prices that could have been drawn
alter table price_ledger add column chance_ppm integer;       -- the chance of the one that was

create table price_runs (
    run_id text primary key not null,
    created_ms integer not null,
    state text not null,                 -- RunState::name
    changed_ms integer not null,
    request_key text,                    -- the same key again gives the same run
    by_person boolean not null default false,
    summary text not null                -- JSON
);

create unique index price_runs_by_request on price_runs (request_key) where request_key is not null;

create table price_decisions (
    run_id text not null references price_runs (run_id) on delete cascade,
    item_id text not null,
    before_minor integer,
    price_minor integer not null,
    reason text not null,                -- PriceReason::name
    expected_minor integer,
    chance_ppm integer,
    cost_minor integer,
    decided_by blob not null,            -- all that the decision depends on
    primary key (run_id, item_id)
);

create index price_decisions_by_item on price_decisions (item_id, run_id);

-- What one unit cost when its price was last decided: what a jump of cost is measured against.
create table price_costs (
    item_id text primary key not null,
    cost_minor integer not null
);

-- One row: since when pricing is stopped; null while it goes on.
create table pricing_switch (
    stopped_ms integer
);

insert into pricing_switch (stopped_ms) values (null);

-- What else is told of a competitor's offer; null = not known.
alter table competitor_prices add column shipping_minor integer;
alter table competitor_prices add column in_stock boolean;
alter table competitor_prices add column condition text not null default 'new';   -- Condition::name
alter table competitor_prices add column match_confidence real;
