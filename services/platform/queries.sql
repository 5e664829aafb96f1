-- name: append_event
-- Puts an event in the outbox, in the caller's transaction. Locks: none beyond the new row.
insert into outbox (event_id, event_type, payload, occurred_at) values ($1, $2, $3, $4)

-- name: claim_unpublished
-- Takes events to publish. Locks: the rows, skipping those another relay holds. Index: outbox_unpublished.
select id, event_id, event_type, payload, occurred_at
from outbox where published_at is null
order by id limit $1 for update skip locked

-- name: claim_unacknowledged
-- Takes events that were published before $2 less their backoff and are still waited for.
-- Locks: the rows, skipping. Index: outbox_unacknowledged.
select id, event_id, event_type, payload, occurred_at
from outbox where published_at is not null and waiting_for <> '{}'
  and published_at < $2::timestamptz - least(interval '5 minutes', $3::interval * (2 ^ least(attempts, 10)))
order by published_at limit $1 for update skip locked

-- name: mark_published
-- $1 ids, $2 the subscribers of each, joined by commas, $3 now.
update outbox o set published_at = $3, attempts = attempts + 1,
    waiting_for = case when o.published_at is null
        then string_to_array(p.subscribers, ',') else o.waiting_for end
from (select unnest($1::bigint[]) as id, unnest($2::text[]) as subscribers) p
where o.id = p.id

-- name: acknowledge
-- $1 event ids, $2 groups. A repeated acknowledgement changes nothing.
update outbox o set waiting_for = array_remove(o.waiting_for, a.group_name)
from (select unnest($1::uuid[]) as event_id, unnest($2::text[]) as group_name) a
where o.event_id = a.event_id

-- name: enter_inbox
-- Records that an event takes effect here, in the transaction of its effect; no row when it already has.
insert into inbox (event_id, event_type) values ($1, $2) on conflict do nothing returning event_id

-- name: outbox_age
-- Seconds since the oldest event that is not acknowledged by all, 0 when there is none.
select coalesce(extract(epoch from $1::timestamptz - min(occurred_at)), 0)::float8
from outbox where published_at is null or waiting_for <> '{}'

-- name: forget_old
-- Drops acknowledged events, inbox rows and stored replies older than $1.
with o as (delete from outbox where published_at < $1 and waiting_for = '{}'),
     i as (delete from inbox where received_at < $1)
delete from idempotency where created_at < $1

-- name: begin_idempotent
-- Takes the key for this request; no row when somebody has it. Locks: the row.
insert into idempotency (principal, operation, key, request_hash, locked_until)
values ($1, $2, $3, $4, clock_timestamp() + interval '8 seconds')
on conflict (principal, operation, key) do update
    set locked_until = excluded.locked_until
    where idempotency.status is null and idempotency.locked_until < clock_timestamp()
      and idempotency.request_hash = excluded.request_hash
returning key

-- name: renew_idempotent
-- The command still runs.
update idempotency set locked_until = clock_timestamp() + interval '8 seconds'
where principal = $1 and operation = $2 and key = $3 and status is null

-- name: find_idempotent
select request_hash, status, media_type, body from idempotency
where principal = $1 and operation = $2 and key = $3

-- name: finish_idempotent
update idempotency set status = $4, media_type = $5, body = $6
where principal = $1 and operation = $2 and key = $3

-- name: free_idempotent
-- The command failed without an answer worth keeping: the key may be tried again.
delete from idempotency where principal = $1 and operation = $2 and key = $3 and status is null
