-- name: insert_claim
-- No row when this claim, or one of the same credential, is there already.
insert into claim (claim_id, traveller_id, rider, place, valid_from, valid_to, proven_by, credential_hash, recorded_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing returning claim_id

-- name: find_claim
select claim_id, traveller_id, rider, place, valid_from, valid_to, proven_by, recorded_at from claim
where claim_id = $1

-- name: list_claims_on
-- Those that hold on a day. Index: claim_of_traveller.
select claim_id, traveller_id, rider, place, valid_from, valid_to from claim
where traveller_id = $1 and $2 between valid_from and valid_to order by valid_to desc, claim_id

-- name: list_claim_holders
-- Index: claim_of_traveller.
select distinct traveller_id from claim
where traveller_id = any($1::text[]) and valid_from <= $3 and valid_to >= $2

-- name: list_claims
-- Index: claim_of_traveller.
select claim_id, traveller_id, rider, place, valid_from, valid_to, proven_by, recorded_at from claim
where traveller_id = $1 order by valid_to desc, claim_id

-- name: delete_claim
delete from claim where claim_id = $1 returning claim_id

-- name: delete_claims_of
-- Index: claim_of_traveller.
delete from claim where traveller_id = $1

-- name: delete_ended
-- Nobody needs a claim that has ended, once its rides are rated; refunds are of the price paid.
delete from claim where valid_to < $1

-- name: put_issuer
insert into claim_issuer (issuer_id, name, public_key, riders) values ($1, $2, $3, $4)
on conflict (issuer_id) do update set name = $2, public_key = $3, riders = $4

-- name: find_issuer
select issuer_id, name, public_key, riders from claim_issuer where issuer_id = $1

-- name: list_issuers
select issuer_id, name, public_key, riders from claim_issuer order by issuer_id
