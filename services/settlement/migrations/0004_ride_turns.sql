-- A fare that was earned (turn 0, its earnings), was not ridden after all (odd turns), or was again (even ones).
-- What a turn moves are the earnings themselves, the other way or once more.
create table ride_turns (
    order_id        uuid        not null,
    component_index integer     not null,
    turn            integer     not null check (turn > 0),
    turned_at       timestamptz not null,
    primary key (order_id, component_index, turn)
);
create trigger ride_turns_immutable before update or delete or truncate on ride_turns
    for each statement execute function refuse_change();
