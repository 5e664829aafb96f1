-- Networks that are on disk, in the order in which they were published.
create table network (
    version text primary key,
    position bigint generated always as identity,
    published_at timestamptz not null,
    in_force boolean not null default false,
    counts jsonb not null
);

-- At most one network is in force.
create unique index network_in_force on network (in_force) where in_force;

create table feed (
    version text not null references network on delete cascade,
    feed_id text not null,
    source text not null,
    sha256 text not null,
    byte_count bigint not null,
    first_date date,
    last_date date,
    summary jsonb not null,
    error_count bigint not null,
    warning_count bigint not null,
    info_count bigint not null,
    primary key (version, feed_id)
);

-- The samples of what was noticed; `total` is how often the code was found in the feed.
create table notice (
    version text not null,
    feed_id text not null,
    position integer not null,
    code text not null,
    severity text not null,
    file text not null,
    row_number bigint,
    field text not null,
    message text not null,
    total bigint not null,
    primary key (version, feed_id, position),
    foreign key (version, feed_id) references feed on delete cascade
);
