-- post_batch without a first visit that only locked the lanes: an update that waited for another works on the row as
-- the other left it, and its trigger sees that row too (the tests let eight writers share a lane). The columns of
-- pendings, links, timeouts, refusals and pending sums may come as empty arrays when nothing stands in them.
create or replace function post_batch(
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
        update accounts
        set debits_posted = accounts.debits_posted + asked.debits_posted_more,
            credits_posted = accounts.credits_posted + asked.credits_posted_more,
            debits_pending = accounts.debits_pending + coalesce(asked.debits_pending_more, 0),
            credits_pending = accounts.credits_pending + coalesce(asked.credits_pending_more, 0)
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
                   and accounts.debits_pending = coalesce(asked.expected_debits_pending, 0)
                   and accounts.credits_pending = coalesce(asked.expected_credits_pending, 0)));
        get diagnostics touched = row_count;
        if touched <> cardinality(account_ids) then
            raise exception 'an account has moved since the batch was decided'
                using errcode = 'serialization_failure';
        end if;
    end if;
    insert into transfers (transfer_id, debit, credit, amount_minor, currency, code, reference, kind, pending_id,
                           linked, timeout_s, effective_at, recorded_at, refusal)
    select id, debit, credit, amount, currency, code, ref, kind, pending, coalesce(link, false), timeout,
           effective, recorded, refusal
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
