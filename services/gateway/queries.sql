-- Schema `gateway`. No query takes a lock beyond the rows it names.

-- name: insert_account
-- No row is returned when the login is taken. Index: account_login_key.
insert into account (account_id, role, operator_id, login, password_hash, display_name, locale, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (login) do nothing
returning account_id;

-- name: find_by_login
select account_id, role, operator_id, login, password_hash, display_name, locale, created_at
from account where login = $1;

-- name: find_account
select account_id, role, operator_id, login, password_hash, display_name, locale, created_at
from account where account_id = $1 and closed_at is null;

-- name: list_staff
select account_id, role, operator_id, login, password_hash, display_name, locale, created_at
from account where role <> 'traveller' and closed_at is null order by created_at, account_id;

-- name: find_first_admin
select account_id from account where role = 'admin' and closed_at is null order by created_at, account_id limit 1;

-- name: change_password_hash
-- Only while it is still the one that was verified: a newer password is never overwritten.
update account set password_hash = $3 where account_id = $1 and password_hash = $2;

-- name: close_account
-- Removes everything personal; the id stays, so that money rows keep their meaning.
update account set login = null, password_hash = null, display_name = null, locale = null, closed_at = $2
where account_id = $1 and closed_at is null and role = any($3::text[])
returning account_id;

-- name: find_current_key
select kid, private_key from signing_key where retires_at is null;

-- name: list_valid_keys
select kid, private_key from signing_key where retires_at is null or retires_at > $1 order by created_at desc;

-- name: insert_key
-- Two gateways that start at once make one key. Index: signing_key_one_is_current.
insert into signing_key (kid, private_key, created_at) values ($1, $2, $3)
on conflict ((true)) where retires_at is null do nothing;

-- name: lock_keys
-- One rotation at a time; held to the end of the transaction.
lock table signing_key in share row exclusive mode;

-- name: retire_current_key
update signing_key set retires_at = $1 where retires_at is null;

-- name: revoke_old_keys
update signing_key set retires_at = $1 where retires_at > $1;

-- name: forget_retired_keys
delete from signing_key where retires_at <= $1;

-- name: ensure_attempt
insert into sign_in_attempt (subject, failure_count, last_at) values ($1, 0, $2) on conflict (subject) do nothing;

-- name: lock_attempt
-- Locks the row, so that parallel guesses are counted one after another.
select failure_count, last_at from sign_in_attempt where subject = $1 for update;

-- name: save_attempt
update sign_in_attempt set failure_count = $2, last_at = $3 where subject = $1;

-- name: forgive_attempt
-- The attempt that was counted before the password was checked turned out to be right.
update sign_in_attempt set failure_count = case when $2 then 0 else greatest(failure_count - 1, 0) end
where subject = $1;

-- name: forget_old_attempts
-- Index: sign_in_attempt_last_at.
delete from sign_in_attempt where last_at < $1;
