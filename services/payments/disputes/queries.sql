-- name: insert_dispute
-- Makes a dispute known; a repeat changes nothing.
insert into dispute (dispute_id, payment_id, amount_minor, currency, reason, state, due_by, opened_at, evidence,
    next_attempt_at)
values ($1, $2, $3, $4, $5, 'open', $6, $7, $8, clock_timestamp())
on conflict (dispute_id) do nothing
returning dispute_id

-- name: find_dispute
select * from dispute where dispute_id = $1

-- name: find_payment_of_charge
-- Index: payment_charge_id.
select payment_id from payment where charge_id = $1

-- name: list_disputes
select * from dispute order by opened_at desc, dispute_id limit $1

-- name: save_dispute
-- Writes the row unless somebody else has since $2. $8: seconds until it is taken up again, null when it is over.
update dispute set state = $3, evidence = $4, is_submitted = $5, submitted_at = $6, closed_at = $7,
    next_attempt_at = clock_timestamp() + make_interval(secs => $8::float8),
    last_error = null, version = version + 1
where dispute_id = $1 and version = $2
returning version

-- name: note_dispute_failure
update dispute set attempts = attempts + 1, last_error = $3,
    next_attempt_at = clock_timestamp() + make_interval(secs => $4::float8)
where dispute_id = $1 and version = $2

-- name: claim_disputes
-- As claim_payments. Index: dispute_unfinished.
update dispute set next_attempt_at = clock_timestamp() + interval '30 seconds'
where dispute_id in (
    select dispute_id from dispute
    where next_attempt_at is not null and ($1::boolean or next_attempt_at <= clock_timestamp())
    order by next_attempt_at limit $2 for update skip locked)
returning dispute_id

-- name: find_withdrawn
-- What the provider withdrew for a dispute, when that is in the books. Index: provider_movement_of_source.
select sum(-amount_minor)::bigint from provider_movement
where source_id = $1 and amount_minor < 0 and transfer_id is not null
