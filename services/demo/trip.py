"""The trip: all the way through, by the public API only, as a client would.

One traveller plans an evening from 都庁前 to 大島 元町, pays once, rides subway, night ship and bus; the
operators are settled. A second traveller's ship is cancelled: told, refunded, and the next settlement shows
it.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
from rich.console import Console

from maas.tap_signatures import sign_batch
from services.demo.city.holidays import is_rest_day
from services.demo.client import CallFailed, Client
from services.demo.phone import Phone
from services.demo.seed import TOKAI_KISEN, TOKYO, Keyring, device_id_of, keyring_of, read_admin_token
from services.demo.telling import (
    local,
    tell_itineraries,
    tell_ledger,
    tell_offer,
    tell_order,
    tell_settlement,
    tell_ticket,
)

ORIGIN, DESTINATION = "都庁前", "大島 元町"
EVENING = time(20, 30)
_WAIT_S_MAX = 30.0
_STEP_S = 0.1


def evening_departure(now: str) -> str:
    """20:30 in Tokyo of the next weekday evening that is still more than ten minutes away, ISO 8601."""
    instant = datetime.fromisoformat(now).astimezone(TOKYO)
    day = instant.date()
    while is_rest_day(day) or datetime.combine(day, EVENING, TOKYO) < instant + timedelta(minutes=10):
        day += timedelta(days=1)
    return datetime.combine(day, EVENING, TOKYO).isoformat()


@dataclass(frozen=True, slots=True)
class Traveller:
    """Somebody who can sign in again whenever the city's clock has outlived a token."""

    nobody: Client
    email: str
    password: str

    async def client(self) -> Client:
        """Signed in, freshly."""
        return await self.nobody.sign_in(email=self.email, password=self.password)


@dataclass(slots=True)
class Story:
    """What the steps of the trip share."""

    console: Console
    nobody: Client
    keyring: Keyring
    folder: Path
    step_number: int = 0

    def chapter(self, title: str) -> None:
        """Begin a step."""
        self.step_number += 1
        self.console.print()
        self.console.rule(f"[bold]{self.step_number}. {title}[/bold]", align="left", style="dim")

    async def new_traveller(self, name: str) -> Traveller:
        """Register somebody."""
        email, password = f"{uuid4().hex[:12]}@example.org", uuid4().hex
        await self.nobody.post(
            "/api/identity/travellers", {"email": email, "password": password, "name": name, "locale": "ja"}
        )
        return Traveller(self.nobody, email, password)

    def admin(self) -> Client:
        """The administrator of the house."""
        return self.nobody.with_token(read_admin_token(self.folder))

    async def device(self, operator_id: str) -> Client:
        """A gate or scanner of an operator, signed in."""
        return await self.nobody.sign_in(**self.keyring.load()[f"device:{operator_id}"])

    async def clerk(self) -> Client:
        """The ship operator's clerk, signed in."""
        return await self.nobody.sign_in(**self.keyring.load()["clerk"])

    async def now(self) -> datetime:
        """The city's time."""
        return datetime.fromisoformat((await self.nobody.get("/api/demo/clock"))["now"])

    async def advance(self, to: datetime) -> None:
        """Let the city's time pass."""
        now = await self.admin().post("/api/demo/clock", {"to": to.isoformat()})
        self.console.print(f"[dim]The city's clock: {local(now['now'])}[/dim]")


@dataclass(frozen=True, slots=True)
class Showing:
    """What the gates get to see: the telephone's screen, and somebody's old screenshot of it."""

    phone: Phone
    ticket: Any
    screenshot: str

    async def now(self, story: Story) -> str:
        """The screen at the city's time."""
        return self.phone.screen(self.ticket, await story.now())


async def play_trip(url: str, data_dir: Path, console: Console) -> None:
    """Play it against the house at `url` and print each step. Raises CallFailed when a step is refused."""
    async with aiohttp.ClientSession() as session:
        nobody = Client(session, url)
        story = Story(console, nobody, keyring_of(data_dir), data_dir)
        feeds = (await nobody.get("/api/feeds"))["feeds"]
        if "demo" not in [feed["feed_id"] for feed in feeds]:
            names = ", ".join(feed["feed_id"] for feed in feeds)
            console.print(f"The network in force is {names}, not the demonstration city: no trip is played.")
            return
        await _first_traveller(story)
        await _second_traveller(story)


