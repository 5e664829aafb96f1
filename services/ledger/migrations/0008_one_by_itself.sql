-- A transfer that comes by itself is written by a statement of its own: it waits for nothing but its commit, so what
-- a batch's columns cost counts.

-- post_batch for one plain movement that was granted. The accounts come in the order of all
-- writers; a room is null where the decision does not depend on the account.
create function post_one(
    id uuid, debit text, credit text, amount bigint, currency text, code text, ref text, effective timestamptz,
    recorded timestamptz,
    first_id text, first_lane smallint, first_room bigint, second_id text, second_lane smallint, second_room bigint
) returns void language plpgsql
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
    touched bigint;
begin
    -- As in post_batch: before a sequence is drawn, until the transaction ends.
    perform pg_advisory_xact_lock_shared(1279608903, 1);
    update accounts
    set debits_posted = accounts.debits_posted + case when accounts.account_id = debit then amount else 0 end,
        credits_posted = accounts.credits_posted + case when accounts.account_id = credit then amount else 0 end
    from (values (first_id, first_lane, first_room), (second_id, second_lane, second_room))
         as asked (account_id, lane, room)
    where accounts.account_id = asked.account_id and accounts.lane = asked.lane
      and (asked.room is null
           or case accounts.bound
              when 'debits_must_not_exceed_credits'
              then accounts.credits_posted - accounts.debits_posted - accounts.debits_pending
              else accounts.debits_posted - accounts.credits_posted - accounts.credits_pending
              end >= asked.room);
    get diagnostics touched = row_count;
    if touched <> 2 then
        raise exception 'an account has moved since the transfer was decided'
            using errcode = 'serialization_failure';
    end if;
    insert into transfers (transfer_id, debit, credit, amount_minor, currency, code, reference, kind, linked,
                           effective_at, recorded_at)
    values (id, debit, credit, amount, currency, code, ref, 'posted', false, effective, recorded);
end $$;
