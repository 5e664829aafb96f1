-- Hot accounts without a bound leave the row-lock path, and a batch is written by one statement.

-- An account without a bound decides nothing, so its sums need no common row: it has several lanes, each writer
-- adds to its own, and the balance is the sum of the lanes. An account with a bound has lane 0 only.
alter table accounts add column lane smallint not null default 0 check (lane between 0 and 3);
alter table accounts add constraint bounds_need_one_row check (bound = 'none' or lane = 0);
alter table accounts drop constraint accounts_pkey;
alter table accounts add primary key (account_id, lane);
-- A hold may be made in one lane and resolved in another: only the sum of the lanes is never negative.
alter table accounts drop constraint accounts_debits_pending_check;
alter table accounts drop constraint accounts_credits_pending_check;
alter table accounts add constraint pending_not_negative check
    (bound = 'none' or (debits_pending >= 0 and credits_pending >= 0));

insert into accounts (account_id, bound, currency, opened_at, lane)
select account_id, bound, currency, opened_at, more.lane
from accounts cross join generate_series(1, 3) as more (lane)
where bound = 'none';

-- The same promise as before, read in one go: debits = credits, in each statement that touches balances.
create or replace function refuse_imbalance() returns trigger language plpgsql as $$
declare
    posted numeric;
    pending numeric;
begin
    select coalesce(sum(debits_posted - credits_posted), 0), coalesce(sum(debits_pending - credits_pending), 0)
      into posted, pending
      from (select debits_posted, credits_posted, debits_pending, credits_pending from after_rows
            union all
            select -debits_posted, -credits_posted, -debits_pending, -credits_pending from before_rows) as moved;
    if posted <> 0 or pending <> 0 then
        raise exception 'debits and credits differ by % posted and % pending', posted, pending
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;

-- Every writer holds this lock, shared with all others, before it draws a sequence, until its transaction ends: so
-- readers can wait for those that are still on their way (begin_reading) without stopping anybody.
-- Write what was decided, or nothing. `expected_*` are the sums that were decided upon; they are null where the
-- decision does not depend on them. When they are not the present ones any more, this is a serialization failure.
-- The settings leave only plans that visit accounts in the order of their key: index scans, and joins that keep it.
create function post_batch(
    ids uuid[], debits text[], credits text[], amounts bigint[], currencies text[], codes text[],
    refs text[], kinds text[], pendings uuid[], links boolean[], timeouts integer[], effectives timestamptz[],
    refusals text[], recorded timestamptz,
    account_ids text[], lanes smallint[],
    debits_posted_more bigint[], credits_posted_more bigint[],
    debits_pending_more bigint[], credits_pending_more bigint[],
    expected_debits_posted bigint[], expected_credits_posted bigint[],
    expected_debits_pending bigint[], expected_credits_pending bigint[],
    hold_ids uuid[], hold_debits text[], hold_credits text[], hold_amounts bigint[], hold_ends timestamptz[],
    ended_ids uuid[]
) returns void language plpgsql
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
    touched bigint;
begin
    perform pg_advisory_xact_lock_shared(1279608903, 1);
    if cardinality(account_ids) > 0 then
        -- Rows that are added to are locked first: an update that had to wait for another would show its
        -- trigger the row as it was before the other. Rows that are compared fail in that case.
        perform from accounts
        join (select * from unnest(account_ids, lanes, expected_debits_posted) as each_one (account_id, lane, expected)
              where expected is null order by account_id, lane) as added
            on accounts.account_id = added.account_id and accounts.lane = added.lane
        order by accounts.account_id, accounts.lane
        for no key update of accounts;
        update accounts
        set debits_posted = accounts.debits_posted + asked.debits_posted_more,
            credits_posted = accounts.credits_posted + asked.credits_posted_more,
            debits_pending = accounts.debits_pending + asked.debits_pending_more,
            credits_pending = accounts.credits_pending + asked.credits_pending_more
        from (
            select * from unnest(
                account_ids, lanes, debits_posted_more, credits_posted_more, debits_pending_more,
                credits_pending_more, expected_debits_posted, expected_credits_posted,
                expected_debits_pending, expected_credits_pending
            ) as each_one (account_id, lane, debits_posted_more, credits_posted_more, debits_pending_more,
                           credits_pending_more, expected_debits_posted, expected_credits_posted,
                           expected_debits_pending, expected_credits_pending)
            order by account_id, lane
        ) as asked
        where accounts.account_id = asked.account_id and accounts.lane = asked.lane
          and (asked.expected_debits_posted is null
               or (accounts.debits_posted = asked.expected_debits_posted
                   and accounts.credits_posted = asked.expected_credits_posted
                   and accounts.debits_pending = asked.expected_debits_pending
                   and accounts.credits_pending = asked.expected_credits_pending));
        get diagnostics touched = row_count;
        if touched <> cardinality(account_ids) then
            raise exception 'an account has moved since the batch was decided'
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into transfers (transfer_id, debit, credit, amount_minor, currency, code, reference, kind, pending_id,
                           linked, timeout_s, effective_at, recorded_at, refusal)
    select id, debit, credit, amount, currency, code, ref, kind, pending, link, timeout, effective, recorded,
           refusal
    from unnest(ids, debits, credits, amounts, currencies, codes, refs, kinds, pendings, links, timeouts,
                effectives, refusals)
         as asked (id, debit, credit, amount, currency, code, ref, kind, pending, link, timeout, effective,
                   refusal);
    if cardinality(hold_ids) > 0 then
        insert into open_holds (transfer_id, debit, credit, amount_minor, expires_at)
        select * from unnest(hold_ids, hold_debits, hold_credits, hold_amounts, hold_ends);
    end if;
    if cardinality(ended_ids) > 0 then
        delete from open_holds where transfer_id = any (ended_ids);
        get diagnostics touched = row_count;
        if touched <> cardinality(ended_ids) then
            raise exception 'a hold has ended since the batch was decided'
                using errcode = 'serialization_failure';
        end if;
    end if;
end $$;

-- The last sequence drawn so far, and the writers on their way. Once these have ended, every transfer up to
-- that sequence is visible or never will be. The order of the two questions matters.
create function begin_reading(out horizon bigint, out writers text[]) language plpgsql as $$
begin
    select case when is_called then last_value else 0 end into horizon from transfers_sequence_seq;
    writers := list_writers();
end $$;

create function list_writers() returns text[] language sql as $$
    select coalesce(array_agg(virtualtransaction), '{}')
    from pg_locks
    where locktype = 'advisory' and classid = 1279608903 and objid = 1 and objsubid = 2 and granted
      and database = (select oid from pg_database where datname = current_database())
      and pid <> pg_backend_pid()
$$;
