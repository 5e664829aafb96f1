"""Give a new house its city: the network, staff and devices, agreements, berths, vans, bikes.

Problem   A newcomer's database is empty, and nobody wants to fill it by hand.
Idea      An administrator's client puts everything through the public API. Each step is safe to repeat, so a
          start that was cut off is simply done again. What the demonstration needs to sign in as others is
          kept in the data folder, readable by its owner only.
"""

import asyncio
import csv
import json
import os
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console

from maas.tickets.keys import decode_key, encode_key
from services.cli.errors import CommandFailed
from services.cli.load import run_load
from services.cli.steps import step
from services.demo.city.build import FEED_ID, TARIFFS, build_city
from services.demo.city.tables import FOLDER
from services.demo.client import CallFailed, Client

TOKYO = ZoneInfo("Asia/Tokyo")
TOKAI_KISEN = "3010401020097"
OSHIMA_BUS = "1010001131230"
_DAYS_LEFT_MIN = 60
_READY_S_MAX, _ASK_EVERY_S = 90.0, 0.1

# Commission in basis points, without tax. Bank accounts are made up: bank 9999 does not exist.
_AGREEMENTS: tuple[tuple[str, str, int, str], ...] = (
    ("platform", "つなぐ交通基盤", 0, "ツナグコウツウキバン"),
    ("Toei", "東京都交通局", 300, "トウキヨウトコウツウキヨク"),
    ("ToeiBus", "東京都交通局 自動車部", 300, "トウキヨウトコウツウキヨク ジドウシヤブ"),
    ("TokyoMetro", "東京地下鉄", 300, "トウキヨウチカテツ"),
    ("JR-East", "東日本旅客鉄道", 300, "ヒガシニホンリヨカクテツドウ"),
    ("Yurikamome", "ゆりかもめ", 300, "ユリカモメ"),
    (TOKAI_KISEN, "東海汽船", 500, "トウカイキセン"),
    ("OgasawaraKaiun", "小笠原海運", 500, "オガサワラカイウン"),
    (OSHIMA_BUS, "大島旅客自動車", 200, "オオシマリヨカクジドウシヤ"),
    ("HachijoDemand", "八丈島デマンド交通", 200, "ハチジヨウジマデマンドコウツウ"),
    ("DemoCycle", "デモサイクル", 500, "デモサイクル"),
)
_DEVICES = (
    ("Toei", "gate"),
    ("Yurikamome", "gate"),
    (TOKAI_KISEN, "pier scanner"),
    (OSHIMA_BUS, "bus reader"),
)
_VANS = (("van-1", 8, 33.1097, 139.7890), ("van-2", 8, 33.0800, 139.8150))


@dataclass(frozen=True, slots=True)
class Keyring:
    """The demonstration's own credentials, in `demo.json` of the data folder."""

    path: Path

    def load(self) -> dict[str, Any]:
        """All that is kept so far."""
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def signing_key(self, operator_id: str) -> Ed25519PrivateKey:
        """The key that this operator's device signs its taps with."""
        return Ed25519PrivateKey.from_private_bytes(
            decode_key(self.load()[f"signing:{operator_id}"]["private_key"])
        )

    def keep(self, name: str, credentials: dict[str, str]) -> None:
        """Add credentials; the file is replaced whole, so a crash leaves the old or the new."""
        fresh = self.path.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as stream:
            json.dump({**self.load(), name: credentials}, stream)
        fresh.replace(self.path)


def device_id_of(operator_id: str) -> str:
    """The device that the demonstration taps with at this operator."""
    return f"{operator_id}-1"


def keyring_of(data_dir: Path) -> Keyring:
    """The keyring in this data folder."""
    return Keyring(data_dir / "demo.json")


def read_admin_token(data_dir: Path) -> str:
    """The token that the gateway writes at its first start."""
    return (data_dir / "admin.token").read_text(encoding="ascii").strip()


async def seed_city(url: str, data_dir: Path, console: Console) -> None:
    """Bring the house at `url` to the state the demonstration needs; what is there already stays."""
    async with aiohttp.ClientSession() as session:
        token = read_admin_token(data_dir)
        admin = Client(session, url, token)
        clock = await admin.get("/api/demo/clock")
        today = datetime.fromisoformat(clock["now"]).astimezone(TOKYO).date()
        if await needs_network(admin, today):
            await _load_network(url, token, data_dir, today, console)
        with step(console, "Staff, agreements, berths and vans of the city"):
            await _put_staff(admin, keyring_of(data_dir))
            await put_operators(admin)
            await admin.put(
                "/api/bike-systems/demo-cycle",
                {"gbfs_url": f"{url}/api/demo/gbfs/gbfs.json", "operator_id": "DemoCycle"},
            )
        with step(console, "Opening the network, warming the kernels"):
            await _wait_until_ready(admin)


async def _wait_until_ready(client: Client) -> None:
    rounds = int(_READY_S_MAX / _ASK_EVERY_S)
    for number in range(rounds):
        try:
            await client.get("/health/ready")
        except CallFailed:
            if number == rounds - 1:
                raise
            await asyncio.sleep(_ASK_EVERY_S)
        else:
            return


