-- Passes are documents with the columns that are searched beside them.

create table pass_order (
    pass_id        uuid primary key,
    traveller_id   text        not null,
    state          text        not null check (state in ('pending', 'confirmed', 'refunded', 'earned', 'expired')),
    document       jsonb       not null,
    usable_from    timestamptz not null,
    over_at        timestamptz not null,  -- when it ends, or must have begun
    earned_from    timestamptz not null,  -- when all taps of its rides must have come
    placed_at      timestamptz not null,
    expires_at     timestamptz not null,
    payment_method text,                                     -- set while it is being paid
    lease_until    timestamptz not null default '-infinity', -- who drives the payment holds it until then
    refund_state   text check (refund_state in ('pending', 'paid', 'failed')),
    refund_reason  text
);
create index pass_order_of_traveller on pass_order (traveller_id, placed_at desc);
create index pass_order_pending on pass_order (expires_at) where state = 'pending';
create index pass_order_to_earn on pass_order (earned_from) where state = 'confirmed';
create index pass_refund_pending on pass_order (pass_id) where refund_state = 'pending';

-- What the rides of a service week made of a pass: the single fares it stood for, by operator.
create table pass_use (
    pass_id uuid  not null references pass_order,
    week    date  not null,
    used    jsonb not null,
    primary key (pass_id, week)
);
