-- Stored value: wallets, what is held of them, and how they are filled.

-- A provider_call may also be `left`: its payment was let go at the provider, and another method took over.
alter table payment add column purpose text not null default 'order';

-- The balance is the ledger's. The automatic top-up is on while its amounts are set.
create table wallet (
    traveller_id         text        primary key references customer (customer_id),
    state                text        not null default 'open',
    opened_at            timestamptz not null,
    closed_at            timestamptz,
    auto_threshold_minor bigint,
    auto_amount_minor    bigint,
    auto_ceiling_minor   bigint
);

-- A try to pay from a wallet. It is here before the ledger is asked, and a refused one is never asked again.
create table wallet_hold (
    hold_id      uuid        primary key,
    payment_id   uuid        not null references payment,
    wish_version bigint      not null,
    payer_id     text        not null,
    amount_minor bigint      not null check (amount_minor > 0),
    currency     text        not null,
    state        text        not null default 'started',
    decline_code text,
    begun_at     timestamptz not null default clock_timestamp(),
    unique (payment_id, wish_version)
);

-- An automatic one is paid with the kept card `method_id`, another with the `payment_method` that was given.
-- `day` is the city's calendar day, for the ceiling of automatic ones.
create table top_up (
    top_up_id       uuid        primary key,
    traveller_id    text        not null references wallet,
    amount_minor    bigint      not null check (amount_minor > 0),
    is_automatic    boolean     not null,
    day             date        not null,
    payment_id      uuid        not null unique,
    payment_method  text,
    method_id       uuid,
    state           text        not null default 'open',
    decline_code    text,
    next_action_url text,
    requested_at    timestamptz not null,
    attempts        integer     not null default 0,
    next_attempt_at timestamptz,
    last_error      text,
    check (num_nonnulls(payment_method, method_id) = 1)
);
create index top_up_of_traveller on top_up (traveller_id, day);
create index top_up_unfinished on top_up (next_attempt_at) where next_attempt_at is not null;
