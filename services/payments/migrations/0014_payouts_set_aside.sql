-- What is to be paid out is first written down and then set aside in the ledger. In between somebody may take from the
-- wallet: then less is set aside, as another payout. Only what is set aside may be paid by a clerk.
alter table wallet_payout add column set_aside_at timestamptz;
update wallet_payout set set_aside_at = requested_at;
drop index wallet_payout_open;
create index wallet_payout_open on wallet_payout (requested_at) where paid_at is null and set_aside_at is not null;
