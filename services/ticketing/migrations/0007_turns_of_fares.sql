-- A late tap or a corrected place may show that a fare was not ridden after all: even turns are earned, odd ones
-- taken back. ridden_at and ride_id are those of the last time it was earned.
alter table rated_fare add column turn integer not null default 0 check (turn >= 0);
alter table rated_fare add column ridden_at timestamptz;
update rated_fare e set ridden_at = coalesce((select coalesce(r.began_at, r.ended_at) from ride r
    where r.ride_id = e.ride_id), e.rated_at);
alter table rated_fare alter column ridden_at set not null;
