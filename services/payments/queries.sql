-- name: insert_payment
-- Makes a payment known; a repeat changes nothing. Locks: the new row.
insert into payment
    (payment_id, order_id, traveller_id, amount_minor, currency, state, wanted, opened_at, purpose, modes)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (payment_id) do nothing

-- name: find_payment
select * from payment where payment_id = $1

-- name: lock_payment
-- Locks: the row, so that refunds of one payment are admitted one after the other.
select * from payment where payment_id = $1 for update

-- name: find_payment_by_provider_id
-- Index: payment_provider_id_key.
select payment_id from payment where provider_id = $1

-- name: save_payment
-- Writes the row unless somebody else has since $2. $13: seconds until it is taken up again, null when settled.
update payment set
    state = $3, decline_code = $4, next_action_url = $5, captured_minor = $6, wanted = $7,
    payment_method = $8, provider_id = $9, charge_id = $10, hold_at = $11, attempts = $12, off_session = $14,
    next_attempt_at = clock_timestamp() + make_interval(secs => $13::float8),
    last_error = null, version = version + 1, updated_at = clock_timestamp()
where payment_id = $1 and version = $2
returning version

-- name: add_refunded
-- Books a refund (or takes one back, negative) on its payment; the table's check keeps it within bounds.
update payment set refunded_minor = refunded_minor + $2, version = version + 1, updated_at = clock_timestamp()
where payment_id = $1

-- name: rest_payment
-- Nothing to do at this version: look again after $3 seconds, or (null) not by ourselves.
update payment set next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8), last_error = null
where payment_id = $1 and version = $2

-- name: note_payment_failure
-- $3 the pause in seconds, $4 what went wrong; moot when somebody else has come further since $2.
update payment set attempts = attempts + 1, last_error = $4,
    next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8)
where payment_id = $1 and version = $2

-- name: claim_payments
-- Takes unfinished payments whose time has come ($1: all of them). Others keep off for half a minute.
-- Locks: the rows, skipping those that another worker has. Index: payment_unfinished.
update payment set next_attempt_at = clock_timestamp() + interval '30 seconds'
where payment_id in (
    select payment_id from payment
    where next_attempt_at is not null and ($1::boolean or next_attempt_at <= clock_timestamp())
    order by next_attempt_at limit $2 for update skip locked)
returning payment_id, attempts

-- name: insert_refund
-- A try that follows a failed one has its root: the first one's id.
insert into refund (refund_id, payment_id, amount_minor, currency, reason, state, outcome, opened_at, next_attempt_at,
    into_wallet, retry_of, root_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + make_interval(secs => $9::float8),
    $10, $11, coalesce((select root_id from refund where refund_id = $11), $1))

-- name: find_latest_try
-- Index: refund_of_root.
select * from refund r where root_id = $1
  and not exists (select 1 from refund later where later.retry_of = r.refund_id)

-- name: list_failed_refunds
-- Refunds whose last try failed or came back: somebody must look at them.
select r.root_id, r.refund_id, r.payment_id, p.traveller_id, p.order_id, p.purpose, r.amount_minor, r.reason,
    r.outcome, coalesce(r.failure, r.last_error, '') as failure, r.opened_at
from refund r join payment p using (payment_id)
where r.state = 'failed' and not exists (select 1 from refund later where later.retry_of = r.refund_id)
order by r.opened_at, r.refund_id limit $1

-- name: find_refund
select * from refund where refund_id = $1

-- name: find_refund_by_provider_id
-- Index: refund_provider_id_key.
select refund_id from refund where provider_id = $1

-- name: sum_pending_refunds
-- What is being refunded of a payment, or was taken back by the bank for good; called with the payment locked.
-- Index: refund_of_payment, dispute_of_payment.
select (select coalesce(sum(amount_minor), 0) from refund where payment_id = $1 and state = 'pending')::bigint
     + (select coalesce(sum(amount_minor), 0) from dispute where payment_id = $1 and state = 'lost')::bigint

-- name: save_refund
-- Writes the row unless somebody else has since $2. $7: seconds until it is taken up again, null when settled.
update refund set state = $3, outcome = $4, provider_id = $5, failure = $6,
    next_attempt_at = clock_timestamp() + make_interval(secs => $7::float8),
    last_error = null, version = version + 1, updated_at = clock_timestamp()
