-- The provider's balance, movement by movement, its payouts, and disputes.

-- Each movement maps to one ledger entry (transfer_id), its fee to a second transfer; neither serves twice.
-- A row is unmatched while transfer_id is null; it is looked at again at next_attempt_at.
create table provider_movement (
    movement_id     text        primary key,
    kind            text        not null,
    category        text        not null,
    source_id       text        not null,
    amount_minor    bigint      not null,
    fee_minor       bigint      not null,
    currency        text        not null,
    moved_at        timestamptz not null,
    payout_id       text,
    transfer_id     uuid        unique,
    fee_transfer_id uuid        unique,
    seen_at         timestamptz not null default clock_timestamp(),
    matched_at      timestamptz,
    attempts        integer     not null default 0,
    next_attempt_at timestamptz default clock_timestamp(),
    last_error      text,
    check ((transfer_id is null) = (matched_at is null)),
    check (fee_transfer_id is null or transfer_id is not null)
);
create index provider_movement_due on provider_movement (next_attempt_at) where next_attempt_at is not null;
create index provider_movement_unmatched on provider_movement (moved_at) where transfer_id is null;
create index provider_movement_of_payout on provider_movement (payout_id) where payout_id is not null;
create index provider_movement_of_source on provider_movement (source_id);
create index payment_charge_id on payment (charge_id) where charge_id is not null;

create function keep_entry() returns trigger language plpgsql as $$
begin
    if old.transfer_id is not null and (new.transfer_id, new.fee_transfer_id, new.amount_minor, new.fee_minor)
       is distinct from (old.transfer_id, old.fee_transfer_id, old.amount_minor, old.fee_minor) then
        raise exception 'movement % is matched for good', old.movement_id using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger provider_movement_matched_for_good before update on provider_movement
    for each row execute function keep_entry();

-- is_reconciled: the items were listed and sum to the payout; only then is it in the books.
create table provider_payout (
    payout_id       text        primary key,
    amount_minor    bigint      not null,
    state           text        not null check (state in ('on_its_way', 'paid', 'failed')),
    is_automatic    boolean     not null,
    is_itemised     boolean     not null,
    is_reconciled   boolean     not null default false,
    item_count      integer,
    arrives_at      timestamptz not null,
    created_at      timestamptz not null,
    last_error      text
);

-- Up to when the provider's movements were fetched.
create table provider_cursor (
    name  text primary key,
    until timestamptz not null
);

-- A row is unfinished while next_attempt_at is set. `evidence` is what we hand to the bank, `is_submitted` says that
-- somebody wants it handed in, `submitted_at` when it was.
create table dispute (
    dispute_id      text        primary key,
    payment_id      uuid        not null references payment,
    amount_minor    bigint      not null check (amount_minor > 0),
    currency        text        not null,
    reason          text        not null,
    state           text        not null check (state in ('open', 'under_review', 'won', 'lost')),
    due_by          timestamptz,
    evidence        jsonb       not null default '{}',
    is_submitted    boolean     not null default false,
    submitted_at    timestamptz,
    opened_at       timestamptz not null,
    closed_at       timestamptz,
    version         bigint      not null default 1,
    attempts        integer     not null default 0,
    next_attempt_at timestamptz,
    last_error      text
);
create index dispute_of_payment on dispute (payment_id);
create index dispute_unfinished on dispute (next_attempt_at) where next_attempt_at is not null;
