"""Invoice businesses for what was put on their accounts, and book what they pay.

Invariant An item and a refund are on one invoice at most. An invoice is paid once: its transfer's id is its
          own.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from payments.accounts import BANK_CASH, ON_ACCOUNT
from payments.errors import BusinessNotFound, InvoiceNotFound
from payments.transfers import Transfer, TransferCode
from services.payments.books import Books
from services.payments.on_account.adapter import queries
from services.platform.context import ServiceContext


class Invoicing:
    """Businesses, their members and invoices."""

    def __init__(self, context: ServiceContext, books: Books) -> None:
        self._context = context
        self._database = context.database
        self._books = books

    async def put_business(
        self,
        business_id: str,
        *,
        name: str,
        credit_limit_minor: int,
        terms_days: int,
        members: list[str],
    ) -> None:
        """Say who the business is, how much it may owe, and who may travel on its account."""
        async with self._database.transaction() as tx:
            await tx.execute(queries["put_business"], business_id, name, credit_limit_minor, terms_days)
            await tx.execute(queries["drop_members"], business_id, members)
            for traveller_id in members:
                await tx.execute(queries["put_member"], business_id, traveller_id)

    async def issue(self, invoice_id: UUID, business_id: str) -> Any:
        """Invoice all that is on no invoice; None when that is nothing. Raises BusinessNotFound."""
        async with self._database.transaction() as tx:
            business = await tx.fetchrow(queries["lock_business"], business_id)
            if business is None:
                raise BusinessNotFound(f"No business has the id {business_id!r}.")
            known = await tx.fetchrow(queries["find_invoice"], invoice_id)
            amount_minor = await tx.fetchval(queries["sum_uninvoiced"], business_id)
            if known is not None or amount_minor <= 0:
                return known
            now = self._context.clock.now()
            due_on = (now + timedelta(days=business["terms_days"])).date()
            await tx.execute(queries["insert_invoice"], invoice_id, business_id, amount_minor, now, due_on)
            await tx.execute(queries["invoice_items"], business_id, invoice_id)
            await tx.execute(queries["invoice_refunds"], business_id, invoice_id)
            return await tx.fetchrow(queries["find_invoice"], invoice_id)

    async def note_paid(self, invoice_id: UUID) -> Any:
        """The business's bank transfer has come. Safe to repeat. Raises InvoiceNotFound, TransferRefused."""
        row = await self._database.fetchrow(queries["find_invoice"], invoice_id)
        if row is None:
            raise InvoiceNotFound(f"No invoice has the id {invoice_id}.")
        now = self._context.clock.now()
        await self._books.post(
            Transfer(
                transfer_id=uuid5(invoice_id, "paid"),
                debit=BANK_CASH,
                credit=ON_ACCOUNT,
                amount_minor=row["amount_minor"],
                code=TransferCode.PAYMENT,
                reference=f"invoice:{invoice_id}",
                effective_at=now,
            )
        )
        await self._database.execute(queries["pay_invoice"], invoice_id, now)
        return await self._database.fetchrow(queries["find_invoice"], invoice_id)

    async def list_invoices(self, business_id: str) -> list[Any]:
        """A business's newest invoices."""
        return await self._database.fetch(queries["list_invoices"], business_id)
