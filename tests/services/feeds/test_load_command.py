"""`maas load` against a running feeds service: what it prints for good and for broken feeds."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from services.cli.errors import CommandFailed
from services.cli.load import print_report, read_admin_token, run_load
from services.feeds.service import build
from services.platform.auth import Role
from services.platform.clock import FixedClock
from tests.services.feeds.test_feeds import CITY, NOW, write_zip
from tests.support.house import running_house
from tests.support.streets import write_map


def console_of_the_test() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, width=200, highlight=False), stream


async def test_the_report_names_feeds_dates_and_notices_with_file_and_row(
    database_url: str, tmp_path: Path
) -> None:
    routes = b"route_id,agency_id,route_short_name,route_type\nOedo,Toei,O,1\nX,nobody,X,3\n"
    city = write_zip(tmp_path, "city", CITY, routes=routes)
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"no zip")
    clock = FixedClock(NOW)
    console, stream = console_of_the_test()
    async with running_house(
        database_url, {"feeds": build}, clock=clock, data_dir=tmp_path / "data"
    ) as house:
        url = str(house.client.make_url("/")).rstrip("/")
        token = house.key.token("root", Role.ADMIN)
        town = write_map(tmp_path / "town.osm")
        report = await run_load([city], tariffs=None, streets=town, url=url, token=token, console=console)
        print_report(report, console)
        refused = await run_load([city, broken], tariffs=None, url=url, token=token, console=console)
        assert not refused["published"]
        print_report(refused, console)
        with pytest.raises(CommandFailed, match=r"absent\.zip"):
            await run_load([tmp_path / "absent.zip"], tariffs=None, url=url, token=token, console=console)
    printed = stream.getvalue()
    assert "2026-01-01" in printed
    assert "routes.txt:3 agency_id `nobody` is not in agency.txt" in printed
    assert "In force" in printed
    assert "On streets: 6 stretches between 8 crossings." in printed
    assert "broken (unusable)" in printed
    assert "error broken: zip_unreadable" in printed


async def test_without_a_house_the_cure_is_told(tmp_path: Path) -> None:
    console, _ = console_of_the_test()
    with pytest.raises(CommandFailed, match="maas up"):
        await run_load(
            [tmp_path], tariffs=None, url="http://127.0.0.1:1", token=str(tmp_path), console=console
        )
    with pytest.raises(CommandFailed, match="maas up"):
        read_admin_token(tmp_path)
