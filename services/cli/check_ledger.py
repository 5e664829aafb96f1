"""What must not be found in the ledger: a sentence, and the query that finds what is wrong.

Each works from the tables alone and shares nothing with the code that writes them. The seals over the rows
are checked by check_seals.py. Writers of an account with a bound draw their sequences while they hold its
row, so that its movements can be replayed in that order.
"""

LEDGER_CHECKS = {
    "posted debits and credits of all accounts differ": """
        select sum(debits_posted) || ' <> ' || sum(credits_posted) from ledger.accounts
        having sum(debits_posted) <> sum(credits_posted)""",
    "an account's balance is not the sum of its transfers": """
        with movements as (
            select debit as account_id, amount_minor as debits, 0 as credits from ledger.transfers
            where refusal is null and kind in ('posted', 'post_pending')
            union all
            select credit, 0, amount_minor from ledger.transfers
            where refusal is null and kind in ('posted', 'post_pending')
        ), sums as (
            select account_id, sum(debits) as debits, sum(credits) as credits from movements group by 1
        )
        select coalesce(balances.account_id, sums.account_id || ' (not open)')
        from (select account_id, sum(debits_posted) as debits_posted, sum(credits_posted) as credits_posted
              from ledger.accounts group by 1) as balances
        full join sums using (account_id)
        where balances.account_id is null
           or debits_posted <> coalesce(debits, 0) or credits_posted <> coalesce(credits, 0)""",
    "a pending balance is not the sum of the open holds": """
        with held as (
            select debit as account_id, amount_minor as debits, 0 as credits from ledger.open_holds
            union all
            select credit, 0, amount_minor from ledger.open_holds
        ), sums as (
            select account_id, sum(debits) as debits, sum(credits) as credits from held group by 1
        )
        select account_id
        from ledger.accounts left join sums using (account_id)
        group by account_id, debits, credits
        having sum(debits_pending) <> coalesce(debits, 0) or sum(credits_pending) <> coalesce(credits, 0)""",
    "an account is beyond its bound": """
        select account_id from ledger.accounts
        where (bound = 'debits_must_not_exceed_credits'
               and debits_posted + debits_pending > credits_posted)
           or (bound = 'credits_must_not_exceed_debits'
               and credits_posted + credits_pending > debits_posted)""",
    "a transfer is in another currency than its accounts": """
        select transfer_id::text from ledger.transfers
        join ledger.accounts on account_id in (debit, credit) and lane = 0
        where refusal is null and transfers.currency <> accounts.currency""",
    "the lanes of an account have other terms than the account": """
        select account_id from ledger.accounts
        group by account_id having count(distinct (bound, currency)) > 1 or min(lane) <> 0""",
    "a resolution does not fit its hold": """
        select resolution.transfer_id::text from ledger.transfers as resolution
        left join ledger.transfers as hold
            on hold.transfer_id = resolution.pending_id and hold.refusal is null and hold.kind = 'pending'
        where resolution.refusal is null and resolution.pending_id is not null
          and (hold.transfer_id is null or resolution.amount_minor > hold.amount_minor
               or (resolution.debit, resolution.credit) <> (hold.debit, hold.credit))""",
    "a hold is resolved twice": """
        select pending_id::text from ledger.transfers where refusal is null and pending_id is not null
        group by 1 having count(*) > 1""",
    "an open hold is resolved, or is no hold in the books": """
        select open_holds.transfer_id::text from ledger.open_holds
        left join ledger.transfers as hold
            on hold.transfer_id = open_holds.transfer_id and hold.refusal is null and hold.kind = 'pending'
        left join ledger.transfers as resolution
            on resolution.pending_id = open_holds.transfer_id and resolution.refusal is null
        where hold.transfer_id is null or resolution.transfer_id is not null
           or (hold.debit, hold.credit, hold.amount_minor)
              <> (open_holds.debit, open_holds.credit, open_holds.amount_minor)""",
    "a hold is not exactly one of open, resolved and expired": """
        select hold.transfer_id::text from ledger.transfers as hold
        left join ledger.open_holds using (transfer_id)
        left join ledger.expirations using (transfer_id)
        left join ledger.transfers as resolution
            on resolution.pending_id = hold.transfer_id and resolution.refusal is null
        where hold.refusal is null and hold.kind = 'pending'
          and num_nonnulls(open_holds.transfer_id, expirations.transfer_id, resolution.transfer_id) <> 1""",
    "an expiration is of no hold in the books": """
        select transfer_id::text from ledger.expirations
        left join ledger.transfers as hold using (transfer_id)
        where hold.transfer_id is null or hold.refusal is not null or hold.kind <> 'pending'""",
    "a hold ended too early or too late": """
        select hold.transfer_id::text from ledger.transfers as hold
        left join ledger.open_holds using (transfer_id)
        left join ledger.expirations using (transfer_id)
        left join ledger.transfers as resolution
            on resolution.pending_id = hold.transfer_id and resolution.refusal is null
        cross join lateral (select hold.recorded_at + make_interval(secs => hold.timeout_s) as at) as ends
        where hold.refusal is null and hold.kind = 'pending'
          and (expired_at < ends.at or resolution.recorded_at >= ends.at
               or expired_at is not null and ends.at is null
               or open_holds.transfer_id is not null and expires_at is distinct from ends.at)""",
    "an account was beyond its bound at some time": """
        with movements as (
            select debit as account_id, sequence, -amount_minor as amount_minor from ledger.transfers
            where refusal is null and kind in ('posted', 'post_pending')
            union all
            select credit, sequence, amount_minor from ledger.transfers
            where refusal is null and kind in ('posted', 'post_pending')
        ), running as (
            select account_id, bound,
                   sum(amount_minor) over (partition by account_id order by sequence) as held
            from movements join ledger.accounts using (account_id)
            where bound <> 'none'
        )
        select distinct account_id from running
        where (bound = 'debits_must_not_exceed_credits' and held < 0)
           or (bound = 'credits_must_not_exceed_debits' and held > 0)""",
}
