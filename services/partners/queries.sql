-- Locks are taken in this order: berth_class, sailing, berth_count, hold.

-- name: put_berth_class
insert into berth_class (trip_id, fare_class, aliases, place_count, operator_id, changed_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (trip_id, fare_class) do update
    set aliases = excluded.aliases, place_count = excluded.place_count,
        operator_id = excluded.operator_id, changed_at = excluded.changed_at

-- name: drop_other_classes
delete from berth_class where trip_id = $1 and not fare_class = any($2::text[])

-- name: resize_counts
-- Sailings already on sale: a class never becomes smaller than what is taken; one no longer sold keeps that.
-- Locks: the counts of the trip, in order of their key.
with locked as (
    select trip_id, service_date, fare_class from berth_count where trip_id = $1
    order by service_date, fare_class for update
)
update berth_count as c
set place_count = greatest(c.taken, coalesce(
    (select b.place_count from berth_class b where b.trip_id = c.trip_id and b.fare_class = c.fare_class), 0))
from locked
where (c.trip_id, c.service_date, c.fare_class) = (locked.trip_id, locked.service_date, locked.fare_class)

-- name: share_class
-- Locks: the class, shared, so that its size does not change under a hold that opens its count.
select fare_class, place_count, operator_id from berth_class
where trip_id = $1 and (fare_class = $2 or $2 = any(aliases)) for share

-- name: find_operator
select operator_id from berth_class where trip_id = $1 limit 1

-- name: list_classes
select fare_class, aliases, place_count, operator_id from berth_class where trip_id = $1 order by fare_class

-- name: open_sailing
insert into sailing (trip_id, service_date, operator_id, changed_at) values ($1, $2, $3, $4)
on conflict do nothing

-- name: share_sailing
-- Locks: the sailing, shared with other holds, so that no cancellation comes between.
select * from sailing where trip_id = $1 and service_date = $2 for share

-- name: lock_sailing
-- Locks: the sailing, alone.
select * from sailing where trip_id = $1 and service_date = $2 for update

-- name: find_sailing
select * from sailing where trip_id = $1 and service_date = $2

-- name: set_sailing
update sailing set status = $3, reason = $4, changed_at = $5 where trip_id = $1 and service_date = $2

-- name: list_sailings
-- Index: sailing_of_day.
select * from sailing where service_date = $1 and ($2::text is null or operator_id = $2) order by trip_id

-- name: list_cancelled
-- Index: sailing_of_day.
select trip_id from sailing where service_date = $1 and status = 'cancelled' order by trip_id

-- name: open_count
insert into berth_count (trip_id, service_date, fare_class, place_count) values ($1, $2, $3, $4)
on conflict do nothing

-- name: lock_count
-- Locks: the count of one class on one sailing.
select place_count, taken from berth_count
where trip_id = $1 and service_date = $2 and fare_class = $3 for update

-- name: lock_counts
-- Locks: all counts of a sailing, in order of class.
select fare_class from berth_count where trip_id = $1 and service_date = $2 order by fare_class for update

-- name: list_counts
select fare_class, place_count, taken from berth_count where trip_id = $1 and service_date = $2

-- name: add_taken
update berth_count set taken = taken + $4
where trip_id = $1 and service_date = $2 and fare_class = $3

-- name: expire_holds
-- Ends the holds of a locked count whose time is over and gives their places back. Index: hold_of_sailing.
with gone as (
    update hold set state = 'expired', changed_at = $4
    where trip_id = $1 and service_date = $2 and fare_class = $3 and state = 'held' and expires_at <= $4
    returning place_count
), freed as (select count(*) as holds, coalesce(sum(place_count), 0)::integer as places from gone)
update berth_count set taken = taken - freed.places from freed
where trip_id = $1 and service_date = $2 and fare_class = $3
returning freed.holds

-- name: list_counts_with_expired_holds
-- Index: hold_waiting.
select distinct trip_id, service_date, fare_class from hold
where state = 'held' and expires_at <= $1 order by trip_id, service_date, fare_class limit 200

-- name: insert_hold
insert into hold (hold_id, trip_id, service_date, fare_class, place_count, state, expires_at, changed_at)
values ($1, $2, $3, $4, $5, 'held', $6, $7)

-- name: find_hold
select * from hold where hold_id = $1

-- name: lock_hold
-- Locks: the hold. Always after its count.
select * from hold where hold_id = $1 for update

-- name: move_hold
update hold set state = $2, changed_at = $3 where hold_id = $1

-- name: list_waiting_holds
-- Index: hold_of_sailing.
select * from hold where trip_id = $1 and service_date = $2 and state = 'held' order by hold_id for update

-- name: insert_manifest
insert into manifest (hold_id, sealed, purge_after) values ($1, $2, $3) on conflict do nothing

-- name: drop_manifest
delete from manifest where hold_id = $1

-- name: list_manifest
-- Confirmed bookings of a sailing with their sealed names, null once purged. Index: hold_of_sailing.
select h.hold_id, h.fare_class, h.place_count, m.sealed from hold h left join manifest m using (hold_id)
where h.trip_id = $1 and h.service_date = $2 and h.state = 'confirmed'
order by h.fare_class, h.hold_id

-- name: purge_manifests
-- Index: manifest_of_day.
with gone as (delete from manifest where purge_after < $1 returning 1) select count(*) from gone

-- name: put_bike_system
insert into bike_system (system_id, gbfs_url, operator_id, changed_at) values ($1, $2, $3, $4)
on conflict (system_id) do update
    set facts = case when bike_system.gbfs_url = excluded.gbfs_url then bike_system.facts end,
        gbfs_url = excluded.gbfs_url, operator_id = excluded.operator_id, changed_at = excluded.changed_at

-- name: list_bike_systems
select system_id, gbfs_url, operator_id, facts from bike_system order by system_id

-- name: write_bike_facts
update bike_system set facts = $2 where system_id = $1 and gbfs_url = $3

-- name: drop_bike_stations
delete from bike_station where system_id = $1

-- name: insert_bike_stations
insert into bike_station (system_id, station_id, station)
select $1, id, station from unnest($2::text[], $3::jsonb[]) as rows (id, station)

-- name: list_bike_stations
select station from bike_station where system_id = $1 order by station_id
