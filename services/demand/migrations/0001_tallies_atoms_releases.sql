-- Demand in counts. No column leads to a person, an order or a ride.

-- Events that are not published yet: counts below ten live here only, and no endpoint reads this table.
create table tally (
    id         bigint   generated always as identity primary key,
    metric     text     not null,
    mesh_end   text     not null,
    mesh       text     not null,
    day        date     not null,
    day_type   text     not null,
    hour       smallint not null check (hour between 0 and 23),
    category   text     not null,
    count      bigint   not null check (count > 0),
    unique (metric, mesh_end, mesh, day, hour, category)
);
create index tally_day on tally (day);

-- What was published, for ever: whole groups of ten or more events. All answers are sums of these rows.
create table atom (
    id         bigint   generated always as identity primary key,
    metric     text     not null,
    mesh_end   text     not null,
    mesh       text     not null,
    day_type   text     not null,
    hour       smallint not null check (hour between 0 and 23),
    category   text     not null,
    since      date     not null,
    until      date     not null check (until >= since),
    count      bigint   not null check (count >= 10)
);
create index atom_period on atom (metric, mesh_end, since, until);

-- Which days were released, and how much left with each.
create table release (
    day         date        not null primary key,
    released_at timestamptz not null,
    atoms       bigint      not null,
    events      bigint      not null
);
