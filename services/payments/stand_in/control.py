"""What is not the provider's API: the traveller's bank page, and the knobs that make things go wrong.

GET    /                          says that this is a test double
GET    /bank/{intent}?secret=..   the bank's page: approve or refuse a payment or setup that needs the payer
POST   /bank/{intent}             its answer: form fields `secret` and `outcome` (approve or refuse)
POST   /_control/faults           {"kind": "error_after", "count": 2, "path": "/v1/refunds", "delay_s": 1}
DELETE /_control/faults           everything works again
POST   /_control/webhooks         {"duplicate_count": 3, "delay_s": 0.5, "reorder": true}
POST   /_control/expire/{intent}  a hold expires as if days had passed
POST   /_control/refunds/{id}     {"status": "failed"}: a refund is taken, or comes back
POST   /_control/disputes         {"charge": "ch_..", "reason": "fraudulent"}: the card's owner objects
POST   /_control/disputes/{id}    {"status": "won"}: the bank decides (won or lost)
POST   /_control/available        days pass: what is pending may be paid out
POST   /_control/payouts          the automatic payout of all that is available
POST   /_control/payouts/{id}     {"status": "paid"}: paid, failed, or reconciled (the items are listed)
GET    /onboarding/{account}      an operator's account: say that everything was answered
POST   /onboarding/{account}      it was
GET    /_control/state            faults left, deliveries by state
"""

from collections.abc import Callable
from dataclasses import asdict
from html import escape
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.payments.stand_in import balance, connect, disputes, intents, payouts, refunds, setups
from services.payments.stand_in.book import Book
from services.payments.stand_in.desk import Desk, WebhookWishes
from services.payments.stand_in.errors import ApiError, JsonObject
from services.payments.stand_in.faults import Fault, FaultKind
from services.payments.stand_in.server import STAND_IN, StandIn, add_api, answer_late_ones
from services.payments.stand_in.webhooks import Deliverer
from services.platform.clock import Clock

