-- name: insert_account
insert into connect_account (operator_id) values ($1) on conflict (operator_id) do nothing

-- name: find_account
select * from connect_account where operator_id = $1

-- name: save_account
-- The first account made stays.
update connect_account set account_id = coalesce(account_id, $2),
    can_receive = case when coalesce(account_id, $2) = $2 then $3 else can_receive end
where operator_id = $1
returning *

-- name: find_operator_of
select operator_id from connect_account where account_id = $1

-- name: insert_payout
insert into operator_payout (payout_id, operator_id, amount_minor, state, next_attempt_at)
values ($1, $2, $3, 'open', clock_timestamp() + interval '30 seconds')
on conflict (payout_id) do nothing

-- name: find_payout
select * from operator_payout where payout_id = $1

-- name: lock_payout
-- Locks: the payout, so that it is planned once.
select * from operator_payout where payout_id = $1 for update

-- name: lock_planning
-- Two payouts never plan with the same charge's money at once.
select pg_advisory_xact_lock(hashtext('payments.operator_transfer'))

-- name: list_parts
-- Index: operator_transfer_of_payout.
select * from operator_transfer where payout_id = $1 order by part_id

-- name: list_charges_left
-- Captures with money that no refund, dispute or transfer has taken, oldest first.
select charge_id, captured_minor - refunded_minor
    - coalesce((select sum(amount_minor) from refund
                where refund.payment_id = payment.payment_id and state = 'pending'), 0)::bigint
    - coalesce((select sum(amount_minor) from operator_transfer
                where operator_transfer.charge_id = payment.charge_id), 0)::bigint as left_minor
from payment
where captured_minor > refunded_minor and charge_id is not null and payment_method like 'pm\_%'
  and not exists (select from dispute where dispute.payment_id = payment.payment_id)
order by opened_at, payment_id limit $1

-- name: insert_part
insert into operator_transfer (part_id, payout_id, charge_id, amount_minor) values ($1, $2, $3, $4)

-- name: save_part
update operator_transfer set provider_id = $2 where part_id = $1

-- name: reverse_part
update operator_transfer set is_reversed = true where part_id = $1

-- name: set_payout
-- $3: seconds until it is taken up again, null when it is over.
update operator_payout set state = $2, last_error = null,
    next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8)
where payout_id = $1

-- name: note_payout_failure
update operator_payout set attempts = attempts + 1, last_error = $2,
    next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8)
where payout_id = $1 and next_attempt_at is not null

-- name: claim_payouts
-- As claim_payments. Index: operator_payout_unfinished.
update operator_payout set next_attempt_at = clock_timestamp() + interval '30 seconds'
where payout_id in (
    select payout_id from operator_payout
    where next_attempt_at is not null and ($1::boolean or next_attempt_at <= clock_timestamp())
    order by next_attempt_at limit $2 for update skip locked)
returning payout_id, attempts
