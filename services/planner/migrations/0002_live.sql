-- Live messages (GTFS-Realtime): of each source of a feed the newest, as it came. Every replica of the planner reads
-- them.
create table live_message (
    feed_id     text        not null,
    source      text        not null,
    content     bytea       not null,
    made_at     timestamptz,
    received_at timestamptz not null,
    primary key (feed_id, source)
);

-- One row: how many messages were kept so far. Its lock orders them.
create table live_version (
    is_only boolean not null primary key default true check (is_only),
    version bigint  not null
);
insert into live_version (version) values (0);
