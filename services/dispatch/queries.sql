-- name: put_zone
insert into zone (zone_id, operator_id, settings, changed_at) values ($1, $2, $3, $4)
on conflict (zone_id) do update
    set operator_id = excluded.operator_id, settings = excluded.settings, changed_at = excluded.changed_at

-- name: list_zones
select zone_id, settings from zone order by zone_id

-- name: find_zone
select settings from zone where zone_id = $1

-- name: put_vehicle
insert into vehicle (vehicle_id, operator_id, zone_ids, settings, changed_at) values ($1, $2, $3, $4, $5)
on conflict (vehicle_id) do update
    set operator_id = excluded.operator_id, zone_ids = excluded.zone_ids,
        settings = excluded.settings, changed_at = excluded.changed_at

-- name: find_vehicle
select settings from vehicle where vehicle_id = $1

-- name: list_vehicles_of_zone
-- Index: vehicle_zones.
select vehicle_id, settings from vehicle where zone_ids @> array[$1::text] order by vehicle_id

-- name: share_vehicles_of_zone
-- Locks: the vehicles, shared, so that nobody changes them meanwhile. Index: vehicle_zones.
select vehicle_id, settings from vehicle where zone_ids @> array[$1::text] order by vehicle_id for share

-- name: make_schedules
-- The rows to lock must be there. In order of id, so that two that make them at once cannot wait for each other.
insert into schedule (vehicle_id, service_date)
select id, $2::date from unnest($1::text[]) as id order by id
on conflict do nothing

-- name: lock_schedules
-- Locks: the schedules, in order of id.
select vehicle_id, service_date, visits from schedule
where vehicle_id = any($1::text[]) and service_date = $2
order by vehicle_id for update

-- name: lock_later_schedules
-- Locks: the schedules of one vehicle from a day on, in order of date.
select vehicle_id, service_date, visits from schedule
where vehicle_id = $1 and service_date >= $2
order by service_date for update

-- name: read_schedules
select vehicle_id, service_date, visits from schedule
where vehicle_id = any($1::text[]) and service_date = $2 order by vehicle_id

-- name: write_visits
update schedule set visits = $3 where vehicle_id = $1 and service_date = $2

-- name: expire_holds
-- Ends the holds of the locked schedules whose time is over. Locks: the bookings. Index: booking_of_schedule.
update booking set state = 'expired', changed_at = $3
where vehicle_id = any($1::text[]) and service_date = $2
  and state in ('held', 'pending') and expires_at <= $3
returning booking_id, vehicle_id

-- name: list_schedules_with_expired_holds
-- Index: booking_held.
select distinct service_date, vehicle_id from booking
where state in ('held', 'pending') and expires_at <= $1 order by service_date, vehicle_id limit 100

-- name: insert_booking
insert into booking (booking_id, zone_id, operator_id, vehicle_id, service_date, traveller_id, state, adults,
    children, pickup, dropoff, price_minor, currency, expires_at, booked_at, changed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15)

-- name: find_booking
select * from booking where booking_id = $1

-- name: lock_booking
-- Locks: the booking. Always after its schedule, if both.
select * from booking where booking_id = $1 for update

-- name: move_booking
update booking set state = $2, changed_at = $3 where booking_id = $1

-- name: list_states
-- Index: booking_of_schedule.
select booking_id, state from booking where vehicle_id = $1 and service_date = $2
