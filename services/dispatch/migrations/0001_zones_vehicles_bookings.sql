-- On-demand rides: where they are offered, by which vehicles, and what was promised to whom.

create table zone (
    zone_id      text        not null primary key,
    operator_id  text        not null,
    settings     jsonb       not null,
    changed_at   timestamptz not null
);

create table vehicle (
    vehicle_id   text        not null primary key,
    operator_id  text        not null,
    zone_ids     text[]      not null,
    settings     jsonb       not null,
    changed_at   timestamptz not null
);
create index vehicle_zones on vehicle using gin (zone_ids);

-- One row for each vehicle and service date; its row lock is the right to change what the vehicle promised.
create table schedule (
    vehicle_id   text        not null references vehicle,
    service_date date        not null,
    visits       jsonb       not null default '[]',
    primary key (vehicle_id, service_date)
);

-- Who booked is known by id only, and only for rides booked here; an order's riders are known to sales.
create table booking (
    booking_id    uuid        not null primary key,
    zone_id       text        not null references zone,
    operator_id   text        not null,
    vehicle_id    text        not null,
    service_date  date        not null,
    traveller_id  text,
    state         text        not null,
    adults        integer     not null check (adults >= 0),
    children      integer     not null check (children >= 0),
    pickup        jsonb       not null,
    dropoff       jsonb       not null,
    price_minor   bigint,
    currency      text,
    expires_at    timestamptz,
    booked_at     timestamptz not null,
    changed_at    timestamptz not null,
    foreign key (vehicle_id, service_date) references schedule
);
create index booking_held on booking (expires_at) where state in ('held', 'pending');
create index booking_of_schedule on booking (vehicle_id, service_date);
