"""Keep a customer's cards: SavedMethodsPort, in this process.

Problem   Keeping a card takes three steps at the provider (customer, setup, the payer at their bank), and the
          process may die between any two.
Idea      As for payments: the wish is a row; each call's key is written down before the call; a round brings
          the row to where the provider is; the worker goes on with what was left. A lost setup costs nothing
          but a second question to the bank, so what is a day old is looked for, and else begun anew.
Not here  Charging a kept card: PaymentDriver does, told by `off_session` that the payer is not there.
"""

from dataclasses import replace
from uuid import NAMESPACE_OID, UUID, uuid5

import structlog

from payments.errors import (
    PaymentCommandDiffers,
    PaymentsError,
    ProviderRefused,
    ProviderUnavailable,
    SavedMethodNotFound,
)
from payments.ports import Payment, SavedMethod, SavedMethodState
from services.payments.calls import run_call
from services.payments.handlers import PaymentsHandlers
from services.payments.methods.provider import MethodsProvider, SetupReport, SetupState
from services.payments.methods.store import MethodRow, MethodsStore
from services.payments.store import PaymentsStore
from services.platform.context import ServiceContext
from services.platform.errors import PlatformError

log = structlog.get_logger()

_BATCH = 50
_STATES = {
    SetupState.READY: SavedMethodState.READY,
    SetupState.FAILED: SavedMethodState.FAILED,
    SetupState.REQUIRES_ACTION: SavedMethodState.REQUIRES_ACTION,
    SetupState.PROCESSING: SavedMethodState.SETTING_UP,
}


