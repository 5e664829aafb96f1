-- Queries of the ticketing service.

-- name: insert_ticket
-- No row when the ticket is there already.
insert into ticket (ticket_id, ticket_ref, order_id, rider_index, part, rider, traveller_id, payload,
    valid_from, valid_until, issued_at, has_pass)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing returning ticket_id

-- name: insert_ticket_fare
insert into ticket_fare (ticket_ref, fare_index, order_id, component_index)
select $1, $2, $3, component_index from unnest($4::int[]) as component_index on conflict do nothing

-- name: insert_fare
insert into fare (order_id, component_index, leg_indices, operator_ids, fare_class, mode, amount_minor, shares,
    origin_name, origin_lat, origin_lon, destination_name, destination_lat, destination_lon, rider)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) on conflict do nothing

-- name: insert_pass_fare
-- A pass has no places and no shares: its rides do not earn it.
insert into fare (order_id, component_index, leg_indices, operator_ids, fare_class, mode, amount_minor, shares,
    origin_name, origin_lat, origin_lon, destination_name, destination_lat, destination_lon, rider)
values ($1, 0, '{}', $2, null, 'pass', $3, '{}', $4, 0, 0, $4, 0, 0, $5) on conflict do nothing

-- name: lock_revocations
-- Locks: revocations of this schema, one writer at a time, so that sequences commit in order.
select pg_advisory_xact_lock(hashtextextended(current_schema() || '.revocation', 0))

-- name: insert_revocations
insert into revocation (order_id, component_index, sequence, revoked_at, reason)
select $1, component_index, nextval('revocation_sequence'), $3, $4 from unnest($2::int[]) as component_index
on conflict do nothing

-- name: renew_revocations
-- A fare revoked before its ticket was issued: devices must hear of it again, with the ticket.
update revocation set sequence = nextval('revocation_sequence') where order_id = $1

-- name: list_revocations
-- A fare of a shared code counts as long as one of its riders' does. Index: ticket_fare_of_component.
with news as (select distinct order_id from revocation where sequence > $1)
select max(r.sequence) as sequence, f.ticket_ref, f.fare_index, max(r.revoked_at) as revoked_at, max(r.reason) as reason
from ticket_fare f left join revocation r using (order_id, component_index)
where f.order_id in (select order_id from news)
group by f.ticket_ref, f.fare_index
having bool_and(r.sequence is not null) and max(r.sequence) > $1
order by sequence, f.ticket_ref limit $2

-- name: set_phone_code
-- No row when another ticket has this code.
update ticket set phone_code = $2
where ticket_ref = $1 and not exists (select from ticket where phone_code = $2) returning phone_code

-- name: list_tickets
-- Index: ticket_of_traveller.
select * from ticket where traveller_id = $1 and ($2::uuid is null or order_id = $2)
order by issued_at desc, order_id, rider_index, part limit $3

-- name: find_ticket
select * from ticket where ticket_id = $1 and traveller_id = $2

-- name: lock_tickets
-- Locks: the tickets, in one order, until the transaction ends.
select ticket_id, ticket_ref, order_id from ticket where ticket_ref = any($1::text[]) order by ticket_ref for update

-- name: list_editions
select ticket_ref, edition from ticket where ticket_ref = any($1::text[])

-- name: list_revoked_of_tickets
select f.ticket_ref, f.fare_index
from ticket_fare f left join revocation r using (order_id, component_index)
where f.ticket_ref = any($1::text[])
group by f.ticket_ref, f.fare_index having bool_and(r.sequence is not null)

-- name: list_fares_of_tickets
-- The fares of tickets, one row a component, with what became of it.
select t.ticket_ref, t.fare_index, f.*, r.revoked_at, e.rated_at,
    (select max(ride.state) from ride
     where ride.ticket_ref = t.ticket_ref and ride.fare_index = t.fare_index) as ride_state
from ticket_fare t
join fare f using (order_id, component_index)
left join revocation r using (order_id, component_index)
left join rated_fare e on e.order_id = f.order_id and e.component_index = f.component_index and e.turn % 2 = 0
where t.ticket_ref = any($1::text[]) order by t.ticket_ref, t.fare_index, t.component_index

-- name: list_components
-- The components that a fare of a ticket stands for.
select component_index from ticket_fare where ticket_ref = $1 and fare_index = $2 order by component_index

-- name: insert_taps
-- Rows of those that this device had not sent before. Locks: none beyond the new rows; the caller sorts them.
insert into tap (device_id, sequence, operator_id, stop_id, reported_stop_id, kind, tapped_at, service_date, payload,
    medium_ref, accepted_offline, verdict, ticket_ref, is_counted, received_at)
