"""What GTFS-Fares v2 can say of the city's fares: flat fares by network, medium and rider.

Problem   Distance fares and joint discounts are beyond Fares v2; a second table of prices would drift away.
Idea      Flat fares are read from the tariff tables that the fare engine uses, at the day the feed is made
          for. Whatever Fares v2 cannot say stays in tariffs/ alone.
Not here  Pricing a journey (maas/fares).
"""

import csv
from datetime import date

from services.demo.city.tables import FOLDER, CityRoute, list_routes

Row = tuple[object, ...]

FARE_MEDIA: tuple[Row, ...] = (("ic", "交通系ICカード", 2), ("ticket", "きっぷ", 1), ("app", "つなぐ", 4))
RIDER_CATEGORIES: tuple[Row, ...] = (("adult", "大人", 1), ("child", "小児", 0), ("infant", "幼児", 0))


def list_network_rows() -> list[Row]:
    """Rows of networks.txt."""
    return [(network_id, name) for network_id, name in _networks().items()]


def list_route_network_rows() -> list[Row]:
    """Rows of route_networks.txt."""
    return [(route.network_id, route.route_id) for route in list_routes()]


def list_product_rows(on: date) -> list[Row]:
    """Rows of fare_products.txt: each flat fare of that day for each rider and medium."""
    rows: list[Row] = []
    for network_id, amounts in _flat_fares(on).items():
        for (rider, medium), amount in amounts.items():
            rows.append((f"{network_id}_single", "1回乗車", rider, medium, amount, "JPY"))
    return rows


def list_leg_rule_rows(on: date) -> list[Row]:
    """Rows of fare_leg_rules.txt: a ride on a network with a flat fare costs that fare."""
    return [(f"{network_id}_leg", network_id, f"{network_id}_single") for network_id in _flat_fares(on)]


def _networks() -> dict[str, str]:
    names: dict[str, str] = {}
    for route in list_routes():
        names.setdefault(route.network_id, _network_name(route))
    return names


def _network_name(route: CityRoute) -> str:
    with (FOLDER / "tariffs" / "networks.csv").open(encoding="utf-8", newline="") as file:
        tariff_names = {row["network_id"]: row["name"] for row in csv.DictReader(file)}
    return tariff_names.get(route.network_id, route.names.ja)


def _flat_fares(on: date) -> dict[str, dict[tuple[str, str], int]]:
    """Amounts in yen by network, then by rider and medium. Infants with a paying rider are free."""
    ours = {route.network_id for route in list_routes()}
    fares: dict[str, dict[tuple[str, str], int]] = {}
    with (FOLDER / "tariffs" / "flat_fares.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["network_id"] in ours and row["child_ic_minor"] and _in_force(row, on):
                fares[row["network_id"]] = _amounts(row)
    return fares


def _amounts(row: dict[str, str]) -> dict[tuple[str, str], int]:
    amounts: dict[tuple[str, str], int] = {}
    for medium, world in (("ic", "ic"), ("ticket", "ticket"), ("app", "ticket")):
        amounts["adult", medium] = int(row[f"{world}_minor"])
        amounts["child", medium] = int(row[f"child_{world}_minor"])
        amounts["infant", medium] = 0
    return amounts


def _in_force(row: dict[str, str], on: date) -> bool:
    return row["valid_from"] <= on.isoformat() and (not row["valid_to"] or on.isoformat() <= row["valid_to"])
