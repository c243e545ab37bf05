-- What shoppers did. Append only, but for the erasure of a person.
--
-- Numbers are taken from the sequence by the writer, under a shared advisory lock, so that a reader
-- knows up to where nothing can appear any more. CACHE must stay 1: a session that keeps numbers
-- back would use small ones late.
create sequence event_sequence cache 1;

create table events (
    sequence bigint primary key,
    event_id text collate "C",           -- the sender's own id; makes a retry harmless
    kind smallint not null,              -- EventKind::code
    user_id text collate "C",
    session_id text collate "C",
    item_id text collate "C",
    occurred_at_ms bigint not null,
    received_at_ms bigint not null,
    quantity bigint not null,
    price_minor bigint,
    order_id text,
    value double precision,
    context text                         -- JSON of EventContext; null if it says nothing
);

create unique index events_by_event_id on events (event_id) where event_id is not null;
create index events_by_user on events (user_id, sequence) where user_id is not null;
