-- name: put_business
insert into business (business_id, name, credit_limit_minor, terms_days) values ($1, $2, $3, $4)
on conflict (business_id) do update set name = excluded.name, credit_limit_minor = excluded.credit_limit_minor,
    terms_days = excluded.terms_days, changed_at = clock_timestamp()

-- name: drop_members
delete from business_member where business_id = $1 and traveller_id <> all ($2::text[])

-- name: put_member
insert into business_member (traveller_id, business_id) values ($2, $1)
on conflict (traveller_id) do update set business_id = excluded.business_id

-- name: find_business_of
select business_id from business_member where traveller_id = $1

-- name: lock_business
-- Locks: the business, so that one payment at a time is measured against its limit.
select * from business where business_id = $1 for update

-- name: sum_open
-- What a business owes and may come to owe: held, or taken and not paid. Index: on_account_item_open.
select coalesce(sum(on_account_item.amount_minor - refunded_minor), 0)::bigint
from on_account_item left join business_invoice using (invoice_id)
where on_account_item.business_id = $1 and state in ('held', 'taken') and paid_at is null

-- name: insert_item
-- One item for a key; a repeat changes nothing.
insert into on_account_item (item_id, call_key, payment_id, amount_minor, currency, state)
values ($1, $2, $3, $4, $5, 'created')
on conflict (call_key) do nothing

-- name: find_item_by_key
select * from on_account_item where call_key = $1

-- name: find_item
select * from on_account_item where item_id = $1

-- name: lock_item
select * from on_account_item where item_id = $1 for update

-- name: find_item_of
-- Index: on_account_item_of_payment.
select * from on_account_item where payment_id = $1 order by state = 'cancelled', item_id limit 1

-- name: set_item
update on_account_item set state = $2, business_id = coalesce($3, business_id), decline_code = $4,
    taken_at = case when $2 = 'taken' then clock_timestamp() else taken_at end
where item_id = $1

-- name: find_refund
select * from on_account_refund where refund_id = $1

-- name: insert_refund
insert into on_account_refund (refund_id, item_id, amount_minor) values ($1, $2, $3)

-- name: add_refunded
update on_account_item set refunded_minor = refunded_minor + $2 where item_id = $1

-- name: sum_uninvoiced
-- What was taken and given back and is on no invoice yet.
select coalesce((select sum(amount_minor) from on_account_item
                 where business_id = $1 and state = 'taken' and invoice_id is null), 0)::bigint
     - coalesce((select sum(on_account_refund.amount_minor) from on_account_refund
                 join on_account_item using (item_id)
                 where business_id = $1 and on_account_refund.invoice_id is null), 0)::bigint

-- name: insert_invoice
insert into business_invoice (invoice_id, business_id, amount_minor, issued_at, due_on) values ($1, $2, $3, $4, $5)

-- name: invoice_items
update on_account_item set invoice_id = $2 where business_id = $1 and state = 'taken' and invoice_id is null

-- name: invoice_refunds
update on_account_refund set invoice_id = $2
from on_account_item
where on_account_item.item_id = on_account_refund.item_id and business_id = $1
  and on_account_refund.invoice_id is null

-- name: find_invoice
select * from business_invoice where invoice_id = $1

-- name: list_invoices
select * from business_invoice where business_id = $1 order by issued_at desc, invoice_id limit 100

-- name: pay_invoice
update business_invoice set paid_at = coalesce(paid_at, $2) where invoice_id = $1
