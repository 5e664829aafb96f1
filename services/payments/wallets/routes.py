"""The endpoints of wallets: a traveller's own."""

from datetime import UTC, datetime
from uuid import UUID

from payments.accounts import traveller_wallet
from payments.errors import TopUpNotFound
from payments.money import yen
from payments.ports import LedgerPort
from payments.receipts import InvoiceReceipt, Issuer, ReceiptLine, build_receipt
from payments.wallets import TopUpState, TopUpVerdict
from services.payments.wallets.closing import WalletClosing
from services.payments.wallets.messages import (
    AutoTopUpTerms,
    PageQuery,
    PayoutConfirmation,
    PayoutList,
    PayoutView,
    StatementQuery,
    TopUpList,
    TopUpRequest,
    TopUpView,
    WalletEntry,
    WalletStatement,
    WalletView,
)
from services.payments.wallets.room import Wallets
from services.payments.wallets.store import TopUpRow
from services.payments.wallets.top_ups import CITY
from services.platform.auth import Role
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call, Route

TAG = "wallets"
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
_CURES = {
    TopUpVerdict.WALLET_NOT_OPEN: ("wallet_not_open", "Open the wallet again first."),
    TopUpVerdict.AMOUNT_TOO_SMALL: ("top_up_refused", "Add at least 100 yen."),
    TopUpVerdict.BALANCE_TOO_HIGH: ("top_up_refused", "A wallet holds at most 100,000 yen; add less."),
}


