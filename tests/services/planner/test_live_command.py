"""`maas live`: from an operator's address into the house, whatever that address answers."""

import io
from datetime import date

from aiohttp import web
from aiohttp.test_utils import TestServer
from google.transit import gtfs_realtime_pb2 as pb
from rich.console import Console

from services.cli.live import Bridge
from services.platform.auth import Role
from tests.services.planner.conftest import EVENING, PlanningHouse


class Operator:
    """An operator's server: what it answers is what the test says."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []

    async def tell(self, _request: web.Request) -> web.Response:
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, body=body)


def late(minutes: int) -> bytes:
    made = pb.FeedMessage()
    made.header.gtfs_realtime_version = "2.0"
    made.header.timestamp = int(EVENING.timestamp())
    update = made.entity.add(id="1").trip_update
    update.trip.trip_id, update.trip.start_date = "Sarubia.A", f"{date(2026, 5, 20):%Y%m%d}"
    update.delay = minutes * 60
    return made.SerializeToString()


async def bring(planning: PlanningHouse, *answers: tuple[int, bytes]) -> str:
    """What is said while so many answers are brought."""
    operator, app = Operator(), web.Application()
    operator.answers = list(answers)
    app.router.add_get("/trips.pb", operator.tell)
    said = io.StringIO()
    async with TestServer(app) as server:
        bridge = Bridge(
            address=f"http://{server.host}:{server.port}/trips.pb",
            target=str(planning.house.client.make_url("/api/live/demo/trips")),
            token=planning.house.key.token("admin", Role.ADMIN, None),
            console=Console(file=said, width=300),
        )
        for _ in answers:
            await bridge.follow(every_s=0, once=True)
    return said.getvalue()


async def test_what_an_operator_publishes_is_in_force(planning: PlanningHouse) -> None:
    assert await bring(planning, (200, late(25))) == "In force: 1 trip updates, 0 alerts.\n"
    _, state = await planning.house.call("GET", "/api/live", role=Role.ADMIN)
    assert (state["trip_updates"], state["matched"]) == (1, 1)


async def test_what_fails_is_told_once_and_tried_again(planning: PlanningHouse) -> None:
    gone, garbage, long = (503, b""), (200, b"<html>"), (200, b"x" * 1_100_000)
    said = (await bring(planning, gone, gone, garbage, long, (200, late(5)))).splitlines()
    assert [words.split(":")[0].split(" http")[0] for words in said[1:2]] == ["The house refuses it"]
    assert "503" in said[0]
    assert "no GTFS-Realtime message" in said[1]
    assert "longer than a megabyte" in said[2]
    assert said[3] == "In force: 1 trip updates, 0 alerts."
    assert len(said) == 4, "the second 503 is no news"
