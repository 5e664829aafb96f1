-- Who may send taps: each device has a key of its own and taps for one operator.
create table device (
    device_id     text        primary key,
    operator_id   text        not null,
    public_key    bytea       not null check (length(public_key) = 32),
    state         text        not null check (state in ('active', 'denied', 'retired')),
    state_since   timestamptz not null,
    registered_at timestamptz not null
);
create index device_of_operator on device (operator_id, device_id);

-- Where a device stood from when on; stop_id null: it moves, and says in each tap where it is.
create table device_placement (
    device_id  text        not null references device,
    valid_from timestamptz not null,
    stop_id    text,
    primary key (device_id, valid_from)
);

-- Where the device said it was; stop_id is where its placement says it was, and that is what counts.
alter table tap add column reported_stop_id text;
update tap set reported_stop_id = stop_id;
alter table tap alter column reported_stop_id set not null;
