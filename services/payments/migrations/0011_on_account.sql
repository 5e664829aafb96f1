-- Business customers who pay by invoice: their limit, what was put on their account, their invoices.

create table business (
    business_id         text        primary key,
    name                text        not null,
    credit_limit_minor  bigint      not null check (credit_limit_minor >= 0),
    terms_days          integer     not null check (terms_days between 0 and 120),
    changed_at          timestamptz not null default clock_timestamp()
);

-- Who may put their travel on whose account. A traveller works for one business.
create table business_member (
    traveller_id text primary key,
    business_id  text not null references business
);

create table business_invoice (
    invoice_id   uuid        primary key,
    business_id  text        not null references business,
    amount_minor bigint      not null check (amount_minor > 0),
    issued_at    timestamptz not null,
    due_on       date        not null,
    paid_at      timestamptz
);

-- What was put on an account: created (holds nothing) -> held -> taken, or declined, cancelled.
create table on_account_item (
    item_id        text        primary key,
    call_key       text        not null unique,
    payment_id     uuid        not null,
    business_id    text        references business,
    amount_minor   bigint      not null check (amount_minor > 0),
    currency       text        not null,
    refunded_minor bigint      not null default 0,
    state          text        not null check (state in ('created', 'declined', 'held', 'taken', 'cancelled')),
    decline_code   text,
    taken_at       timestamptz,
    invoice_id     uuid        references business_invoice,
    check (0 <= refunded_minor and refunded_minor <= amount_minor),
    check (state not in ('held', 'taken') or business_id is not null)
);
create index on_account_item_of_payment on on_account_item (payment_id);
create index on_account_item_open on on_account_item (business_id) where state in ('held', 'taken');

create table on_account_refund (
    refund_id    uuid   primary key,
    item_id      text   not null references on_account_item,
    amount_minor bigint not null check (amount_minor > 0),
    invoice_id   uuid   references business_invoice
);
create index on_account_refund_of_item on on_account_refund (item_id);
