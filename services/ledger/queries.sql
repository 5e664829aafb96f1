-- The ledger's SQL. A batch: lock, read what it touches, decide in payments/ledger.py, write what was decided.

-- name: open_accounts
-- Open what is not open yet, in sorted order so that two callers never wait for each other in a circle. An
-- account without a bound has as many lanes as $5 says of it.
insert into accounts (account_id, bound, currency, opened_at, lane)
select account_id, bound, currency, $4, more.lane
from unnest($1::text[], $2::text[], $3::text[], $5::integer[]) as asked (account_id, bound, currency, lane_count)
cross join lateral generate_series(0, lane_count - 1) as more (lane)
order by account_id, more.lane
on conflict (account_id, lane) do nothing

-- name: list_account_terms
-- Bounds and currencies of these accounts (primary key).
select account_id, bound, currency from accounts where account_id = any ($1::text[]) and lane = 0

-- name: list_accounts
-- These accounts as they are, without a lock (primary key). Sums are those of lane 0: all of it where there is a
-- bound, and of no importance where there is none.
select account_id, bound, currency, debits_posted, credits_posted, debits_pending, credits_pending
from accounts where account_id = any ($1::text[]) and lane = 0

-- name: lock_accounts
-- The batch's accounts ($1) and those of holds that ran out by $2 and touch one of them (or, with $3, of
-- all such holds). Those with a bound are locked in sorted order until the end of the transaction: every writer
-- visits them so, hence no deadlock. The others decide nothing: they are not locked, and their sums not read.
with wanted as materialized (
    select unnest($1::text[]) as account_id
    union
    select unnest(array[debit, credit]) from open_holds
    where expires_at <= $2 and ($3 or debit = any ($1::text[]) or credit = any ($1::text[]))
), locked as (
    select account_id, bound, currency, debits_posted, credits_posted, debits_pending, credits_pending
    from accounts
    where account_id in (select account_id from wanted) and lane = 0 and bound <> 'none'
    order by account_id collate "C"
    for no key update
)
select * from locked
union all
select account_id, bound, currency, 0, 0, 0, 0
from accounts
where account_id in (select account_id from wanted) and lane = 0 and bound = 'none'

-- name: list_open_holds
-- The holds that the batch names ($1), and those that ran out by $2 between accounts of the batch ($3), locked
-- in sorted order: a hold has one fate, also between accounts that are not locked.
select transfer_id, expires_at from open_holds
where transfer_id = any ($1::uuid[])
   or (expires_at <= $2 and debit = any ($3::text[]) and credit = any ($3::text[]))
order by transfer_id
for update

-- name: has_due_holds
-- Whether a hold ran out by $1 (index open_holds_expiry).
select exists (select from open_holds where expires_at <= $1)

-- name: list_known_transfers
-- Transfers by id ($1: primary key) and the resolutions of holds ($2: index transfers_resolution).
select * from transfers where transfer_id = any ($1::uuid[])
union
select * from transfers where pending_id = any ($2::uuid[]) and refusal is null

-- name: post_batch
-- Write what was decided (migrations/0005). Takes the shared lock of writers; locks accounts in the order given.
select post_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                  $21, $22, $23, $24, $25, $26)

-- name: post_one
-- The same for one plain movement that was granted (migrations/0008).
select post_one($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)

-- name: begin_reading
-- The last sequence that was drawn, and the writers that are on their way.
select horizon, writers from begin_reading()

-- name: list_writers_left
-- Which of these writers ($1) are still on their way.
select coalesce(array_agg(writer), '{}') from unnest(list_writers()) as writer where writer = any ($1::text[])

-- name: find_account
-- The balance of $1 at $2: holds that ran out by then do not count, also before they are removed.
select account_id, bound, currency, sum(debits_posted)::bigint as debits_posted,
       sum(credits_posted)::bigint as credits_posted,
       (sum(debits_pending) - coalesce((select sum(amount_minor) from open_holds
                                        where expires_at <= $2 and debit = $1), 0))::bigint as debits_pending,
       (sum(credits_pending) - coalesce((select sum(amount_minor) from open_holds
                                         where expires_at <= $2 and credit = $1), 0))::bigint as credits_pending
from accounts
where account_id = $1
group by account_id, bound, currency

-- name: list_balances
-- As find_account, for all accounts.
select account_id, bound, currency, sum(debits_posted)::bigint as debits_posted,
       sum(credits_posted)::bigint as credits_posted,
       (sum(debits_pending) - coalesce((select sum(amount_minor) from open_holds
                                        where expires_at <= $1 and debit = account_id), 0))::bigint
           as debits_pending,
       (sum(credits_pending) - coalesce((select sum(amount_minor) from open_holds
                                         where expires_at <= $1 and credit = account_id), 0))::bigint
           as credits_pending
from accounts
group by account_id, bound, currency
order by account_id collate "C"

-- name: count_transfers
select count(*) from transfers where refusal is null

-- name: find_opened_account
-- The terms of $1 and when it was opened (primary key).
select account_id, bound, currency, min(opened_at) as opened_at from accounts
where account_id = $1 group by account_id, bound, currency

-- name: find_beginning
-- When the first account was opened.
select min(opened_at) from accounts

-- name: find_balance_from_start
-- What had been posted on $1 before the place ($2, $3), as far as was recorded by $4: reads the account's movements
-- (indexes transfers_debit, transfers_credit).
select coalesce(sum(amount_minor) filter (where debit = $1), 0)::bigint as debits_posted,
       coalesce(sum(amount_minor) filter (where credit = $1), 0)::bigint as credits_posted
