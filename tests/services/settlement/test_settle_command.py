"""`maas settle` and `maas check`, as an administrator types them."""

import asyncio
import io
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from services.cli.check import check
from services.cli.errors import CommandFailed
from services.cli.settle import print_settled, run_settle, settle
from services.platform.auth import Role
from tests.support.settlement_city import START, City


async def settled_text(city: City) -> str:
    token = city.house.key.token("admin", Role.ADMIN)
    settled = await run_settle(url=str(city.house.client.make_url("")), token=token, cut_off=None)
    stream = io.StringIO()
    print_settled(settled, Console(file=stream, width=120))
    return stream.getvalue()


async def test_the_run_is_shown(city: City) -> None:
    ride = city.ride({"Toei": 1000, "Yurikamome": 200})
    await city.deliver(ride)
    cancelled = city.ride({"3010401020097": 7210})
    await city.deliver(city.refund(cancelled, {"3010401020097": 7210}, was_earned=False))
    city.clock.set(START + timedelta(hours=1))
    text = await settled_text(city)
    # 1000 - 50 - 5 and 200 - 10 - 1
    for part in (
        f"order:{ride.order_id}",
        "東京都交通局",
        "tax 10 % on 50 commission (T1234567890123)",
        "refunded, not earned",
        "¥945",
        "¥189",
        "zengin, pain001",
        "instructed",
    ):
        assert part in text
    assert await settled_text(city) == text  # the same cut-off, the same batch
    city.clock.set(START + timedelta(hours=2))
    assert "Nothing is left to pay." in await settled_text(city)


async def test_a_refusal_is_told(city: City) -> None:
    url = str(city.house.client.make_url(""))
    token = city.house.key.token("admin", Role.ADMIN)
    with pytest.raises(CommandFailed, match="cut-off is in the future"):
        await run_settle(url=url, token=token, cut_off=START + timedelta(days=1))
    with pytest.raises(CommandFailed, match="token"):
        await run_settle(url=url, token=token[:-3], cut_off=None)
    with pytest.raises(CommandFailed, match="maas up"):
        await run_settle(url="http://127.0.0.1:9", token=token, cut_off=None)


@pytest.mark.parametrize("text", ["tomorrow", "2026-06-01T00:00"])
def test_a_cut_off_is_an_instant(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "admin.token").write_text("token")
    monkeypatch.setenv("MAAS_DATA", str(tmp_path))
    with pytest.raises(CommandFailed, match=r"2026-06-01T00:00\+09:00"):
        settle(cut_off=text)


async def test_check_says_sound_or_exits_with_one(
    city: City,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", city.url)
    await city.deliver(city.ride({"Toei": 1000}))
    await city.run()
    await asyncio.to_thread(check)
    assert "wrong" not in capsys.readouterr().out
    await city.database.execute("update payments set net_minor = net_minor + 1")
    with pytest.raises(BaseException, match="1"):  # typer.Exit(1)
        await asyncio.to_thread(check)
    assert "a payment is not what the statement says" in capsys.readouterr().out


def test_check_needs_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("MAAS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(CommandFailed, match="holds no database"):
        check()
