-- Queries of TIDES exchange.

-- name: list_transactions
-- A page of an operator's counted taps of a service date, with what is known of their fares. The amount stands at
-- the tap that begins a ride; of one whose beginning is not known, at its end. Index: the tap's primary key.
select t.device_id, t.sequence, t.service_date, t.tapped_at, t.kind, t.stop_id, t.ticket_ref, t.medium_ref,
    i.document, d.document as travel, m.kind as medium_kind, f.amount_minor, f.rider_count, f.rider
from tap t
left join tides_transaction i using (device_id, sequence)
left join travel_day d on d.medium_ref = t.medium_ref and d.service_date = t.service_date
left join medium m on m.medium_ref = t.medium_ref
left join lateral (
    select sum(fare.amount_minor)::bigint as amount_minor, count(*) as rider_count, min(fare.rider) as rider
    from ride r
    join ticket_fare tf using (ticket_ref, fare_index)
    join fare on fare.order_id = tf.order_id and fare.component_index = tf.component_index
    join rated_fare e on e.order_id = tf.order_id and e.component_index = tf.component_index
        and e.turn % 2 = 0
    where r.ticket_ref = t.ticket_ref
      and ((r.began_at = t.tapped_at and r.origin_stop_id = t.stop_id)
        or (r.began_at is null and r.ended_at = t.tapped_at and r.destination_stop_id = t.stop_id))
) f on t.ticket_ref is not null
where t.operator_id = $1 and t.service_date = $2 and t.is_counted and (t.device_id, t.sequence) > ($3, $4)
order by t.device_id, t.sequence limit $5

-- name: insert_documents
insert into tides_transaction (device_id, sequence, document)
select * from unnest($1::text[], $2::bigint[], $3::jsonb[]) on conflict do nothing

-- name: list_documents
select i.* from unnest($1::text[], $2::bigint[]) as asked (device_id, sequence)
join tides_transaction i using (device_id, sequence)