class MethodsHandlers:
    """The local adapter of SavedMethodsPort, and the worker's door to unfinished cards."""

    def __init__(
        self,
        *,
        context: ServiceContext,
        store: MethodsStore,
        calls: PaymentsStore,
        provider: MethodsProvider,
        payments: PaymentsHandlers,
    ) -> None:
        self._context = context
        self._store = store
        self._calls = calls
        self._provider = provider
        self._payments = payments

    async def save_method(self, *, method_id: UUID, customer_id: str, payment_method: str) -> SavedMethod:
        """Keep a card. Raises PaymentCommandDiffers, ProviderUnavailable (the worker goes on)."""
        await self._store.insert_customer(customer_id)
        await self._store.insert_method(method_id, customer_id, payment_method)
        row = await self._store.get_method(method_id)
        if (row.method.customer_id, row.given_method) != (customer_id, payment_method):
            raise PaymentCommandDiffers(f"Card {method_id} is of another customer or payment method.")
        return (await self._drive(row)).method

    async def list_saved_methods(self, *, customer_id: str) -> list[SavedMethod]:
        """As SavedMethodsPort."""
        return await self._store.list_methods(customer_id)

    async def find_default_method(self, *, customer_id: str) -> SavedMethod | None:
        """As SavedMethodsPort."""
        return next((each for each in await self._store.list_methods(customer_id) if each.is_default), None)

    async def get_method(self, *, method_id: UUID, customer_id: str) -> SavedMethod:
        """The card as it is now: a payer who was at their bank may be back. Raises SavedMethodNotFound."""
        row = await self._get_own(method_id, customer_id)
        return (await self._look(row)).method if row.setup_id and not _is_over(row) else row.method

    async def set_default(self, *, method_id: UUID, customer_id: str) -> SavedMethod:
        """Charge this card when nobody is asked. Raises SavedMethodNotFound unless it is READY."""
        row = await self._get_own(method_id, customer_id)
        if row.method.state is not SavedMethodState.READY or not row.is_wanted:
            raise SavedMethodNotFound(f"Card {method_id} is not ready.")
        await self._store.set_default(method_id, customer_id)
        return (await self._store.get_method(method_id)).method

    async def detach_method(self, *, method_id: UUID, customer_id: str) -> SavedMethod:
        """As SavedMethodsPort. From here on it is not listed, whenever the provider forgets it."""
        await self._store.let_go(await self._get_own(method_id, customer_id))
        return (await self._drive(await self._store.get_method(method_id))).method

    async def authorise_off_session(self, *, payment_id: UUID, method_id: UUID) -> Payment:
        """As SavedMethodsPort."""
        payment = await self._payments.get_payment(payment_id=payment_id)
        row = await self._get_own(method_id, payment.traveller_id)
        if row.method.payment_method is None or not row.is_wanted:
            raise SavedMethodNotFound(f"Card {method_id} is not ready.")
        return await self._payments.authorise_with(
            payment_id=payment_id, payment_method=row.method.payment_method, off_session=True
        )

    async def hear(self, kind: str, object_id: str) -> None:
        """The provider tells of a setup or of a card: look where it is."""
        is_setup = kind == "setup_intent"
        method_id = await self._store.find_id(
            setup_id=object_id if is_setup else None, payment_method=None if is_setup else object_id
        )
        if method_id is not None:
            await self._look(await self._store.get_method(method_id))

    async def step(self, *, at_once: bool = False) -> int:
        """Go on with what is due; returns how many cards that were."""
        ids = await self._store.claim(at_once=at_once, limit=_BATCH)
        for method_id in ids:
            row = await self._store.get_method(method_id)
            try:
                await self._store.rest(await self._look(row))
            except Exception as error:  # noqa: BLE001 - one bad row must not stop the others; the row keeps the cause
                log.warning("saved_method_recovery_failed", error=type(error).__name__, attempts=row.attempts)
                await self._store.note_failure(row, f"{type(error).__name__}: {error}")
        return len(ids)

    async def _get_own(self, method_id: UUID, customer_id: str) -> MethodRow:
        row = await self._store.get_method(method_id)
        if row.method.customer_id != customer_id:
            raise SavedMethodNotFound(f"No card of yours has the id {method_id}.")
        return row

    async def _look(self, row: MethodRow) -> MethodRow:
        if row.setup_id is not None and not _is_over(row):
            row = await self._apply(row, await self._provider.get_setup(setup_id=row.setup_id))
        return await self._drive(row)

    async def _drive(self, row: MethodRow) -> MethodRow:
        try:
            while not row.is_settled:
                row = await self._advance(row)
                if row.method.state is SavedMethodState.SETTING_UP and row.setup_id is not None:
                    return row
        except (PaymentsError, PlatformError) as error:
            await self._store.note_failure(row, f"{type(error).__name__}: {error}")
            raise
        return row

    async def _advance(self, row: MethodRow) -> MethodRow:
        if not row.is_wanted and row.method.payment_method is not None:
            return await self._detach(row, row.method.payment_method)
        if not row.is_wanted and row.setup_id is not None:
            return await self._give_up(row, row.setup_id)
        if row.setup_id is not None:
            return await self._apply(row, await self._provider.get_setup(setup_id=row.setup_id))
        return await self._apply(row, await self._set_up(row))

    async def _set_up(self, row: MethodRow) -> SetupReport:
        method = row.method
        customer = await self._get_customer(method.customer_id)
        params = {"customer": customer, "payment_method": row.given_method}
        call = await self._calls.begin_call("set_up", method.method_id, params)
        if not call.is_first:
            found = await self._provider.find_setup(customer=customer, method_id=method.method_id)
            if found is not None:
                return found
        try:
            return await run_call(
                self._calls,
                call.key,
                lambda key: self._provider.set_up(
                    key=key,
                    customer=customer,
                    method_id=method.method_id,
                    payment_method=row.given_method,
                    return_url=self._return_url(),
                ),
            )
        except ProviderRefused as refusal:
            return SetupReport(state=SetupState.FAILED, failure=str(refusal))

    async def _get_customer(self, customer_id: str) -> str:
        known = await self._store.find_customer(customer_id)
        if known is not None:
            return known
        subject = uuid5(NAMESPACE_OID, f"customer:{customer_id}")
        call = await self._calls.begin_call("customer", subject, {"customer_id": customer_id})
        made = await run_call(
            self._calls,
            call.key,
            lambda key: self._provider.create_customer(key=key, customer_id=customer_id),
        )
        return await self._store.save_customer(customer_id, made.provider_id)

    async def _give_up(self, row: MethodRow, setup_id: str) -> MethodRow:
        """The payer may still convince their bank; then the card is kept there, and detached next."""
        call = await self._calls.begin_call("cancel_setup", row.method.method_id, {"setup_id": setup_id})
        report = await run_call(
            self._calls,
            call.key,
            lambda key: self._provider.cancel_setup(key=key, setup_id=setup_id),
        )
        if report.state is SetupState.REQUIRES_ACTION:
            raise ProviderUnavailable("The payment provider has not given the setup up. Ask again.")
        return await self._apply(row, report)

    async def _detach(self, row: MethodRow, payment_method: str) -> MethodRow:
        call = await self._calls.begin_call(
            "detach", row.method.method_id, {"payment_method": payment_method}
        )
        await run_call(
            self._calls,
            call.key,
            lambda key: self._provider.detach(key=key, payment_method=payment_method),
        )
        gone = replace(row.method, state=SavedMethodState.DETACHED, is_default=False, next_action_url=None)
        return await self._save(replace(row, method=gone))

    async def _apply(self, row: MethodRow, report: SetupReport) -> MethodRow:
        method = replace(
            row.method,
            state=_STATES[report.state],
            failure=report.failure if report.state is SetupState.FAILED else None,
            next_action_url=report.next_action_url,
        )
        if report.state is SetupState.READY:
            assert report.payment_method is not None, "a setup that succeeded names its card"
            method = replace(method, payment_method=report.payment_method)
            if report.card is not None:
                method = replace(
                    method,
                    brand=report.card.brand,
                    last4=report.card.last4,
                    exp_month=report.card.exp_month,
                    exp_year=report.card.exp_year,
                )
        changed = replace(row, method=method, setup_id=report.setup_id or row.setup_id)
        return row if changed == row else await self._save(changed)

    async def _save(self, row: MethodRow) -> MethodRow:
        await self._store.save_method(row)
        return await self._store.get_method(row.method.method_id)

    def _return_url(self) -> str:
        settings = self._context.settings
        return f"http://{settings.host}:{settings.port}/"


def _is_over(row: MethodRow) -> bool:
    return row.method.state in (SavedMethodState.READY, SavedMethodState.FAILED, SavedMethodState.DETACHED)
