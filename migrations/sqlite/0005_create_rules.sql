-- What the shop's people want shown, and how often that has changed: what a follower looks at.
create table rules (
    rule_id text primary key not null,
    body text not null,                  -- JSON of the rule
    updated_ms integer not null
);

create table rule_changes (
    one integer primary key not null check (one = 1),
    revision integer not null
);

insert into rule_changes (one, revision) values (1, 0);
