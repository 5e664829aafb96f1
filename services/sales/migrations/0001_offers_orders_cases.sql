-- Offers and orders are documents with the columns that are searched beside them.

create table offer (
    offer_id     uuid primary key,
    traveller_id text        not null,
    document     jsonb       not null,
    expires_at   timestamptz not null
);

create table customer_order (
    order_id       uuid primary key,
    offer_id       uuid        not null unique references offer,
    traveller_id   text        not null,
    state          text        not null check (state in ('pending', 'confirmed', 'rolled_back', 'expired')),
    document       jsonb       not null,
    placed_at      timestamptz not null,
    expires_at     timestamptz not null,
    payment_method text,                                    -- set while a booking is under way
    lease_until    timestamptz not null default '-infinity' -- who drives the booking holds it until then
);
create index customer_order_of_traveller on customer_order (traveller_id, placed_at desc);
create index customer_order_pending on customer_order (expires_at) where state = 'pending';

-- Which orders ride on which trip: a cancelled sailing finds its orders here.
create table order_leg (
    order_id     uuid    not null references customer_order,
    leg_index    integer not null,
    trip_id      text    not null,
    service_date date    not null,
    primary key (order_id, leg_index)
);
create index order_leg_by_trip on order_leg (trip_id, service_date);

create table disruption_case (
    case_id      uuid primary key,
    order_id     uuid        not null references customer_order,
    trip_id      text        not null,
    service_date date        not null,
    operator_id  text        not null,
    reason       text        not null,
    amount_minor bigint      not null check (amount_minor >= 0),
    opened_at    timestamptz not null,
    unique (order_id, trip_id, service_date)
);

-- Money on its way back. `lines` are the components it is made of; it is paid once.
create table refund (
    refund_id    uuid primary key,
    order_id     uuid        not null references customer_order,
    payment_id   uuid        not null,
    case_id      uuid references disruption_case,
    amount_minor bigint      not null check (amount_minor >= 0),
    reason       text        not null,
    lines        jsonb       not null,
    state        text        not null check (state in ('pending', 'paid', 'failed')),
    requested_at timestamptz not null,
    paid_at      timestamptz
);
create index refund_pending on refund (requested_at) where state = 'pending';

create table notification (
    notification_id uuid primary key,
    traveller_id    text        not null,
    order_id        uuid        not null references customer_order,
    code            text        not null,
    texts           jsonb       not null,
    created_at      timestamptz not null,
    unique (order_id, code)
);
create index notification_of_traveller on notification (traveller_id, created_at desc);
