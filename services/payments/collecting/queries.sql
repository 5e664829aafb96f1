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
-- $3: when the day of these charges is closed. Called with the customers locked.
update customer set due_minor = due_minor + more.amount_minor, gather_at = coalesce(gather_at, $3),
    draw_at = case when w.traveller_id is not null then coalesce(draw_at, clock_timestamp()) end
from unnest($1::text[], $2::bigint[]) as more (customer_id, amount_minor)
left join wallet w on w.traveller_id = more.customer_id and w.state = 'open'
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
-- The charges of a batch were recorded in its transaction, at its time. Index: charge_recorded.
select c.charge_id, c.customer_id, c.amount_minor, c.currency, c.reference
from charge_batch b join charge c on c.recorded_at = b.recorded_at and c.batch_id = b.batch_id
where b.batch_id = $1

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

-- name: claim_draws
-- Wallets that may pay something of what is due; others keep off for half a minute. Index: customer_to_draw.
-- Locks: the rows, skipping those that another worker has.
update customer set draw_at = clock_timestamp() + interval '30 seconds'
where customer_id in (
    select customer_id from customer where draw_at <= clock_timestamp() and due_minor > 0
    order by draw_at limit $1 for update skip locked)
returning customer_id

-- name: begin_draws
-- All that is due ($2 null), or at most $2 of it, is taken off what is due and becomes an open try. One whose last
-- try is open waits. Locks: the customers, in sorted order.
with due as (
    select customer_id, bill_number, least(due_minor, coalesce($2::bigint, due_minor)) as amount_minor
    from customer c
    where customer_id = any ($1::text[]) and due_minor > 0 and coalesce($2::bigint, 1) > 0
      and not exists (select 1 from collection_try t
                      where t.customer_id = c.customer_id and t.bill_number = c.bill_number and t.state = 'open')
    order by customer_id for update),
less as (
    update customer c set due_minor = c.due_minor - due.amount_minor, draw_at = null
    from due where c.customer_id = due.customer_id)
insert into collection_try (try_id, customer_id, bill_number, source, amount_minor)
select gen_random_uuid(), customer_id, bill_number, 'wallet', amount_minor from due
returning try_id, customer_id, bill_number, amount_minor

-- name: rest_draw
-- There was nothing to draw.
update customer set draw_at = null where customer_id = $1

-- name: list_open_draws
-- Draws whose worker died ($1: all of them). Index: collection_try_left.
select t.try_id, t.customer_id, t.bill_number, t.amount_minor from collection_try t
join customer c on c.customer_id = t.customer_id and c.bill_number = t.bill_number
where t.state = 'open' and t.source = 'wallet'
  and ($1::boolean or t.begun_at < clock_timestamp() - interval '30 seconds')
limit 500

-- name: end_tries
-- $1 ids, $2 states. Returns those that this call ended.
update collection_try t set state = ended.state, decline_code = ended.decline_code, next_action_url = null,
    ended_at = clock_timestamp()
from unnest($1::uuid[], $2::text[], $3::text[]) as ended (try_id, state, decline_code)
where t.try_id = ended.try_id and t.state = 'open'
returning t.try_id, t.customer_id, t.bill_number, t.amount_minor, t.state

-- name: put_back_due
-- Draws that the ledger refused ($1 customers, $2 numbers, $3 amounts) are due again: such a bill is still being
-- gathered, for it is not closed while a try is open.
update customer c set due_minor = c.due_minor + back.amount_minor
from unnest($1::text[], $2::integer[], $3::bigint[]) as back (customer_id, bill_number, amount_minor)
where c.customer_id = back.customer_id and c.bill_number = back.bill_number

-- name: list_to_gather
-- Index: customer_to_gather.
select customer_id from customer where gather_at <= $1 order by gather_at limit $2

-- name: lock_customer
-- No row when another worker has it. Locks: the row.
select c.customer_id, c.due_minor, c.bill_number, c.gather_at,
    exists (select 1 from wallet w where w.traveller_id = c.customer_id and w.state = 'open') as has_wallet,
    (select coalesce(sum(captured_minor - refunded_minor), 0)::bigint from payment p
     where p.traveller_id = c.customer_id and p.purpose = 'debt' and p.state = 'captured') as refundable_minor
from customer c where customer_id = $1 for update of c skip locked

-- name: has_open_try
-- A statement of its own: asked in that which waits for the lock, it would not see a draw that was begun meanwhile.
-- Index: collection_try_open.
select exists (select 1 from collection_try where customer_id = $1 and bill_number = $2 and state = 'open')

-- name: begin_next_bill
update customer set due_minor = 0, bill_number = bill_number + 1, gather_at = null where customer_id = $1

-- name: carry_forward
update customer set gather_at = null where customer_id = $1

