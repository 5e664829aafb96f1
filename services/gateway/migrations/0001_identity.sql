-- People and devices that may sign in. A closed account keeps its id (money rows refer to it) and nothing else.
create table account (
    account_id    uuid primary key,
    role          text not null check (role in ('traveller', 'clerk', 'analyst', 'validator', 'admin')),
    operator_id   text check ((operator_id is not null) = (role in ('clerk', 'validator'))),
    login         text unique,
    password_hash text,
    display_name  text,
    locale        text,
    created_at    timestamptz not null,
    closed_at     timestamptz,
    check ((closed_at is null) = (login is not null and password_hash is not null and display_name is not null))
);

-- Signing keys. The current one has no retires_at; an older one verifies until then.
create table signing_key (
    kid         text primary key,
    private_key bytea not null check (length(private_key) = 32),
    created_at  timestamptz not null,
    retires_at  timestamptz
);
create unique index signing_key_one_is_current on signing_key ((true)) where retires_at is null;

-- Sign-in attempts that did not succeed, by whom they concern (a hash) or whence they came.
create table sign_in_attempt (
    subject       text primary key,
    failure_count integer not null,
    last_at       timestamptz not null
);
create index sign_in_attempt_last_at on sign_in_attempt (last_at);
