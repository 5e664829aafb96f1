"""A rated week as the documents of its days, and what is read back from them.

Problem   A day has a dozen facts of a dozen kinds, all read together: by the traveller, by the clerk, and
          four weeks later for habits. As rows they would be most of the batch's work.
Idea      One JSON text a medium and service day. It is derived from the taps, so its shape may change with
          the code: rated again, it is written anew.

  rides    ride_id (device/sequence of its first tap), state, origin and destination ([operator, stop] or
           null), began_at, ended_at, scan, waived, alighting (inferred, for statistics only), priced, payer
  fares    fare_id, rides, rider, rider_index, payer, nominal_minor, charge_minor, is_maximum, cap (that was
           applied), caps_recorded, lines and lines_en, shares
  refunds  period, rider, rider_index, payer, amount_minor, lines and lines_en, borne
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import orjson

from maas.account_travel.charges import PromiseRefund, RatedFare, WeekRating
from maas.account_travel.endings import EndedRide
from maas.account_travel.media import Medium
from maas.account_travel.rides import RideState, Stop, TapKey
from maas.taps import Tap

REMEMBERED_STATES = frozenset({RideState.COMPLETE.value, RideState.CORRECTED.value})


def build_documents(rating: WeekRating, medium: Medium) -> dict[date, bytes]:
    """The documents of a week's days; a day without rides and refunds has none."""
    days: dict[date, dict[str, list[Any]]] = {}

    def of(day: date) -> dict[str, list[Any]]:
        return days.setdefault(day, {"rides": [], "fares": [], "refunds": []})

    for ride in rating.rides:
        of(rating.ride_days[ride.key])["rides"].append(_ride(ride, rating, medium))
    for fare in rating.fares:
        of(fare.fare.day)["fares"].append(_fare(fare))
    for refund in rating.refunds:
        of(refund.day)["refunds"].append(_refund(refund))
    return {day: orjson.dumps(document) for day, document in days.items()}


def ride_id_of(key: TapKey) -> str:
    """What a ride is called outside: the name of its first tap."""
    return f"{key[0]}/{key[1]}"


def _ride(ride: EndedRide, rating: WeekRating, medium: Medium) -> dict[str, Any]:
    alighting = rating.alightings.get(ride.key)
    return {
        "ride_id": ride_id_of(ride.key),
        "state": ride.state,
        "origin": _stop(ride.origin),
        "destination": _stop(ride.destination),
        "began_at": _instant(ride.ride.began),
        "ended_at": _instant(ride.ride.ended),
        "scan": ride.is_scan,
        "waived": ride.is_waived,
        "alighting": _stop(alighting),
        "priced": ride.key not in rating.unpriced,
        "payer": medium.find_payer(ride.began_at),
    }


def _stop(stop: Stop | None) -> list[str] | None:
    return None if stop is None else [stop.operator_id, stop.stop_id]


def _instant(tap: Tap | None) -> datetime | None:
    return None if tap is None else tap.tapped_at


def _fare(rated: RatedFare) -> dict[str, Any]:
    capped, charged = rated.capped, rated.fare.charged
    lines, lines_en = _explain(rated)
    return {
        "fare_id": charged.fare_id,
        "rides": charged.ride_ids,
        "rider": rated.fare.rider,
        "rider_index": rated.fare.rider_index,
        "payer": rated.payer,
        "nominal_minor": charged.amount_minor,
        "charge_minor": capped.charge_minor,
        "is_maximum": charged.is_maximum,
        "cap": None if capped.applied is None else capped.applied.cap.cap_id,
        "caps_recorded": [each.cap.cap_id for each in capped.recorded],
        "lines": lines,
        "lines_en": lines_en,
        "shares": capped.shares,
    }


def _explain(rated: RatedFare) -> tuple[list[str], list[str]]:
    """Each addend, then what a cap takes off, in Japanese and in English."""
    fare, applied = rated.capped.fare, rated.capped.applied
    lines = [f"{each.text} {each.amount_minor}円" for each in fare.addends]
    lines_en = [f"{each.text_en}: {each.amount_minor} yen" for each in fare.addends]
    if not fare.addends:
        lines, lines_en = [f"{fare.text} {fare.amount_minor}円"], [f"{fare.text_en}: {fare.amount_minor} yen"]
    if applied is not None:
        lines.append(f"{applied.cap.name} -{applied.reduction_minor}円")
        lines_en.append(f"{applied.cap.name_en}: -{applied.reduction_minor} yen")
    return lines, lines_en


def _refund(given: PromiseRefund) -> dict[str, Any]:
    refund = given.back.refund
    return {
        "period": given.back.period,
        "rider": given.rider,
        "rider_index": given.rider_index,
        "payer": given.payer,
        "amount_minor": refund.amount_minor,
        "lines": refund.lines,
        "lines_en": refund.lines_en,
        "borne": refund.borne,
    }


def list_rides_made(documents: Iterable[str]) -> list[tuple[Stop, Stop]]:
    """The finished rides of documents from gate to gate, for habits."""
    return [
        (Stop(*ride["origin"]), Stop(*ride["destination"]))
        for document in documents
        for ride in orjson.loads(document)["rides"]
        if ride["state"] in REMEMBERED_STATES and ride["origin"] and ride["destination"]
    ]
