-- An operator's own fare transaction as it was sent in TIDES' form, beside the tap that it became.
create table tides_transaction (
    device_id text   not null,
    sequence  bigint not null,
    document  jsonb  not null,
    primary key (device_id, sequence),
    foreign key (device_id, sequence) references tap
);
