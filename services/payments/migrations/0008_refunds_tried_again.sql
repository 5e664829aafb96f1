-- A refund may go into the wallet instead, and one that failed may be tried again: as a row of its own, which
-- names the one it follows and the first of them all.
alter table refund
    add column into_wallet boolean not null default false,
    add column retry_of uuid unique references refund,
    add column root_id uuid;
update refund set root_id = refund_id;
alter table refund alter column root_id set not null;
create index refund_of_root on refund (root_id);
