-- Seals over the rows of transfers, made off the write path (services/ledger/sealing.py).

-- Rows by sequence: appended at its right end, so it costs little.
create unique index transfers_sequence on transfers (sequence);

create table seals (
    number         bigint      not null primary key check (number > 0),
    after_sequence bigint      not null unique check (after_sequence >= 0),
    until_sequence bigint      not null unique check (until_sequence > after_sequence),
    leaf_count     bigint      not null check (leaf_count > 0),
    merkle_root    bytea       not null check (octet_length(merkle_root) = 32),
    previous_hash  bytea       not null unique check (octet_length(previous_hash) = 32),
    seal_hash      bytea       not null unique check (octet_length(seal_hash) = 32),
    sealed_at      timestamptz not null
);
create trigger seals_immutable before update or delete or truncate on seals
    for each statement execute function refuse_change();
revoke update, delete, truncate on seals from public, current_user;

-- The bytes of a row, and their hash: payments/seals.py says the same in Python, and the tests compare.
create function seal_field(value text) returns text language sql immutable as
    $$ select coalesce(octet_length(value) || ':' || value || ',', '-,') $$;
create function seal_time(value timestamptz) returns text language sql immutable as
    $$ select seal_field((extract(epoch from value) * 1000000)::bigint::text) $$;
create function hash_leaf(row_of transfers) returns bytea language sql stable as $$
    select sha256('\x00'::bytea || convert_to(
        seal_field(row_of.sequence::text) || seal_field(row_of.transfer_id::text) || seal_field(row_of.debit)
        || seal_field(row_of.credit) || seal_field(row_of.amount_minor::text) || seal_field(row_of.currency)
        || seal_field(row_of.code) || seal_field(row_of.reference) || seal_field(row_of.kind)
        || seal_field(row_of.pending_id::text) || seal_field(row_of.linked::text)
        || seal_field(row_of.timeout_s::text) || seal_time(row_of.effective_at)
        || seal_time(row_of.recorded_at) || seal_field(row_of.refusal), 'UTF8'))
$$;
