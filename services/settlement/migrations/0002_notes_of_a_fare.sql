-- A ride that was rated while its fare was being given back finds the refund's note here.

create index notes_of_fare on notes (order_id, component_index);
