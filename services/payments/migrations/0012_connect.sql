-- Operators paid through the provider: their accounts there, their payouts, and the transfers these are made of.

create table connect_account (
    operator_id text    primary key,
    account_id  text    unique,
    can_receive boolean not null default false
);

-- A payout is planned once, as parts; each part is one transfer at the provider. A row is unfinished while
-- next_attempt_at is set.
create table operator_payout (
    payout_id       uuid        primary key,
    operator_id     text        not null,
    amount_minor    bigint      not null check (amount_minor > 0),
    state           text        not null check (state in ('open', 'paid', 'reversing', 'reversed')),
    attempts        integer     not null default 0,
    next_attempt_at timestamptz,
    last_error      text,
    wanted_at       timestamptz not null default clock_timestamp()
);
create index operator_payout_unfinished on operator_payout (next_attempt_at) where next_attempt_at is not null;

-- charge_id: the capture whose money this is, so that it need not be available yet; null: what is available.
create table operator_transfer (
    part_id      uuid    primary key,
    payout_id    uuid    not null references operator_payout,
    charge_id    text,
    amount_minor bigint  not null check (amount_minor > 0),
    provider_id  text    unique,
    is_reversed  boolean not null default false
);
create index operator_transfer_of_payout on operator_transfer (payout_id);
create index operator_transfer_of_charge on operator_transfer (charge_id) where charge_id is not null;
