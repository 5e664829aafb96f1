-- name: insert_mandate
insert into mandate (mandate_id, payer_id, traveller_id, products, modes, ride_minor_max, day_minor_max,
    month_minor_max, valid_from, valid_until)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (mandate_id) do nothing

-- name: find_mandate
select * from mandate where mandate_id = $1

-- name: lock_mandate
-- Locks: the row, so that uses are checked one after the other.
select * from mandate where mandate_id = $1 for update

-- name: list_mandates
-- Those that a person pays by, or is paid for by. Index: mandate_of_payer, mandate_for_traveller.
select * from mandate where payer_id = $1 or traveller_id = $1 order by valid_from desc, mandate_id limit 200

-- name: accept_mandate
update mandate set accepted_at = $2 where mandate_id = $1 and accepted_at is null and revoked_at is null

-- name: revoke_mandate
update mandate set revoked_at = $2 where mandate_id = $1 and revoked_at is null

-- name: has_mandates
-- Whether anyone pays for one of these, or did. Index: mandate_for_traveller.
select exists (select 1 from mandate where traveller_id = any ($1::text[]) and accepted_at is not null)

-- name: lock_mandates_for
-- Mandates that pay for these travellers, or did, the oldest first. Locks: the rows, in sorted order.
select * from mandate where traveller_id = any ($1::text[]) and accepted_at is not null
order by valid_from, mandate_id for update

-- name: list_paid_by_others
-- What others paid under these references for these travellers. Index: charge_of_traveller.
select traveller_id, reference, customer_id, sum(amount_minor)::bigint as paid_minor from charge
where traveller_id = any ($1::text[]) and traveller_id <> customer_id and reference = any ($2::text[])
group by 1, 2, 3

-- name: list_paid_themselves
-- What these travellers paid themselves under these references. Index: charge_of_bill.
select traveller_id, reference, customer_id, sum(amount_minor)::bigint as paid_minor from charge
where customer_id = any ($1::text[]) and customer_id = traveller_id and reference = any ($2::text[])
group by 1, 2, 3

-- name: sum_uses
-- Uses of a day and of its month, but for that of $3. Index: mandate_use_by_day.
select coalesce(sum(amount_minor) filter (where used_on = $2), 0)::bigint as day_minor,
    coalesce(sum(amount_minor), 0)::bigint as month_minor
from mandate_use
where mandate_id = $1 and use_id is distinct from $3::uuid and used_on >= date_trunc('month', $2::date)
  and used_on < date_trunc('month', $2::date) + interval '1 month'

-- name: insert_uses
insert into mandate_use (mandate_id, use_id, amount_minor, used_on)
select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::date[]) on conflict do nothing

-- name: delete_use
-- What it was reserved for did not happen.
delete from mandate_use where mandate_id = $1 and use_id = $2
