-- name: insert_pass
-- No row when it is there already.
insert into pass_order
    (pass_id, traveller_id, state, document, usable_from, over_at, earned_from, placed_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing returning pass_id

-- name: find_pass
select document, refund_state from pass_order where pass_id = $1

-- name: lock_pass
-- Locks: the pass, until the transaction ends.
select document, refund_state from pass_order where pass_id = $1 for update

-- name: update_pass
update pass_order set state = $2, document = $3, usable_from = $4, over_at = $5, earned_from = $6,
    payment_method = case when $2 = 'pending' then payment_method end
where pass_id = $1

-- name: list_passes
-- Index: pass_order_of_traveller.
select document, refund_state from pass_order where traveller_id = $1
order by placed_at desc, pass_id limit $2

-- name: list_held
-- Paid passes that may cover an entry between two instants. Index: pass_order_of_traveller.
select document from pass_order
where traveller_id = $1 and state in ('confirmed', 'earned') and usable_from < $3 and over_at > $2
order by over_at, pass_id

-- name: list_pass_holders
-- Index: pass_order_of_traveller.
select distinct traveller_id from pass_order
where traveller_id = any($1::text[]) and state in ('confirmed', 'earned') and usable_from < $3 and over_at > $2

-- name: take_lease
-- The right to drive a payment for some seconds; no row when somebody else has it. Locks: the row.
update pass_order set lease_until = clock_timestamp() + interval '8 seconds',
    payment_method = coalesce($2, payment_method)
where pass_id = $1 and state = 'pending' and lease_until < clock_timestamp()
returning document, payment_method

-- name: renew_lease
update pass_order set lease_until = clock_timestamp() + interval '8 seconds'
where pass_id = $1 and state = 'pending'

-- name: drop_lease
update pass_order set lease_until = '-infinity',
    payment_method = case when $2 then null else payment_method end
where pass_id = $1

-- name: list_unfinished
-- Payments that were begun and whose driver is gone. Index: pass_order_pending.
select pass_id from pass_order
where state = 'pending' and payment_method is not null and lease_until < clock_timestamp()
order by expires_at limit 1000

-- name: list_expired
-- Passes that nobody pays any more. Index: pass_order_pending.
select pass_id from pass_order
where state = 'pending' and payment_method is null and expires_at < $1 and lease_until < clock_timestamp()
order by expires_at limit 1000

-- name: list_to_earn
-- Passes that are over, all taps of which must have come. Index: pass_order_to_earn.
select pass_id from pass_order where state = 'confirmed' and earned_from <= $1
order by earned_from limit 1000

-- name: begin_refund
update pass_order set refund_state = 'pending', refund_reason = $2 where pass_id = $1

-- name: list_pending_refunds
-- Index: pass_refund_pending.
select document, refund_reason from pass_order where refund_state = 'pending' order by pass_id limit 200

-- name: close_refund
-- No row when it was closed already. Locks: the row.
update pass_order set refund_state = $2, refund_told = $2 = 'paid'
where pass_id = $1 and refund_state = 'pending' returning pass_id

-- name: reopen_refund
-- Paid after it had failed or come back; settlement is told once. Locks: the row.
update pass_order as now set refund_state = 'paid', refund_told = true
from (select pass_id, refund_told from pass_order where pass_id = $1 for update) as before
where now.pass_id = before.pass_id and now.refund_state in ('failed', 'returned')
returning now.document, now.refund_reason, before.refund_told

-- name: return_refund
-- Paid, and sent back by the traveller's bank. Locks: the row.
update pass_order set refund_state = 'returned' where pass_id = $1 and refund_state = 'paid'

-- name: list_orders_riding
-- Orders with a fare that a pass covers. Index: customer_order_of_traveller.
select document from customer_order
where traveller_id = $1 and state in ('pending', 'confirmed')
    and document::text like '%pass_in_hand/%' || $2::text || '%'

-- name: put_pass_fare
insert into pass_fare (order_id, component_index, pass_id, used) values ($1, $2, $3, $4)
on conflict do nothing

-- name: delete_pass_fare
-- The fare was not ridden after all; a pass whose price is shared keeps its shares.
delete from pass_fare using pass_order
where pass_fare.pass_id = pass_order.pass_id and state = 'confirmed'
    and order_id = $1 and component_index = $2

-- name: put_use
insert into pass_use (pass_id, week, carrier, used) values ($1, $2, $3, $4)
on conflict (pass_id, week, carrier) do update set used = excluded.used

-- name: list_uses
-- Of taps on cards and phones, of the pass's own tickets, and of ridden fares of orders. Index: pass_fare_of_pass.
select used from pass_use where pass_id = $1
union all
select used from pass_fare where pass_id = $1
