"""The chart of accounts.

Problem   Money must always be somewhere, and everyone must agree on the name of that place.
Idea      An account id is a path: `owner:purpose` or `owner:id:purpose`. The kinds below are all there are;
          each says which side makes it grow and which bound it keeps.

  account                      grows by  bound                            what a balance means
  provider:card_clearing       debit     -                                captured, not yet paid out
  provider:fees                debit     -                                what the provider kept
  provider:on_account          debit     -                                on business customers' accounts
  provider:disputed            debit     -                                withdrawn by disputes, undecided
  bank:cash                    debit     -                                money at the platform's bank
  traveller:{id}:wallet        credit    debits <= credits                stored value of a traveller; all
                                                                          wallets: unused prepaid value
  traveller:{id}:receivable    debit     -                                owed for rides made, not collected
                                                                          yet; credit: to be given back
  counter:{id}:cash            debit     credits <= debits                notes and coins in a counter's till
  operator:{id}:counter_sales  credit    debits <= credits                taken in cash at its own counters,
                                                                          still in their tills
  platform:bad_debts           debit     -                                debts given up; the platform's loss
  platform:chargeback_losses   debit     -                                disputes lost; the platform's loss
  platform:unearned_fares      credit    debits <= credits                paid for, not yet ridden
  platform:refunds_due         credit    debits <= credits                owed back to travellers
  operator:{id}:payable        credit    -                                owed to an operator for rides made
  platform:commission          credit    -                                what the platform earned
  platform:settlement_clearing credit    -                                fixed by a batch, going to the bank
  platform:consumption_tax     credit    -                                tax on commissions, not ours
  city:subsidy                 debit     -                                what the city adds to fares
  platform:rounding            credit    -                                yen lost and found by rounding

Source    DESIGN; facts on payments, rules 1-3.
"""

from dataclasses import dataclass
from enum import StrEnum

from payments.money import JPY

AccountId = str

CARD_CLEARING: AccountId = "provider:card_clearing"
PROVIDER_FEES: AccountId = "provider:fees"
ON_ACCOUNT: AccountId = "provider:on_account"
DISPUTED: AccountId = "provider:disputed"
BANK_CASH: AccountId = "bank:cash"
UNEARNED_FARES: AccountId = "platform:unearned_fares"
REFUNDS_DUE: AccountId = "platform:refunds_due"
COMMISSION: AccountId = "platform:commission"
SETTLEMENT_CLEARING: AccountId = "platform:settlement_clearing"
CITY_SUBSIDY: AccountId = "city:subsidy"
ROUNDING: AccountId = "platform:rounding"
CONSUMPTION_TAX: AccountId = "platform:consumption_tax"
BAD_DEBTS: AccountId = "platform:bad_debts"
CHARGEBACK_LOSSES: AccountId = "platform:chargeback_losses"


def is_of_one_customer(account_id: AccountId) -> bool:
    """Whether it is one customer's own account: few write to it, and never many at once."""
    return account_id.startswith("traveller:")


def operator_payable(operator_id: str) -> AccountId:
    """What is owed to an operator."""
    return f"operator:{operator_id}:payable"


def traveller_wallet(traveller_id: str) -> AccountId:
    """A traveller's stored value."""
    return f"traveller:{traveller_id}:wallet"


def traveller_receivable(traveller_id: str) -> AccountId:
    """What a traveller owes for rides made."""
    return f"traveller:{traveller_id}:receivable"


def operator_counter_sales(operator_id: str) -> AccountId:
    """What an operator took in cash at its own counters: its own money, not owed to it."""
    return f"operator:{operator_id}:counter_sales"


def counter_cash(counter_id: str) -> AccountId:
    """The cash in a counter's till."""
    return f"counter:{counter_id}:cash"


class Bound(StrEnum):
    """A rule that no transfer may break, on posted plus pending amounts."""

    NONE = "none"
    DEBITS_MUST_NOT_EXCEED_CREDITS = "debits_must_not_exceed_credits"
    CREDITS_MUST_NOT_EXCEED_DEBITS = "credits_must_not_exceed_debits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account to open. Opening it again with the same fields changes nothing."""

    account_id: AccountId
    bound: Bound = Bound.NONE
    currency: str = JPY


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The four sums of an account in minor units; pending ones are held, not yet moved."""

    account_id: AccountId
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int

    @property
    def net_credit(self) -> int:
        """Posted credits less posted debits."""
        return self.credits_posted - self.debits_posted


def chart_account(account_id: AccountId) -> Account:
    """The account of that id with the bound the chart gives it: everyone opens it the same way."""
    bound = Bound.NONE
    if account_id in (UNEARNED_FARES, REFUNDS_DUE) or account_id.endswith((":wallet", ":counter_sales")):
        bound = Bound.DEBITS_MUST_NOT_EXCEED_CREDITS
    elif account_id.startswith("counter:"):
        bound = Bound.CREDITS_MUST_NOT_EXCEED_DEBITS
    return Account(account_id=account_id, bound=bound)
