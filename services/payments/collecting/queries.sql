-- name: list_known_charges
-- Index: charge_pkey.
select charge_id, amount_minor, currency from charge where charge_id = any ($1::uuid[])

-- name: insert_customers
-- In sorted order, so that two callers never wait for each other in a circle.
insert into customer (customer_id) select unnest($1::text[]) order by 1 on conflict do nothing

-- name: lock_customers
-- The number of the bill that each is gathering. Locks: the rows, in sorted order.
select customer_id, bill_number from customer where customer_id = any ($1::text[]) order by customer_id for update

-- name: insert_charges
-- Returns those that are new: another caller may have been quicker with the same id.
insert into charge
    (charge_id, traveller_id, customer_id, bill_number, amount_minor, currency, reference, service_date, batch_id)
select charge_id, traveller_id, customer_id, bill_number, amount_minor, currency, reference, service_date, $9
from unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::text[], $7::text[], $8::date[])
    as asked (charge_id, traveller_id, customer_id, bill_number, amount_minor, currency, reference, service_date)
on conflict (charge_id) do nothing
returning charge_id

-- name: add_due
-- Called with the customers locked.
update customer set due_minor = due_minor + more.amount_minor
from unnest($1::text[], $2::bigint[]) as more (customer_id, amount_minor)
where customer.customer_id = more.customer_id

-- name: insert_batch
insert into charge_batch (batch_id) values ($1)

-- name: finish_batch
update charge_batch set posted_at = clock_timestamp() where batch_id = $1

-- name: insert_refused
insert into charge_refused (charge_id, last_status, next_attempt_at)
select charge_id, last_status, clock_timestamp() + interval '10 seconds'
from unnest($1::uuid[], $2::text[]) as refused (charge_id, last_status)
on conflict (charge_id) do nothing

-- name: list_unposted_batches
-- Batches whose caller died before they were in the ledger ($1: all of them). Index: charge_batch_unposted.
select batch_id from charge_batch
where posted_at is null and ($1::boolean or recorded_at < clock_timestamp() - interval '30 seconds')
order by recorded_at limit 100

-- name: list_charges_of_batch
-- Index: charge_of_batch.
select charge_id, customer_id, amount_minor, currency, reference from charge where batch_id = $1

-- name: claim_refused
-- Takes those whose time has come; others keep off for half a minute. `attempts` counts the refusals, so that a
-- worker that died asks again under the same id. Locks: the rows, skipping those that another worker has.
update charge_refused r set next_attempt_at = clock_timestamp() + interval '30 seconds'
from charge c
where c.charge_id = r.charge_id and r.charge_id in (
    select charge_id from charge_refused where next_attempt_at <= clock_timestamp()
    order by next_attempt_at limit 200 for update skip locked)
returning c.charge_id, c.customer_id, c.amount_minor, c.currency, c.reference, r.attempts

-- name: note_refused
-- Refused again, under the id of attempt $2: later and later. Moot when another worker has noted it.
update charge_refused r set attempts = attempts + 1, last_status = again.last_status,
    next_attempt_at = clock_timestamp() + interval '1 second' * least(3600, 2 ^ least(attempts + 3, 12))
from unnest($1::uuid[], $2::integer[], $3::text[]) as again (charge_id, attempts_before, last_status)
where r.charge_id = again.charge_id and r.attempts = again.attempts_before

-- name: delete_refused
delete from charge_refused where charge_id = any ($1::uuid[])

-- name: lock_deny_list
-- One writer at a time. Locks: an advisory lock until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('payments.deny_list', 0))

-- name: set_denied
-- No row when it is so already. Called with the deny list locked.
with changed as (
    update customer set is_denied = $2 where customer_id = $1 and is_denied <> $2 returning customer_id)
insert into deny_listing (customer_id, is_denied, since) select customer_id, $2, $3 from changed
returning sequence

-- name: list_denied
-- Index: deny_listing_pkey.
select sequence, customer_id, is_denied, since from deny_listing where sequence > $1 order by sequence limit $2
