-- name: insert_offer
insert into offer (offer_id, traveller_id, document, expires_at) values ($1, $2, $3, $4)
on conflict (offer_id) do nothing

-- name: find_offer
select document from offer where offer_id = $1 and traveller_id = $2

-- name: find_order_of_offer
select order_id from customer_order where offer_id = $1

-- name: insert_order
-- No row when the order, or another one for the same offer, is there already.
insert into customer_order (order_id, offer_id, traveller_id, state, document, placed_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning order_id

-- name: insert_order_legs
insert into order_leg (order_id, leg_index, trip_id, service_date)
select $1, leg_index, trip_id, service_date
from unnest($2::int[], $3::text[], $4::date[]) as legs (leg_index, trip_id, service_date)

-- name: find_order
select document, payment_method from customer_order where order_id = $1

-- name: lock_order
-- Locks: the order, until the transaction ends.
select document, payment_method from customer_order where order_id = $1 for update

-- name: update_order
update customer_order set state = $2, document = $3,
    payment_method = case when $2 = 'pending' then payment_method end
where order_id = $1

-- name: list_orders
-- Index: customer_order_of_traveller.
select document from customer_order where traveller_id = $1 order by placed_at desc, order_id limit $2

-- name: take_lease
-- The right to drive a booking for some seconds; no row when somebody else has it. Locks: the row.
update customer_order set lease_until = clock_timestamp() + interval '8 seconds',
    payment_method = coalesce($2, payment_method)
where order_id = $1 and state = 'pending' and lease_until < clock_timestamp()
returning document, payment_method

-- name: renew_lease
update customer_order set lease_until = clock_timestamp() + interval '8 seconds'
where order_id = $1 and state = 'pending'

-- name: drop_lease
update customer_order set lease_until = '-infinity',
    payment_method = case when $2 then null else payment_method end
where order_id = $1

-- name: is_being_booked
select payment_method is not null and state = 'pending' from customer_order where order_id = $1

-- name: list_unfinished
-- Bookings that were begun and whose driver is gone. Index: customer_order_pending.
select order_id from customer_order
where state = 'pending' and payment_method is not null and lease_until < clock_timestamp()
order by expires_at limit 1000

-- name: list_expired
-- Orders that nobody pays any more. Index: customer_order_pending.
select order_id from customer_order
where state = 'pending' and payment_method is null and expires_at < $1 and lease_until < clock_timestamp()
order by expires_at limit 1000

-- name: list_orders_on_trip
-- Index: order_leg_by_trip.
select distinct l.order_id from order_leg l join customer_order o using (order_id)
where l.trip_id = $1 and l.service_date = $2 and o.state = 'confirmed' order by 1

-- name: insert_case
insert into disruption_case
    (case_id, order_id, trip_id, service_date, operator_id, reason, amount_minor, opened_at)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning case_id

-- name: list_cases
select case_id, order_id, trip_id, service_date, operator_id, reason, amount_minor, opened_at
from disruption_case where $1::text is null or operator_id = $1 order by opened_at desc, case_id limit $2

-- name: insert_refund
insert into refund (refund_id, order_id, payment_id, case_id, amount_minor, reason, lines, state, requested_at)
values ($1, $2, $3, $4, $5, $6, $7, 'pending', $8) on conflict do nothing

-- name: list_pending_refunds
-- A page behind ($1, $2), so that refunds that wait for days hide no others. Index: refund_pending.
select refund_id, order_id, payment_id, amount_minor, reason, lines, requested_at from refund
where state = 'pending' and ($1::timestamptz is null or (requested_at, refund_id) > ($1, $2::uuid))
order by requested_at, refund_id limit $3

-- name: close_refund
-- No row when it was closed already. Locks: the row.
update refund set state = $2, paid_at = $3, told_at = case when $2 = 'paid' then $3::timestamptz end
where refund_id = $1 and state = 'pending' returning refund_id

-- name: reopen_refund
-- Paid after it had failed or come back. Locks: the row.
update refund set state = 'paid', paid_at = $2 where refund_id = $1 and state in ('failed', 'returned')
returning refund_id, order_id, amount_minor, reason, lines, told_at

-- name: return_refund
-- Paid, and sent back by the traveller's bank. Locks: the row.
update refund set state = 'returned' where refund_id = $1 and state = 'paid'
returning refund_id, order_id, amount_minor

-- name: note_told
update refund set told_at = $2 where refund_id = $1

-- name: list_refunds
select refund_id, amount_minor, reason, state, lines, requested_at, paid_at from refund
where order_id = $1 order by requested_at, refund_id

-- name: insert_notification
insert into notification (notification_id, traveller_id, order_id, code, texts, created_at)
values ($1, $2, $3, $4, $5, $6) on conflict do nothing

-- name: list_notifications
select notification_id, order_id, code, texts, created_at from notification
where traveller_id = $1 order by created_at desc, notification_id limit $2

-- name: lock_sailing
-- One at a time confirms or cancels on a sailing. Locks: an advisory lock until the transaction ends.
select pg_advisory_xact_lock(hashtextextended($1, 0))

-- name: insert_cancelled_sailing
insert into cancelled_sailing (trip_id, service_date, operator_id, reason) values ($1, $2, $3, $4)
on conflict do nothing

-- name: find_cancelled_sailing
select trip_id, service_date, operator_id, reason from cancelled_sailing
where trip_id = $1 and service_date = $2

-- name: list_order_ids_of
-- Index: customer_order_of_traveller.
select order_id from customer_order where traveller_id = $1 order by 1
