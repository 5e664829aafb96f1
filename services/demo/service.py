"""What only the demonstration has: a clock that can be moved forward, and its own bike share feed."""

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.demo.city.gbfs import gbfs_routes
from services.platform.clock import SimulatedClock
from services.platform.context import ServiceContext
from services.platform.service import Call, Route, Service


class ClockView(BaseModel):
    """The city's time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    now: datetime


class ClockAdvance(BaseModel):
    """Move the city's time forward to this instant; an instant that is past changes nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: AwareDatetime


def build(context: ServiceContext) -> Service:
    """The demonstration's own endpoints."""
    clock = context.clock
    assert isinstance(clock, SimulatedClock), "the demonstration runs on a clock that can be moved"

    async def get_clock(_call: Call) -> ClockView:
        return ClockView(now=clock.now())

    async def advance_clock(call: Call) -> ClockView:
        return ClockView(now=clock.advance_to(call.body.to))

    return Service(
        name="demo",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=[
            Route(
                method="GET",
                path="/api/demo/clock",
                operation="getDemoClock",
                handler=get_clock,
                summary="The demonstration city's time",
                tag="demo",
                response=ClockView,
            ),
            Route(
                method="POST",
                path="/api/demo/clock",
                operation="advanceDemoClock",
                handler=advance_clock,
                summary="Move the city's time forward",
                tag="demo",
                body=ClockAdvance,
                response=ClockView,
            ),
            *gbfs_routes(context),
        ],
    )
