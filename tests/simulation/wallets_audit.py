"""The end of a story of wallets: charges, bills, wallets, ledger and provider agree to the yen.

Idea      Each balance of the ledger is compared with what the rows of payments, refunds, charges, tries and
          bills say must be there; these rows with the provider; and charges with what was asked for.
"""

from collections import Counter, defaultdict
from uuid import UUID

from payments.accounts import (
    BAD_DEBTS,
    CARD_CLEARING,
    CHARGEBACK_LOSSES,
    REFUNDS_DUE,
    UNEARNED_FARES,
    AccountId,
    traveller_receivable,
    traveller_wallet,
)
from payments.ports import PaymentPurpose, PaymentState
from services.payments.store import PaymentRow
from services.payments.wallets.paying import is_stored_value
from tests.simulation.payments_audit import audit_payment
from tests.simulation.payments_world import World
from tests.simulation.wallets_story import DAY_MINOR_MAX, PEOPLE

DEBTS = ("owed", "writing_off", "written_off")


async def audit(world: World) -> None:
    """All sides agree, and every promise was kept."""
    store = world.process(staged=False).store
    ids = [row["payment_id"] for row in await world.list_rows("select payment_id from payment order by 1")]
    rows = [await store.get_payment(each) for each in ids]
    for row in rows:
        if not is_stored_value(row.method):
            audit_payment(world, row.payment)
        elif row.payment.payment_id in world.voided:
            assert row.payment.state is PaymentState.VOIDED, "what was said to be voided stays so"
    await _audit_unfinished(world)
    await _audit_charges(world)
    await _audit_bills(world, rows)
    await _audit_deny_list(world)
    await _audit_mandate(world)
    await _audit_ledger(world, rows)
    await _audit_lost_top_ups(world)


async def _audit_unfinished(world: World) -> None:
    """Only what waits for a payer at the bank is under way."""
    waiting = "select payment_id from payment where state = 'requires_action'"
    for what, query in {
        "charges that the ledger does not have": "select * from charge_refused",
        "batches": "select * from charge_batch where posted_at is null",
        "tries": f"select * from collection_try where state = 'open' and try_id not in ({waiting})",  # noqa: S608
        "top-ups": f"select * from top_up where state = 'open' and payment_id not in ({waiting})",  # noqa: S608
        "holds": "select * from wallet_hold where state = 'started'",
        "refunds": "select * from refund where state = 'pending'",
        "bills": """
            select * from bill where state in ('collecting', 'writing_off', 'recovering', 'giving_back')
            and not exists (
                select 1 from collection_try t join payment p on p.payment_id = t.try_id
                where t.customer_id = bill.customer_id and t.bill_number = bill.number and t.state = 'open')
            """,
    }.items():
        left = await world.list_rows(query)
        assert left == [], f"left unfinished, {what}: {left}"


async def _audit_charges(world: World) -> None:
    """Whatever was answered is recorded, as it was asked for; each is in the ledger once."""
    rows = await world.list_rows("select charge_id, traveller_id, customer_id, amount_minor from charge")
    recorded = {row["charge_id"]: (row["traveller_id"], row["amount_minor"]) for row in rows}
    asked = {key: (each.customer_id, each.amount.amount_minor) for key, each in world.charges.items()}
    assert world.charged <= recorded.keys(), "what was answered is recorded"
    assert recorded.items() <= asked.items(), "nothing else was recorded"
    for customer_id in PEOPLE:
        account_id = traveller_receivable(customer_id)
        if account_id not in world.ledger.books.accounts:
            continue
        entries = world.ledger.books.list_entries(
            account_id, after_sequence=0, until=world.clock.now().replace(year=9000), limit=100_000
        )
        posted = Counter(
            each.transfer.reference for each in entries if each.transfer.reference.startswith("travel:")
        )
        mine = [world.charges[row["charge_id"]] for row in rows if row["customer_id"] == customer_id]
        assert posted == Counter(each.reference for each in mine), "each charge is posted once, on its payer"


