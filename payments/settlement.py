"""What operators earn, what the platform keeps, and the run that pays them.

Problem   Every yen of a fare must reach the operator that earned it, less the agreed commission, once,
          explained, and never differently when a step is repeated or when a ride is refunded afterwards.
Idea      An `Earning` is decided once and kept; everything else is derived from it. Its transfers have ids
          made from it, so that a repeat finds them in the books. A refund takes back the original share and
          the part of the original commission that goes with it. A run takes the entries up to its cut-off
          that no earlier run took, and moves through fixed states, each of which can be repeated.
Not here  The statement's wording (statements.py), who pays whom (netting.py), storage and locks.
Invariant commission <= share; what is given back never exceeds what was earned, and a full refund gives the
          whole commission back; a batch's statements and positions are two views of the same entries.

Worked example: a fare of 461, shares 328 and 133, commission 500 basis points, odd yen down.
    operator A: 328 earned, 328 * 500 / 10000 = 16.4 -> 16 commission
    operator B: 133 earned, 6.65 -> 6
    refund of 200 of A's 328: 200 back, and 16 * 200 / 328 = 9.7 -> 9 of the commission back to A
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID, uuid5

from payments.accounts import (
    COMMISSION,
    CONSUMPTION_TAX,
    SETTLEMENT_CLEARING,
    UNEARNED_FARES,
    AccountId,
    operator_payable,
)
from payments.bank_files import BankAccount
from payments.errors import RefundExceedsShare
from payments.netting import Obligation
from payments.transfers import Entry, Transfer, TransferCode

PLATFORM = "platform"
"""The participant that collects fares and stands between the others."""

BASIS_POINTS = 10_000

BATCH_CODES = frozenset({TransferCode.SETTLEMENT, TransferCode.TAX})
"""Movements that a batch itself makes; they are the result of a run, never its input."""


class OddYen(StrEnum):
    """How the part of a yen falls when a commission is calculated."""

    DOWN = "down"
    UP = "up"
    HALF_UP = "half_up"


class PaidBy(StrEnum):
    """How a participant wants to be paid: by a bank file, or through the payment provider (Connect)."""

    BANK = "bank"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What the platform and a participant agreed, in force from `valid_from` until the next one.

    `commission_bp` is in basis points of the operator's share, without tax. `registration_number` is the
    qualified invoice issuer's T and 13 digits, None for who is not registered. `consignor_code` is the
    platform's number at its bank; only the platform has one.
    """

    operator_id: str
    name: str
    commission_bp: int
    odd_yen: OddYen
    registration_number: str | None
    bank_account: BankAccount
    valid_from: datetime
    consignor_code: str | None = None
    paid_by: PaidBy = PaidBy.BANK


class RunState(StrEnum):
    """How far a settlement run is. Each state is reached once, in this order."""

    OPEN = "open"
    CUT_OFF = "cut_off"
    CALCULATED = "calculated"
    STATEMENT = "statement"
    LOCKED = "locked"
    NETTED = "netted"
    INSTRUCTED = "instructed"
    CONFIRMED = "confirmed"

    @property
    def successor(self) -> "RunState":
        """The next state. CONFIRMED has none."""
        states = list(RunState)
        assert self is not RunState.CONFIRMED, "a confirmed run is over"
        return states[states.index(self) + 1]


class PaymentOutcome(StrEnum):
    """What the bank said about one payment of a run."""

    INSTRUCTED = "instructed"
    CONFIRMED = "confirmed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earning:
    """An operator's share of one fare component and the commission on it, decided once."""

    order_id: UUID
    component_index: int
    operator_id: str
    share_minor: int
    commission_minor: int
    earned_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """A part of an earning that goes back, with its part of the commission, decided once."""

    refund_id: UUID
    order_id: UUID
    component_index: int
    operator_id: str
    share_minor: int
    commission_minor: int
    reversed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TravelEarning:
    """An operator's part of a service day's travel charged afterwards, decided once.

    Both amounts are negative where the part was earned before and goes back.
    """

    earning_id: UUID
    operator_id: str
    service_date: date
    share_minor: int
    commission_minor: int
    earned_at: datetime


