-- What a ridden fare of an order made of a pass, by operator; and refunds of passes that fail or come back.

create table pass_fare (
    order_id        uuid    not null,
    component_index integer not null,
    pass_id         uuid    not null references pass_order,
    used            jsonb   not null,
    primary key (order_id, component_index, pass_id)
);
create index pass_fare_of_pass on pass_fare (pass_id);

alter table pass_order add column refund_told boolean not null default false; -- settlement was told, once
update pass_order set refund_told = true where refund_state = 'paid';
alter table pass_order drop constraint pass_order_refund_state_check;
alter table pass_order add constraint pass_order_refund_state_check
    check (refund_state in ('pending', 'paid', 'failed', 'returned'));
