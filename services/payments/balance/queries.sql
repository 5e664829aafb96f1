-- name: insert_movement
-- Makes a movement known; a repeat changes nothing. $9: the payout that took it, when it is told.
insert into provider_movement
    (movement_id, kind, category, source_id, amount_minor, fee_minor, currency, moved_at, payout_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (movement_id) do update set payout_id = coalesce(excluded.payout_id, provider_movement.payout_id)
where excluded.payout_id is distinct from provider_movement.payout_id and excluded.payout_id is not null

-- name: find_cursor
select until from provider_cursor where name = $1

-- name: move_cursor
insert into provider_cursor (name, until) values ($1, $2)
on conflict (name) do update set until = greatest(provider_cursor.until, excluded.until)

-- name: claim_movements
-- Takes unmatched movements whose time has come ($1: all). Others keep off for half a minute.
-- Locks: the rows, skipping those that another worker has. Index: provider_movement_due.
update provider_movement set next_attempt_at = clock_timestamp() + interval '30 seconds'
where movement_id in (
    select movement_id from provider_movement
    where next_attempt_at is not null and ($1::boolean or next_attempt_at <= clock_timestamp())
    order by moved_at, movement_id limit $2 for update skip locked)
returning *

-- name: match_movement
-- Maps a movement to its entry, for good; a unique violation means that the entry is another movement's.
update provider_movement set transfer_id = $2, fee_transfer_id = $3, matched_at = clock_timestamp(),
    next_attempt_at = null, last_error = null
where movement_id = $1 and transfer_id is null

-- name: note_movement
-- Not yet: $2 why, $3 seconds until the next look.
update provider_movement set attempts = attempts + 1, last_error = $2,
    next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8)
where movement_id = $1 and transfer_id is null

-- name: find_capture
-- The payment that a movement captured, and where it is. Index: payment_charge_id.
select payment_id, state, captured_minor from payment where charge_id = $1

-- name: find_refund
-- Index: refund_provider_id_key.
select refund_id, outcome, amount_minor from refund where provider_id = $1

-- name: wake_refund
-- A paid refund that came back is due. Locks: the row.
update refund set next_attempt_at = clock_timestamp() where refund_id = $1 and outcome = 'paid'

-- name: save_payout
insert into provider_payout
    (payout_id, amount_minor, state, is_automatic, is_itemised, arrives_at, created_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (payout_id) do update set state = excluded.state, is_itemised = excluded.is_itemised
returning is_reconciled

-- name: find_payout
select * from provider_payout where payout_id = $1

-- name: reconcile_payout
update provider_payout set is_reconciled = true, item_count = $2, last_error = null where payout_id = $1

-- name: wake_movements_of
-- What waited for this source is looked at now. Index: provider_movement_of_source.
update provider_movement set next_attempt_at = clock_timestamp()
where source_id = $1 and transfer_id is null

-- name: note_payout
update provider_payout set last_error = $2 where payout_id = $1

-- name: list_payouts
select * from provider_payout order by created_at desc, payout_id limit $1

-- name: list_unreconciled_payouts
select payout_id from provider_payout where not is_reconciled and state <> 'failed' order by created_at

-- name: list_unmatched
-- Movements without an entry, and our captures and refunds without a movement. Index: provider_movement_unmatched.
select 'movement' as kind, movement_id as subject_id, provider_movement.kind as what, amount_minor,
    coalesce(last_error, '') as why, extract(epoch from clock_timestamp() - moved_at)::float8 as age_s
from provider_movement where transfer_id is null
union all
select 'payment', payment_id::text, 'capture', captured_minor, 'the provider lists no movement',
    extract(epoch from clock_timestamp() - updated_at)::float8
from payment
where captured_minor > 0 and charge_id is not null
  and not exists (select from provider_movement where source_id = charge_id and kind in ('charge', 'payment'))
union all
select 'refund', refund_id::text, 'refund', -amount_minor, 'the provider lists no movement',
    extract(epoch from clock_timestamp() - updated_at)::float8
from refund
where state = 'succeeded' and provider_id is not null and provider_id not like 'oar\_%'
  and not exists (select from provider_movement where source_id = provider_id)
order by age_s desc limit 500

-- name: sum_movements
-- What the provider's balance should be, and what of it is in the books.
select coalesce(sum(amount_minor - fee_minor), 0)::bigint as balance_minor,
    coalesce(sum(amount_minor - fee_minor) filter (where transfer_id is not null), 0)::bigint as booked_minor,
    coalesce(sum(fee_minor), 0)::bigint as fees_minor,
    count(*)::bigint as movement_count,
    count(transfer_id)::bigint as matched_count
from provider_movement
