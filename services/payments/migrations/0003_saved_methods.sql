-- Cards kept for later, and the customers they belong to at the provider.

create table provider_customer (
    customer_id text primary key,
    provider_id text unique
);

-- A row is unfinished while next_attempt_at is set. given_method is the card as it was handed to us;
-- payment_method the provider's id of the kept one. `version` as in payment.
create table saved_method (
    method_id       uuid        primary key,
    customer_id     text        not null,
    given_method    text        not null,
    state           text        not null
                    check (state in ('setting_up', 'requires_action', 'ready', 'failed', 'detached')),
    is_wanted       boolean     not null default true,
    is_default      boolean     not null default false,
    setup_id        text        unique,
    payment_method  text        unique,
    brand           text,
    last4           text,
    exp_month       integer,
    exp_year        integer,
    failure         text,
    next_action_url text,
    version         bigint      not null default 1,
    attempts        integer     not null default 0,
    next_attempt_at timestamptz,
    last_error      text,
    saved_at        timestamptz not null default clock_timestamp(),
    check (state <> 'ready' or payment_method is not null),
    check (not is_default or state = 'ready')
);
create index saved_method_of_customer on saved_method (customer_id, saved_at);
create index saved_method_unfinished on saved_method (next_attempt_at) where next_attempt_at is not null;
create unique index saved_method_default on saved_method (customer_id) where is_default;

-- The payer is not there: their bank cannot ask them.
alter table payment add column off_session boolean not null default false;

-- The provider's object that an event is about, for the rooms beside payments and refunds.
alter table webhook add column object_kind text, add column object_id text;
