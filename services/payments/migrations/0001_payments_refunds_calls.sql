-- Customers' payments, their refunds, every call to the provider, and every webhook that came.

-- `wanted` is where the owner wants the payment to go; a row is unfinished while next_attempt_at is set.
-- `hold_at` is written before the ledger's hold is posted. `version` lets two drivers of one payment
-- proceed side by side: who loses reads again.
create table payment (
    payment_id      uuid        primary key,
    order_id        uuid        not null,
    traveller_id    text        not null,
    amount_minor    bigint      not null check (amount_minor > 0),
    currency        text        not null,
    captured_minor  bigint      not null default 0,
    refunded_minor  bigint      not null default 0,
    state           text        not null,
    decline_code    text,
    next_action_url text,
    wanted          text        not null,
    payment_method  text,
    provider_id     text        unique,
    charge_id       text,
    hold_at         timestamptz,
    version         bigint      not null default 1,
    attempts        integer     not null default 0,
    next_attempt_at timestamptz,
    last_error      text,
    opened_at       timestamptz not null,
    updated_at      timestamptz not null default clock_timestamp(),
    check (0 <= refunded_minor and refunded_minor <= captured_minor and captured_minor <= amount_minor),
    check (captured_minor = 0 or state = 'captured')
);
create index payment_unfinished on payment (next_attempt_at) where next_attempt_at is not null;

create table refund (
    refund_id       uuid        primary key,
    payment_id      uuid        not null references payment,
    amount_minor    bigint      not null check (amount_minor > 0),
    currency        text        not null,
    reason          text        not null,
    state           text        not null,
    outcome         text        not null,
    provider_id     text        unique,
    failure         text,
    version         bigint      not null default 1,
    attempts        integer     not null default 0,
    next_attempt_at timestamptz,
    last_error      text,
    opened_at       timestamptz not null,
    updated_at      timestamptz not null default clock_timestamp()
);
create index refund_of_payment on refund (payment_id);
create index refund_unfinished on refund (next_attempt_at) where next_attempt_at is not null;

-- The idempotency key of a call is here before the call is made. started: no answer yet, it may have
-- happened; answered; refused: it did not happen; faulted: the provider broke, and will say so again.
create table provider_call (
    key             text        primary key,
    kind            text        not null,
    subject_id      uuid        not null,
    generation      integer     not null,
    params          jsonb       not null,
    params_hash     bytea       not null,
    state           text        not null default 'started',
    result          jsonb,
    started_at      timestamptz not null default clock_timestamp(),
    ended_at        timestamptz,
    unique (subject_id, kind, generation)
);

-- What the provider told. Only ids are kept: the truth is asked for, so order and repeats do not matter.
create table webhook (
    event_id        text        primary key,
    event_type      text        not null,
    payment_id      uuid,
    refund_id       uuid,
    told_at         timestamptz not null,
    received_at     timestamptz not null default clock_timestamp(),
    attempts        integer     not null default 0,
    next_attempt_at timestamptz,
    last_error      text
);
create index webhook_unhandled on webhook (next_attempt_at) where next_attempt_at is not null;
