-- An operator's part of a service day's travel that was charged afterwards, decided once, before the ledger is
-- asked. Negative where it was earned before and goes back; an operator may have one row of each sign.
create table travel_earnings (
    earning_id       uuid        not null,
    operator_id      text        not null,
    service_date     date        not null,
    share_minor      bigint      not null check (share_minor <> 0),
    commission_minor bigint      not null check (abs(commission_minor) <= abs(share_minor)
                                                 and commission_minor * share_minor >= 0),
    earned_at        timestamptz not null
);
create unique index travel_earnings_once on travel_earnings (earning_id, operator_id, sign(share_minor));
create index travel_earnings_operator on travel_earnings (operator_id);
