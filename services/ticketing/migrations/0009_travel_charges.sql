-- A posting is one side of a transfer; what a medium's day is charged, or given back, is a charge.
alter table travel_posting rename to travel_charge;
alter table travel_charge rename column posting_id to charge_id;
alter index travel_posting_of_day rename to travel_charge_of_day;
alter index travel_posting_waiting rename to travel_charge_waiting;
