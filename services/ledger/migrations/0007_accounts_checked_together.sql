-- Accounts are checked where they are opened, all of a statement at once.

-- At night thousands are opened by one statement, and a procedure for each row was most of its work. What is
-- refused is the same, and the statement with it.
drop trigger accounts_opened_right on accounts;
drop trigger accounts_keep_terms on accounts;
drop function check_terms;

create function check_opened() returns trigger language plpgsql as $$
declare
    wrong record;
begin
    select * into wrong from opened
    where (debits_posted, credits_posted, debits_pending, credits_pending) <> (0, 0, 0, 0)
       or bound not in ('none', 'debits_must_not_exceed_credits', 'credits_must_not_exceed_debits')
       or currency !~ '^[A-Z]{3}$'
       or lane not between 0 and 3 or (bound <> 'none' and lane <> 0)
    limit 1;
    if not found then
        return null;
    end if;
    if (wrong.debits_posted, wrong.credits_posted, wrong.debits_pending, wrong.credits_pending) <> (0, 0, 0, 0) then
        raise exception 'an account is opened empty' using errcode = 'integrity_constraint_violation';
    end if;
    if wrong.bound not in ('none', 'debits_must_not_exceed_credits', 'credits_must_not_exceed_debits') then
        raise exception 'no bound is called %', wrong.bound using errcode = 'check_violation';
    end if;
    if wrong.currency !~ '^[A-Z]{3}$' then
        raise exception 'a currency has three capital letters, not %', wrong.currency
            using errcode = 'check_violation';
    end if;
    raise exception 'an account has lanes 0 to 3, and one with a bound has lane 0 only'
        using errcode = 'check_violation';
end $$;
create trigger accounts_opened_right after insert on accounts
    referencing new table as opened
    for each statement execute function check_opened();

create function keep_terms() returns trigger language plpgsql as $$
begin
    if (new.account_id, new.lane, new.bound, new.currency)
       <> (old.account_id, old.lane, old.bound, old.currency) then
        raise exception 'an account keeps its name, lane, bound and currency' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger accounts_keep_terms before update of account_id, lane, bound, currency on accounts
    for each row execute function keep_terms();
