-- What shoppers did. Append only, but for the erasure of a person.
--
-- AUTOINCREMENT, so that a number is never given out again, not even after its row was erased.
create table events (
    sequence integer primary key autoincrement,
    event_id text,                       -- the sender's own id; makes a retry harmless
    kind integer not null,               -- EventKind::code
    user_id text,
    session_id text,
    item_id text,
    occurred_at_ms integer not null,
    received_at_ms integer not null,
    quantity integer not null,
    price_minor integer,
    order_id text,
    value real,
    context text                         -- JSON of EventContext; null if it says nothing
);

create unique index events_by_event_id on events (event_id) where event_id is not null;
create index events_by_user on events (user_id, sequence) where user_id is not null;
