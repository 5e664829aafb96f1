-- Each fare that the tally counts, so that a ride that was not made after all is taken off it. `turn` is the last
-- one heard of: rated and unrated again may arrive in any order.
create table cashless_fare (
    order_id        uuid    not null,
    component_index integer not null,
    turn            integer not null,
    month           date    not null,
    shares          jsonb   not null,
    primary key (order_id, component_index)
);
