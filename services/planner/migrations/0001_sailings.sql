-- What operators say about sailings: copies of their events, which every replica of the planner reads.

-- `changed_at` is when the operator said it, 'infinity' for a cancellation: nothing is later than that.
create table sailing (
    trip_id      text        not null,
    service_date date        not null,
    status       text        not null check (status in ('scheduled', 'conditional', 'cancelled')),
    reason       text        not null,
    changed_at   timestamptz not null,
    primary key (trip_id, service_date)
);

-- One row: how many times the table above has changed. Its lock orders the changes.
create table sailing_version (
    is_only boolean not null primary key default true check (is_only),
    version bigint  not null
);
insert into sailing_version (version) values (0);
