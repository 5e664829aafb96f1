"""Whatever an endpoint's own bounds allow reaches it: the line of a request is long enough."""

import json
from urllib.parse import quote
from urllib.request import urlopen

from tests.support.city import City


def get(city: City, path: str) -> object:
    with urlopen(f"{city.url}{path}", timeout=30) as answer:
        assert answer.status == 200
        return json.load(answer)


def test_a_thousand_points_are_one_request(city: City) -> None:
    many = ",".join(f"35.{600000 + n};139.{700000 + n}" for n in range(1000))
    found = get(
        city,
        "/api/v1/one-to-many?one=35.6;139.7&mode=WALK&max=60&maxMatchingDistance=250&arriveBy=false"
        f"&many={quote(many)}",
    )
    assert isinstance(found, list)
    assert len(found) == 1000