async def needs_network(client: Client, today: date) -> bool:
    """There is no network, or the demonstration's own is about to end. Somebody else's network stays."""
    feeds = (await client.get("/api/feeds"))["feeds"]
    if not feeds:
        return True
    ours = [feed for feed in feeds if feed["feed_id"] == FEED_ID]
    return any(
        date.fromisoformat(feed["last_date"]) < today + timedelta(days=_DAYS_LEFT_MIN) for feed in ours
    )


async def _load_network(url: str, token: str, data_dir: Path, today: date, console: Console) -> None:
    with step(console, "Making the demonstration city's timetable"):
        city = await asyncio.to_thread(build_city, data_dir / "demo-city", around=today)
    report = await run_load(list(city.paths), tariffs=TARIFFS, url=url, token=token, console=console)
    if not report["published"]:
        raise CommandFailed(f"The demonstration city was not loaded: {report['refused_because']}")
    counts = report["counts"]
    console.print(f"The city is in force: {counts['trip_count']:,} trips, {counts['stop_count']:,} stops")


async def _put_staff(admin: Client, keyring: Keyring) -> None:
    known = keyring.load()
    for role, operator_id in (("clerk", TOKAI_KISEN), ("analyst", None)):
        if role not in known:
            person = {
                "email": f"{role}-{secrets.token_hex(4)}@example.org",
                "password": secrets.token_hex(12),
            }
            body = {**person, "role": role, "name": role.title()}
            await admin.post(
                "/api/identity/staff", body if operator_id is None else {**body, "operator_id": operator_id}
            )
            keyring.keep(role, person)
    for operator_id, name in _DEVICES:
        if f"device:{operator_id}" not in known:
            made = await admin.post(
                "/api/identity/staff", {"role": "validator", "name": name, "operator_id": operator_id}
            )
            device = {"client_id": made["client_id"], "client_secret": made["client_secret"]}
            keyring.keep(f"device:{operator_id}", device)
        await _put_device(admin, keyring, operator_id)


async def _put_device(admin: Client, keyring: Keyring, operator_id: str) -> None:
    """One device an operator, carried about: each of its taps says where it is."""
    name = f"signing:{operator_id}"
    if name not in keyring.load():
        keyring.keep(name, {"private_key": encode_key(Ed25519PrivateKey.generate().private_bytes_raw())})
    public_key = keyring.signing_key(operator_id).public_key().public_bytes_raw()
    body = {"operator_id": operator_id, "public_key": encode_key(public_key)}
    await admin.put(f"/api/ticketing/devices/{device_id_of(operator_id)}", body)


async def put_operators(admin: Client) -> None:
    """What the city's operators have agreed to and can sell: agreements, berths of ships, vans and zones."""
    await _put_agreements(admin)
    await _put_berths(admin)
    await _put_vans(admin)


async def _put_agreements(admin: Client) -> None:
    for number, (operator_id, name, commission_bp, kana) in enumerate(_AGREEMENTS):
        body = {
            "name": name,
            "commission_bp": commission_bp,
            "bank_account": {
                "bank_code": "9999",
                "bank_name_kana": "ツナグ",
                "branch_code": f"{number + 1:03}",
                "branch_name_kana": "シテン",
                "account_type": "ordinary",
                "account_number": f"{1_000_000 + number}",
                "holder_kana": kana,
            },
        }
        if operator_id == "platform":
            body |= {"consignor_code": "0123456789", "registration_number": "T1234567890123"}
        await admin.put(f"/api/settlement/agreements/{operator_id}", body)


async def _put_berths(admin: Client) -> None:
    with (FOLDER / "berths.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for trip_id in dict.fromkeys(row["trip_id"] for row in rows):
        classes = [
            {
                "fare_class": row["fare_class"],
                "aliases": row["aliases"].split(),
                "place_count": int(row["place_count"]),
            }
            for row in rows
            if row["trip_id"] == trip_id
        ]
        is_ogasawara = trip_id.startswith(("Ogasawara", "Hahajima"))
        operator_id = "OgasawaraKaiun" if is_ogasawara else TOKAI_KISEN
        body = {"operator_id": operator_id, "classes": classes}
        await admin.put(f"/api/sailings/{FEED_ID}:{trip_id}/berths", body)


async def _put_vans(admin: Client) -> None:
    zones = json.loads((FOLDER / "zones.json").read_text(encoding="utf-8"))["features"]
    for zone in zones:
        body = {
            "operator_id": "HachijoDemand",
            "name": zone["properties"]["stop_name"],
            "geometry": zone["geometry"],
            "opens_s": 8 * 3600,
            "closes_s": 18 * 3600,
            "booking_rule": {"booking_type": 1, "notice_min_minutes": 30, "phone_number": "04996-0-0000"},
            "fares": {"adult_minor": 500, "child_minor": 100},
        }
        await admin.put(f"/api/on-demand/zones/{zone['id']}", body)
    for vehicle_id, seats, lat, lon in _VANS:
        body = {
            "operator_id": "HachijoDemand",
            "zone_ids": [zone["id"] for zone in zones],
            "seats": seats,
            "depot": {"name": "車庫", "lat": lat, "lon": lon},
            "shift_starts_s": 8 * 3600,
            "shift_ends_s": 18 * 3600,
        }
        await admin.put(f"/api/on-demand/vehicles/{vehicle_id}", body)
