"""Strategies: batches of transfers that meet one another often, on a handful of accounts."""

from uuid import UUID

from hypothesis import strategies as st

from payments.accounts import Account, Bound
from payments.literal import START, name_id
from payments.transfers import Transfer, TransferCode, TransferKind

ACCOUNTS = (
    Account(account_id="bank"),
    Account(account_id="operator"),
    Account(account_id="rider", bound=Bound.DEBITS_MUST_NOT_EXCEED_CREDITS),
    Account(account_id="fares", bound=Bound.DEBITS_MUST_NOT_EXCEED_CREDITS),
    Account(account_id="till", bound=Bound.CREDITS_MUST_NOT_EXCEED_DEBITS),
    Account(account_id="dollars", currency="USD"),
)

_ids = st.integers(0, 30).map(lambda number: name_id(f"t{number}"))
# Mostly good names, so that a run gets past the first checks; now and then one that does not exist.
_names = st.sampled_from(["bank", "operator", "rider", "fares", "till"] * 4 + ["dollars", "nobody"])
_kinds = st.sampled_from(
    [TransferKind.POSTED] * 3
    + [TransferKind.PENDING] * 3
    + [TransferKind.POST_PENDING] * 2
    + [TransferKind.VOID_PENDING]
)


@st.composite
def transfers(draw: st.DrawFn, known: tuple[Transfer, ...] = ()) -> Transfer:
    """A transfer; often a resolution of, or a repeat of, one of `known`."""
    if known and draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(known))
    kind = draw(_kinds)
    holds = [each for each in known if each.kind is TransferKind.PENDING]
    debit, credit = draw(_names), draw(_names)
    pending_id: UUID | None = None
    amount = draw(st.sampled_from([1, 5, 10, 100, 100, 250, 0, -3]))
    if kind in (TransferKind.POST_PENDING, TransferKind.VOID_PENDING):
        if holds and draw(st.integers(0, 4)):
            hold = draw(st.sampled_from(holds))
            debit, credit, pending_id = hold.debit, hold.credit, hold.transfer_id
            amount = draw(st.sampled_from([hold.amount_minor, 1, hold.amount_minor + 1]))
        else:
            pending_id = draw(st.none() | _ids)
    elif draw(st.integers(0, 15)) == 0:
        pending_id = draw(_ids)
    timed = kind is TransferKind.PENDING or draw(st.integers(0, 15)) == 0
    return Transfer(
        transfer_id=draw(_ids),
        debit=debit,
        credit=credit,
        amount_minor=amount,
        code=TransferCode.PAYMENT,
        reference="test",
        effective_at=START,
        kind=kind,
        pending_id=pending_id,
        linked=draw(st.integers(0, 3)) == 0,
        timeout_s=draw(st.none() | st.integers(1, 20)) if timed else None,
        currency="USD" if draw(st.integers(0, 30)) == 0 else "JPY",
    )


@st.composite
def histories(draw: st.DrawFn, batches_max: int = 8, batch_max: int = 5) -> list[tuple[int, list[Transfer]]]:
    """Batches with the seconds that pass before each."""
    known: list[Transfer] = []
    history = []
    for _ in range(draw(st.integers(1, batches_max))):
        batch: list[Transfer] = []
        for _ in range(draw(st.integers(1, batch_max))):
            one = draw(transfers(tuple(known)))
            batch.append(one)
            known.append(one)
        history.append((draw(st.integers(0, 12)), batch))
    return history