select *, $15::timestamptz from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::timestamptz[], $8::date[], $9::text[], $10::text[], $11::boolean[], $12::text[], $13::text[], $14::boolean[])
on conflict do nothing returning device_id, sequence

-- name: mark_media_due
-- In the transaction of the taps. Locks: none beyond the new rows.
insert into medium_due (medium_ref, service_date, due_at)
select distinct medium_ref, service_date, $3::timestamptz
from unnest($1::text[], $2::date[]) as news (medium_ref, service_date)

-- name: list_taps
-- Index: the primary key, once for each asked: `offset 0` keeps the planner from reading the whole table.
select t.* from unnest($1::text[], $2::bigint[]) as asked (device_id, sequence)
cross join lateral (
    select * from tap where tap.device_id = asked.device_id and tap.sequence = asked.sequence offset 0
) t

-- name: list_counted_taps
-- Index: tap_of_ticket.
select ticket_ref, device_id, sequence, tapped_at, kind, operator_id, stop_id
from tap where ticket_ref = any($1::text[]) and is_counted

-- name: lock_devices
-- Locks: all devices against change, beside other readers, until the transaction ends.
select pg_advisory_xact_lock_shared(hashtextextended(current_schema() || '.device', 0))

-- name: lock_devices_alone
-- Locks: all devices, alone: no batch is stored meanwhile.
select pg_advisory_xact_lock(hashtextextended(current_schema() || '.device', 0))

-- name: list_devices
select d.*, array(select valid_from from device_placement p where p.device_id = d.device_id order by valid_from)
        as placed_from,
    array(select stop_id from device_placement p where p.device_id = d.device_id order by valid_from) as placed_at
from device d where device_id = any($1::text[])

-- name: list_devices_page
-- Index: device_of_operator, or the primary key.
select d.*, array(select valid_from from device_placement p where p.device_id = d.device_id order by valid_from)
        as placed_from,
    array(select stop_id from device_placement p where p.device_id = d.device_id order by valid_from) as placed_at
from device d where ($1::text is null or operator_id = $1) and device_id > $2 order by device_id limit $3

-- name: upsert_device
insert into device (device_id, operator_id, public_key, state, state_since, registered_at, area_ids)
values ($1, $2, $3, $4, $5, $5, $6)
on conflict (device_id) do update set public_key = excluded.public_key, state = excluded.state,
    area_ids = excluded.area_ids,
    state_since = case when device.state = excluded.state then device.state_since else excluded.state_since end

-- name: forget_placements
-- What was said about the time from $2 on.
delete from device_placement where device_id = $1 and valid_from > $2

-- name: place_device
insert into device_placement (device_id, valid_from, stop_id) values ($1, $2, $3)
on conflict (device_id, valid_from) do update set stop_id = excluded.stop_id

-- name: move_taps
-- Puts the taps of a device where its placements say; rows of those that moved. Index: the primary key.
with placed as (
    select stop_id, case when row_number() over moments = 1 then '-infinity' else valid_from end as valid_from,
        coalesce(lead(valid_from) over moments, 'infinity') as valid_until
    from device_placement where device_id = $1 window moments as (order by valid_from)
)
update tap t set stop_id = coalesce(p.stop_id, t.reported_stop_id) from placed p
where t.device_id = $1 and t.tapped_at >= p.valid_from and t.tapped_at < p.valid_until
  and t.stop_id <> coalesce(p.stop_id, t.reported_stop_id)
returning t.ticket_ref, t.medium_ref, t.service_date

-- name: get_device_health
-- Index: the primary key, from its end.
select count(*) as tap_count, max(sequence) as last_sequence, max(received_at) as last_received_at,
    greatest(0, coalesce(max(extract(epoch from tapped_at - received_at)), 0))::float8 as clock_ahead_s,
    count(*) filter (where stop_id <> reported_stop_id) as elsewhere_count,
    coalesce(max(sequence) - min(sequence) + 1 - count(*), 0) as missing_count
from (select * from tap where device_id = $1 order by sequence desc limit 1000) latest

-- name: ask_for_rating
update ticket set rate_at = '-infinity' where ticket_ref = any($1::text[])

-- name: claim_ticket_to_rate
-- Index: ticket_to_rate. Locks: one ticket; others are left to other workers.
select ticket_id, ticket_ref, order_id, traveller_id, payload from ticket
where rate_at <= $1 and not ticket_ref = any($2::text[])
order by rate_at, ticket_ref limit 1 for update skip locked

