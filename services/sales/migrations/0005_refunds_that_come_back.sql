-- A refund may fail and be paid later, or be paid and come back. `told_at`: settlement was told of its fares, once.
alter table refund add column told_at timestamptz;
update refund set told_at = paid_at where state = 'paid';
alter table refund drop constraint refund_state_check;
alter table refund add constraint refund_state_check check (state in ('pending', 'paid', 'failed', 'returned'));
