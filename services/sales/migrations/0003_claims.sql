-- Who may buy a reduced fare. Of the proof itself nothing is kept but the hash that lets it be used once.

create table claim (
    claim_id        uuid primary key,
    traveller_id    text        not null,
    rider           text        not null,
    place           text,                    -- an islander's island, as the tariff names it
    valid_from      date        not null,
    valid_to        date        not null check (valid_to >= valid_from),
    proven_by       text        not null,    -- `clerk:<account id>` or `issuer:<issuer id>`
    credential_hash bytea unique,            -- of an uploaded credential's issuer and id
    recorded_at     timestamptz not null
);
create index claim_of_traveller on claim (traveller_id, valid_to desc);

-- Authorities whose signed credentials count, and for which categories.
create table claim_issuer (
    issuer_id  text primary key,
    name       text   not null,
    public_key bytea  not null check (octet_length(public_key) = 32),
    riders     text[] not null
);
