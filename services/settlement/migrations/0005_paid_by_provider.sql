-- How a participant is paid: by a bank file, or through the payment provider.

alter table agreements add column paid_by text not null default 'bank' check (paid_by in ('bank', 'provider'));
alter table payments add column paid_by text not null default 'bank' check (paid_by in ('bank', 'provider'));
create index payments_of_provider on payments (outcome) where paid_by = 'provider';
