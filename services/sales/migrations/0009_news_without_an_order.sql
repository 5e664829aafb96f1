-- A traveller is also told what belongs to no order: that gates refuse them for a debt, and that they do no more.
alter table notification alter column order_id drop not null;
