-- name: lock_loads
-- Held by a session for a whole load: one at a time in a database.
select pg_advisory_lock($1)

-- name: try_lock_loads
select pg_try_advisory_lock($1)

-- name: insert_network
insert into network (version, published_at, counts) values ($1, $2, $3)

-- name: insert_feed
insert into feed
    (version, feed_id, source, sha256, byte_count, first_date, last_date, summary,
     error_count, warning_count, info_count)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: insert_notice
insert into notice (version, feed_id, position, code, severity, file, row_number, field, message, total)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: end_force
-- Index: network_in_force.
update network set in_force = false where in_force

-- name: begin_force
update network set in_force = true where version = $1

-- name: find_in_force
-- Index: network_in_force.
select version, published_at from network where in_force

-- name: list_networks
select n.version, n.published_at, n.in_force, n.counts,
       coalesce(sum(f.error_count), 0)::bigint as error_count,
       coalesce(sum(f.warning_count), 0)::bigint as warning_count,
       coalesce(sum(f.info_count), 0)::bigint as info_count
from network n left join feed f using (version)
group by n.version order by n.position desc

-- name: list_versions
select version from network

-- name: has_network
select exists (select from network where version = $1)

-- name: list_feeds_in_force
select f.* from feed f join network n using (version) where n.in_force order by f.feed_id

-- name: list_notices
select feed_id, code, severity, file, row_number, field, message, total from notice
where version = $1 order by feed_id, position limit $2

-- name: delete_old_networks
-- Keeps the newest $1, and whatever is in force. Feeds and notices go with their network.
delete from network
where not in_force
  and version not in (select version from network order by position desc limit $1)
returning version
