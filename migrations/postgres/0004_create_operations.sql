-- What training did, and which process may do what only one should do at a time.
create table model_runs (
    run_id bigint generated always as identity primary key,
    started_at_ms bigint not null,
    finished_at_ms bigint not null,
    outcome text not null,               -- RunOutcome::name
    reason text not null,
    version bigint,
    report text not null                 -- JSON
);

create table leases (
    name text collate "C" primary key not null,
    holder text not null,
    expires_at_ms bigint not null
);
