-- name: insert_disputed_order
-- Makes a dispute known; a repeat, or news of its opening after its end, changes nothing.
insert into disputed_order
    (dispute_id, order_id, payment_id, traveller_id, is_pass, operators, amount_minor, reason, state, opened_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9)
on conflict (dispute_id) do nothing returning dispute_id

-- name: decide_disputed_order
-- No row when it was decided already. Locks: the row.
update disputed_order set state = $2, decided_at = $3
where dispute_id = $1 and state = 'open' returning dispute_id

-- name: note_taken_back
update disputed_order set taken_back_minor = $2 where dispute_id = $1

-- name: find_newest_of_order
-- Index: disputed_order_of_order.
select * from disputed_order where order_id = $1 order by opened_at desc, dispute_id limit 1

-- name: list_disputed_orders
-- Of one operator ($1), or of all. Index: disputed_order_by_time.
select * from disputed_order where $1::text is null or $1 = any(operators)
order by opened_at desc, dispute_id limit $2

-- name: close_failed_refunds
-- Refunds that never reached the traveller, the oldest first while they fit into $2: the bank has made them.
-- Locks: the rows.
update refund set state = 'charged_back', told_at = coalesce(told_at, $3)
where refund_id in (
    select refund_id from (
        select refund_id, sum(amount_minor) over (order by requested_at, refund_id) as so_far
        from refund where order_id = $1 and state in ('failed', 'returned')) as failed
    where so_far <= $2)
returning refund_id, order_id, amount_minor, reason, lines,
    (select told_at from refund before where before.refund_id = refund.refund_id) as told_at
