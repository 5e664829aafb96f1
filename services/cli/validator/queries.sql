-- Queries of the validator's own SQLite file.

-- name: create_schema
create table if not exists setting (name text primary key, value text not null);
create table if not exists revoked_fare (
    ticket_ref text, fare_index integer, primary key (ticket_ref, fare_index)
) without rowid;
create table if not exists first_edition (ticket_ref text primary key, edition integer not null) without rowid;
create table if not exists revoked_key (key_id integer primary key);
create table if not exists fare_use (
    ticket_ref text, fare_index integer, first_used_at text not null, primary key (ticket_ref, fare_index)
) without rowid;
create table if not exists acceptance (
    sequence integer primary key,
    ticket_ref text not null,
    edition integer not null,
    slot integer,
    tapped_at text not null,
    kind text not null,
    operator_id text not null,
    stop_id text not null,
    payload text not null,
    answer text
);
create index if not exists acceptance_of_ticket on acceptance (ticket_ref);
create index if not exists acceptance_unsent on acceptance (sequence) where answer is null;

-- name: get_setting
select value from setting where name = ?

-- name: put_setting
insert into setting (name, value) values (?, ?) on conflict (name) do update set value = excluded.value

-- name: revoke_fare
insert into revoked_fare (ticket_ref, fare_index) values (?, ?) on conflict do nothing

-- name: revoke_editions
insert into first_edition (ticket_ref, edition) values (?, ?)
on conflict (ticket_ref) do update set edition = max(edition, excluded.edition)

-- name: revoke_key
insert into revoked_key (key_id) values (?) on conflict do nothing

-- name: note_use
insert into fare_use (ticket_ref, fare_index, first_used_at) values (?, ?, ?)
on conflict (ticket_ref, fare_index) do update set first_used_at = excluded.first_used_at

-- name: list_revoked_fares
select ticket_ref, fare_index from revoked_fare where ticket_ref = ?

-- name: list_first_editions
select ticket_ref, edition from first_edition where ticket_ref = ?

-- name: list_revoked_keys
select key_id from revoked_key

-- name: list_uses
select ticket_ref, fare_index, first_used_at from fare_use where ticket_ref = ?

-- name: get_last_sequence
select coalesce(max(sequence), -1) from acceptance

-- name: insert_acceptance
insert into acceptance (sequence, ticket_ref, edition, slot, tapped_at, kind, operator_id, stop_id, payload)
values (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: list_acceptances
select * from acceptance where ticket_ref = ? order by sequence

-- name: list_unsent
select * from acceptance where answer is null order by sequence limit ?

-- name: mark_sent
update acceptance set answer = ? where sequence = ?