where refund_id = $1 and version = $2
returning version

-- name: rest_refund
-- As rest_payment.
update refund set next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8), last_error = null
where refund_id = $1 and version = $2

-- name: note_refund_failure
-- As note_payment_failure.
update refund set attempts = attempts + 1, last_error = $4,
    next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8)
where refund_id = $1 and version = $2

-- name: claim_refunds
-- As claim_payments. Index: refund_unfinished.
update refund set next_attempt_at = clock_timestamp() + interval '30 seconds'
where refund_id in (
    select refund_id from refund
    where next_attempt_at is not null and ($1::boolean or next_attempt_at <= clock_timestamp())
    order by next_attempt_at limit $2 for update skip locked)
returning refund_id, attempts

-- name: find_latest_call
-- Index: provider_call_subject_id_kind_generation_key.
select key, generation, params_hash, state, clock_timestamp() - started_at > interval '23 hours' as is_stale
from provider_call where subject_id = $1 and kind = $2 order by generation desc limit 1

-- name: insert_call
-- Writes the key down before the call. Two drivers choose the same generation: the second finds it there.
insert into provider_call (key, kind, subject_id, generation, params, params_hash)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing

-- name: end_call
update provider_call set state = $2, result = $3, ended_at = clock_timestamp() where key = $1

-- name: leave_calls
-- Their subject was let go at the provider: no key of theirs is used again.
update provider_call set state = 'left' where subject_id = $1 and state in ('started', 'answered')

-- name: insert_webhook
-- Records an event of the provider; no row when it came before.
insert into webhook (event_id, event_type, payment_id, refund_id, told_at, next_attempt_at, object_kind, object_id)
values ($1, $2, $3, $4, $5, case when $6::boolean then clock_timestamp() end, $7, $8)
on conflict (event_id) do nothing
returning event_id

-- name: claim_webhooks
-- As claim_payments. Index: webhook_unhandled.
update webhook set next_attempt_at = clock_timestamp() + interval '30 seconds'
where event_id in (
    select event_id from webhook
    where next_attempt_at is not null and ($1::boolean or next_attempt_at <= clock_timestamp())
    order by next_attempt_at limit $2 for update skip locked)
returning event_id, event_type, payment_id, refund_id, object_kind, object_id, attempts

-- name: finish_webhook
update webhook set next_attempt_at = null, last_error = null where event_id = $1

-- name: note_webhook_failure
update webhook set attempts = attempts + 1, last_error = $3,
    next_attempt_at = clock_timestamp() + make_interval(secs => $2::float8)
where event_id = $1

-- name: list_charged
-- Payments that moved money at the provider, for reconciliation.
select payment_id, captured_minor as amount_minor, charge_id as source_id,
    extract(epoch from clock_timestamp() - updated_at)::float8 as age_s
from payment where charge_id is not null

-- name: list_refunds
-- Refunds that may have moved money at the provider, for reconciliation. One that came back counts as nothing.
select r.refund_id, r.provider_id as source_id,
    case when r.state = 'succeeded' then -r.amount_minor else 0 end as amount_minor,
    extract(epoch from clock_timestamp() - r.updated_at)::float8 as age_s
from refund r join payment p using (payment_id)
where r.state <> 'refused_exceeds_captured' and p.charge_id is not null and not r.into_wallet

-- name: list_unfinished
-- What is not where its owner wants it, and failed refunds that somebody must look at.
select 'payment' as kind, payment_id as subject_id, state, attempts, coalesce(last_error, '') as last_error,
    extract(epoch from clock_timestamp() - updated_at)::float8 as age_s
from payment where next_attempt_at is not null and not (state = 'authorised' and wanted = 'authorised')
union all
select 'refund', refund_id, state, attempts, coalesce(failure, last_error, ''),
    extract(epoch from clock_timestamp() - updated_at)::float8
from refund r where next_attempt_at is not null
   or (state = 'failed' and not exists (select 1 from refund later where later.retry_of = r.refund_id))
union all
select 'webhook', payment_id, event_type, attempts, coalesce(last_error, ''),
    extract(epoch from clock_timestamp() - received_at)::float8
from webhook where next_attempt_at is not null
order by age_s desc limit 500
