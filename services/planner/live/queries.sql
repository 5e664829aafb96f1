-- name: lock_version
-- Messages follow one another. Locks the only row.
select version from live_version for update

-- name: put_message
-- The newest message of a source, by when it was made, else by when it came. By primary key. Returns it if kept.
insert into live_message (feed_id, source, content, made_at, received_at) values ($1, $2, $3, $4, $5)
on conflict (feed_id, source) do update
set content = excluded.content, made_at = excluded.made_at, received_at = excluded.received_at
where coalesce(live_message.made_at, live_message.received_at)
   <= coalesce(excluded.made_at, excluded.received_at)
returning source

-- name: count_version
-- Something changed; the row is locked already.
update live_version set version = version + 1

-- name: get_key
-- The version, and how many messages came after $1.
select version, (select count(*) from live_message where received_at > $1)::int as fresh_count from live_version

-- name: list_messages
-- The version and every message that came after $1, of one moment; a row without a message if there is none.
select v.version, m.feed_id, m.source, m.content, m.received_at
from live_version v
left join live_message m on m.received_at > $1
order by m.feed_id, m.source
