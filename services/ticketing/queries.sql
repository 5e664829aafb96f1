-- Queries of the ticketing service.

-- name: insert_ticket
-- No row when the ticket is there already.
insert into ticket (ticket_id, ticket_ref, order_id, rider_index, part, rider, traveller_id, payload,
    valid_from, valid_until, issued_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing returning ticket_id

-- name: insert_ticket_fare
insert into ticket_fare (ticket_ref, fare_index, order_id, component_index)
select $1, $2, $3, component_index from unnest($4::int[]) as component_index on conflict do nothing

-- name: insert_fare
insert into fare (order_id, component_index, leg_indices, operator_ids, fare_class, mode, amount_minor, shares,
    origin_name, origin_lat, origin_lon, destination_name, destination_lat, destination_lon, rider)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) on conflict do nothing

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

-- name: list_tickets
-- Index: ticket_of_traveller.
select * from ticket where traveller_id = $1 and ($2::uuid is null or order_id = $2)
order by issued_at desc, order_id, rider_index, part limit $3

-- name: find_ticket
select * from ticket where ticket_id = $1 and traveller_id = $2

-- name: lock_tickets
-- Locks: the tickets, in one order, until the transaction ends.
select ticket_id, ticket_ref, order_id from ticket where ticket_ref = any($1::text[]) order by ticket_ref for update

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
left join rated_fare e using (order_id, component_index)
where t.ticket_ref = any($1::text[]) order by t.ticket_ref, t.fare_index, t.component_index

-- name: list_components
-- The components that a fare of a ticket stands for.
select component_index from ticket_fare where ticket_ref = $1 and fare_index = $2 order by component_index

-- name: insert_tap
-- No row when this device has sent this sequence before.
insert into tap (device_id, sequence, operator_id, stop_id, kind, tapped_at, service_date, received_at, payload,
    medium_ref, accepted_offline, verdict, ticket_ref, is_counted)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) on conflict do nothing returning sequence

-- name: mark_media_due
-- In the transaction of the taps. Locks: none beyond the new rows.
insert into medium_due (medium_ref, service_date, due_at)
select distinct medium_ref, service_date, $3::timestamptz
from unnest($1::text[], $2::date[]) as news (medium_ref, service_date)

-- name: find_tap
select * from tap where device_id = $1 and sequence = $2

-- name: list_counted_taps
-- Index: tap_of_ticket.
select device_id, sequence, tapped_at, kind, operator_id, stop_id from tap where ticket_ref = $1 and is_counted

-- name: ask_for_rating
update ticket set rate_at = '-infinity' where ticket_ref = any($1::text[])

-- name: claim_ticket_to_rate
-- Index: ticket_to_rate. Locks: one ticket; others are left to other workers.
select ticket_id, ticket_ref, order_id, payload from ticket where rate_at <= $1 and not ticket_ref = any($2::text[])
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

-- name: insert_rated_fare
-- No row when the fare was earned before, or was revoked.
insert into rated_fare (order_id, component_index, ride_id, rated_at)
select $1, $2, $3, $4
where not exists (select from revocation where order_id = $1 and component_index = $2)
on conflict do nothing returning component_index

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
left join rated_fare e on e.order_id = ride.order_id and e.component_index = tf.component_index
where t.traveller_id = $1
order by coalesce(ride.began_at, ride.ended_at) desc, ride.ride_id, tf.component_index limit $2
