-- What training did, and which process may do what only one should do at a time.
create table model_runs (
    run_id integer primary key autoincrement,
    started_at_ms integer not null,
    finished_at_ms integer not null,
    outcome text not null,               -- RunOutcome::name
    reason text not null,
    version integer,
    report text not null                 -- JSON
);

create table leases (
    name text primary key not null,
    holder text not null,
    expires_at_ms integer not null
);
