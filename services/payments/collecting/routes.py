"""The endpoints of bills and debts: a traveller's own, and the platform's clerks' over all."""

from uuid import UUID

from payments.collection import CITY, Bill
from payments.errors import BillNotFound
from payments.money import yen
from payments.receipts import InvoiceReceipt, Issuer, ReceiptLine, build_receipt
from services.payments.collecting.messages import (
    BillDetail,
    BillList,
    BillView,
    ChargeView,
    DebtList,
    DebtPaymentRequest,
    DebtPaymentView,
    DebtView,
    PageQuery,
    TryView,
    WriteOffRequest,
)
from services.payments.collecting.room import Collection
from services.platform.auth import Role
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call, Route

TAG = "bills"


class CollectionEndpoints:
    """HTTP in front of collection."""

    def __init__(self, context: ServiceContext, collection: Collection) -> None:
        self._context = context
        self._collection = collection

    async def list_bills(self, call: Call) -> BillList:
        """The caller's bills."""
        bills = await self._collection.bill_store.list_bills(call.caller.subject, limit=call.query.limit)
        return BillList(bills=[BillView.of(bill) for bill in bills])

    async def get_bill(self, call: Call) -> BillDetail:
        """One bill with its charges and tries."""
        bill = await self._own(call)
        store = self._collection.bill_store
        return BillDetail(
            bill=BillView.of(bill),
            charges=[ChargeView.of(row) for row in await store.list_charges(bill)],
            tries=[TryView.of(row) for row in await store.list_tries(bill)],
        )

    async def get_receipt(self, call: Call) -> InvoiceReceipt:
        """The receipt of a bill: each charge as it was, and the tax in their sum."""
        bill = await self._own(call)
        settings = self._context.settings
        return build_receipt(
            issuer=Issuer(
                name=settings.issuer_name, registration_number=settings.issuer_registration_number or None
            ),
            recipient=bill.customer_id,
            issued_on=self._context.clock.now().astimezone(CITY).date(),
            lines=[
                ReceiptLine(
                    description=row["reference"],
                    supplied_on=row["service_date"],
                    amount_minor=row["amount_minor"],
                    is_public_transport=True,
                )
                for row in await self._collection.bill_store.list_charges(bill)
            ],
        )

    async def pay_bill(self, call: Call) -> DebtPaymentView:
        """Pay a debt with a card in hand or the wallet."""
        bill = await self._own(call)
        body: DebtPaymentRequest = call.body
        attempt = await self._collection.bills.pay(bill.bill_id, payment_method=body.payment_method)
        if attempt.bill.outstanding_minor and attempt.next_action_url is None:
            raise Problem("payment_declined", detail="Try another card, or fill your wallet.")
        return DebtPaymentView(bill=BillView.of(attempt.bill), next_action_url=attempt.next_action_url)

    async def list_debts(self, call: Call) -> DebtList:
        """Who owes what since when."""
        _check_platform(call)
        debts = await self._collection.bill_store.list_debts(None, limit=call.query.limit)
        return DebtList(
            debts=[DebtView.of(bill) for bill in debts],
            owed=yen(sum(bill.outstanding_minor for bill in debts)),
        )

    async def write_off(self, call: Call) -> DebtView:
        """Give a debt up."""
        _check_platform(call)
        bill = await self._collection.bills.write_off(call.path["bill_id"], reason=call.body.reason)
        return DebtView.of(bill)

    async def _own(self, call: Call) -> Bill:
        row = await self._collection.bill_store.get_bill(call.path["bill_id"])
        if call.caller.role is not Role.ADMIN and row.bill.customer_id != call.caller.subject:
            raise BillNotFound("No bill of yours has this id. List your bills to find it.")
        return row.bill


def _check_platform(call: Call) -> None:
    """What travellers owe is no operator's business."""
    if call.caller.role is Role.CLERK and call.caller.operator_id is not None:
        raise Problem("forbidden", detail="Debts are looked after by the platform's own clerks.")


def build_routes(endpoints: CollectionEndpoints) -> list[Route]:
    """The endpoints of bills and debts."""
    return [*_traveller_routes(endpoints), *_clerk_routes(endpoints)]


def _traveller_routes(endpoints: CollectionEndpoints) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/bills",
            operation="listBills",
            handler=endpoints.list_bills,
            summary="Your bills for travel already made, newest first",
            tag=TAG,
            query=PageQuery,
            response=BillList,
        ),
        Route(
            method="GET",
            path="/api/bills/{bill_id}",
            operation="getBill",
            handler=endpoints.get_bill,
            summary="A bill of yours with its charges, and how it was collected",
            tag=TAG,
            path_types={"bill_id": UUID},
            response=BillDetail,
            problems=("bill_not_found",),
        ),
        Route(
            method="GET",
            path="/api/bills/{bill_id}/receipt",
            operation="getBillReceipt",
            handler=endpoints.get_receipt,
            summary="The receipt of a bill, with the particulars of a qualified invoice",
            tag=TAG,
            path_types={"bill_id": UUID},
            response=InvoiceReceipt,
            problems=("bill_not_found",),
        ),
        Route(
            method="POST",
            path="/api/bills/{bill_id}/payments",
            operation="payBill",
            handler=endpoints.pay_bill,
            summary="Pay a debt, and come off the deny list",
            tag=TAG,
            path_types={"bill_id": UUID},
            body=DebtPaymentRequest,
            response=DebtPaymentView,
            idempotent=True,
            problems=("bill_not_found", "bill_not_payable", "payment_declined", "provider_unavailable"),
        ),
    ]


def _clerk_routes(endpoints: CollectionEndpoints) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/debts",
            operation="listDebts",
            handler=endpoints.list_debts,
            summary="Who owes what for travel, since when",
            tag=TAG,
            query=PageQuery,
            response=DebtList,
        ),
        Route(
            method="POST",
            path="/api/debts/{bill_id}/write-off",
            operation="writeOffDebt",
            handler=endpoints.write_off,
            summary="Give a debt up, with the reason",
            tag=TAG,
            path_types={"bill_id": UUID},
            body=WriteOffRequest,
            response=DebtView,
            idempotent=True,
            problems=("bill_not_found", "bill_not_payable"),
        ),
    ]
