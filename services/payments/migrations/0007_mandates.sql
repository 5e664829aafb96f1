-- Who pays for whom; and charges found by the time of their batch, which costs less to keep than an index of ids.

create table mandate (
    mandate_id      uuid        primary key,
    payer_id        text        not null,
    traveller_id    text        not null check (traveller_id <> payer_id),
    products        text[]      not null,
    modes           text[]      not null,
    ride_minor_max  bigint,
    day_minor_max   bigint,
    month_minor_max bigint,
    valid_from      timestamptz not null,
    valid_until     timestamptz not null check (valid_until > valid_from),
    accepted_at     timestamptz,
    revoked_at      timestamptz
);
create index mandate_for_traveller on mandate (traveller_id);
create index mandate_of_payer on mandate (payer_id);

-- A use is a charge or a payment, once; what is given back counts against it. `used_on` is its service day.
create table mandate_use (
    mandate_id   uuid   not null references mandate,
    use_id       uuid   not null,
    amount_minor bigint not null,
    used_on      date   not null,
    primary key (mandate_id, use_id)
);
create index mandate_use_by_day on mandate_use (mandate_id, used_on);

alter table payment add column modes text[] not null default '{}';
alter table wallet_hold add column mandate_id uuid references mandate;

drop index charge_of_batch;
alter table charge_batch alter column recorded_at set default now();
alter table charge add column recorded_at timestamptz not null default now();
create index charge_recorded on charge using brin (recorded_at);
create index charge_of_traveller on charge (traveller_id, service_date) where traveller_id <> customer_id;
