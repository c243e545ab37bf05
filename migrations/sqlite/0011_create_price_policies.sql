-- What the shop's people lay down for the prices of some items, and how often that has changed.
create table price_policies (
    scope text primary key not null,     -- shop, item:…, category:… or brand:…
    body text not null,                  -- JSON of what is laid down
    updated_ms integer not null
);

create table price_policy_changes (
    one integer primary key not null check (one = 1),
    revision integer not null
);

insert into price_policy_changes (one, revision) values (1, 0);
