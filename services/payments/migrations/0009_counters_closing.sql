-- Cash at counters, the cashless tally, and what is paid out when a wallet is closed.

-- Written before the ledger is asked; posted_at is null until it has the sale. A fare sold by an operator's own
-- counter is the operator's; a top-up goes into the traveller's wallet.
create table cash_sale (
    sale_id        uuid        primary key,
    counter_id     text        not null check (counter_id <> '' and position(':' in counter_id) = 0),
    operator_id    text        not null,
    kind           text        not null check (kind in ('fare', 'top_up')),
    amount_minor   bigint      not null check (amount_minor > 0),
    rider_category text        not null default '',
    area           text        not null default '',
    traveller_id   text,
    reference      text        not null,
    sold_at        timestamptz not null,
    recorded_by    text        not null,
    posted_at      timestamptz,
    check ((kind = 'top_up') = (traveller_id is not null))
);
create index cash_sale_by_time on cash_sale (sold_at);
create index cash_sale_unposted on cash_sale (sold_at) where posted_at is null;

-- Cash that leaves a till: kept by its operator, or brought to the platform's bank.
create table till_handover (
    handover_id  uuid        primary key,
    counter_id   text        not null,
    operator_id  text        not null,
    amount_minor bigint      not null check (amount_minor > 0),
    destination  text        not null check (destination in ('operator', 'bank')),
    handed_at    timestamptz not null,
    recorded_by  text        not null
);

-- Fares earned without cash, by the city's month.
create table cashless_tally (
    month        date   not null,
    operator_id  text   not null,
    amount_minor bigint not null,
    primary key (month, operator_id)
);

-- The rest of a closed wallet that no card takes back: a clerk pays it out.
create table wallet_payout (
    payout_id    uuid        primary key,
    traveller_id text        not null references wallet,
    amount_minor bigint      not null check (amount_minor > 0),
    requested_at timestamptz not null,
    paid_at      timestamptz,
    paid_by      text,
    counter_id   text
);
create index wallet_payout_open on wallet_payout (requested_at) where paid_at is null;
alter table wallet add column closing_number integer not null default 0;
create index wallet_closing on wallet (traveller_id) where state = 'closing';