-- name: set_rate_at
update ticket set rate_at = $2 where ticket_ref = $1

-- name: drop_other_rides
delete from ride where ticket_ref = $1 and not entitlement_index = any($2::int[])

-- name: upsert_ride
insert into ride (ticket_ref, entitlement_index, ride_id, order_id, fare_index, operator_id, state,
    began_at, ended_at, origin_stop_id, destination_stop_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (ticket_ref, entitlement_index) do update set state = excluded.state, operator_id = excluded.operator_id,
    began_at = excluded.began_at, ended_at = excluded.ended_at,
    origin_stop_id = excluded.origin_stop_id, destination_stop_id = excluded.destination_stop_id

-- name: earn_fare
-- The fare's turn when it is earned now; no row when it is already, or was revoked.
insert into rated_fare (order_id, component_index, ride_id, rated_at, ridden_at, turn)
select $1, $2, $3, $4, $5, 0
where not exists (select from revocation where order_id = $1 and component_index = $2)
on conflict (order_id, component_index) do update set ride_id = excluded.ride_id, rated_at = excluded.rated_at,
    ridden_at = excluded.ridden_at, turn = rated_fare.turn + 1 where rated_fare.turn % 2 = 1
returning turn

-- name: take_fares_back
-- Fares of a ticket that are earned, by none of its rides any more ($2, components) and by no complete ride of
-- another ticket that shares them. Index: the primary keys of ticket_fare and rated_fare.
update rated_fare e set turn = turn + 1
from (select distinct order_id, component_index from ticket_fare where ticket_ref = $1) mine
where e.order_id = mine.order_id and e.component_index = mine.component_index and e.turn % 2 = 0
  and not e.component_index = any($2::int[])
  and not exists (
      select from ticket_fare other join ride using (ticket_ref, fare_index)
      where other.order_id = e.order_id and other.component_index = e.component_index
        and other.ticket_ref <> $1 and ride.state = 'complete')
returning e.*

-- name: ask_for_rating_of_others
-- Tickets that share a fare which was taken back: a half-known ride of theirs may earn it.
update ticket set rate_at = '-infinity' where ticket_ref <> $1 and ticket_ref in (
    select ticket_ref from ticket_fare where order_id = $2 and component_index = $3)

-- name: get_fare
select * from fare where order_id = $1 and component_index = $2

-- name: list_rides
-- One row a rider's fare: riders on one code ride together.
select ride.*, tf.component_index, t.ticket_id, f.rider, f.amount_minor, f.fare_class, f.origin_name,
    f.destination_name, e.rated_at
from ride
join ticket t using (ticket_ref)
join ticket_fare tf using (ticket_ref, fare_index)
join fare f on f.order_id = ride.order_id and f.component_index = tf.component_index
left join rated_fare e on e.order_id = ride.order_id and e.component_index = tf.component_index and e.turn % 2 = 0
where t.traveller_id = $1
order by coalesce(ride.began_at, ride.ended_at) desc, ride.ride_id, tf.component_index limit $2

-- name: list_order_rides
-- What validators saw of an order's tickets; riders on one code ride together. Index: ticket_order_id_rider_index_part_key.
select distinct ride.ride_id, ride.operator_id, f.origin_name, f.destination_name, ride.began_at, ride.ended_at,
    coalesce(ride.began_at, ride.ended_at) as at
from ticket t
join ride using (ticket_ref)
join ticket_fare tf using (ticket_ref, fare_index)
join fare f on f.order_id = ride.order_id and f.component_index = tf.component_index
where t.order_id = $1
order by at, ride.ride_id

-- name: insert_code
-- No row when this edition is there already.
insert into ticket_code (ticket_ref, edition, form, key_id, payload, device_id, anchor, period_s,
    valid_from, valid_until, issued_at, reason)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing returning edition

-- name: lock_ticket
-- Locks: the ticket, until the transaction ends.
select * from ticket where ticket_id = $1 and traveller_id = $2 for update

-- name: get_code
-- The code that counts.
select c.* from ticket t join ticket_code c using (ticket_ref, edition) where t.ticket_ref = $1

-- name: list_codes
-- The codes that count, of these tickets.
select c.* from ticket t join ticket_code c using (ticket_ref, edition) where t.ticket_ref = any($1::text[])

-- name: set_edition
update ticket set edition = $2 where ticket_ref = $1

-- name: upsert_code_revocation
-- Under lock_revocations.
insert into code_revocation (ticket_ref, first_edition, sequence, revoked_at, reason)
values ($1, $2, nextval('revocation_sequence'), $3, $4)
on conflict (ticket_ref) do update set first_edition = excluded.first_edition, sequence = excluded.sequence,
    revoked_at = excluded.revoked_at, reason = excluded.reason

-- name: insert_key_revocation
-- Under lock_revocations.
insert into key_revocation (key_id, sequence, revoked_at, reason)
values ($1, nextval('revocation_sequence'), $2, $3) on conflict do nothing

-- name: list_code_revocations
select * from code_revocation where sequence > $1 order by sequence limit $2

-- name: list_key_revocations
select * from key_revocation where sequence > $1 order by sequence limit $2

-- name: insert_holder_device
-- No row when the traveller has registered this key before.
insert into holder_device (device_id, traveller_id, public_key, name, registered_at)
values ($1, $2, $3, $4, $5) on conflict do nothing returning device_id

-- name: find_holder_device
select * from holder_device where device_id = $1 and traveller_id = $2

-- name: is_device_open
-- Locks: the device, against being closed, until the transaction ends. Taken before any ticket's.
select closed_at is null from holder_device where device_id = $1 and traveller_id = $2 for share

-- name: list_holder_devices
select * from holder_device where traveller_id = $1 order by registered_at, device_id

-- name: close_holder_device
update holder_device set closed_at = $2 where device_id = $1 and closed_at is null

-- name: forget_holder_devices
delete from holder_device where traveller_id = $1

-- name: list_tickets_on_device
-- Locks: the tickets whose code that counts is on the device and is not over, in one order.
select t.* from ticket t join ticket_code c using (ticket_ref, edition)
where c.device_id = $1 and t.valid_until > $2 order by t.ticket_ref for update of t

-- name: claim_tickets_of_keys
-- Tickets whose code that counts is signed by one of these keys and is not over. Index: ticket_code_of_key.
-- Locks: the tickets; others are left to other workers.
select t.* from ticket t join ticket_code c using (ticket_ref, edition)
where c.key_id = any($1::int[]) and c.valid_until > $2 and t.ticket_ref > $3
order by t.ticket_ref limit $4 for update of t skip locked

-- name: note_use
-- The earliest is kept; a change is told again.
insert into fare_use (ticket_ref, fare_index, first_used_at) values ($1, $2, $3)
on conflict (ticket_ref, fare_index) do update set first_used_at = excluded.first_used_at,
    noted_xid = pg_current_xact_id()
where excluded.first_used_at < fare_use.first_used_at returning fare_index

-- name: list_uses
-- Of static tickets and passes that are not over. Only what transactions noted that are over for everybody, so
-- that nothing below the last number can still appear. Index: fare_use_noted.
select u.ticket_ref, u.fare_index, u.first_used_at, u.noted_xid::text::bigint as noted
from fare_use u join ticket t using (ticket_ref) join ticket_code c using (ticket_ref, edition)
where u.noted_xid > $1::text::xid8 and u.noted_xid < pg_snapshot_xmin(pg_current_snapshot())
    and (c.form = 'static' or t.has_pass)
order by u.noted_xid fetch first $2 rows with ties

-- name: list_contested_taps
-- All taps that were let through, of tickets with one that was refused here. Index: tap_contested, tap_of_ticket.
with contested as (
    select ticket_ref, min(received_at) as first_at from tap
    where accepted_offline and ticket_ref is not null and verdict <> 'accepted'
        and ($1::text is null or operator_id = $1) and received_at >= coalesce($2::timestamptz, '-infinity')
    group by ticket_ref order by first_at, ticket_ref limit $3
)
select tap.*, t.payload as ticket_payload
from contested c join ticket t using (ticket_ref) join tap using (ticket_ref)
where tap.is_counted and (tap.accepted_offline or tap.verdict = 'accepted')
order by c.first_at, c.ticket_ref, tap.tapped_at, tap.device_id, tap.sequence

-- name: find_by_phone_code
-- Index: the unique one of phone_code.
select * from ticket where phone_code = $1

-- name: count_misses
select coalesce(sum(misses), 0) from phone_code_miss where subject = $1 and minute > $2

-- name: count_miss
insert into phone_code_miss (subject, minute, misses) values ($1, date_trunc('minute', $2::timestamptz), 1)
on conflict (subject, minute) do update set misses = phone_code_miss.misses + 1

-- name: forget_misses
delete from phone_code_miss where minute < $1
