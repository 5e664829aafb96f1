-- Devices of ticket holders: a public key each (Ed25519, 32 bytes; P-256, 33 or 65).
create table holder_device (
    device_id     uuid primary key,
    traveller_id  text        not null,
    public_key    bytea       not null,
    name          text        not null,
    registered_at timestamptz not null,
    closed_at     timestamptz,
    unique (traveller_id, public_key)
);

-- Every code ever issued for a ticket; the one of the ticket's edition counts, the earlier ones no more.
-- payload: of a static code what the QR code holds; of a device what the device completes (both base45).
create table ticket_code (
    ticket_ref  text        not null references ticket (ticket_ref),
    edition     integer     not null check (edition between 0 and 255),
    form        text        not null check (form in ('static', 'device')),
    key_id      integer     not null,
    payload     text        not null,
    device_id   uuid,
    anchor      bytea,
    period_s    integer check (period_s between 1 and 60),
    valid_from  timestamptz not null,
    valid_until timestamptz not null,
    issued_at   timestamptz not null,
    reason      text        not null,
    primary key (ticket_ref, edition),
    check ((form = 'device') = (num_nonnulls(device_id, anchor, period_s) = 3)),
    check (num_nonnulls(device_id, anchor, period_s) in (0, 3))
);
create index ticket_code_of_key on ticket_code (key_id, valid_until);
create index ticket_code_on_device on ticket_code (device_id) where device_id is not null;

alter table ticket add column edition integer not null default 0;
alter table ticket add column phone_code text unique;
alter table ticket add column has_pass boolean not null default false;

-- Codes issued before this table: the key's number is in bytes 1 and 2 of the payload. Two bytes are three
-- letters of base45, the lowest first.
insert into ticket_code (ticket_ref, edition, form, key_id, payload, valid_from, valid_until, issued_at, reason)
select ticket_ref, 0, 'static', (digits[1] + 45 * digits[2] + 2025 * digits[3]) % 256 * 256
    + (digits[4] + 45 * digits[5] + 2025 * digits[6]) / 256, payload, valid_from, valid_until, issued_at, 'order'
from (
    select ticket.*, array(
        select strpos('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:', substr(payload, place, 1)) - 1
        from generate_series(1, 6) as place order by place
    ) as digits
    from ticket
) as read;

-- What ends besides fares, in the sequence of revocations: earlier codes of a ticket, and keys.
create table code_revocation (
    ticket_ref    text primary key references ticket (ticket_ref),
    first_edition integer     not null,
    sequence      bigint      not null unique,
    revoked_at    timestamptz not null,
    reason        text        not null
);
create table key_revocation (
    key_id     integer primary key,
    sequence   bigint      not null unique,
    revoked_at timestamptz not null,
    reason     text        not null
);

-- Tries to look up a code read by telephone that found nothing, by caller and minute.
create table phone_code_miss (
    subject text        not null,
    minute  timestamptz not null,
    misses  integer     not null,
    primary key (subject, minute)
);

-- When a fare of a ticket was first used, or a pass began. A transaction's number tells in what order it became
-- known: a device asks for what came after the number that it has.
create table fare_use (
    ticket_ref    text        not null references ticket (ticket_ref),
    fare_index    integer     not null,
    first_used_at timestamptz not null,
    noted_xid     xid8        not null default pg_current_xact_id(),
    primary key (ticket_ref, fare_index)
);
create index fare_use_noted on fare_use (noted_xid);