-- name: insert_bill
insert into bill (bill_id, customer_id, number, amount_minor, outstanding_minor, state, closed_at, next_attempt_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: claim_bills
-- Bills whose time has come in the city ($1), or whose try was left open for half a minute ($3: at once). Others keep
-- off for half a minute. Index: bill_due, collection_try_open.
update bill set leased_until = clock_timestamp() + interval '30 seconds'
where bill_id in (
    select bill_id from bill where leased_until <= clock_timestamp() and bill_id in (
        select bill_id from bill where next_attempt_at <= $1
        union all
        select b.bill_id from bill b
        join collection_try t on t.customer_id = b.customer_id and t.bill_number = b.number
        where t.state = 'open' and ($3::boolean or t.begun_at < clock_timestamp() - interval '30 seconds'))
    order by next_attempt_at nulls last limit $2 for update skip locked)
returning bill_id

-- name: find_bill
select * from bill where bill_id = $1

-- name: save_bill
-- Writes the row unless somebody else has since $2.
update bill set outstanding_minor = $3, state = $4, attempts = $5, decline_code = $6, owed_since = $7,
    next_attempt_at = $8, written_off_minor = $9, write_off_reason = coalesce($10, write_off_reason),
    leased_until = '-infinity', last_error = null, version = version + 1
where bill_id = $1 and version = $2
returning version

-- name: lock_bill
-- Locks: the bill, so that no try begins upon it.
select bill_id from bill where bill_id = $1 and version = $2 for update

-- name: note_bill_failure
-- Looked at again after $3 seconds; the row keeps the cause.
update bill set last_error = $2, leased_until = clock_timestamp() + make_interval(secs => $3::float8)
where bill_id = $1

-- name: begin_try
-- No row while another try of the bill is open, or when somebody has written the bill since version $7: a try must
-- not begin upon what was collected meanwhile. Locks: the bill.
insert into collection_try (try_id, customer_id, bill_number, source, amount_minor, method_id, payment_method)
select $1, b.customer_id, b.number, $3, $4, $5, $6
from (select customer_id, number from bill where bill_id = $2 and version = $7 for update) b
on conflict do nothing
returning try_id

-- name: find_open_try
-- Index: collection_try_open.
select *, begun_at < clock_timestamp() - interval '1 hour' as is_stale
from collection_try where customer_id = $1 and bill_number = $2 and state = 'open'

-- name: count_tries
-- Index: collection_try_of_bill.
select count(*) from collection_try where customer_id = $1 and bill_number = $2

-- name: wait_for_payer
update collection_try set next_action_url = $2 where try_id = $1 and state = 'open'

-- name: has_debt
-- Index: bill_owed.
select exists (select 1 from bill where customer_id = $1 and state in ('owed', 'writing_off', 'written_off'))

-- name: sum_debts
-- What a customer owes on bills that were declined. Index: bill_owed.
select coalesce(sum(outstanding_minor + written_off_minor), 0)::bigint from bill
where customer_id = $1 and state in ('owed', 'writing_off', 'written_off')

-- name: lock_standing
-- Locks: the customer.
select is_denied from customer where customer_id = $1 for update

-- name: list_bills
-- A customer's bills, the newest first. Index: bill_customer_id_number_key.
select * from bill where customer_id = $1 order by number desc limit $2

-- name: list_debts
-- Debts of all customers, or of one; the oldest first. Index: bill_owed.
select * from bill where state in ('owed', 'writing_off', 'written_off') and ($1::text is null or customer_id = $1)
order by owed_since, bill_id limit $2

-- name: list_bill_charges
-- Index: charge_of_bill.
select charge_id, traveller_id, amount_minor, reference, service_date from charge
where customer_id = $1 and bill_number = $2 order by service_date, charge_id

-- name: list_bill_tries
-- Index: collection_try_of_bill.
select try_id, source, amount_minor, state, decline_code, next_action_url, begun_at, ended_at from collection_try
where customer_id = $1 and bill_number = $2 order by begun_at, try_id

-- name: sum_given_back
-- Index: refund_of_bill.
select coalesce(sum(amount_minor), 0)::bigint from refund
where reason = $1 and reason like 'bill:%' and state <> 'refused_exceeds_captured'

-- name: list_refundable
-- Card payments of bills that can be given back, the newest first.
select * from (
    select payment_id, opened_at, captured_minor - refunded_minor - (
        select coalesce(sum(r.amount_minor), 0)::bigint from refund r
        where r.payment_id = p.payment_id and r.state = 'pending') as left_minor
    from payment p
    where traveller_id = $1 and purpose = 'debt' and state = 'captured' and captured_minor > refunded_minor
) as paid where left_minor > 0 order by opened_at desc, payment_id