async def _audit_bills(world: World, payments: list[PaymentRow]) -> None:
    """Of each bill: what was charged less what was paid is outstanding; a paid try is a captured payment."""
    left: defaultdict[tuple[str, int], int] = defaultdict(int)
    for row in await world.list_rows("select customer_id, bill_number, amount_minor from charge"):
        left[row["customer_id"], row["bill_number"]] += row["amount_minor"]
    tries = await world.list_rows("select * from collection_try where state = 'paid'")
    for row in tries:
        left[row["customer_id"], row["bill_number"]] -= row["amount_minor"]
    said: defaultdict[tuple[str, int], int] = defaultdict(int)
    for row in await world.list_rows("select customer_id, bill_number, due_minor from customer"):
        said[row["customer_id"], row["bill_number"]] = row["due_minor"]
    for row in await world.list_rows("select * from bill"):
        outstanding = row["outstanding_minor"] if row["amount_minor"] > 0 else row["amount_minor"]
        said[row["customer_id"], row["number"]] = outstanding
    assert {key: each for key, each in left.items() if each} == {k: each for k, each in said.items() if each}
    by_card = {row["try_id"]: row["amount_minor"] for row in tries if row["source"] == "card"}
    captured = {
        each.payment.payment_id: each.payment.captured.amount_minor
        for each in payments
        if each.payment.purpose is PaymentPurpose.DEBT and each.payment.state is PaymentState.CAPTURED
    }
    assert by_card == captured, "a card's try is paid when its payment is captured, and never else"


async def _audit_deny_list(world: World) -> None:
    """Whoever has a debt is denied, and nobody else; the list's last word says so."""
    debts = await world.list_rows(f"select distinct customer_id from bill where state in {DEBTS}")  # noqa: S608
    listings = await world.list_rows("select customer_id, is_denied from deny_listing order by sequence")
    last = {row["customer_id"]: row["is_denied"] for row in listings}
    assert {who for who, is_denied in last.items() if is_denied} == {row["customer_id"] for row in debts}


async def _audit_mandate(world: World) -> None:
    rows = await world.list_rows(
        "select used_on, sum(amount_minor) as used from mandate_use group by used_on"
    )
    assert all(row["used"] <= DAY_MINOR_MAX for row in rows), f"more than the mandate allows: {rows}"


async def _audit_ledger(world: World, payments: list[PaymentRow]) -> None:
    trial = world.ledger.books.get_trial_balance(now=world.clock.now())
    assert trial.is_balanced
    nets = {each.account_id: each.net_credit for each in trial.balances}
    expected = await _expect_balances(world, payments)
    there = sum(each["net"] for each in world.stand_in.book.list_all("balance_transaction"))
    expected[CARD_CLEARING] = -there
    for account_id, net in expected.items():
        assert nets.get(account_id, 0) == net, f"{account_id}: {nets.get(account_id, 0)}, not {net}"
    for person in PEOPLE:
        assert nets.get(traveller_wallet(person), 0) >= 0, "a wallet is never below 0"


async def _expect_balances(world: World, payments: list[PaymentRow]) -> dict[AccountId, int]:
    """By the rows of payments, refunds, charges, tries, bills and payouts; by credit."""
    nets: defaultdict[AccountId, int] = defaultdict(int)
    holds = await world.list_rows("select payment_id, payer_id from wallet_hold where state = 'posted'")
    payers: dict[UUID, str] = {row["payment_id"]: row["payer_id"] for row in holds}
    paid_to: dict[UUID, AccountId] = {}
    for row in payments:
        payment = row.payment
        paid_to[payment.payment_id] = {
            PaymentPurpose.ORDER: UNEARNED_FARES,
            PaymentPurpose.TOP_UP: traveller_wallet(payment.traveller_id),
            PaymentPurpose.DEBT: traveller_receivable(payment.traveller_id),
        }[payment.purpose]
        nets[paid_to[payment.payment_id]] += payment.captured.amount_minor
        if is_stored_value(row.method) and payment.captured.amount_minor:
            nets[traveller_wallet(payers[payment.payment_id])] -= payment.captured.amount_minor
    travellers = {row.payment.payment_id: row.payment.traveller_id for row in payments}
    for row in await world.list_rows(
        "select payment_id, amount_minor, into_wallet from refund where state = 'succeeded'"
    ):
        payment_id, amount = row["payment_id"], row["amount_minor"]
        nets[paid_to[payment_id]] -= amount
        if payment_id in payers:
            nets[traveller_wallet(payers[payment_id])] += amount
        elif row["into_wallet"]:
            nets[traveller_wallet(travellers[payment_id])] += amount
    for row in await world.list_rows("select customer_id, amount_minor from charge"):
        nets[traveller_receivable(row["customer_id"])] -= row["amount_minor"]
        nets[UNEARNED_FARES] += row["amount_minor"]
    for row in await world.list_rows(
        "select customer_id, amount_minor from collection_try where state = 'paid' and source = 'wallet'"
    ):
        nets[traveller_receivable(row["customer_id"])] += row["amount_minor"]
        nets[traveller_wallet(row["customer_id"])] -= row["amount_minor"]
    await _expect_bills(world, nets)
    for row in await world.list_rows("select traveller_id, amount_minor from wallet_payout"):
        nets[traveller_wallet(row["traveller_id"])] -= row["amount_minor"]
        nets[REFUNDS_DUE] += row["amount_minor"]
    for customer_id in PEOPLE:
        nets[traveller_wallet(customer_id)] -= sum(_list_taken_back(world, customer_id).values())
    nets.setdefault(REFUNDS_DUE, 0)
    return nets


