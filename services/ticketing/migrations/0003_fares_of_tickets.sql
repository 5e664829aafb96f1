-- The fares of a ticket, numbered within it: several components of an order where several riders share its code.
create table ticket_fare (
    ticket_ref      text    not null references ticket (ticket_ref),
    fare_index      integer not null check (fare_index >= 0),
    order_id        uuid    not null,
    component_index integer not null,
    primary key (ticket_ref, fare_index, component_index)
);
create index ticket_fare_of_component on ticket_fare (order_id, component_index);

-- Tickets of the first layout number their fares as the order does.
insert into ticket_fare (ticket_ref, fare_index, order_id, component_index)
select distinct ticket_ref, component_index, order_id, component_index
from ticket, unnest(component_indices) as component_index;
alter table ticket drop column component_indices;

alter table ride rename column component_index to fare_index;

-- Whose fare it is: a shared code has several riders.
alter table fare add column rider text;
update fare set rider = t.rider
from ticket_fare tf join ticket t using (ticket_ref)
where tf.order_id = fare.order_id and tf.component_index = fare.component_index;
update fare set rider = 'adult' where rider is null;
alter table fare alter column rider set not null;
