-- name: insert_customer
insert into provider_customer (customer_id) values ($1) on conflict (customer_id) do nothing

-- name: find_customer
select provider_id from provider_customer where customer_id = $1

-- name: save_customer
-- The first one made stays: another one made for the same person is never used.
update provider_customer set provider_id = coalesce(provider_id, $2) where customer_id = $1 returning provider_id

-- name: lock_customer
-- Locks: the customer, so that one default is chosen at a time.
select from provider_customer where customer_id = $1 for update

-- name: insert_method
-- Makes a card known; a repeat changes nothing. Locks: the new row.
insert into saved_method (method_id, customer_id, given_method, state, next_attempt_at)
values ($1, $2, $3, 'setting_up', clock_timestamp() + interval '30 seconds')
on conflict (method_id) do nothing

-- name: find_method
select * from saved_method where method_id = $1

-- name: find_method_by_setup
-- Index: saved_method_setup_id_key.
select method_id from saved_method where setup_id = $1

-- name: find_method_by_provider_id
-- Index: saved_method_payment_method_key.
select method_id from saved_method where payment_method = $1

-- name: find_owner
-- The provider's customer of this card, when the card is kept for this one of ours. Index: as above.
select provider_customer.provider_id from saved_method join provider_customer using (customer_id)
where payment_method = $1 and customer_id = $2 and state = 'ready'

-- name: list_methods
-- Index: saved_method_of_customer.
select * from saved_method where customer_id = $1 and state <> 'detached' and is_wanted
order by is_default desc, saved_at, method_id

-- name: save_method
-- Writes the row unless somebody else has since $2. A customer's first ready card becomes the default, unless it was
-- let go meanwhile.
-- $11: seconds until it is taken up again, null when nothing is left to do.
update saved_method set
    state = $3, setup_id = $4, payment_method = $5, brand = $6, last4 = $7, exp_month = $8, exp_year = $9,
    failure = $10, next_attempt_at = clock_timestamp() + make_interval(secs => $11::float8), next_action_url = $12,
    is_default = $3 = 'ready' and is_wanted and (is_default or not exists (
        select from saved_method as other where other.customer_id = saved_method.customer_id and other.is_default)),
    last_error = null, version = version + 1
where method_id = $1 and version = $2
returning version

-- name: want_detached
update saved_method set is_wanted = false, is_default = false, version = version + 1,
    next_attempt_at = coalesce(next_attempt_at, clock_timestamp() + interval '30 seconds')
where method_id = $1 and is_wanted

-- name: choose_default
-- Locks: the customer's cards. The old default first: one at a time holds the unique index.
update saved_method set is_default = false, version = version + 1
where customer_id = $1 and is_default and method_id <> $2
  and exists (select from saved_method where method_id = $2 and customer_id = $1 and state = 'ready' and is_wanted)

-- name: set_default
update saved_method set is_default = true, version = version + 1
where method_id = $2 and customer_id = $1 and state = 'ready' and is_wanted and not is_default

-- name: default_another
-- After the default has gone: the oldest card that is ready.
update saved_method set is_default = true, version = version + 1
where method_id = (
    select method_id from saved_method where customer_id = $1 and state = 'ready' and is_wanted
    order by saved_at, method_id limit 1)
and not exists (select from saved_method where customer_id = $1 and is_default)

-- name: rest_method
update saved_method set next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8), last_error = null
where method_id = $1 and version = $2

-- name: note_method_failure
-- $3 the pause in seconds, $4 what went wrong; moot when somebody else has come further since $2.
update saved_method set attempts = attempts + 1, last_error = $4,
    next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8)
where method_id = $1 and version = $2

-- name: claim_methods
-- Takes unfinished cards whose time has come ($1: all). Others keep off for half a minute.
-- Locks: the rows, skipping those that another worker has. Index: saved_method_unfinished.
update saved_method set next_attempt_at = clock_timestamp() + interval '30 seconds'
where method_id in (
    select method_id from saved_method
    where next_attempt_at is not null and ($1::boolean or next_attempt_at <= clock_timestamp())
    order by next_attempt_at limit $2 for update skip locked)
returning method_id