class WalletEndpoints:
    """HTTP in front of the wallets."""

    def __init__(self, context: ServiceContext, wallets: Wallets, closing: WalletClosing) -> None:
        self._context = context
        self._wallets = wallets
        self._closing = closing

    async def open_wallet(self, call: Call) -> WalletView:
        """Open the caller's wallet; a repeat changes nothing."""
        await self._wallets.store.open_wallet(call.caller.subject, self._context.clock.now())
        return await self._view(call.caller.subject)

    async def get_wallet(self, call: Call) -> WalletView:
        """The caller's wallet."""
        return await self._view(call.caller.subject)

    async def list_entries(self, call: Call) -> WalletStatement:
        """Movements of the caller's wallet."""
        traveller_id, query = call.caller.subject, call.query
        await self._wallets.store.get_wallet(traveller_id)
        await self._wallets.books.open(traveller_wallet(traveller_id))
        entries = await self._context.ports.get(LedgerPort).list_entries(
            account_id=traveller_wallet(traveller_id),
            after_sequence=query.after,
            until=_END_OF_TIME,
            limit=query.limit,
        )
        is_full = len(entries) == query.limit
        return WalletStatement(
            entries=[WalletEntry.of(entry, traveller_id) for entry in entries],
            next_after=entries[-1].sequence if is_full else None,
        )

    async def set_auto_top_up(self, call: Call) -> WalletView:
        """Let the wallet fill itself."""
        traveller_id = call.caller.subject
        await self._wallets.store.get_wallet(traveller_id)
        if not await self._wallets.top_ups.has_card(traveller_id):
            raise Problem("saved_method_not_found", detail="Keep a card first: POST /api/payments/methods.")
        await self._wallets.store.set_auto_top_up(traveller_id, call.body.to_settings())
        return await self._view(traveller_id)

    async def stop_auto_top_up(self, call: Call) -> WalletView:
        """Let the wallet fill itself no more."""
        await self._wallets.store.set_auto_top_up(call.caller.subject, None)
        return await self._view(call.caller.subject)

    async def top_up(self, call: Call) -> TopUpView:
        """Add money from a card."""
        body: TopUpRequest = call.body
        answer = await self._wallets.top_ups.request(
            top_up_id=call.command_id,
            traveller_id=call.caller.subject,
            amount=yen(body.amount),
            payment_method=body.payment_method,
        )
        if not isinstance(answer, TopUpRow):
            code, cure = _CURES[answer]
            raise Problem(code, detail=cure)
        return TopUpView.of(answer)

    async def get_top_up(self, call: Call) -> TopUpView:
        """A top-up of the caller's, brought to where it is now: after acting, ask here."""
        row = await self._wallets.store.get_top_up(call.path["top_up_id"])
        if row.traveller_id != call.caller.subject:
            raise TopUpNotFound("No top-up of yours has this id. List your top-ups to find it.")
        return TopUpView.of(await self._wallets.top_ups.drive(row.top_up_id))

    async def get_receipt(self, call: Call) -> InvoiceReceipt:
        """The receipt of a top-up that was paid. Stored value is no supply: the rides bought with it are."""
        row = await self._wallets.store.get_top_up(call.path["top_up_id"])
        if row.traveller_id != call.caller.subject or row.state is not TopUpState.PAID:
            raise TopUpNotFound("No paid top-up of yours has this id. List your top-ups to find it.")
        settings = self._context.settings
        return build_receipt(
            issuer=Issuer(
                name=settings.issuer_name, registration_number=settings.issuer_registration_number or None
            ),
            recipient=row.traveller_id,
            issued_on=self._context.clock.now().astimezone(CITY).date(),
            lines=[
                ReceiptLine(
                    description="チャージ / stored value",
                    supplied_on=row.requested_at.astimezone(CITY).date(),
                    amount_minor=row.amount.amount_minor,
                    rate_percent=None,
                )
            ],
        )

    async def list_top_ups(self, call: Call) -> TopUpList:
        """The caller's top-ups."""
        rows = await self._wallets.store.list_top_ups(call.caller.subject, limit=call.query.limit)
        return TopUpList(top_ups=[TopUpView.of(row) for row in rows])

    async def close_wallet(self, call: Call) -> WalletView:
        """Close the caller's wallet and pay out the rest; a repeat shows how far it is."""
        if await self._closing.begin(call.caller.subject) is None:
            raise Problem("wallet_in_use", detail="Pay what you owe and let open orders end, then close it.")
        return await self._view(call.caller.subject)

    async def list_payouts(self, call: Call) -> PayoutList:
        """What is left of closed wallets and waits for a clerk."""
        _check_platform(call)
        rows = await self._closing.list_payouts()
        return PayoutList(payouts=[PayoutView.of(row) for row in rows])

    async def confirm_payout(self, call: Call) -> PayoutView:
        """A clerk has paid it out."""
        _check_platform(call)
        row = await self._closing.confirm(
            call.path["payout_id"], counter_id=call.body.counter_id, by=call.caller.subject
        )
        return PayoutView.of(row)

    async def _view(self, traveller_id: str) -> WalletView:
        row = await self._wallets.store.get_wallet(traveller_id)
        balance = await self._wallets.books.get_sums(traveller_wallet(traveller_id))
        standing = await self._wallets.store.find_standing(traveller_id)
        return WalletView(
            state=row.state,
            balance=yen(balance.net_credit - balance.debits_pending),
            held=yen(balance.debits_pending),
            owed=yen(standing.owed_minor),
            is_denied=standing.is_denied,
            auto_top_up=AutoTopUpTerms.of(row.auto) if row.auto else None,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
        )


def _check_platform(call: Call) -> None:
    """What travellers are owed is no operator's business."""
    if call.caller.role is Role.CLERK and call.caller.operator_id is not None:
        raise Problem("forbidden", detail="Payouts are looked after by the platform's own clerks.")


def build_routes(endpoints: WalletEndpoints) -> list[Route]:
    """The endpoints of wallets."""
    return [*_wallet_routes(endpoints), *_top_up_routes(endpoints), *_closing_routes(endpoints)]


