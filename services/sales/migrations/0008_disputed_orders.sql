-- Orders and passes whose payment is disputed. `operators` are those that carry the order, so that a clerk finds
-- what concerns theirs; `taken_back_minor` is the price of what was revoked when the dispute was lost.

create table disputed_order (
    dispute_id       text        primary key,
    order_id         uuid        not null,
    payment_id       uuid        not null,
    traveller_id     text        not null,
    is_pass          boolean     not null,
    operators        text[]      not null,
    amount_minor     bigint      not null check (amount_minor > 0),
    reason           text        not null,
    state            text        not null check (state in ('open', 'won', 'lost')),
    taken_back_minor bigint      not null default 0 check (taken_back_minor between 0 and amount_minor),
    opened_at        timestamptz not null,
    decided_at       timestamptz
);
create index disputed_order_of_order on disputed_order (order_id, opened_at desc);
create index disputed_order_by_time on disputed_order (opened_at desc, dispute_id);

-- A refund that the bank has made meanwhile: it is not owed any more.
alter table refund drop constraint refund_state_check;
alter table refund add constraint refund_state_check
    check (state in ('pending', 'paid', 'failed', 'returned', 'charged_back'));
