-- The books. What can be promised by the database itself is promised here, so that not even a bug of ours
-- can write half a transfer, change an old one, or take an account beyond its bound.

create table accounts (
    account_id      text        not null primary key,
    bound           text        not null
        check (bound in ('none', 'debits_must_not_exceed_credits', 'credits_must_not_exceed_debits')),
    currency        text        not null check (currency ~ '^[A-Z]{3}$'),
    debits_posted   bigint      not null default 0 check (debits_posted >= 0),
    credits_posted  bigint      not null default 0 check (credits_posted >= 0),
    debits_pending  bigint      not null default 0 check (debits_pending >= 0),
    credits_pending bigint      not null default 0 check (credits_pending >= 0),
    opened_at       timestamptz not null,
    constraint debits_within_credits check
        (bound <> 'debits_must_not_exceed_credits' or debits_posted + debits_pending <= credits_posted),
    constraint credits_within_debits check
        (bound <> 'credits_must_not_exceed_debits' or credits_posted + credits_pending <= debits_posted)
) with (fillfactor = 50); -- balances change in place, on the same page

-- Every transfer id that was ever asked for. `refusal` is null for what is in the books; a refused id stays here
-- with its reason, so that it never succeeds later. One primary key for both keeps an id from being both.
create table transfers (
    sequence      bigint      generated always as identity,
    transfer_id   uuid        not null primary key,
    debit         text        not null,
    credit        text        not null,
    amount_minor  bigint      not null,
    currency      text        not null,
    code          text        not null,
    reference     text        not null,
    kind          text        not null check (kind in ('posted', 'pending', 'post_pending', 'void_pending')),
    pending_id    uuid,
    linked        boolean     not null,
    timeout_s     integer,
    effective_at  timestamptz not null,
    recorded_at   timestamptz not null,
    refusal       text,
    check (refusal is not null or (amount_minor > 0 and debit <> credit)),
    check (refusal is not null or (pending_id is not null) = (kind in ('post_pending', 'void_pending')))
);
-- A hold is resolved once.
create unique index transfers_resolution on transfers (pending_id)
    where refusal is null and pending_id is not null;
-- An account's movements in the order of recording, from either side.
create index transfers_debit on transfers (debit, sequence)
    where refusal is null and kind in ('posted', 'post_pending');
create index transfers_credit on transfers (credit, sequence)
    where refusal is null and kind in ('posted', 'post_pending');

-- The holds that wait for their resolution: a small working set, made and removed with the transfers above.
-- No foreign key: checking one locks the row of transfers, which takes the right to update that we give up.
create table open_holds (
    transfer_id  uuid        not null primary key,
    debit        text        not null,
    credit       text        not null,
    amount_minor bigint      not null check (amount_minor > 0),
    expires_at   timestamptz
);
create index open_holds_expiry on open_holds (expires_at) where expires_at is not null;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed or removed; record a transfer that corrects', tg_table_name
        using errcode = 'restrict_violation';
end $$;
create trigger transfers_immutable before update or delete or truncate on transfers
    for each statement execute function refuse_change();
create trigger accounts_stay before delete or truncate on accounts
    for each statement execute function refuse_change();
revoke update, delete, truncate on transfers from public, current_user;
revoke delete, truncate on accounts from public, current_user;

-- Debits = credits, in each statement that touches balances.
create function refuse_imbalance() returns trigger language plpgsql as $$
declare
    posted numeric;
    pending numeric;
begin
    select (select coalesce(sum(debits_posted - credits_posted), 0) from after_rows)
         - (select coalesce(sum(debits_posted - credits_posted), 0) from before_rows),
           (select coalesce(sum(debits_pending - credits_pending), 0) from after_rows)
         - (select coalesce(sum(debits_pending - credits_pending), 0) from before_rows)
      into posted, pending;
    if posted <> 0 or pending <> 0 then
        raise exception 'debits and credits differ by % posted and % pending', posted, pending
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;
create trigger accounts_balanced after update on accounts
    referencing old table as before_rows new table as after_rows
    for each statement execute function refuse_imbalance();

-- An account is opened empty, and its name, bound and currency stay.
create function refuse_opening_balance() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if (new.debits_posted, new.credits_posted, new.debits_pending, new.credits_pending) <> (0, 0, 0, 0) then
            raise exception 'an account is opened empty' using errcode = 'integrity_constraint_violation';
        end if;
    elsif (new.account_id, new.bound, new.currency) <> (old.account_id, old.bound, old.currency) then
        raise exception 'an account keeps its name, bound and currency' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger accounts_opened_empty before insert on accounts
    for each row execute function refuse_opening_balance();
create trigger accounts_keep_terms before update of account_id, bound, currency on accounts
    for each row execute function refuse_opening_balance();