def _list_taken_back(world: World, customer_id: str) -> dict[str, int]:
    """What left a wallet for lost disputes, by their references; once each."""
    account_id = traveller_wallet(customer_id)
    if account_id not in world.ledger.books.accounts:
        return {}
    entries = world.ledger.books.list_entries(
        account_id, after_sequence=0, until=world.clock.now().replace(year=9000), limit=100_000
    )
    moves = [each.transfer for each in entries if each.transfer.credit == CHARGEBACK_LOSSES]
    taken = {each.reference: each.amount_minor for each in moves}
    assert len(taken) == len(moves), "a lost top-up is taken back once"
    return taken


async def _audit_lost_top_ups(world: World) -> None:
    """Only of lost top-ups something leaves a wallet, and never more than the bank took."""
    rows = await world.list_rows(
        "select dispute_id, traveller_id, dispute.amount_minor, purpose"
        " from dispute join payment using (payment_id) where dispute.state = 'lost' and closed_at is not null"
    )
    lost = {
        (row["traveller_id"], f"dispute:{row['dispute_id']}"): row["amount_minor"]
        for row in rows
        if row["purpose"] == PaymentPurpose.TOP_UP
    }
    taken = {
        (customer_id, reference): amount
        for customer_id in PEOPLE
        for reference, amount in _list_taken_back(world, customer_id).items()
    }
    assert taken.keys() <= lost.keys()
    assert all(amount <= lost[key] for key, amount in taken.items())
    trial = world.ledger.books.get_trial_balance(now=world.clock.now())
    losses = sum(-each.net_credit for each in trial.balances if each.account_id == CHARGEBACK_LOSSES)
    assert losses == sum(row["amount_minor"] for row in rows) - sum(taken.values()), "what was lost"


async def _expect_bills(world: World, nets: dict[AccountId, int]) -> None:
    """Losses, and what was given back into wallets; what went to cards is a refund, told as such.

    A refund that failed, for its payment is disputed, waits for a clerk: meanwhile it is the customer's.
    """
    refunds = await world.list_rows(
        "select reason, amount_minor from refund"
        " where state in ('succeeded', 'failed') and reason like 'bill:%'"
    )
    to_cards = Counter[str]()
    for row in refunds:
        to_cards[row["reason"]] += row["amount_minor"]
    nets[BAD_DEBTS] = 0
    for row in await world.list_rows("select * from bill"):
        receivable = traveller_receivable(row["customer_id"])
        if row["state"] == "written_off":
            nets[receivable] += row["written_off_minor"]
            nets[BAD_DEBTS] -= row["written_off_minor"]
        if row["state"] == "given_back":
            into_wallet = -row["amount_minor"] - to_cards[f"bill:{row['bill_id']}"]
            nets[receivable] -= into_wallet
            nets[traveller_wallet(row["customer_id"])] += into_wallet
