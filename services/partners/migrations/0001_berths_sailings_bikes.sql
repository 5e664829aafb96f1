-- Berths on ships, what their operators say about sailings, and shared bikes.

-- What each sailing of a trip can sell. `aliases` are other names for the class.
create table berth_class (
    trip_id      text        not null,
    fare_class   text        not null,
    aliases      text[]      not null default '{}',
    place_count  integer     not null check (place_count >= 0),
    operator_id  text        not null,
    changed_at   timestamptz not null,
    primary key (trip_id, fare_class)
);

-- One row for each trip and service date that somebody asked for or spoke about. Its row lock orders holds and
-- cancellations: a hold takes it shared, a cancellation alone.
create table sailing (
    trip_id      text        not null,
    service_date date        not null,
    operator_id  text        not null,
    status       text        not null default 'scheduled'
                             check (status in ('scheduled', 'conditional', 'cancelled')),
    reason       text        not null default '',
    changed_at   timestamptz not null,
    primary key (trip_id, service_date)
);
create index sailing_of_day on sailing (service_date, trip_id);

-- How many places of a class are held or sold on a sailing. The check is the last line against overselling.
create table berth_count (
    trip_id      text        not null,
    service_date date        not null,
    fare_class   text        not null,
    place_count  integer     not null,
    taken        integer     not null default 0,
    primary key (trip_id, service_date, fare_class),
    foreign key (trip_id, service_date) references sailing,
    constraint berths_never_oversold check (0 <= taken and taken <= place_count)
);

create table hold (
    hold_id      uuid        not null primary key,
    trip_id      text        not null,
    service_date date        not null,
    fare_class   text        not null,
    place_count  integer     not null check (place_count > 0),
    state        text        not null check (state in ('held', 'confirmed', 'released', 'expired')),
    expires_at   timestamptz not null,
    changed_at   timestamptz not null,
    foreign key (trip_id, service_date, fare_class) references berth_count
);
create index hold_of_sailing on hold (trip_id, service_date, fare_class, state);
create index hold_waiting on hold (expires_at) where state = 'held';

-- Who travels: the names that the law asks ships to have, sealed (manifests.py). Gone after `purge_after`.
create table manifest (
    hold_id      uuid        not null primary key references hold,
    sealed       bytea       not null,
    purge_after  date        not null
);
create index manifest_of_day on manifest (purge_after);

-- Bike systems, and what changes seldom about them. Live counts are kept in memory only.
create table bike_system (
    system_id    text        not null primary key,
    gbfs_url     text        not null,
    operator_id  text        not null,
    facts        jsonb,
    changed_at   timestamptz not null
);

create table bike_station (
    system_id    text        not null references bike_system on delete cascade,
    station_id   text        not null,
    station      jsonb       not null,
    primary key (system_id, station_id)
);
