-- Statements and searches go by effective time, over all accounts or one.

-- Written at its right end mostly, so it costs little; a range of dates is found and paged in a table of any size.
drop index transfers_effective;
create index transfers_effective on transfers (effective_at, sequence)
    where refusal is null and kind in ('posted', 'post_pending');

-- What was held on an account at some moment. Only holds pay for these.
create index transfers_holds_debit on transfers (debit) where refusal is null and kind = 'pending';
create index transfers_holds_credit on transfers (credit) where refusal is null and kind = 'pending';
