-- What customers owe for travel, and who may not travel on.

-- `due_minor` is the sum of the charges of the bill that is being gathered, `bill_number`. Charges are recorded
-- with the row locked, so a bill that is closed has all of its charges and no other.
create table customer (
    customer_id text        primary key check (customer_id <> '' and position(':' in customer_id) = 0),
    due_minor   bigint      not null default 0,
    bill_number integer     not null default 1,
    is_denied   boolean     not null default false,
    known_since timestamptz not null default clock_timestamp()
);

-- A call of CollectionPort.charge that recorded something. posted_at is null until its charges are in the ledger.
create table charge_batch (
    batch_id    uuid        primary key,
    recorded_at timestamptz not null default clock_timestamp(),
    posted_at   timestamptz
);
create index charge_batch_unposted on charge_batch (recorded_at) where posted_at is null;

-- Never changed once written. `traveller_id` rode, `customer_id` owes it.
create table charge (
    charge_id    uuid    primary key,
    traveller_id text    not null,
    customer_id  text    not null,
    bill_number  integer not null,
    amount_minor bigint  not null check (amount_minor <> 0),
    currency     text    not null,
    reference    text    not null,
    service_date date    not null,
    batch_id     uuid    not null
);
create index charge_of_bill on charge (customer_id, bill_number);
create index charge_of_batch on charge (batch_id);

-- What is given back while unearned fares cannot cover it yet, because the ride was earned: the ledger is asked
-- again under another id once the operators have given their shares back.
create table charge_refused (
    charge_id       uuid        primary key references charge,
    attempts        integer     not null default 1,
    last_status     text        not null,
    next_attempt_at timestamptz not null
);

-- Written under one lock, so that a sequence that is visible has all earlier ones before it.
create table deny_listing (
    sequence    bigint      primary key generated always as identity,
    customer_id text        not null references customer,
    is_denied   boolean     not null,
    since       timestamptz not null
);
