-- Settlement's SQL. Every step of a run locks its batch row first (lock_batch), so steps never overlap.

-- name: insert_agreement
insert into agreements (operator_id, valid_from, name, commission_bp, odd_yen, registration_number,
                        consignor_code, bank_account, recorded_at, paid_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: lock_agreements
-- Two new versions of agreements never cross each other.
select pg_advisory_xact_lock(hashtext('settlement.agreements'))

-- name: find_newest_agreement
select * from agreements where operator_id = $1 order by valid_from desc limit 1

-- name: find_agreement_at
-- The version in force at $2 (primary key, backwards).
select * from agreements where operator_id = $1 and valid_from <= $2 order by valid_from desc limit 1

-- name: list_agreements_at
select distinct on (operator_id) * from agreements where valid_from <= $1 order by operator_id, valid_from desc

-- name: insert_earnings
insert into earnings (order_id, component_index, operator_id, share_minor, commission_minor, earned_at)
select $1, $2, operator_id, share_minor, commission_minor, $3
from unnest($4::text[], $5::bigint[], $6::bigint[]) as decided (operator_id, share_minor, commission_minor)
on conflict do nothing

-- name: list_earnings
select * from earnings where order_id = $1 and component_index = $2 order by operator_id

-- name: lock_earnings
-- Two refunds of one component are decided one after the other.
select * from earnings where order_id = $1 and component_index = $2 order by operator_id for no key update

-- name: list_reversals
select * from reversals where order_id = $1 and component_index = $2 order by refund_id, operator_id

-- name: insert_reversal
insert into reversals (refund_id, order_id, component_index, operator_id, share_minor, commission_minor, reversed_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing

-- name: insert_travel_earning
insert into travel_earnings (earning_id, operator_id, service_date, share_minor, commission_minor, earned_at)
values ($1, $2, $3, $4, $5, $6) on conflict do nothing

-- name: list_travel_earnings
select * from travel_earnings where earning_id = $1 order by operator_id, share_minor

-- name: insert_turn
insert into ride_turns (order_id, component_index, turn, turned_at) values ($1, $2, $3, $4)
on conflict do nothing

-- name: find_turn
select turned_at from ride_turns where order_id = $1 and component_index = $2 and turn = $3

-- name: find_latest_turn
select max(turn) from ride_turns where order_id = $1 and component_index = $2

-- name: lock_fare
-- The ride and the refund of one fare are handled one after the other. Locks: until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('settlement.fare/' || $1, 0))

-- name: has_note
-- Index: notes_of_fare.
select exists (select from notes where order_id = $1 and component_index = $2)

-- name: insert_note
insert into notes (refund_id, component_index, operator_id, order_id, amount_minor, reason, refunded_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing

-- name: insert_adjustment
insert into adjustments (adjustment_id, debtor, creditor, amount_minor, reason, recorded_at)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing

-- name: find_adjustment
select * from adjustments where adjustment_id = $1

-- name: list_operators
-- Whoever may have something on its payable.
select operator_id from agreements
union
select operator_id from earnings
union
select operator_id from travel_earnings
union
select unnest(array[debtor, creditor]) from adjustments

-- name: insert_batch
insert into batches (batch_id, cut_off, pay_on, state, opened_at) values ($1, $2, $3, 'open', $4)

-- name: lock_new_batches
-- Held while a batch is opened: of two that come at once the second sees the first.
select pg_advisory_xact_lock(hashtext('settlement.batches'))

-- name: find_unfinished_batch
-- Index batches_unfinished.
select * from batches where state not in ('instructed', 'confirmed')

-- name: find_newest_cut_off
select max(cut_off) from batches

-- name: find_batch
select * from batches where batch_id = $1

-- name: find_batch_at
select * from batches where cut_off = $1

-- name: lock_batch
select * from batches where batch_id = $1 for no key update

-- name: list_batches
select * from batches order by cut_off desc limit $1

-- name: set_batch_state
update batches set state = $2 where batch_id = $1

-- name: lock_batch_for_good
update batches set state = 'locked', locked_at = $2 where batch_id = $1

-- name: set_batch_netted
update batches set state = 'netted', gross_minor = $2, net_minor = $3, efficiency_bp = $4 where batch_id = $1

-- name: list_taken
-- Which of these transfers are in a batch (primary key).
select transfer_id from batch_entries where transfer_id = any ($1::uuid[])

-- name: insert_batch_entries
insert into batch_entries (batch_id, transfer_id, sequence, debit, credit, amount_minor, code, reference,
                           effective_at, recorded_at)
select $1, * from unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
                         $9::timestamptz[], $10::timestamptz[])

-- name: list_batch_entries
select * from batch_entries where batch_id = $1 order by sequence

-- name: count_batch_entries
select count(*) from batch_entries where batch_id = $1

-- name: find_watermark
select after_sequence from watermarks where operator_id = $1

-- name: set_watermark
insert into watermarks (operator_id, after_sequence) values ($1, $2)
on conflict (operator_id) do update set after_sequence = excluded.after_sequence

-- name: claim_notes
-- The notes of operators with an agreement ($3) that no batch has told yet.
update notes set batch_id = $1 where batch_id is null and refunded_at < $2 and operator_id = any ($3::text[])

-- name: list_notes
select * from notes where batch_id = $1 order by operator_id, refunded_at, refund_id, component_index

-- name: insert_statement
insert into statements (batch_id, operator_id, net_minor, tax_minor, document) values ($1, $2, $3, $4, $5)

-- name: list_statements
select operator_id, net_minor, tax_minor, document from statements where batch_id = $1 order by operator_id

-- name: find_statement
-- Statements are issued when the run has reached that state; before, they are drafts.
select document from statements join batches using (batch_id)
where batch_id = $1 and operator_id = $2 and state not in ('open', 'cut_off', 'calculated')

-- name: list_statements_of_operator
select document from statements join batches using (batch_id)
where operator_id = $1 and state not in ('open', 'cut_off', 'calculated')
order by cut_off desc limit $2

-- name: insert_position
insert into positions (batch_id, participant, gets_minor, owes_minor) values ($1, $2, $3, $4)

-- name: list_positions
select participant, gets_minor, owes_minor from positions where batch_id = $1 order by participant

-- name: insert_payment
insert into payments (payment_id, batch_id, operator_id, net_minor, paid_by) values ($1, $2, $3, $4, $5)

-- name: list_payments
select * from payments where batch_id = $1 order by operator_id

-- name: list_waiting_for_provider
-- Payments of instructed runs that the payment provider has not said to be made. Index: payments_of_provider.
select payments.* from payments join batches using (batch_id)
where paid_by = 'provider' and outcome = 'instructed' and state = 'instructed' order by payment_id

-- name: set_payment_outcome
update payments set outcome = $3, outcome_at = $4 where batch_id = $1 and operator_id = $2

-- name: insert_bank_file
insert into bank_files (batch_id, format, content) values ($1, $2, $3)

-- name: find_bank_file
select content from bank_files where batch_id = $1 and format = $2
