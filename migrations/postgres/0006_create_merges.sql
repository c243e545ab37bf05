-- Whose history went over to whom: what readers of events must catch up with. Rows go with the customer's erasure.
create table merges (
    sequence bigint generated always as identity primary key,
    from_id text not null,               -- a user or a session
    into_user_id text not null,
    merged_at_ms bigint not null,
    moved_until bigint not null,        -- the last event that was moved
    events_moved bigint not null
);

create index merges_by_customer on merges (into_user_id);
-- Guests, whom a session alone names.
create index events_by_guest on events (session_id) where user_id is null and session_id is not null;
