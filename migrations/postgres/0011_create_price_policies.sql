-- What the shop's people lay down for the prices of some items, and how often that has changed.
create table price_policies (
    scope text collate "C" primary key,  -- shop, item:…, category:… or brand:…
    body text not null,                  -- JSON of what is laid down
    updated_ms bigint not null
);

create table price_policy_changes (
    one integer primary key check (one = 1),
    revision bigint not null
);

insert into price_policy_changes (one, revision) values (1, 0);
