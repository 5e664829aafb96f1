-- name: insert_sale
insert into cash_sale (sale_id, counter_id, operator_id, kind, amount_minor, rider_category, area, traveller_id,
    reference, sold_at, recorded_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (sale_id) do nothing

-- name: find_sale
select * from cash_sale where sale_id = $1

-- name: finish_sale
update cash_sale set posted_at = clock_timestamp() where sale_id = $1 and posted_at is null

-- name: list_unposted_sales
-- Sales whose clerk's process died. Index: cash_sale_unposted.
select * from cash_sale where posted_at is null order by sold_at limit 200

-- name: insert_handover
insert into till_handover (handover_id, counter_id, operator_id, amount_minor, destination, handed_at, recorded_by)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (handover_id) do nothing

-- name: add_cashless
-- A fare was earned without cash, or (negative) given back.
insert into cashless_tally (month, operator_id, amount_minor) values ($1, $2, $3)
on conflict (month, operator_id) do update set amount_minor = cashless_tally.amount_minor + excluded.amount_minor

-- name: list_ratio
-- Cashless and cash by month and operator, from $1 to $2 (months, inclusive). $3: the city's zone.
select coalesce(t.month, c.month) as month, coalesce(t.operator_id, c.operator_id) as operator_id,
    coalesce(t.amount_minor, 0)::bigint as cashless_minor, coalesce(c.amount_minor, 0)::bigint as cash_minor
from (select * from cashless_tally where month between $1 and $2) t
full join (
    select date_trunc('month', sold_at at time zone $3)::date as month, operator_id, sum(amount_minor) as amount_minor
    from cash_sale
    where kind = 'fare' and sold_at >= $1::timestamp at time zone $3
      and sold_at < ($2::date + interval '1 month') at time zone $3
    group by 1, 2
) c on c.month = t.month and c.operator_id = t.operator_id
order by 1, 2

-- name: list_cash_groups
-- Cash of a month by rider category and area. Index: cash_sale_by_time.
select rider_category, area, sum(amount_minor)::bigint as amount_minor, count(*) as sale_count
from cash_sale
where kind = 'fare' and sold_at >= $1::timestamp at time zone $2
  and sold_at < ($1::date + interval '1 month') at time zone $2
group by 1, 2 order by 1, 2

-- name: know_fare
-- So that there is a row to lock.
insert into cashless_fare (order_id, component_index, turn, month, shares) values ($1, $2, -1, $3, '{}')
on conflict do nothing

-- name: lock_fare
-- What is counted of a fare. Locks: the row.
select turn, month, shares from cashless_fare where order_id = $1 and component_index = $2 for update

-- name: hear_fare
-- The last turn heard of a fare: rated with its shares, or unrated ('{}'). Called with the row locked.
update cashless_fare set turn = $3, month = $4, shares = $5 where order_id = $1 and component_index = $2
