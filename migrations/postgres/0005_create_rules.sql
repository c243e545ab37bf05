-- What the shop's people want shown, and how often that has changed: what a follower looks at.
create table rules (
    rule_id text collate "C" primary key,
    body text not null,                  -- JSON of the rule
    updated_ms bigint not null
);

create table rule_changes (
    one integer primary key check (one = 1),
    revision bigint not null
);

insert into rule_changes (one, revision) values (1, 0);
