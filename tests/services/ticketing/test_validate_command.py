import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from maas.tickets.keys import encode_key
from services.cli.errors import CommandFailed
from services.cli.validate import validate
from tests.support.tickets import KEY, SHIP, TOKAI, issue, night_trip

APP = typer.Typer()
APP.command()(validate)
TICKET = issue(night_trip())[0]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    key = {
        "key_id": KEY.public.key_id,
        "public_key": encode_key(KEY.public.public_key),
        "valid_from": KEY.public.valid_from.isoformat(),
        "valid_until": KEY.public.valid_until.isoformat(),
    }
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [key]}), "utf-8")
    return path


def run(*arguments: object, stdin: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(APP, [str(each) for each in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def at_the_pier(keys: Path, *more: object) -> list[object]:
    asked = ["--keys", keys, "--operator", TOKAI, "--stop", "demo:[05]東京・竹芝"]
    return [*asked, "--at", "2026-05-20T21:40+09:00", *more]


def test_a_good_ticket_is_accepted_by_argument_and_by_standard_input(keys: Path) -> None:
    code, output = run(TICKET.payload, *at_the_pier(keys))
    assert code == 0
    assert "accepted" in output
    assert "有効な乗車券です" in output
    assert TICKET.ticket.ticket_ref in output
    assert run("-", *at_the_pier(keys), stdin=TICKET.payload + "\n")[0] == 0


def test_a_refused_ticket_exits_with_one_and_says_why(keys: Path, tmp_path: Path) -> None:
    # The last letter of the signature changed, to one that is still base45.
    other = "0" if TICKET.payload[-3] != "0" else "1"
    forged = TICKET.payload[:-3] + other + TICKET.payload[-2:]
    assert [code for code, _ in [run(forged, *at_the_pier(keys))]] == [1]
    assert "forged" in run(forged, *at_the_pier(keys))[1]
    revoked = tmp_path / "revocations.json"
    entry = {"kind": "fare", "ticket_ref": TICKET.ticket.ticket_ref, "fare_index": SHIP}
    revoked.write_text(json.dumps({"revocations": [entry]}), "utf-8")
    code, output = run(TICKET.payload, *at_the_pier(keys, "--revocations", revoked))
    assert (code, "revoked" in output) == (1, True)
    code, output = run(TICKET.payload, *at_the_pier(keys, "--leaving"))
    assert (code, "wrong_place" in output) == (1, True)


def test_files_and_moments_that_cannot_be_read_are_told_with_their_cure(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="Save it again"):
        run(TICKET.payload, *at_the_pier(tmp_path / "nowhere.json"))
    keys.write_text("{}", "utf-8")
    with pytest.raises(CommandFailed, match="no key list"):
        run(TICKET.payload, *at_the_pier(keys))
    with pytest.raises(CommandFailed, match="is no moment"):
        run(TICKET.payload, "--keys", keys, "--operator", TOKAI, "--at", "yesterday")
