-- The networks and fare zones a device is in, for passes; null: not asked.
alter table device add column area_ids text[];