NOTICE = "A test double of a payment provider. No card is charged and no money moves here."
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Test bank</title>
<h1>Test bank</h1><p>{notice}</p><p>{what} {intent}</p>
<form method="post"><input type="hidden" name="secret" value="{secret}">
<button name="outcome" value="approve">Approve</button>
<button name="outcome" value="refuse">Refuse</button></form></html>"""
_ONBOARDING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Test onboarding</title>
<h1>Test onboarding</h1><p>{notice}</p><p>Account {account}</p>
<form method="post"><button>Everything was answered</button></form></html>"""
_DONE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Test bank</title>
<h1>Test bank</h1><p>{notice}</p><p>The payment is now: {status}</p></html>"""


class FaultWish(BaseModel):
    """The body of POST /_control/faults."""

    model_config = ConfigDict(extra="forbid")
    kind: FaultKind
    count: int = Field(default=1, ge=1, le=1_000_000)
    method: str = ""
    path: str = "/v1/"
    ending: str = ""
    delay_s: float = Field(default=30.0, ge=0, le=3600)


class WebhookWish(BaseModel):
    """The body of POST /_control/webhooks."""

    model_config = ConfigDict(extra="forbid")
    duplicate_count: int = Field(default=0, ge=0, le=1_000_000)
    delay_s: float = Field(default=0.0, ge=0, le=3600)
    reorder: bool = False


class DisputeWish(BaseModel):
    """The body of POST /_control/disputes."""

    model_config = ConfigDict(extra="forbid")
    charge: str
    reason: str = "fraudulent"


class StatusWish(BaseModel):
    """The body of POST /_control/refunds/{id}, and of those for disputes and payouts."""

    model_config = ConfigDict(extra="forbid")
    status: str


def build_app(*, book: Book, clock: Clock, base_url: str, api_key: str | None = None) -> web.Application:
    """The whole stand-in as an aiohttp application."""
    app = web.Application(middlewares=[_tell_errors])
    deliverer = Deliverer(book, clock)
    app[STAND_IN] = StandIn(book=book, clock=clock, deliverer=deliverer, base_url=base_url, api_key=api_key)
    app.router.add_get("/", _welcome)
    app.router.add_get("/bank/{intent_id}", _bank_page)
    app.router.add_post("/bank/{intent_id}", _bank_answer)
    app.router.add_post("/_control/faults", _add_fault)
    app.router.add_delete("/_control/faults", _clear_faults)
    app.router.add_post("/_control/late", _let_late_effects_come)
    app.router.add_post("/_control/webhooks", _wish_webhooks)
    app.router.add_post("/_control/expire/{intent_id}", _expire)
    app.router.add_post("/_control/refunds/{refund_id}", _conclude_refund)
    app.router.add_post("/_control/disputes", _open_dispute)
    app.router.add_post("/_control/disputes/{dispute_id}", _conclude_dispute)
    app.router.add_post("/_control/available", _make_available)
    app.router.add_post("/_control/payouts", _pay_out)
    app.router.add_post("/_control/payouts/{payout_id}", _conclude_payout)
    app.router.add_get("/onboarding/{account_id}", _onboarding_page)
    app.router.add_post("/onboarding/{account_id}", _onboard)
    app.router.add_get("/_control/state", _state)
    add_api(app)
    return app


@web.middleware
async def _tell_errors(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except ApiError as error:
        return web.json_response(error.body, status=error.status)
    except ValidationError as error:
        return web.json_response({"error": {"message": str(error)}}, status=422)
    return response


async def _welcome(_request: web.Request) -> web.Response:
    return web.json_response({"service": "payment provider stand-in", "test_double": True, "notice": NOTICE})


async def _bank_page(request: web.Request) -> web.Response:
    secret = request.query.get("secret", "")
    intent = _intent(request)
    what = f"¥{intent['amount']} for" if "amount" in intent else "keep this card for later:"
    page = _PAGE.format(notice=NOTICE, what=what, intent=escape(intent["id"]), secret=escape(secret))
    return web.Response(text=page, content_type="text/html")


async def _bank_answer(request: web.Request) -> web.StreamResponse:
    fields = await request.post()
    stand_in = request.app[STAND_IN]
    intent_id = request.match_info["intent_id"]
    before = _intent(request)
    intent = _authenticate(
        stand_in, intent_id, str(fields.get("secret", "")), approved=fields.get("outcome") == "approve"
    )
    redirect = (before["next_action"] or {}).get("redirect_to_url", {}).get("return_url")
    if redirect:
        raise web.HTTPSeeOther(f"{redirect}{'&' if '?' in redirect else '?'}{before['object']}={intent_id}")
    page = _DONE.format(notice=NOTICE, status=escape(intent["status"]))
    return web.Response(text=page, content_type="text/html")


def _intent(request: web.Request) -> JsonObject:
    intent_id = request.match_info["intent_id"]
    kind = "setup_intent" if intent_id.startswith("seti_") else "payment_intent"
    return request.app[STAND_IN].book.get(kind, intent_id)


def _authenticate(stand_in: StandIn, intent_id: str, secret: str, *, approved: bool) -> JsonObject:
    with stand_in.book.transaction():
        answer = setups.authenticate if intent_id.startswith("seti_") else intents.authenticate
        intent = answer(stand_in.desk(), intent_id, secret, approved=approved)
    stand_in.deliverer.wake()
    return intent


async def _add_fault(request: web.Request) -> web.Response:
    wish = FaultWish.model_validate_json(await request.read())
    request.app[STAND_IN].faults.add(Fault(**wish.model_dump()))
    return web.json_response({"faults": len(request.app[STAND_IN].faults.list_all())})


async def _clear_faults(request: web.Request) -> web.Response:
    request.app[STAND_IN].faults.clear()
    return web.json_response({"faults": 0})


async def _let_late_effects_come(request: web.Request) -> web.Response:
    return web.json_response({"came": answer_late_ones(request.app[STAND_IN])})


async def _wish_webhooks(request: web.Request) -> web.Response:
    wish = WebhookWish.model_validate_json(await request.read())
    # The desk of a running request holds the same object, so its fields are set, not the object replaced.
    wishes: WebhookWishes = request.app[STAND_IN].wishes
    wishes.duplicate_count, wishes.delay_s, wishes.reorder = wish.duplicate_count, wish.delay_s, wish.reorder
    return web.json_response(asdict(wishes))


def _act(request: web.Request, act: Callable[[Desk], JsonObject | None]) -> web.Response:
    """Do it in a transaction, and send what is to be told of it."""
    stand_in = request.app[STAND_IN]
    with stand_in.book.transaction():
        item = act(stand_in.desk())
    stand_in.deliverer.wake()
    return web.json_response(item)


async def _expire(request: web.Request) -> web.Response:
    return _act(request, lambda desk: intents.expire(desk, request.match_info["intent_id"]))


async def _conclude_refund(request: web.Request) -> web.Response:
    wish = StatusWish.model_validate_json(await request.read())
    return _act(request, lambda desk: refunds.conclude(desk, request.match_info["refund_id"], wish.status))


async def _open_dispute(request: web.Request) -> web.Response:
    wish = DisputeWish.model_validate_json(await request.read())
    return _act(request, lambda desk: disputes.open_dispute(desk, wish.charge, wish.reason))


async def _conclude_dispute(request: web.Request) -> web.Response:
    wish = StatusWish.model_validate_json(await request.read())
    return _act(request, lambda desk: disputes.conclude(desk, request.match_info["dispute_id"], wish.status))


async def _make_available(request: web.Request) -> web.Response:
    return _act(request, lambda desk: {"movements": balance.make_available(desk.book)})


async def _pay_out(request: web.Request) -> web.Response:
    return _act(request, payouts.pay_out)


async def _conclude_payout(request: web.Request) -> web.Response:
    wish = StatusWish.model_validate_json(await request.read())
    payout_id = request.match_info["payout_id"]
    if wish.status == "reconciled":
        return _act(request, lambda desk: payouts.complete_reconciliation(desk, payout_id))
    return _act(request, lambda desk: payouts.conclude(desk, payout_id, wish.status))


async def _onboarding_page(request: web.Request) -> web.Response:
    account = request.app[STAND_IN].book.get("account", request.match_info["account_id"])
    page = _ONBOARDING.format(notice=NOTICE, account=escape(account["id"]))
    return web.Response(text=page, content_type="text/html")


async def _onboard(request: web.Request) -> web.StreamResponse:
    _act(request, lambda desk: connect.onboard(desk, request.match_info["account_id"]))
    return_url = request.query.get("return_url")
    if return_url:
        raise web.HTTPSeeOther(return_url)
    return web.Response(text=NOTICE)


async def _state(request: web.Request) -> web.Response:
    stand_in = request.app[STAND_IN]
    faults = [asdict(fault) for fault in stand_in.faults.list_all()]
    return web.json_response({"faults": faults, "deliveries": stand_in.book.count_deliveries()})
