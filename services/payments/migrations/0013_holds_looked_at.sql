-- A hold may expire at the provider, and the news of it be lost: one that stands is looked at from time to time.
update payment set next_attempt_at = clock_timestamp()
where state = 'authorised' and provider_id is not null and next_attempt_at is null;

-- A refund that was paid and came back, told of by the balance's listing alone, is found by a movement of its own;
-- those whose news were lost before this are looked at once.
update refund set next_attempt_at = clock_timestamp()
where state = 'succeeded' and next_attempt_at is null and provider_id in (
    select source_id from provider_movement
    where kind in ('refund_failure', 'payment_failure_refund') and transfer_id is null);
