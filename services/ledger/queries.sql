-- The ledger's SQL. A batch: lock, read what it touches, decide in payments/ledger.py, write what was decided.

-- name: open_accounts
-- Open what is not open yet, in sorted order so that two callers never wait for each other in a circle.
insert into accounts (account_id, bound, currency, opened_at)
select account_id, bound, currency, $4
from unnest($1::text[], $2::text[], $3::text[]) as asked (account_id, bound, currency)
order by account_id
on conflict (account_id) do nothing

-- name: list_account_terms
-- Bounds and currencies of these accounts (primary key).
select account_id, bound, currency from accounts where account_id = any ($1::text[])

-- name: lock_accounts
-- The batch's accounts ($1) and those of holds that ran out by $2 and touch one of them (or, with $3, of
-- all such holds), locked in sorted order until the end of the transaction: every writer locks so, hence no
-- deadlock, and an account's sequences commit in order.
select account_id, bound, currency, debits_posted, credits_posted, debits_pending, credits_pending
from accounts
where account_id in (
    select unnest($1::text[])
    union all
    select unnest(array[debit, credit]) from open_holds
    where expires_at <= $2 and ($3 or debit = any ($1::text[]) or credit = any ($1::text[]))
)
order by account_id
for no key update

-- name: list_open_holds
-- The holds that the batch names ($1), and those that ran out by $2 between locked accounts ($3).
select transfer_id, expires_at from open_holds where transfer_id = any ($1::uuid[])
union
select transfer_id, expires_at from open_holds
where expires_at <= $2 and debit = any ($3::text[]) and credit = any ($3::text[])

-- name: list_known_transfers
-- Transfers by id ($1: primary key) and the resolutions of holds ($2: index transfers_resolution).
select * from transfers where transfer_id = any ($1::uuid[])
union
select * from transfers where pending_id = any ($2::uuid[]) and refusal is null

-- name: insert_transfers
-- In the order of the arrays, so that sequences follow the batch.
insert into transfers (transfer_id, debit, credit, amount_minor, currency, code, reference, kind, pending_id,
                       linked, timeout_s, effective_at, recorded_at, refusal)
select transfer_id, debit, credit, amount_minor, currency, code, reference, kind, pending_id,
       linked, timeout_s, effective_at, $13, refusal
from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::uuid[], $10::boolean[], $11::integer[], $12::timestamptz[], $14::text[])
     with ordinality as asked (transfer_id, debit, credit, amount_minor, currency, code, reference, kind,
                               pending_id, linked, timeout_s, effective_at, refusal, place)
order by place

-- name: insert_holds
insert into open_holds (transfer_id, debit, credit, amount_minor, expires_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[])

-- name: delete_holds
delete from open_holds where transfer_id = any ($1::uuid[])

-- name: update_balances
-- The rows are locked by lock_accounts, so the sums are set, not added.
update accounts
set debits_posted = fresh.debits_posted, credits_posted = fresh.credits_posted,
    debits_pending = fresh.debits_pending, credits_pending = fresh.credits_pending
from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
     as fresh (account_id, debits_posted, credits_posted, debits_pending, credits_pending)
where accounts.account_id = fresh.account_id

-- name: find_account
-- The balance of $1 at $2: holds that ran out by then do not count, also before they are removed.
select account_id, bound, currency, debits_posted, credits_posted,
       debits_pending - coalesce((select sum(amount_minor) from open_holds
                                  where expires_at <= $2 and debit = account_id), 0)::bigint as debits_pending,
       credits_pending - coalesce((select sum(amount_minor) from open_holds
                                   where expires_at <= $2 and credit = account_id), 0)::bigint as credits_pending
from accounts
where account_id = $1

-- name: list_balances
-- As find_account, for all accounts.
select account_id, bound, currency, debits_posted, credits_posted,
       debits_pending - coalesce((select sum(amount_minor) from open_holds
                                  where expires_at <= $1 and debit = account_id), 0)::bigint as debits_pending,
       credits_pending - coalesce((select sum(amount_minor) from open_holds
                                   where expires_at <= $1 and credit = account_id), 0)::bigint as credits_pending
from accounts
order by account_id collate "C"

-- name: count_transfers
select count(*) from transfers where refusal is null

-- name: find_balance_as_of
-- What had been posted on $1 with effect before $2, as far as was recorded by $3.
select coalesce(sum(amount_minor) filter (where debit = $1), 0)::bigint as debits_posted,
       coalesce(sum(amount_minor) filter (where credit = $1), 0)::bigint as credits_posted
from (
    select * from transfers
    where debit = $1 and refusal is null and kind in ('posted', 'post_pending')
    union all
    select * from transfers
    where credit = $1 and refusal is null and kind in ('posted', 'post_pending')
) as movements
where effective_at < $2 and recorded_at <= $3

-- name: list_entries
-- Movements of $1 in the order of recording, by the two partial indexes; each filter that is null does not filter.
select * from (
    (select * from transfers
     where debit = $1 and refusal is null and kind in ('posted', 'post_pending') and sequence > $2
       and effective_at < $3 and ($4::timestamptz is null or effective_at >= $4)
       and ($5::bigint is null or amount_minor >= $5) and ($6::bigint is null or amount_minor <= $6)
       and ($7::text is null or credit = $7) and ($8::timestamptz is null or recorded_at <= $8)
     order by sequence limit $9)
    union all
    (select * from transfers
     where credit = $1 and refusal is null and kind in ('posted', 'post_pending') and sequence > $2
       and effective_at < $3 and ($4::timestamptz is null or effective_at >= $4)
       and ($5::bigint is null or amount_minor >= $5) and ($6::bigint is null or amount_minor <= $6)
       and ($7::text is null or debit = $7) and ($8::timestamptz is null or recorded_at <= $8)
     order by sequence limit $9)
) as movements
order by sequence
limit $9
