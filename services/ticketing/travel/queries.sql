-- Queries of account-based travel.

-- name: claim_markers
-- Takes news of media, from $2 on in the order of media. Locks: the markers; those of other workers are left.
-- Index: medium_due_of_medium; a locked row stays where it is, so that its place finds it.
delete from medium_due where ctid = any (array(
    select ctid from medium_due where medium_ref >= $2 and due_at <= $1
    order by medium_ref limit $3 for update skip locked))
returning medium_ref, service_date

-- name: list_weeks_due
-- Weeks whose next day is over. Index: travel_week_due. Locks: none; lock_weeks decides.
select medium_ref, monday from travel_week where rate_at <= $1 order by rate_at limit $2

-- name: delay_markers
-- Index: medium_due_of_medium.
update medium_due set due_at = greatest(due_at, $3)
where medium_ref = $1 and service_date between $2::date and $2::date + 7

-- name: delay_week
update travel_week set rate_at = greatest(rate_at, $3) where medium_ref = $1 and monday = $2 and rate_at is not null

-- name: put_back_markers
insert into medium_due (medium_ref, service_date, due_at)
select medium_ref, monday, $3::timestamptz from unnest($1::text[], $2::date[]) as missed (medium_ref, monday)

-- name: list_companions
-- The media that ride with these: their fares hang on the same taps.
select distinct medium_ref, other_ref from medium_pair where other_ref = any($1::text[])

-- name: insert_weeks
insert into travel_week (medium_ref, monday)
select medium_ref, monday from unnest($1::text[], $2::date[]) as wanted (medium_ref, monday)
order by 1, 2 on conflict do nothing

-- name: lock_weeks
-- Those of the wanted weeks that nobody else is rating. Locks: the rows, until the transaction ends.
select w.medium_ref, w.monday, w.categories from travel_week w
join unnest($1::text[], $2::date[]) as wanted (medium_ref, monday) using (medium_ref, monday)
order by 1, 2 for update of w skip locked

-- name: list_taps
-- Index: tap_of_medium. A day more at both ends: an exit may belong to the entry of the evening before.
select t.medium_ref, wanted.monday, t.device_id, t.sequence, t.tapped_at, t.kind, t.operator_id, t.stop_id
from unnest($1::text[], $2::date[]) as wanted (medium_ref, monday)
join tap t on t.medium_ref = wanted.medium_ref
    and t.service_date between wanted.monday - 1 and wanted.monday + 7 and t.is_counted
order by t.medium_ref, t.tapped_at

-- name: list_media
-- Media with their links: a row a link, one without them for a medium that nobody ever paid for.
select m.medium_ref, m.kind, l.since, l.until, l.customer_id, l.rider
from medium m left join medium_link l using (medium_ref) where m.medium_ref = any($1::text[])

-- name: list_parties
select medium_ref, since, until, riders from medium_party where medium_ref = any($1::text[])

-- name: list_pairs
select medium_ref, other_ref, rides_as, since, until from medium_pair where medium_ref = any($1::text[])

-- name: list_corrections
-- Index: travel_correction_of_medium.
select c.*, wanted.monday from travel_correction c
join unnest($1::text[], $2::date[]) as wanted (medium_ref, monday)
    on c.medium_ref = wanted.medium_ref and c.service_date between wanted.monday - 1 and wanted.monday + 7

-- name: list_charges
-- Index: travel_charge_of_day. Refused ones count too: asking again would be refused again.
select p.medium_ref, p.service_date, p.customer_id, p.amount_minor, p.operator_ids, p.shares_minor
from travel_charge p
join unnest($1::text[], $2::date[]) as wanted (medium_ref, monday)
    on p.medium_ref = wanted.medium_ref and p.service_date between wanted.monday and wanted.monday + 6

-- name: list_days
select d.medium_ref, wanted.until, d.document from travel_day d
join unnest($1::text[], $2::date[], $3::date[]) as wanted (medium_ref, since, until)
    on d.medium_ref = wanted.medium_ref and d.service_date >= wanted.since and d.service_date < wanted.until
order by 1, 2

-- name: drop_days
delete from travel_day d using unnest($1::text[], $2::date[]) as wanted (medium_ref, monday)
where d.medium_ref = wanted.medium_ref and d.service_date between wanted.monday and wanted.monday + 6

-- name: finish_weeks
update travel_week w set rate_at = rated.rate_at, categories = rated.categories::jsonb
from unnest($1::text[], $2::date[], $3::timestamptz[], $4::text[]) as rated (medium_ref, monday, rate_at, categories)
where w.medium_ref = rated.medium_ref and w.monday = rated.monday

-- name: list_later_weeks
-- The weeks whose habits a change of this week may have changed.
select w.medium_ref, w.monday from travel_week w
join unnest($1::text[], $2::date[]) as changed (medium_ref, monday) on w.medium_ref = changed.medium_ref
    and w.monday > changed.monday and w.monday <= changed.monday + $3::int

-- name: claim_charges
-- Index: travel_charge_waiting. Locks: the rows, skipping those of other workers.
select charge_id, medium_ref, service_date, customer_id, amount_minor, operator_ids, shares_minor, ride_minor_max
from travel_charge where status = 'decided' order by recorded_at limit $1 for update skip locked

-- name: mark_charges
update travel_charge set status = $2 where charge_id = any($1::uuid[])

-- name: list_first_media
-- The medium of a customer that was linked first and still is: it carries their passes.
select distinct on (customer_id) customer_id, medium_ref from medium_link
where customer_id = any($1::text[]) and until is null order by customer_id, since, medium_ref

-- name: list_own_media
-- Index: medium_link_of_customer.
select m.medium_id, m.medium_ref, m.kind, l.label, l.rider, l.since, coalesce(d.is_lost, false) as is_lost,
    coalesce(d.in_debt, false) as in_debt
