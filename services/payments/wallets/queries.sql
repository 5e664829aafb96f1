-- name: open_wallet
-- Opens a wallet, or opens it again. A repeat changes nothing.
insert into wallet (traveller_id, opened_at) values ($1, $2)
on conflict (traveller_id) do update set state = 'open', closed_at = null, opened_at = excluded.opened_at
where wallet.state = 'closed'

-- name: insert_customer
insert into customer (customer_id) values ($1) on conflict do nothing

-- name: find_standing
select is_denied, greatest(due_minor, 0) + (
    select coalesce(sum(outstanding_minor), 0)::bigint from bill b
    where b.customer_id = c.customer_id and b.outstanding_minor > 0) as owed_minor
from customer c where customer_id = $1

-- name: find_wallet
select * from wallet where traveller_id = $1

-- name: lock_wallet
-- Locks: the row, so that holds and top-ups of one wallet are decided one after the other.
select * from wallet where traveller_id = $1 for update

-- name: set_auto_top_up
update wallet set auto_threshold_minor = $2, auto_amount_minor = $3, auto_ceiling_minor = $4
where traveller_id = $1

-- name: find_latest_hold
-- Index: wallet_hold_payment_id_wish_version_key.
select * from wallet_hold where payment_id = $1 order by wish_version desc limit 1

-- name: insert_hold
insert into wallet_hold (hold_id, payment_id, wish_version, payer_id, amount_minor, currency, mandate_id)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing

-- name: end_hold
-- A hold that was refused or resolved stays so.
update wallet_hold set state = $2, decline_code = $3
where hold_id = $1 and state in ('started', 'held')

-- name: insert_top_up
insert into top_up (top_up_id, traveller_id, amount_minor, is_automatic, day, payment_id, payment_method,
    method_id, requested_at, next_attempt_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp() + interval '30 seconds')
on conflict (top_up_id) do nothing

-- name: find_top_up
select * from top_up where top_up_id = $1

-- name: list_top_ups
-- Index: top_up_of_traveller.
select * from top_up where traveller_id = $1 order by requested_at desc, top_up_id limit $2

-- name: sum_top_ups
-- Those that are paid, and those with them that are on their way. Index: top_up_of_traveller.
select coalesce(sum(amount_minor) filter (where state = 'paid'), 0)::bigint as paid_minor,
    coalesce(sum(amount_minor) filter (where state in ('paid', 'open')), 0)::bigint as accepted_minor
from top_up where traveller_id = $1

-- name: sum_auto_top_ups
-- Those of a day that are paid or on their way, and whether one was declined. Index: top_up_of_traveller.
select coalesce(sum(amount_minor) filter (where state <> 'declined'), 0)::bigint as today_minor,
    coalesce(bool_or(state = 'declined'), false) as has_declined
from top_up where traveller_id = $1 and day = $2 and is_automatic

-- name: end_top_up
update top_up set state = $2, decline_code = $3, next_action_url = null, next_attempt_at = null, last_error = null
where top_up_id = $1 and state = 'open'
returning traveller_id

-- name: wish_draw
-- The wallet has been filled: it may pay what is due for rides.
update customer set draw_at = clock_timestamp() where customer_id = $1 and due_minor > 0

-- name: wait_for_traveller
-- The traveller must act: looked at again after $3 seconds.
update top_up set next_action_url = $2, next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8)
where top_up_id = $1 and state = 'open'

-- name: note_top_up_failure
update top_up set attempts = attempts + 1, last_error = $3,
    next_attempt_at = clock_timestamp() + make_interval(secs => $2::float8)
where top_up_id = $1 and state = 'open'

-- name: claim_top_ups
-- Those whose time has come ($1: all unfinished). Others keep off for half a minute.
-- Locks: the rows, skipping those that another worker has. Index: top_up_unfinished.
update top_up set next_attempt_at = clock_timestamp() + interval '30 seconds'
where top_up_id in (
    select top_up_id from top_up
    where next_attempt_at is not null and ($1::boolean or next_attempt_at <= clock_timestamp())
    order by next_attempt_at limit $2 for update skip locked)
returning top_up_id, attempts

-- name: begin_closing
-- No row unless it was open. Locks: the row.
update wallet set state = 'closing', closing_number = closing_number + 1, auto_threshold_minor = null,
    auto_amount_minor = null, auto_ceiling_minor = null
where traveller_id = $1 and state = 'open' returning closing_number

-- name: is_in_use
-- Something is held or owed, or is on its way in or out.
select exists (select 1 from customer where customer_id = $1 and due_minor <> 0)
    or exists (select 1 from bill where customer_id = $1 and state not in ('collected', 'given_back'))
    or exists (select 1 from collection_try where customer_id = $1 and state = 'open')
    or exists (select 1 from wallet_hold where payer_id = $1 and state in ('started', 'held'))
    or exists (select 1 from top_up where traveller_id = $1 and state = 'open')

-- name: list_closing
-- Index: wallet_closing.
select traveller_id, closing_number from wallet where state = 'closing' order by traveller_id limit 200

-- name: list_top_up_payments
-- Top-ups whose cards may take something back, the newest first.
select payment_id, captured_minor - refunded_minor as left_minor from payment
where traveller_id = $1 and purpose = 'top_up' and state = 'captured' and captured_minor > refunded_minor
order by opened_at desc, payment_id

-- name: find_refund_amount
select amount_minor from refund where refund_id = $1

-- name: has_pending_refunds
select exists (
    select 1 from refund r join payment p using (payment_id)
    where p.traveller_id = $1 and p.purpose = 'top_up' and r.state = 'pending')

-- name: end_closing
update wallet set state = 'closed', closed_at = $2 where traveller_id = $1 and state = 'closing'

-- name: insert_payout
insert into wallet_payout (payout_id, traveller_id, amount_minor, requested_at) values ($1, $2, $3, $4)
on conflict (payout_id) do nothing

-- name: list_payouts
-- Those that are set aside and nobody has paid yet, the oldest first. Index: wallet_payout_open.
select * from wallet_payout where paid_at is null and set_aside_at is not null order by requested_at, payout_id limit 200

-- name: find_payout
select * from wallet_payout where payout_id = $1

-- name: note_set_aside
update wallet_payout set set_aside_at = $2 where payout_id = $1 and set_aside_at is null

-- name: withdraw_payout
-- The ledger did not have so much any more. Nobody has seen it.
delete from wallet_payout where payout_id = $1 and set_aside_at is null

-- name: confirm_payout
update wallet_payout set paid_at = $2, paid_by = $3, counter_id = $4 where payout_id = $1 and paid_at is null