def calculate_commission(share_minor: int, *, commission_bp: int, odd_yen: OddYen) -> int:
    """The commission on a share. Requires share_minor >= 0 and 0 <= commission_bp <= 10000."""
    assert share_minor >= 0, "a share is never negative"
    assert 0 <= commission_bp <= BASIS_POINTS, "a commission is at most the whole"
    extra = {OddYen.DOWN: 0, OddYen.HALF_UP: BASIS_POINTS // 2, OddYen.UP: BASIS_POINTS - 1}[odd_yen]
    return (share_minor * commission_bp + extra) // BASIS_POINTS


def build_earning(
    *,
    order_id: UUID,
    component_index: int,
    operator_id: str,
    share_minor: int,
    agreement: Agreement | None,
    earned_at: datetime,
) -> Earning:
    """What a share earns its operator. Without an agreement nothing is kept back."""
    commission = 0
    if agreement is not None:
        commission = calculate_commission(
            share_minor, commission_bp=agreement.commission_bp, odd_yen=agreement.odd_yen
        )
    return Earning(
        order_id=order_id,
        component_index=component_index,
        operator_id=operator_id,
        share_minor=share_minor,
        commission_minor=commission,
        earned_at=earned_at,
    )


def build_reversal(
    earning: Earning,
    *,
    refund_id: UUID,
    share_minor: int,
    reversed_before: Iterable[Reversal],
    reversed_at: datetime,
) -> Reversal:
    """Take `share_minor` of an earning back. Raises RefundExceedsShare.

    The commission goes back in proportion to all that was given back so far, so that parts, in any
    order, end at the whole.
    """
    before = list(reversed_before)
    total = share_minor + sum(each.share_minor for each in before)
    if total > earning.share_minor:
        raise RefundExceedsShare(
            f"{earning.operator_id} earned {earning.share_minor} on component {earning.component_index} "
            f"of order {earning.order_id}; {total} would be taken back"
        )
    due = earning.commission_minor * total // earning.share_minor
    return Reversal(
        refund_id=refund_id,
        order_id=earning.order_id,
        component_index=earning.component_index,
        operator_id=earning.operator_id,
        share_minor=share_minor,
        commission_minor=due - sum(each.commission_minor for each in before),
        reversed_at=reversed_at,
    )


def list_earning_transfers(earnings: Sequence[Earning], *, attempt: int) -> list[Transfer]:
    """The transfers of a rated ride as one chain. The same earnings and attempt give the same ids."""
    found = []
    for each in earnings:
        name = f"{each.component_index}/{each.operator_id}"
        payable = operator_payable(each.operator_id)
        stem = _stem(each.order_id, each.earned_at)
        found += [
            replace(
                stem,
                transfer_id=uuid5(each.order_id, f"{name}/ride/{attempt}"),
                debit=UNEARNED_FARES,
                credit=payable,
                amount_minor=each.share_minor,
                code=TransferCode.RIDE,
            ),
            replace(
                stem,
                transfer_id=uuid5(each.order_id, f"{name}/commission/{attempt}"),
                debit=payable,
                credit=COMMISSION,
                amount_minor=each.commission_minor,
                code=TransferCode.COMMISSION,
            ),
        ]
    return link(found)


def build_travel_earning(
    *,
    earning_id: UUID,
    operator_id: str,
    service_date: date,
    share_minor: int,
    agreement: Agreement | None,
    earned_at: datetime,
) -> TravelEarning:
    """What a part earns its operator, or takes from it: the commission follows the sign of the part."""
    commission = 0
    if agreement is not None:
        commission = calculate_commission(
            abs(share_minor), commission_bp=agreement.commission_bp, odd_yen=agreement.odd_yen
        )
    return TravelEarning(
        earning_id=earning_id,
        operator_id=operator_id,
        service_date=service_date,
        share_minor=share_minor,
        commission_minor=commission if share_minor > 0 else -commission,
        earned_at=earned_at,
    )


def list_travel_transfers(earnings: Sequence[TravelEarning], *, attempt: int) -> list[Transfer]:
    """The transfers of a day's travel as one chain. The same earnings and attempt give the same ids."""
    found = []
    for each in earnings:
        kind = "ride" if each.share_minor > 0 else "refund"
        payable = operator_payable(each.operator_id)
        stem = replace(
            _stem(each.earning_id, each.earned_at), reference=f"travel:{each.service_date}/{each.earning_id}"
        )
        name = f"{each.operator_id}/{kind}/{attempt}"
        share = _either_way(stem, UNEARNED_FARES, payable, each.share_minor, name)
        commission = _either_way(stem, payable, COMMISSION, each.commission_minor, f"{name}/commission")
        code = TransferCode.RIDE if each.share_minor > 0 else TransferCode.REFUND
        found += [replace(share, code=code), replace(commission, code=TransferCode.COMMISSION)]
    return link(found)


def list_turn_transfers(
    earnings: Sequence[Earning], *, turn: int, turned_at: datetime, attempt: int
) -> list[Transfer]:
    """The transfers of a fare that was not ridden after all (odd turn), or was again (even), as one chain.

    They are the earning's own, the other way or once more; the same turn and attempt give the same ids.
    """
    assert turn > 0, "turn 0 is the earning itself"
    found = []
    for each in list_earning_transfers(earnings, attempt=attempt):
        ends = (each.credit, each.debit) if turn % 2 else (each.debit, each.credit)
        is_ride = each.code is TransferCode.RIDE
        found.append(
            replace(
                each,
                transfer_id=uuid5(each.transfer_id, f"turn/{turn}"),
                debit=ends[0],
                credit=ends[1],
                code=TransferCode.REFUND if is_ride and turn % 2 else each.code,
                effective_at=turned_at,
            )
        )
    return link(found)


def list_reversal_transfers(reversals: Sequence[Reversal], *, attempt: int) -> list[Transfer]:
    """The transfers that give shares back, linked into one chain."""
    found = []
    for each in reversals:
        name = f"{each.component_index}/{each.operator_id}"
        payable = operator_payable(each.operator_id)
        stem = _stem(each.order_id, each.reversed_at)
        found += [
            replace(
                stem,
                transfer_id=uuid5(each.refund_id, f"{name}/refund/{attempt}"),
                debit=payable,
                credit=UNEARNED_FARES,
                amount_minor=each.share_minor,
                code=TransferCode.REFUND,
            ),
            replace(
                stem,
                transfer_id=uuid5(each.refund_id, f"{name}/commission/{attempt}"),
                debit=COMMISSION,
                credit=payable,
                amount_minor=each.commission_minor,
                code=TransferCode.COMMISSION,
            ),
        ]
    return link(found)


def link(transfers: Iterable[Transfer]) -> list[Transfer]:
    """The transfers that move something, as one chain."""
    moving = [transfer for transfer in transfers if transfer.amount_minor > 0]
    return [replace(transfer, linked=index < len(moving)) for index, transfer in enumerate(moving, start=1)]


def select_for_batch(
    entries: Iterable[Entry], *, cut_off: datetime, participants: frozenset[str], taken: frozenset[UUID]
) -> list[Entry]:
    """The entries a run takes: effective before its cut-off, in no batch yet, between its participants.

    A transfer between two operators is an entry of both and is taken once; it waits while one of them has no
    agreement.
    """
    chosen = {
        entry.transfer.transfer_id: entry
        for entry in entries
        if entry.transfer.code not in BATCH_CODES
        and entry.transfer.effective_at < cut_off
        and entry.transfer.transfer_id not in taken
        and {participant_of(entry.transfer.debit), participant_of(entry.transfer.credit)} <= participants
    }
    return sorted(chosen.values(), key=lambda entry: entry.sequence)


def participant_of(account_id: AccountId) -> str:
    """Whose account it is: an operator's, or in every other case the platform's."""
    owner, _, rest = account_id.partition(":")
    operator_id, _, purpose = rest.rpartition(":")
    return operator_id if owner == "operator" and purpose == "payable" else PLATFORM


def list_obligations(transfers: Iterable[Transfer], *, tax_minor: dict[str, int]) -> list[Obligation]:
    """The debts that the entries of a run and the tax on its invoices (by operator) stand for."""
    debts = [
        Obligation(
            debtor=participant_of(transfer.debit),
            creditor=participant_of(transfer.credit),
            amount_minor=transfer.amount_minor,
        )
        for transfer in transfers
    ]
    taxes = [
        Obligation(debtor=operator_id, creditor=PLATFORM, amount_minor=amount)
        for operator_id, amount in sorted(tax_minor.items())
        if amount
    ]
    return debts + taxes


def list_batch_transfers(
    batch_id: UUID,
    *,
    tax_minor: dict[str, int],
    net_minor: dict[str, int],
    effective_at: datetime,
    attempt: int,
) -> list[Transfer]:
    """What locking a batch moves: the tax on each invoice, then each position to or from clearing."""
    stem = replace(_stem(batch_id, effective_at), reference=f"batch:{batch_id}")
    found = []
    for operator_id, amount in sorted(tax_minor.items()):
        found.append(
            _either_way(
                stem, operator_payable(operator_id), CONSUMPTION_TAX, amount, f"{operator_id}/tax/{attempt}"
            )
        )
    taxes = [replace(transfer, code=TransferCode.TAX) for transfer in found]
    nets = [
        _either_way(
            stem, operator_payable(operator_id), SETTLEMENT_CLEARING, amount, f"{operator_id}/net/{attempt}"
        )
        for operator_id, amount in sorted(net_minor.items())
    ]
    return link([*taxes, *nets])


def build_outcome_transfer(
    batch_id: UUID,
    *,
    operator_id: str,
    net_minor: int,
    outcome_account: AccountId,
    effective_at: datetime,
    attempt: int,
) -> Transfer:
    """Move a payment out of clearing: to the bank's cash when it was made, back to payable when it failed.

    A payment that came back is an adjustment, so that a later run takes it up again. Both outcomes have the
    same id, so that a payment can have only one.
    """
    failed = outcome_account == operator_payable(operator_id)
    stem = replace(_stem(batch_id, effective_at), reference=f"batch:{batch_id}")
    moved = _either_way(
        stem,
        SETTLEMENT_CLEARING,
        outcome_account,
        net_minor,
        f"{operator_id}/outcome/{attempt}",
    )
    return replace(moved, code=TransferCode.ADJUSTMENT if failed else TransferCode.PAYOUT)


def _either_way(stem: Transfer, debit: AccountId, credit: AccountId, amount: int, name: str) -> Transfer:
    """A transfer of a signed amount: a negative one goes the other way."""
    if amount < 0:
        debit, credit, amount = credit, debit, -amount
    return replace(
        stem,
        transfer_id=uuid5(stem.transfer_id, name),
        debit=debit,
        credit=credit,
        amount_minor=amount,
    )


def _stem(about: UUID, effective_at: datetime) -> Transfer:
    """The fields that all transfers about one order or batch share."""
    return Transfer(
        transfer_id=about,
        debit="",
        credit="",
        amount_minor=0,
        code=TransferCode.SETTLEMENT,
        reference=f"order:{about}",
        effective_at=effective_at,
    )