async def _first_traveller(story: Story) -> None:
    traveller, order = await _buy(story, name="山田 花子", tell=True)
    tickets = await _wait_for_tickets(story, traveller, order)
    story.chapter("A ticket: one signed code for the whole way")
    phone = await _put_on_phone(traveller, tickets)
    screenshot = phone.screen(tickets[0], await story.now())
    tell_ticket(story.console, tickets[0], screenshot, story.folder)
    story.chapter("Riding: gates, the pier, the bus")
    earned_before = await _earned_minor(story)
    await _ride(story, traveller, order, Showing(phone, tickets[0], screenshot))
    story.chapter("Settlement: what each operator is owed, and why")
    await _wait_until_earned(story, earned_before + order["total"]["amount_minor"])
    run = await story.admin().post("/api/settlement/runs", {})
    tell_settlement(story.console, run)
    await _tell_ledger(story)


async def _second_traveller(story: Story) -> None:
    story.chapter("A second traveller's ship is cancelled")
    traveller, order = await _buy(story, name="佐藤 健", tell=False)
    await _wait_for_tickets(story, traveller, order)
    ship = next(leg for leg in order["journey"]["legs"] if leg["mode"] == "ferry")
    await story.advance(datetime.fromisoformat(ship["departs_at"]) - timedelta(hours=5))
    clerk = await story.clerk()
    await clerk.post(
        "/api/sailings/cancellations",
        {"trip_id": ship["trip_id"], "service_date": ship["service_date"], "reason": "高波のため"},
    )
    story.console.print(f"東海汽船 cancels {ship['route_name']} of {ship['service_date']}: 高波のため")
    refunded = await _wait_for_refund(traveller, order)
    told = (await (await traveller.client()).get("/api/notifications"))["notifications"]
    message = next(each for each in told if each["code"] == "sailing_cancelled")
    for language in ("ja", "ja-easy", "en"):
        story.console.print(f"  [dim]{language:>8}[/dim]  {message['texts'][language]}")
    paid, back = order["total"]["amount_minor"], refunded["refunded"]["amount_minor"]
    story.console.print(f"Refunded: ¥{back:,} of ¥{paid:,}, state: {refunded['refunds'][0]['state']}")
    story.chapter("The next settlement shows it")
    run, statement = await _settle_with_note(story, clerk, order)
    tell_settlement(story.console, run)
    for note in statement["notes"]:
        story.console.print(
            f"On 東海汽船's statement: order {note['order_id']}, ¥{note['amount_minor']:,} refunded before "
            f"the ride ({note['reason']}); it was never earned, so nothing is taken back."
        )
    await _tell_ledger(story)
    # The next trip finds another evening's ship.
    await story.advance(datetime.fromisoformat(ship["departs_at"]) + timedelta(hours=1))


async def _buy(story: Story, *, name: str, tell: bool) -> tuple[Traveller, Any]:
    clock = await story.nobody.get("/api/demo/clock")
    at = datetime.fromisoformat(evening_departure(clock["now"]))
    await story.advance(at - timedelta(hours=6))
    traveller = await story.new_traveller(name)
    client = await traveller.client()
    plan = await client.get("/api/v6/plan", fromPlace=ORIGIN, toPlace=DESTINATION, time=at.isoformat())
    if tell:
        story.chapter(f"{name} asks: {ORIGIN} → {DESTINATION}, {local(at.isoformat())}")
        tell_itineraries(story.console, plan["itineraries"])
        story.chapter("One is offered at a firm price")
    offer = await client.post(
        "/api/offers", {"journey_id": plan["itineraries"][0]["journeyId"], "riders": ["adult"]}
    )
    if tell:
        tell_offer(story.console, offer)
        story.chapter("Ordered and paid by card, all or nothing")
    order = await client.post("/api/orders", {"offer_id": offer["offer_id"], "passengers": [name]})
    paid = await client.post(f"/api/orders/{order['order_id']}/payments", {"payment_method": "pm_card_visa"})
    if tell:
        payment = await client.get(f"/api/payments/{order['payment_id']}")
        tell_order(story.console, paid, payment)
    else:
        story.console.print(f"{name} pays ¥{paid['total']['amount_minor']:,}; the order is {paid['state']}.")
    return traveller, paid


async def _wait_for_tickets(story: Story, traveller: Traveller, order: Any) -> list[Any]:
    client = await traveller.client()

    async def find() -> list[Any]:
        answer = await client.get("/api/tickets", order_id=order["order_id"])
        tickets: list[Any] = answer["tickets"]
        return tickets

    with story.console.status("Waiting for the ticket"):
        tickets: list[Any] = await _until(find, "the ticket was not issued")
        return tickets


async def _wait_for_refund(traveller: Traveller, order: Any) -> Any:
    client = await traveller.client()

    async def find() -> Any:
        view = await client.get(f"/api/orders/{order['order_id']}")
        return view if view["refunds"] and view["refunds"][0]["state"] == "paid" else None

    return await _until(find, "the refund was not paid")


