"""What the outside may set. Read once, at start, from the environment; everything has a working default."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.platform.errors import SettingsInvalid

PROCESSES_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process.

    `database_url`, `redis_url`   empty: the embedded PostgreSQL and the in-process bus are used
    `data_dir`                    all that must survive: database files, keys, networks, feeds
    `service_urls`                where other services answer, by name; empty in one process
    `service_secret`              shared by the services of one house; needed with `service_urls`
    `stripe_*`                    empty key: the stand-in of the provider is started beside us
    `stripe_api_base`             empty: the SDK's own
    `issuer_name`, `issuer_registration_number`   who issues receipts: its name, and T with 13 digits
    `process_count`               processes that answer for one service; more than one for the planner only
    `rate_per_s`                  requests a second that one bearer token may make; 0 is without limit
    """

    database_url: str = ""
    redis_url: str = ""
    data_dir: Path = Path(".maas")
    host: str = "127.0.0.1"
    port: int = 8080
    service_urls: Mapping[str, str] = field(default_factory=dict)
    service_secret: str = ""
    stripe_api_key: str = ""
    stripe_api_base: str = ""
    stripe_webhook_secret: str = ""
    issuer_name: str = "Tsunagu"
    issuer_registration_number: str = ""
    log_level: str = "info"
    process_count: int = 1
    rate_per_s: float = 50.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read `DATABASE_URL`, `REDIS_URL` and `MAAS_*`. Raises SettingsInvalid naming the variable."""
        return cls(
            database_url=environ.get("DATABASE_URL", ""),
            redis_url=environ.get("REDIS_URL", ""),
            data_dir=Path(environ.get("MAAS_DATA", ".maas")).absolute(),
            host=environ.get("MAAS_HOST", "127.0.0.1"),
            port=_port(environ.get("MAAS_PORT", "8080")),
            service_urls=_service_urls(environ.get("MAAS_SERVICE_URLS", "{}")),
            service_secret=environ.get("MAAS_SERVICE_SECRET", ""),
            stripe_api_key=environ.get("STRIPE_API_KEY", ""),
            stripe_api_base=environ.get("STRIPE_API_BASE", ""),
            stripe_webhook_secret=environ.get("STRIPE_WEBHOOK_SECRET", ""),
            issuer_name=environ.get("MAAS_ISSUER_NAME", "Tsunagu"),
            issuer_registration_number=_registration_number(environ.get("MAAS_ISSUER_NUMBER", "")),
            log_level=environ.get("MAAS_LOG_LEVEL", "info"),
            process_count=_process_count(environ.get("MAAS_PROCESSES", "1")),
            rate_per_s=_rate(environ.get("MAAS_RATE_PER_S", "50")),
        )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:  # noqa: PLR2004 - the range of TCP ports
        raise SettingsInvalid(f"MAAS_PORT={text!r} is no TCP port. Give a number from 0 to 65535.")
    return int(text)


def _process_count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= PROCESSES_MAX:
        raise SettingsInvalid(
            f"MAAS_PROCESSES={text!r} is no number of processes. Give a number from 1 to {PROCESSES_MAX}."
        )
    return int(text)


def _registration_number(text: str) -> str:
    if text and not re.fullmatch(r"T[0-9]{13}", text):
        raise SettingsInvalid(
            f"MAAS_ISSUER_NUMBER={text!r} is no invoice issuer's number. Give T and 13 digits."
        )
    return text


def _rate(text: str) -> float:
    if not text.isdecimal():
        raise SettingsInvalid(f"MAAS_RATE_PER_S={text!r} is no rate. Give a whole number; 0 is no limit.")
    return float(text)


def _service_urls(text: str) -> dict[str, str]:
    cure = 'Give a JSON object such as {"ledger": "http://ledger:8080"}.'
    try:
        urls = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsInvalid(f"MAAS_SERVICE_URLS is not JSON ({error}). {cure}") from error
    if not isinstance(urls, dict) or not all(isinstance(url, str) for url in urls.values()):
        raise SettingsInvalid(f"MAAS_SERVICE_URLS does not map names to addresses. {cure}")
    return {name: url.rstrip("/") for name, url in urls.items()}
