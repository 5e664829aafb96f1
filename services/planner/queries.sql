-- name: lock_version
-- Changes of sailings follow one another. Locks the only row.
select version from sailing_version for update

-- name: put_sailing
-- What an operator said last stands; a cancellation stands for good. By primary key. Returns the row if it changed.
insert into sailing (trip_id, service_date, status, reason, changed_at) values ($1, $2, $3, $4, $5)
on conflict (trip_id, service_date) do update
set status = excluded.status, reason = excluded.reason, changed_at = excluded.changed_at
where sailing.changed_at <= excluded.changed_at and sailing.status <> 'cancelled'
returning trip_id

-- name: cancel_sailing
-- For good. By primary key. Returns the row if it was not cancelled before.
insert into sailing (trip_id, service_date, status, reason, changed_at)
values ($1, $2, 'cancelled', $3, 'infinity')
on conflict (trip_id, service_date) do update
set status = 'cancelled', reason = excluded.reason, changed_at = 'infinity'
where sailing.status <> 'cancelled'
returning trip_id

-- name: count_version
-- Something changed; the row is locked already.
update sailing_version set version = version + 1

-- name: get_version
-- No lock.
select version from sailing_version

-- name: list_sailings
-- The version and every sailing that is not as planned, of one moment. A row without a sailing if there is none.
select v.version, s.trip_id, s.service_date, s.status, s.reason
from sailing_version v
left join sailing s on s.status <> 'scheduled'
