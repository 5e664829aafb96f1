-- A pass is shown as a ticket or carried by a card: each tells its weeks by itself. '' is the card or phone.
alter table pass_use add column carrier text not null default '';
alter table pass_use alter column carrier drop default;
alter table pass_use drop constraint pass_use_pkey;
alter table pass_use add primary key (pass_id, week, carrier);
