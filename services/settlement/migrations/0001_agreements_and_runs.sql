-- What was agreed, what was earned, and the runs that pay it. The ledger has the money; here is the reason.

-- One row a version; the one in force at an instant is the newest with valid_from <= that instant.
create table agreements (
    operator_id         text        not null,
    valid_from          timestamptz not null,
    name                text        not null,
    commission_bp       integer     not null check (commission_bp between 0 and 10000),
    odd_yen             text        not null check (odd_yen in ('down', 'up', 'half_up')),
    registration_number text,
    consignor_code      text,
    bank_account        jsonb       not null,
    recorded_at         timestamptz not null,
    primary key (operator_id, valid_from)
);

-- An operator's share of a fare component, decided once, before the ledger is asked.
create table earnings (
    order_id         uuid        not null,
    component_index  integer     not null,
    operator_id      text        not null,
    share_minor      bigint      not null check (share_minor > 0),
    commission_minor bigint      not null check (commission_minor between 0 and share_minor),
    earned_at        timestamptz not null,
    primary key (order_id, component_index, operator_id)
);
create index earnings_operator on earnings (operator_id);

-- A part of an earning that went back.
create table reversals (
    refund_id        uuid        not null,
    order_id         uuid        not null,
    component_index  integer     not null,
    operator_id      text        not null,
    share_minor      bigint      not null check (share_minor > 0),
    commission_minor bigint      not null check (commission_minor between 0 and share_minor),
    reversed_at      timestamptz not null,
    primary key (refund_id, component_index, operator_id),
    foreign key (order_id, component_index, operator_id) references earnings
);
create index reversals_earning on reversals (order_id, component_index, operator_id);

-- Money moved between participants by hand: a ticket sold for another, a correction.
create table adjustments (
    adjustment_id uuid        not null primary key,
    debtor        text        not null,
    creditor      text        not null,
    amount_minor  bigint      not null check (amount_minor > 0),
    reason        text        not null,
    recorded_at   timestamptz not null,
    check (debtor <> creditor)
);

create table batches (
    batch_id      uuid        not null primary key,
    cut_off       timestamptz not null unique,
    pay_on        date        not null,
    state         text        not null check (state in ('open', 'cut_off', 'calculated', 'statement', 'locked',
                                                        'netted', 'instructed', 'confirmed')),
    opened_at     timestamptz not null,
    locked_at     timestamptz,
    gross_minor   bigint,
    net_minor     bigint,
    efficiency_bp integer
);
-- One run at a time is on its way to the bank.
create unique index batches_unfinished on batches ((true)) where state not in ('instructed', 'confirmed');

-- The ledger's entries that a batch took. The primary key keeps every transfer in at most one batch.
create table batch_entries (
    transfer_id  uuid        not null primary key,
    batch_id     uuid        not null references batches,
    sequence     bigint      not null,
    debit        text        not null,
    credit       text        not null,
    amount_minor bigint      not null check (amount_minor > 0),
    code         text        not null,
    reference    text        not null,
    effective_at timestamptz not null,
    recorded_at  timestamptz not null
);
create index batch_entries_batch on batch_entries (batch_id, sequence);

-- Up to this sequence all entries of an operator's payable are in batches: the next run reads from here.
create table watermarks (
    operator_id    text   not null primary key,
    after_sequence bigint not null
);

-- A refund of a fare that was not earned yet: told in the next statement, without effect on it.
create table notes (
    refund_id       uuid        not null,
    component_index integer     not null,
    operator_id     text        not null,
    order_id        uuid        not null,
    amount_minor    bigint      not null check (amount_minor > 0),
    reason          text        not null,
    refunded_at     timestamptz not null,
    batch_id        uuid references batches,
    primary key (refund_id, component_index, operator_id)
);
create index notes_waiting on notes (refunded_at) where batch_id is null;
create index notes_batch on notes (batch_id, operator_id);

create table statements (
    batch_id    uuid   not null references batches,
    operator_id text   not null,
    net_minor   bigint not null,
    tax_minor   bigint not null,
    document    jsonb  not null,
    primary key (batch_id, operator_id)
);
create index statements_operator on statements (operator_id);

create table positions (
    batch_id    uuid   not null references batches,
    participant text   not null,
    gets_minor  bigint not null check (gets_minor >= 0),
    owes_minor  bigint not null check (owes_minor >= 0),
    primary key (batch_id, participant)
);

-- The payments that remain. Positive: to the operator. Negative: from it.
create table payments (
    payment_id  uuid        not null primary key,
    batch_id    uuid        not null references batches,
    operator_id text        not null,
    net_minor   bigint      not null check (net_minor <> 0),
    outcome     text        not null default 'instructed' check (outcome in ('instructed', 'confirmed', 'failed')),
    outcome_at  timestamptz,
    unique (batch_id, operator_id)
);

create table bank_files (
    batch_id uuid  not null references batches,
    format   text  not null check (format in ('zengin', 'pain001')),
    content  bytea not null,
    primary key (batch_id, format)
);

-- A locked run never changes: its rows are written once, and entries and statements only before the lock.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed or removed; a correction enters a later run', tg_table_name
        using errcode = 'restrict_violation';
end $$;
create trigger batch_entries_immutable before update or delete or truncate on batch_entries
    for each statement execute function refuse_change();
create trigger statements_immutable before update or delete or truncate on statements
    for each statement execute function refuse_change();
create trigger positions_immutable before update or delete or truncate on positions
    for each statement execute function refuse_change();
create trigger bank_files_immutable before update or delete or truncate on bank_files
    for each statement execute function refuse_change();
create trigger earnings_immutable before update or delete or truncate on earnings
    for each statement execute function refuse_change();
create trigger reversals_immutable before update or delete or truncate on reversals
    for each statement execute function refuse_change();

create function refuse_after_lock() returns trigger language plpgsql as $$
begin
    if (select state from batches where batch_id = new.batch_id) not in ('open', 'cut_off', 'calculated') then
        raise exception 'batch % is locked', new.batch_id using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger batch_entries_before_lock before insert on batch_entries
    for each row execute function refuse_after_lock();
create trigger statements_before_lock before insert on statements
    for each row execute function refuse_after_lock();

create function refuse_backward() returns trigger language plpgsql as $$
declare
    states text[] := array['open', 'cut_off', 'calculated', 'statement', 'locked', 'netted', 'instructed',
                           'confirmed'];
begin
    if array_position(states, new.state) - array_position(states, old.state) not in (0, 1)
       or (new.batch_id, new.cut_off) <> (old.batch_id, old.cut_off) then
        raise exception 'a run takes one step forward at a time' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger batches_forward before update on batches for each row execute function refuse_backward();
