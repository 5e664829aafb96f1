-- A tap shows a ticket's code or a medium (the opaque token of a card or phone, never a card number): exactly
-- one of the two. (device_id, sequence) names a tap for ever; the id made of them is worked out, not kept.
alter table tap drop constraint tap_pkey;
alter table tap drop column tap_id;
alter table tap drop constraint tap_device_id_sequence_key;
alter table tap add primary key (device_id, sequence);
alter table tap alter column payload drop not null;
alter table tap add column medium_ref text;
alter table tap add constraint tap_shows_one_thing check (num_nonnulls(payload, medium_ref) = 1);

-- The day whose fares and caps the tap belongs to: it begins at 04:00 on the city's clocks.
alter table tap add column service_date date;
update tap set service_date = (tapped_at at time zone 'Asia/Tokyo' - interval '4 hours')::date;
alter table tap alter column service_date set not null;
create index tap_of_medium on tap (medium_ref, service_date) where medium_ref is not null;

-- Media with news. Written with the taps, in their transaction, and never updated, so that storing a tap waits
-- for nobody who works on its medium; a medium may stand here several times. To work on some:
--   1. claim: delete ... where marker_id in (select ... where due_at <= now for update skip locked)
--   2. lock each medium of the day, in one order, so that two workers never make the same journeys at once
--   3. then read its taps: a tap that commits later brings its own marker
create table medium_due (
    marker_id    bigint generated always as identity primary key,
    medium_ref   text        not null,
    service_date date        not null,
    due_at       timestamptz not null
);
create index medium_due_at on medium_due (due_at);
