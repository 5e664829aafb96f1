-- What a batch depends on is checked by less than all sums, and what became of a hold is always on record.

-- A hold that ran out leaves the working set when somebody notices. Here stands that it did: so each hold is open,
-- resolved or expired, and the tables alone tell which.
create table expirations (
    transfer_id uuid        not null primary key,
    expired_at  timestamptz not null -- when it was noticed; it counted no longer since it ran out
);
insert into expirations (transfer_id, expired_at)
select hold.transfer_id, hold.recorded_at + make_interval(secs => hold.timeout_s)
from transfers as hold
where hold.kind = 'pending' and hold.refusal is null and hold.timeout_s is not null
  and not exists (select from open_holds where open_holds.transfer_id = hold.transfer_id)
  and not exists (select from transfers as resolution
                  where resolution.pending_id = hold.transfer_id and resolution.refusal is null);
create trigger expirations_immutable before update or delete or truncate on expirations
    for each statement execute function refuse_change();
revoke update, delete, truncate on expirations from public, current_user;

-- Rows are recorded nearly in the order of their dates: these small indexes find a range of dates in a large table.
create index transfers_effective on transfers using brin (effective_at) with (pages_per_range = 32);
create index transfers_recorded on transfers using brin (recorded_at) with (pages_per_range = 32);

-- Each update of an account goes through all its checks. So what can only be wrong when an account is opened is
-- checked by the trigger that opens it, and the sums by one check.
alter table accounts
    drop constraint accounts_bound_check,
    drop constraint accounts_currency_check,
    drop constraint accounts_lane_check,
    drop constraint bounds_need_one_row,
    drop constraint accounts_debits_posted_check,
    drop constraint accounts_credits_posted_check,
    drop constraint pending_not_negative,
    drop constraint debits_within_credits,
    drop constraint credits_within_debits,
    -- A hold may be made in one lane and resolved in another: only the sum of the lanes is never negative.
    add constraint sums_within_bounds check
        (debits_posted >= 0 and credits_posted >= 0
         and (bound = 'none'
              or (debits_pending >= 0 and credits_pending >= 0
                  and case bound
                      when 'debits_must_not_exceed_credits' then debits_posted + debits_pending <= credits_posted
                      else credits_posted + credits_pending <= debits_posted
                      end)));

drop trigger accounts_opened_empty on accounts;
drop trigger accounts_keep_terms on accounts;
drop function refuse_opening_balance;
create function check_terms() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if (new.debits_posted, new.credits_posted, new.debits_pending, new.credits_pending) <> (0, 0, 0, 0) then
            raise exception 'an account is opened empty' using errcode = 'integrity_constraint_violation';
        end if;
        if new.bound not in ('none', 'debits_must_not_exceed_credits', 'credits_must_not_exceed_debits') then
            raise exception 'no bound is called %', new.bound using errcode = 'check_violation';
        end if;
        if new.currency !~ '^[A-Z]{3}$' then
            raise exception 'a currency has three capital letters, not %', new.currency
                using errcode = 'check_violation';
        end if;
        if new.lane not between 0 and 3 or (new.bound <> 'none' and new.lane <> 0) then
            raise exception 'an account has lanes 0 to 3, and one with a bound has lane 0 only'
                using errcode = 'check_violation';
        end if;
    elsif (new.account_id, new.lane, new.bound, new.currency)
          <> (old.account_id, old.lane, old.bound, old.currency) then
        raise exception 'an account keeps its name, lane, bound and currency' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger accounts_opened_right before insert on accounts
    for each row execute function check_terms();
create trigger accounts_keep_terms before update of account_id, lane, bound, currency on accounts
    for each row execute function check_terms();

drop function post_batch;

-- Write what was decided, or nothing. Where a decision depends on an account, `rooms` says how much it must still be
-- able to give, or `expected_*` which sums it must have; both are null where it does not depend on it. When that
-- does not hold any more, this is a serialization failure.
-- Accounts come in one order, the same from every writer, and are visited so: the settings leave only plans that
-- keep it. Columns of transfers whose values are all alike may come as one value (currencies, codes, refs, kinds,
-- effectives); those in which nothing stands as empty arrays.
create function post_batch(
    ids uuid[], debits text[], credits text[], amounts bigint[], currencies text[], codes text[],
    refs text[], kinds text[], pendings uuid[], links boolean[], timeouts integer[], effectives timestamptz[],
    refusals text[], recorded timestamptz,
    account_ids text[], lanes smallint[],
    debits_posted_more bigint[], credits_posted_more bigint[],
    debits_pending_more bigint[], credits_pending_more bigint[],
    rooms bigint[],
    expected_debits_posted bigint[], expected_credits_posted bigint[],
    expected_debits_pending bigint[], expected_credits_pending bigint[],
    expired_ids uuid[]
) returns void language plpgsql
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
    touched bigint;
