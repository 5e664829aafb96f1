"""What every endpoint of the planner does on the way from a query to an answer."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from maas.errors import OutsideFeedDates
from routing.strings import list_strings
from services.planner.network import Network
from services.platform.service import Reply

_DEFAULT_LANGUAGE = ""


def reply(message: BaseModel) -> Reply:
    """The message as JSON; members without a value are left out, as MOTIS does."""
    return Reply(body=message.model_dump_json(by_alias=True, exclude_none=True).encode())


def reply_list(messages: Sequence[BaseModel]) -> Reply:
    """The same for a list."""
    body = ",".join(message.model_dump_json(by_alias=True, exclude_none=True) for message in messages)
    return Reply(body=f"[{body}]".encode())


def local_instant(at: datetime, zone: ZoneInfo) -> datetime:
    """The instant meant: a time without an offset is local. Raises OutsideFeedDates."""
    aware = at if at.tzinfo else at.replace(tzinfo=zone)
    # Years at the ends of the calendar cannot be turned into another zone's time.
    if not 1971 <= aware.year <= 9990:  # noqa: PLR2004 - well inside what datetime can hold
        raise OutsideFeedDates(f"No timetable reaches the year {aware.year}.")
    return aware


def list_agency_names(network: Network) -> dict[str, str]:
    """Agency id -> name."""
    timetable = network.router.timetable
    return dict(zip(list_strings(timetable.agency_ids), list_strings(timetable.agency_names), strict=True))


def choose_language(asked: Sequence[str], network: Network) -> str:
    """The first of the languages asked for that the network's names have; else the feeds' own."""
    known = {language.casefold(): language for language in network.router.timetable.languages}
    for tag in asked:
        for candidate in (tag.casefold(), tag.casefold().split("-")[0]):
            if candidate in known:
                return known[candidate]
    return _DEFAULT_LANGUAGE
