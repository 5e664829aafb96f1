-- Media that somebody enrolled. The token is opaque: never a card number. medium_id is what the outside sees.
create table medium (
    medium_ref  text        primary key check (length(medium_ref) between 16 and 128),
    medium_id   uuid        not null unique,
    kind        text        not null check (kind in ('ic_card', 'bank_card', 'phone')),
    enrolled_at timestamptz not null
);

-- Who pays for a medium's rides, since when. One at a time.
create table medium_link (
    medium_ref  text        not null references medium,
    since       timestamptz not null,
    until       timestamptz check (until >= since),
    customer_id text        not null,
    label       text        not null,
    rider       text        not null default 'adult',
    primary key (medium_ref, since)
);
create unique index medium_link_open on medium_link (medium_ref) where until is null;
create index medium_link_of_customer on medium_link (customer_id);

-- Several riders on one medium for a while.
create table medium_party (
    medium_ref text        not null references medium,
    since      timestamptz not null,
    until      timestamptz not null check (until > since),
    riders     text[]      not null check (cardinality(riders) between 1 and 100),
    set_by     text        not null,
    primary key (medium_ref, since)
);

-- Two media that ride together (a helper's card). Each has its row.
create table medium_pair (
    medium_ref text        not null references medium,
    other_ref  text        not null references medium,
    rides_as   text        not null,
    since      timestamptz not null,
    until      timestamptz,
    primary key (medium_ref, other_ref, since),
    check (medium_ref <> other_ref)
);
create index medium_pair_other on medium_pair (other_ref);

-- Media that devices refuse: lost, or of a customer in debt. Sequences are given under one lock, so they commit
-- in order and a device that has seen up to n misses nothing below n.
create table denied_medium (
    medium_ref text        primary key references medium,
    sequence   bigint      not null unique,
    is_lost    boolean     not null,
    in_debt    boolean     not null,
    since      timestamptz not null
);
create sequence denied_medium_sequence;
-- How far the customers' deny list was followed: one row.
create table deny_list_read (only_row boolean primary key default true check (only_row), sequence bigint not null);
insert into deny_list_read (sequence) values (0);
create table customer_in_debt (customer_id text primary key, since timestamptz not null);

-- What a traveller or a clerk said of a ride, named by one of its taps. Never changed: it is the audit as well.
create table travel_correction (
    correction_id uuid        primary key,
    medium_ref    text        not null,
    service_date  date        not null,
    device_id     text        not null,
    sequence      bigint      not null,
    kind          text        not null check (kind in ('complete', 'replace', 'waive')),
    operator_id   text,
    stop_id       text,
    said_by       text        not null,
    said_as       text        not null check (said_as in ('traveller', 'clerk', 'admin')),
    reason        text        not null,
    recorded_at   timestamptz not null,
    check ((kind = 'waive') = (stop_id is null)),
    check ((operator_id is null) = (stop_id is null))
);
create index travel_correction_of_medium on travel_correction (medium_ref, service_date);

-- A medium's week: locked while it is rated. rate_at: when it is to be rated again without a new tap, because a
-- day or the week is over by then. categories: the rider's by service date, as claims had it when the day was
-- rated; a claim that is forgotten later changes no ride made while it held.
create table travel_week (
    medium_ref text not null,
    monday     date not null check (extract(isodow from monday) = 1),
    rate_at    timestamptz,
    categories jsonb not null default '{}',
    primary key (medium_ref, monday)
);
create index travel_week_due on travel_week (rate_at) where rate_at is not null;

-- What the taps of a service day make now: rides, fares, refunds with their explanations, as JSON text (text,
-- because rows come in by COPY). Derived: rated again from the taps, it is the same.
create table travel_day (
    medium_ref   text not null,
    service_date date not null,
    document     text not null,
    primary key (medium_ref, service_date)
);

-- What was decided to be charged or given back; the sum over a medium, day and customer is what is owed now.
-- operator_ids and shares_minor: the operators' parts, which sum to amount_minor. Written once, then marked.
create table travel_posting (
    posting_id   uuid    not null,
    medium_ref   text    not null,
    service_date date    not null,
    customer_id  text    not null,
    amount_minor bigint  not null,
    operator_ids text[]  not null,
    shares_minor bigint[] not null,
    recorded_at  timestamptz not null,
    status       text    not null default 'decided' check (status in ('decided', 'posted', 'refused')),
    primary key (posting_id),
    check (cardinality(operator_ids) = cardinality(shares_minor))
);
create index travel_posting_of_day on travel_posting (medium_ref, service_date);
create index travel_posting_waiting on travel_posting (recorded_at) where status = 'decided';

-- Markers are taken medium by medium, so that a medium with much news is rated once.
create index medium_due_of_medium on medium_due (medium_ref);
