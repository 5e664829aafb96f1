"""Logs, counters and request ids.

Logs are one JSON object a line and hold no names, addresses, card data or tokens: only ids. Counters are
Prometheus', one registry per process, served at /metrics.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Histogram(
    "maas_http_request_seconds",
    "Time to answer a request.",
    ["operation", "status"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
EVENTS_PUBLISHED = Counter("maas_events_published", "Events handed to the bus.", ["schema"])
EVENTS_RECEIVED = Counter("maas_events_received", "Events that arrived.", ["group", "event_type"])
OUTBOX_AGE = Gauge("maas_outbox_oldest_seconds", "Age of the oldest unacknowledged event.", ["schema"])

_FORBIDDEN = frozenset({"password", "token", "authorization", "email", "name", "passengers", "payload_text"})


def without_personal_data(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Blank out fields that could hold personal data, whoever logged them."""
    return {key: "[removed]" if key in _FORBIDDEN else value for key, value in event.items()}


def configure_logging(level: str = "info", stream: TextIO | None = None) -> None:
    """Set structlog up for this process: JSON lines to `stream`, standard error when None."""
    target = stream or sys.stderr
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_personal_data,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper(), logging.INFO)),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=target, format="%(message)s")