from (
    select * from transfers
    where debit = $1 and refusal is null and kind in ('posted', 'post_pending')
    union all
    select * from transfers
    where credit = $1 and refusal is null and kind in ('posted', 'post_pending')
) as movements
where (effective_at, sequence) < ($2, $3) and recorded_at <= $4

-- name: find_balance_from_now
-- The same, from the present balance back: reads what all accounts moved since (indexes transfers_effective and
-- transfers_recorded).
select sum(debits_posted)::bigint
           - (select coalesce(sum(amount_minor), 0) from transfers
              where debit = $1 and refusal is null and kind in ('posted', 'post_pending')
                and (effective_at >= $2 or recorded_at > $4)
                and not ((effective_at, sequence) < ($2, $3) and recorded_at <= $4))::bigint as debits_posted,
       sum(credits_posted)::bigint
           - (select coalesce(sum(amount_minor), 0) from transfers
              where credit = $1 and refusal is null and kind in ('posted', 'post_pending')
                and (effective_at >= $2 or recorded_at > $4)
                and not ((effective_at, sequence) < ($2, $3) and recorded_at <= $4))::bigint as credits_posted
from accounts
where account_id = $1

-- name: find_holds_at
-- What was held on $1 before the place ($2, $3) by holds recorded by $4 that were open at that moment: neither
-- resolved nor run out (indexes transfers_holds_debit, transfers_holds_credit, transfers_resolution).
select coalesce(sum(amount_minor) filter (where debit = $1), 0)::bigint as debits_pending,
       coalesce(sum(amount_minor) filter (where credit = $1), 0)::bigint as credits_pending
from transfers as hold
where (debit = $1 or credit = $1) and refusal is null and kind = 'pending'
  and (effective_at, sequence) < ($2, $3) and recorded_at <= $4
  and (timeout_s is null or recorded_at + make_interval(secs => timeout_s) > $4)
  and not exists (select from transfers as resolution
                  where resolution.pending_id = hold.transfer_id and resolution.refusal is null
                    and resolution.recorded_at <= $4)

-- name: search_transfers
-- Movements from the place ($1, $2) on with effect before $3, recorded by $4; of the account $5, with the
-- counterparty $6, of an amount from $7 to $8, each unless null; up to the sequence $9, at most $10 of them, by
-- effective time (index transfers_effective, or those of the accounts).
select * from transfers
where refusal is null and kind in ('posted', 'post_pending')
  and effective_at >= $1 and (effective_at, sequence) >= ($1, $2) and effective_at < $3 and recorded_at <= $4
  and ($5::text is null or debit = $5 or credit = $5)
  and ($6::text is null or debit = $6 or credit = $6)
  and ($7::bigint is null or amount_minor >= $7) and ($8::bigint is null or amount_minor <= $8)
  and sequence <= $9
order by effective_at, sequence
limit $10

-- name: list_entries
-- Movements of $1 up to the sequence $10 in the order of recording, by the two partial indexes; each filter that
-- is null does not filter.
select * from (
    (select * from transfers
     where debit = $1 and refusal is null and kind in ('posted', 'post_pending') and sequence > $2
       and effective_at < $3 and ($4::timestamptz is null or effective_at >= $4)
       and ($5::bigint is null or amount_minor >= $5) and ($6::bigint is null or amount_minor <= $6)
       and ($7::text is null or credit = $7) and ($8::timestamptz is null or recorded_at <= $8)
       and sequence <= $10
     order by sequence limit $9)
    union all
    (select * from transfers
     where credit = $1 and refusal is null and kind in ('posted', 'post_pending') and sequence > $2
       and effective_at < $3 and ($4::timestamptz is null or effective_at >= $4)
       and ($5::bigint is null or amount_minor >= $5) and ($6::bigint is null or amount_minor <= $6)
       and ($7::text is null or debit = $7) and ($8::timestamptz is null or recorded_at <= $8)
       and sequence <= $10
     order by sequence limit $9)
) as movements
order by sequence
limit $9

-- name: try_sealing_lock
-- One process seals at a time; held until the transaction ends. No writer takes it.
select pg_try_advisory_xact_lock(1279608903, 2)

-- name: find_last_seal
select number, until_sequence, seal_hash from seals order by number desc limit 1

-- name: list_leaves
-- The hashes of the rows with a sequence above $1 up to $2, at most $3 of them (index transfers_sequence).
select sequence, hash_leaf(transfers) as leaf from transfers
where sequence > $1 and sequence <= $2
order by sequence
limit $3

-- name: insert_seal
insert into seals (number, after_sequence, until_sequence, leaf_count, merkle_root, previous_hash, seal_hash,
                   sealed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: list_seals
-- Seals above the number $1, at most $2 (primary key).
select number, after_sequence, until_sequence, leaf_count, merkle_root, previous_hash, seal_hash, sealed_at
from seals where number > $1 order by number limit $2

-- name: find_transfer
-- A row by its id (primary key).
select * from transfers where transfer_id = $1

-- name: find_seal_of
-- The seal over the sequence $1 (unique index of after_sequence), or none yet.
select number, after_sequence, until_sequence, leaf_count, merkle_root, previous_hash, seal_hash, sealed_at
from seals where after_sequence < $1 and until_sequence >= $1

-- name: get_unused_prepaid_value
-- What all wallets held of movements effective before $1, as far as recorded by $2. Reads all wallet movements.
select coalesce(sum(amount_minor * (credit like 'traveller:%:wallet')::int)
                - sum(amount_minor * (debit like 'traveller:%:wallet')::int), 0)::bigint as unused_minor
from transfers
where refusal is null and kind in ('posted', 'post_pending') and currency = 'JPY'
  and effective_at < $1 and recorded_at <= $2
  and (credit like 'traveller:%:wallet' or debit like 'traveller:%:wallet')
