-- Sailings that will not take place, so that an order confirmed a moment later still meets its cancellation.

create table cancelled_sailing (
    trip_id      text not null,
    service_date date not null,
    operator_id  text not null,
    reason       text not null,
    primary key (trip_id, service_date)
);
