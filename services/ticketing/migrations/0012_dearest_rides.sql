-- What the dearest ride of a charge costs: a mandate may have a limit on single rides. Null: it is one ride, or a
-- give-back.
alter table travel_charge add column ride_minor_max bigint;