def _wallet_routes(endpoints: WalletEndpoints) -> list[Route]:
    return [
        Route(
            method="PUT",
            path="/api/wallet",
            operation="openWallet",
            handler=endpoints.open_wallet,
            summary="Open your wallet",
            tag=TAG,
            response=WalletView,
        ),
        Route(
            method="GET",
            path="/api/wallet",
            operation="getWallet",
            handler=endpoints.get_wallet,
            summary="Your wallet: balance, what is held, what you owe",
            tag=TAG,
            response=WalletView,
            problems=("wallet_not_found",),
        ),
        Route(
            method="GET",
            path="/api/wallet/entries",
            operation="listWalletEntries",
            handler=endpoints.list_entries,
            summary="Movements of your wallet",
            tag=TAG,
            query=StatementQuery,
            response=WalletStatement,
            problems=("wallet_not_found",),
        ),
        Route(
            method="PUT",
            path="/api/wallet/auto-top-up",
            operation="setAutoTopUp",
            handler=endpoints.set_auto_top_up,
            summary="Let your wallet fill itself: threshold, amount, ceiling a day",
            tag=TAG,
            body=AutoTopUpTerms,
            response=WalletView,
            problems=("wallet_not_found", "saved_method_not_found"),
        ),
        Route(
            method="DELETE",
            path="/api/wallet/auto-top-up",
            operation="stopAutoTopUp",
            handler=endpoints.stop_auto_top_up,
            summary="Let your wallet fill itself no more",
            tag=TAG,
            response=WalletView,
            problems=("wallet_not_found",),
        ),
    ]


def _top_up_routes(endpoints: WalletEndpoints) -> list[Route]:
    return [
        Route(
            method="POST",
            path="/api/wallet/top-ups",
            operation="topUpWallet",
            handler=endpoints.top_up,
            summary="Add money to your wallet from a card",
            tag=TAG,
            body=TopUpRequest,
            response=TopUpView,
            status=201,
            idempotent=True,
            problems=("wallet_not_found", "wallet_not_open", "top_up_refused", "provider_unavailable"),
        ),
        Route(
            method="GET",
            path="/api/wallet/top-ups",
            operation="listTopUps",
            handler=endpoints.list_top_ups,
            summary="Your top-ups, newest first",
            tag=TAG,
            query=PageQuery,
            response=TopUpList,
        ),
        Route(
            method="GET",
            path="/api/wallet/top-ups/{top_up_id}",
            operation="getTopUp",
            handler=endpoints.get_top_up,
            summary="A top-up of yours, looked at anew",
            tag=TAG,
            path_types={"top_up_id": UUID},
            response=TopUpView,
            problems=("top_up_not_found", "provider_unavailable"),
        ),
        Route(
            method="GET",
            path="/api/wallet/top-ups/{top_up_id}/receipt",
            operation="getTopUpReceipt",
            handler=endpoints.get_receipt,
            summary="The receipt of a top-up: stored value, out of the scope of tax",
            tag=TAG,
            path_types={"top_up_id": UUID},
            response=InvoiceReceipt,
            problems=("top_up_not_found",),
        ),
    ]


def _closing_routes(endpoints: WalletEndpoints) -> list[Route]:
    return [
        Route(
            method="DELETE",
            path="/api/wallet",
            operation="closeWallet",
            handler=endpoints.close_wallet,
            summary="Close your wallet; the rest goes back to your cards, or is paid out",
            tag=TAG,
            response=WalletView,
            problems=("wallet_not_found", "wallet_in_use"),
        ),
        Route(
            method="GET",
            path="/api/wallet-payouts",
            operation="listWalletPayouts",
            handler=endpoints.list_payouts,
            summary="What is left of closed wallets and must be paid out",
            tag=TAG,
            response=PayoutList,
        ),
        Route(
            method="POST",
            path="/api/wallet-payouts/{payout_id}/confirm",
            operation="confirmWalletPayout",
            handler=endpoints.confirm_payout,
            summary="Confirm that a payout was made, by bank or from a till",
            tag=TAG,
            path_types={"payout_id": UUID},
            body=PayoutConfirmation,
            response=PayoutView,
            idempotent=True,
            problems=("payout_not_found", "transfer_refused"),
        ),
    ]
