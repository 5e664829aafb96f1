-- A signed ticket per rider of an order (a further part where one code cannot hold all fares).
-- rate_at: when its taps are to be looked at again; -infinity at once, null never.
create table ticket (
    ticket_id         uuid primary key,
    ticket_ref        text        not null unique check (ticket_ref ~ '^[0-9a-f]{16}$'),
    order_id          uuid        not null,
    rider_index       integer     not null check (rider_index >= 0),
    part              integer     not null check (part >= 0),
    rider             text        not null,
    traveller_id      text        not null,
    payload           text        not null,
    component_indices integer[]   not null,
    valid_from        timestamptz not null,
    valid_until       timestamptz not null,
    issued_at         timestamptz not null,
    rate_at           timestamptz,
    unique (order_id, rider_index, part)
);
create index ticket_of_traveller on ticket (traveller_id, issued_at desc);
create index ticket_to_rate on ticket (rate_at) where rate_at is not null;

-- The fares of an order as they were sold: what a ride earns, and for whom.
create table fare (
    order_id         uuid             not null,
    component_index  integer          not null check (component_index >= 0),
    leg_indices      integer[]        not null,
    operator_ids     text[]           not null,
    fare_class       text,
    mode             text             not null,
    amount_minor     bigint           not null check (amount_minor >= 0),
    shares           jsonb            not null,
    origin_name      text             not null,
    origin_lat       double precision not null,
    origin_lon       double precision not null,
    destination_name text             not null,
    destination_lat  double precision not null,
    destination_lon  double precision not null,
    primary key (order_id, component_index)
);

-- Fares that count no more. Sequences are given under one lock, so they commit in order and a device that has
-- seen up to n misses nothing below n.
create table revocation (
    order_id        uuid        not null,
    component_index integer     not null,
    sequence        bigint      not null unique,
    revoked_at      timestamptz not null,
    reason          text        not null,
    primary key (order_id, component_index)
);
create sequence revocation_sequence;

-- Every tap ever sent, genuine or not. Written before it is answered, never changed.
-- ticket_ref is set where the signature was genuine; is_counted where rides are made of it.
create table tap (
    tap_id           uuid primary key,
    device_id        text        not null,
    sequence         bigint      not null check (sequence >= 0),
    operator_id      text        not null,
    stop_id          text        not null,
    kind             text        not null check (kind in ('enter', 'exit', 'scan')),
    tapped_at        timestamptz not null,
    received_at      timestamptz not null,
    payload          text        not null,
    accepted_offline boolean     not null,
    verdict          text        not null,
    ticket_ref       text,
    is_counted       boolean     not null,
    unique (device_id, sequence)
);
create index tap_of_ticket on tap (ticket_ref) where is_counted;

create table ride (
    ticket_ref          text    not null references ticket (ticket_ref),
    entitlement_index   integer not null,
    ride_id             uuid    not null unique,
    order_id            uuid    not null,
    component_index     integer not null,
    operator_id         text    not null,
    state               text    not null check (state in ('begun', 'ended', 'complete')),
    began_at            timestamptz,
    ended_at            timestamptz,
    origin_stop_id      text,
    destination_stop_id text,
    primary key (ticket_ref, entitlement_index)
);

-- A fare is earned once for ever.
create table rated_fare (
    order_id        uuid        not null,
    component_index integer     not null,
    ride_id         uuid        not null,
    rated_at        timestamptz not null,
    primary key (order_id, component_index)
);