begin
    -- Every writer holds this lock, shared with all others, before it draws a sequence, until its transaction ends:
    -- readers wait for those that are still on their way (begin_reading) without stopping anybody.
    perform pg_advisory_xact_lock_shared(1279608903, 1);
    if cardinality(account_ids) > 0 then
        update accounts
        set debits_posted = accounts.debits_posted + asked.debits_posted_more,
            credits_posted = accounts.credits_posted + asked.credits_posted_more,
            debits_pending = accounts.debits_pending + coalesce(asked.debits_pending_more, 0),
            credits_pending = accounts.credits_pending + coalesce(asked.credits_pending_more, 0)
        from (
            select unnest(account_ids) as account_id, unnest(lanes) as lane,
                   unnest(debits_posted_more) as debits_posted_more,
                   unnest(credits_posted_more) as credits_posted_more,
                   unnest(debits_pending_more) as debits_pending_more,
                   unnest(credits_pending_more) as credits_pending_more,
                   unnest(rooms) as room,
                   unnest(expected_debits_posted) as expected_debits_posted,
                   unnest(expected_credits_posted) as expected_credits_posted,
                   unnest(expected_debits_pending) as expected_debits_pending,
                   unnest(expected_credits_pending) as expected_credits_pending
        ) as asked
        where accounts.account_id = asked.account_id and accounts.lane = asked.lane
          and (asked.room is null
               or case accounts.bound
                  when 'debits_must_not_exceed_credits'
                  then accounts.credits_posted - accounts.debits_posted - accounts.debits_pending
                  else accounts.debits_posted - accounts.credits_posted - accounts.credits_pending
                  end >= asked.room)
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
    select id, debit, credit, amount, coalesce(currency, currencies[1]), coalesce(code, codes[1]),
           coalesce(ref, refs[1]), coalesce(kind, kinds[1]), pending, coalesce(link, false), timeout,
           coalesce(effective, effectives[1]), recorded, refusal
    from (
        select unnest(ids) as id, unnest(debits) as debit, unnest(credits) as credit, unnest(amounts) as amount,
               unnest(currencies) as currency, unnest(codes) as code, unnest(refs) as ref, unnest(kinds) as kind,
               unnest(pendings) as pending, unnest(links) as link, unnest(timeouts) as timeout,
               unnest(effectives) as effective, unnest(refusals) as refusal
    ) as asked;
    if 'pending' = any (kinds) then
        insert into open_holds (transfer_id, debit, credit, amount_minor, expires_at)
        select id, debit, credit, amount, recorded + make_interval(secs => timeout)
        from (
            select unnest(ids) as id, unnest(debits) as debit, unnest(credits) as credit,
                   unnest(amounts) as amount, unnest(kinds) as kind, unnest(timeouts) as timeout,
                   unnest(refusals) as refusal
        ) as asked
        where coalesce(kind, kinds[1]) = 'pending' and refusal is null;
    end if;
    if cardinality(pendings) > 0 then
        with ended as (
            delete from open_holds
            where transfer_id = any (array(
                select pending from (select unnest(pendings) as pending, unnest(refusals) as refusal) as asked
                where pending is not null and refusal is null))
            returning 1
        )
        select count(*) from ended into touched;
        if touched <> (select count(*)
                       from (select unnest(pendings) as pending, unnest(refusals) as refusal) as asked
                       where pending is not null and refusal is null) then
            raise exception 'a hold has ended since the batch was decided'
                using errcode = 'serialization_failure';
        end if;
    end if;
    if cardinality(expired_ids) > 0 then
        delete from open_holds where transfer_id = any (expired_ids);
        get diagnostics touched = row_count;
        if touched <> cardinality(expired_ids) then
            raise exception 'a hold has ended since the batch was decided'
                using errcode = 'serialization_failure';
        end if;
        insert into expirations (transfer_id, expired_at) select unnest(expired_ids), recorded;
    end if;
end $$;