async def _until(find: Any, otherwise: str) -> Any:
    for _ in range(int(_WAIT_S_MAX / _STEP_S)):
        found = await find()
        if found:
            return found
        await asyncio.sleep(_STEP_S)
    raise CallFailed("timeout", f"After {_WAIT_S_MAX:.0f} s {otherwise}. The log has the cause: maas.log.")


async def _put_on_phone(traveller: Traveller, tickets: list[Any]) -> Phone:
    client, phone = await traveller.client(), Phone()
    await phone.register(client, "花子のスマホ")
    for ticket in tickets:
        await phone.take(client, ticket)
    return phone


async def _ride(story: Story, traveller: Traveller, order: Any, showing: Showing) -> None:
    for leg in order["journey"]["legs"]:
        if leg["trip_id"] is None:
            story.console.print(f"  {local(leg['departs_at'])}  on foot to {leg['destination']['name']}")
            continue
        gated = leg["mode"] in ("subway", "rail", "monorail")
        await story.advance(datetime.fromisoformat(leg["departs_at"]) - timedelta(minutes=2))
        if leg["mode"] == "ferry":
            await _tap(story, leg, "origin", "scan", showing.screenshot, who="a screenshot")
        await _tap(story, leg, "origin", "enter" if gated else "scan", await showing.now(story))
        if gated:
            await story.advance(datetime.fromisoformat(leg["arrives_at"]) + timedelta(minutes=1))
            await _tap(story, leg, "destination", "exit", await showing.now(story))
    await story.advance(datetime.fromisoformat(order["journey"]["legs"][-1]["arrives_at"]))
    expected = len(order["components"])
    client = await traveller.client()

    async def find() -> Any:
        rides = (await client.get("/api/rides"))["rides"]
        return rides if sum(1 for ride in rides if ride["rated_at"]) == expected else None

    for ride in reversed(await _until(find, "the rides were not rated")):
        story.console.print(
            f"  ridden  {ride['origin']} → {ride['destination']}  ¥{ride['amount']['amount_minor']:,}"
        )


async def _tap(story: Story, leg: Any, end: str, kind: str, payload: str, *, who: str = "") -> None:
    device = await story.device(leg["operator_id"])
    now = await story.now()
    tap = {
        # The city's clock may stand still between two people at one reader.
        "sequence": int(now.timestamp() * 1000) - bool(who),
        "tapped_at": now.isoformat(),
        "kind": kind,
        "operator_id": leg["operator_id"],
        "stop_id": leg[end]["stop_id"],
        "payload": payload,
    }
    device_id = device_id_of(leg["operator_id"])
    body = json.dumps({"device_id": device_id, "taps": [tap]}).encode()
    private_key = story.keyring.signing_key(leg["operator_id"])
    signed = sign_batch(body, device_id=device_id, private_key=private_key)
    answer = (await device.post_signed("/api/taps", body, signed))["answers"][0]
    seen = f"{answer['status']}, {who}" if who else answer["status"]
    story.console.print(f"  {local(now.isoformat())}  {kind:<5} {leg[end]['name']:<8} {seen}")


async def _earned_minor(story: Story) -> int:
    """What has left the fares not yet earned: by rides to the operators, and by refunds."""
    trial = await story.admin().get("/api/ledger/trial-balance")
    found = [each for each in trial["balances"] if each["account_id"] == "platform:unearned_fares"]
    return sum(each["debits_posted"] for each in found)


async def _wait_until_earned(story: Story, minor: int) -> None:
    """Rides reach the ledger by events; a cut-off before that would leave them to the next run."""

    async def find() -> bool:
        return await _earned_minor(story) >= minor

    await _until(find, "the rides were not earned")


async def _settle_with_note(story: Story, clerk: Client, order: Any) -> tuple[Any, Any]:
    """A run whose statement tells of the refund: that news, too, comes to the settlement by an event."""

    async def find() -> Any:
        run = await story.admin().post("/api/settlement/runs", {})
        if TOKAI_KISEN not in [each["operator_id"] for each in run["statements"]]:
            return None
        statement = await clerk.get(f"/api/settlement/runs/{run['batch_id']}/statements/{TOKAI_KISEN}")
        is_told = order["order_id"] in [note["order_id"] for note in statement["notes"]]
        return (run, statement) if is_told else None

    run, statement = await _until(find, "no statement tells of the refund")
    return run, statement


async def _tell_ledger(story: Story) -> None:
    tell_ledger(story.console, await story.admin().get("/api/ledger/trial-balance"))
