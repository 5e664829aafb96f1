import asyncio
import os
import sys
from pathlib import Path

import jwt

from tests.conftest import ROOT
from tests.services.gateway.conftest import Gateway


async def maas(*words: str, data_dir: Path, port: int) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.cli.main",
        *words,
        cwd=ROOT,
        env=os.environ | {"MAAS_DATA": str(data_dir), "MAAS_PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_command_rotates_the_keys_of_the_running_house(gateway: Gateway) -> None:
    before = gateway.admin_token()
    port = gateway.client.port
    assert port is not None
    code, out, err = await maas("keys", "rotate", "--revoke-old", data_dir=gateway.data_dir, port=port)
    assert code == 0, err
    _, published, _ = await gateway.ask("GET", "/.well-known/jwks.json")
    [key] = published["keys"]
    assert key["kid"] in out
    assert jwt.get_unverified_header(gateway.admin_token())["kid"] == key["kid"]
    assert jwt.get_unverified_header(before)["kid"] != key["kid"]


async def test_the_command_says_what_is_missing(gateway: Gateway, tmp_path: Path) -> None:
    code, _, err = await maas("keys", "rotate", data_dir=tmp_path / "elsewhere", port=1)
    assert (code, "admin.token cannot be read" in err) == (1, True)
    code, _, err = await maas("keys", "rotate", data_dir=gateway.data_dir, port=1)
    assert (code, "maas up" in err) == (1, True)
