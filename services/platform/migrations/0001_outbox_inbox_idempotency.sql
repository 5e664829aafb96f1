-- What every service's schema has: events on their way out, events that took effect, and stored replies.

-- An event waits here, in the transaction of its cause, until the relay has published it and every
-- subscriber has acknowledged it. Rows are claimed with SKIP LOCKED, never read past a watermark,
-- because sequence ids commit out of order.
create table outbox (
    id            bigint generated always as identity primary key,
    event_id      uuid        not null unique,
    event_type    text        not null,
    payload       jsonb       not null,
    occurred_at   timestamptz not null,
    published_at  timestamptz,
    attempts      integer     not null default 0,
    waiting_for   text[]      not null default '{}'
);
create index outbox_unpublished on outbox (id) where published_at is null;
create index outbox_unacknowledged on outbox (published_at) where published_at is not null and waiting_for <> '{}';
create index outbox_open on outbox (occurred_at) where published_at is null or waiting_for <> '{}';

-- An event that took effect here, recorded in the transaction of its effect: a second delivery does nothing.
create table inbox (
    event_id      uuid        not null primary key,
    event_type    text        not null,
    received_at   timestamptz not null default clock_timestamp()
);

-- The reply to a command that carries an Idempotency-Key.
create table idempotency (
    principal     text        not null,
    operation     text        not null,
    key           text        not null,
    request_hash  bytea       not null,
    locked_until  timestamptz not null,
    status        integer,
    media_type    text,
    body          bytea,
    created_at    timestamptz not null default clock_timestamp(),
    primary key (principal, operation, key)
);
create index idempotency_age on idempotency (created_at);
