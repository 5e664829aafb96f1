-- From charges to money: draws on wallets, closed bills, and the tries to collect them.

-- `gather_at`: when the bill being gathered is closed (the city's time). `draw_at`: the wallet may pay something.
alter table customer add column gather_at timestamptz, add column draw_at timestamptz;
create index customer_to_gather on customer (gather_at) where gather_at is not null;
create index customer_to_draw on customer (draw_at) where draw_at is not null;

-- Times of attempts are the city's. `version`: a row is saved only over the version it was read at.
create table bill (
    bill_id           uuid        primary key,
    customer_id       text        not null references customer,
    number            integer     not null,
    amount_minor      bigint      not null,
    outstanding_minor bigint      not null check (0 <= outstanding_minor),
    state             text        not null,
    closed_at         timestamptz not null,
    attempts          integer     not null default 0,
    decline_code      text,
    owed_since        timestamptz,
    next_attempt_at   timestamptz,
    written_off_minor bigint      not null default 0,
    write_off_reason  text,
    leased_until      timestamptz not null default '-infinity',
    last_error        text,
    version           bigint      not null default 1,
    unique (customer_id, number),
    check (outstanding_minor <= greatest(amount_minor, 0))
);
create index bill_due on bill (next_attempt_at) where next_attempt_at is not null;
create index bill_owed on bill (customer_id) where state in ('owed', 'writing_off', 'written_off');

-- A try to collect, written down before anyone is asked. A wallet's is one transfer with the try's id; a card's is
-- a payment with it. bill_number may be that of the bill still being gathered: a draw, taken off what is due.
create table collection_try (
    try_id          uuid        primary key,
    customer_id     text        not null references customer,
    bill_number     integer     not null,
    source          text        not null check (source in ('wallet', 'card')),
    amount_minor    bigint      not null check (amount_minor > 0),
    method_id       uuid,
    payment_method  text,
    state           text        not null default 'open' check (state in ('open', 'paid', 'declined')),
    decline_code    text,
    next_action_url text,
    begun_at        timestamptz not null default clock_timestamp(),
    ended_at        timestamptz
);
create index collection_try_of_bill on collection_try (customer_id, bill_number);
create unique index collection_try_open on collection_try (customer_id, bill_number) where state = 'open';
create index refund_of_bill on refund (reason) where reason like 'bill:%';
create index collection_try_left on collection_try (begun_at) where state = 'open' and source = 'wallet';