from medium_link l join medium m using (medium_ref) left join denied_medium d using (medium_ref)
where l.customer_id = $1 and l.until is null order by l.since, m.medium_id

-- name: find_own_medium
select m.medium_ref from medium m join medium_link l using (medium_ref)
where m.medium_id = $1 and l.customer_id = $2 and l.until is null

-- name: list_ever_own_media
-- Also those that were unlinked: what one paid for stays visible.
select distinct m.medium_id, m.medium_ref from medium m join medium_link l using (medium_ref)
where l.customer_id = $1 and ($2::uuid is null or m.medium_id = $2)

-- name: find_medium_ref
select medium_ref from medium where medium_id = $1

-- name: insert_medium
insert into medium (medium_ref, medium_id, kind, enrolled_at) values ($1, $2, $3, $4) on conflict do nothing

-- name: lock_medium
-- Locks: the medium, so that two links, parties or losses of it come one after the other.
select medium_ref, kind from medium where medium_ref = $1 for update

-- name: find_open_link
select customer_id, since from medium_link where medium_ref = $1 and until is null

-- name: insert_link
insert into medium_link (medium_ref, since, customer_id, label, rider) values ($1, $2, $3, $4, $5)

-- name: end_link
update medium_link set until = $2 where medium_ref = $1 and until is null

-- name: end_pairs
update medium_pair set until = $2 where (medium_ref = $1 or other_ref = $1) and (until is null or until > $2)

-- name: end_parties
update medium_party set until = $2 where medium_ref = $1 and until > $2 and since < $2

-- name: drop_later_parties
delete from medium_party where medium_ref = $1 and since >= $2

-- name: insert_party
insert into medium_party (medium_ref, since, until, riders, set_by) values ($1, $2, $3, $4, $5)

-- name: insert_pair
insert into medium_pair (medium_ref, other_ref, rides_as, since, until) values ($1, $2, $3, $4, $5)
on conflict do nothing

-- name: lock_denials
-- Locks: the deny list of this schema, one writer at a time, so that sequences commit in order.
select pg_advisory_xact_lock(hashtextextended(current_schema() || '.denied_medium', 0))

-- name: set_lost
insert into denied_medium (medium_ref, sequence, is_lost, in_debt, since)
values ($1, nextval('denied_medium_sequence'), $2, false, $3)
on conflict (medium_ref) do update set is_lost = excluded.is_lost, sequence = excluded.sequence,
    since = excluded.since where denied_medium.is_lost <> excluded.is_lost

-- name: set_in_debt
-- All media now linked to a customer.
insert into denied_medium (medium_ref, sequence, is_lost, in_debt, since)
select medium_ref, nextval('denied_medium_sequence'), false, $2, $3
from medium_link where customer_id = $1 and until is null
on conflict (medium_ref) do update set in_debt = excluded.in_debt, sequence = excluded.sequence,
    since = excluded.since where denied_medium.in_debt <> excluded.in_debt

-- name: set_medium_in_debt
insert into denied_medium (medium_ref, sequence, is_lost, in_debt, since)
values ($1, nextval('denied_medium_sequence'), false, $2, $3)
on conflict (medium_ref) do update set in_debt = excluded.in_debt, sequence = excluded.sequence,
    since = excluded.since where denied_medium.in_debt <> excluded.in_debt

-- name: list_denied_media
select sequence, medium_ref, (is_lost or in_debt) as is_denied,
    case when is_lost then 'lost' when in_debt then 'debt' end as reason, since
from denied_medium where sequence > $1 order by sequence limit $2

-- name: get_deny_list_read
-- Locks: the row, so that one worker follows at a time.
select sequence from deny_list_read for update

-- name: set_deny_list_read
update deny_list_read set sequence = $1

-- name: keep_customer_in_debt
insert into customer_in_debt (customer_id, since) values ($1, $2) on conflict do nothing

-- name: drop_customer_in_debt
delete from customer_in_debt where customer_id = $1

-- name: is_customer_in_debt
select exists (select from customer_in_debt where customer_id = $1)

-- name: list_days_of_media
select d.medium_ref, d.service_date, d.document from travel_day d
where d.medium_ref = any($1::text[]) and d.service_date between $2 and $3
order by d.service_date desc, d.medium_ref limit $4

-- name: find_day
select document from travel_day where medium_ref = $1 and service_date = $2

-- name: list_taps_of_day
-- Index: tap_of_medium.
select device_id, sequence, kind, operator_id, stop_id, tapped_at, received_at, accepted_offline
from tap where medium_ref = $1 and service_date = $2 order by tapped_at, device_id, sequence

-- name: list_corrections_of_day
select * from travel_correction where medium_ref = $1 and service_date = $2 order by recorded_at, correction_id

-- name: list_charges_of_day
select customer_id, amount_minor, recorded_at, status from travel_charge
where medium_ref = $1 and service_date = $2 order by recorded_at, charge_id

-- name: count_self_corrections
-- Corrections of a traveller's own in a month, over all their media, but for the ride asked about.
select count(distinct (medium_ref, device_id, sequence)) from travel_correction
where said_by = $1 and said_as = 'traveller' and recorded_at >= $2 and recorded_at < $3
  and (medium_ref, device_id, sequence) <> ($4, $5, $6)

-- name: insert_correction
insert into travel_correction (correction_id, medium_ref, service_date, device_id, sequence, kind, operator_id,
    stop_id, said_by, said_as, reason, recorded_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing

-- name: mark_due
insert into medium_due (medium_ref, service_date, due_at) values ($1, $2, $3)

-- name: forget_labels
-- Index: medium_link_of_customer.
update medium_link set label = '-' where customer_id = $1
