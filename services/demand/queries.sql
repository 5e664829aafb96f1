-- name: count_down
-- One event of a cell was none. What was released meanwhile stays as it was released. Locks: the cell's row.
with last as (
    delete from tally where metric = $1 and mesh_end = $2 and mesh = $3 and day = $4 and day_type = $5 and hour = $6
        and category = $7 and count = 1
)
update tally set count = count - 1
where metric = $1 and mesh_end = $2 and mesh = $3 and day = $4 and day_type = $5 and hour = $6 and category = $7
    and count > 1

-- name: count_up
-- One more event of a cell. Locks: the cell's row. Index: the unique key.
insert into tally (metric, mesh_end, mesh, day, day_type, hour, category, count)
values ($1, $2, $3, $4, $5, $6, $7, 1)
on conflict (metric, mesh_end, mesh, day, hour, category) do update set count = tally.count + 1

-- name: lock_releases
-- One release at a time. Locks: the table against itself; readers go on.
lock table release in share row exclusive mode

-- name: take_tallies
-- All that may be released with day $1. Locks: the rows; a count that comes now waits and starts anew.
select id, metric, mesh_end, mesh, day, day_type, hour, category, count
from tally where day <= $1 order by id for update

-- name: drop_tallies
delete from tally where id = any($1::bigint[])

-- name: insert_atom
insert into atom (metric, mesh_end, mesh, day_type, hour, category, since, until, count)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: note_release
insert into release (day, released_at, atoms, events) values ($1, $2, $3, $4)
on conflict (day) do update set released_at = excluded.released_at,
    atoms = release.atoms + excluded.atoms, events = release.events + excluded.events
returning day, released_at, atoms, events

-- name: list_releases
select day, released_at, atoms, events from release order by day desc limit 400

-- name: is_released
select exists (select 1 from release where day = $1)

-- name: sum_atoms
-- $1 metric, $2 end, $3 since, $4 until, $5 digits of the mesh, $6 a mesh's first digits, $7 category or null,
-- $8 to $11 whether to group by mesh, day_type, hour, category. Index: atom_period.
select
    case when $8::boolean then left(mesh, $5::integer) else '' end as mesh,
    case when $9::boolean then day_type else '' end as day_type,
    case when $10::boolean then hour else 0 end as hour,
    case when $11::boolean then category else '' end as category,
    sum(count)::bigint as count
from atom
where metric = $1 and mesh_end = $2 and since >= $3 and until <= $4
  and starts_with(mesh, $6) and ($7::text is null or category = $7)
group by 1, 2, 3, 4
order by 1, 2, 3, 4
limit $12
