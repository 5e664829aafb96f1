"""The log tells what happened, and about nobody."""

from uuid import uuid4

from tests.support.city import City


def test_the_log_holds_no_personal_data(city: City) -> None:
    email, password, name = f"{uuid4().hex}@example.org", uuid4().hex, f"花子 {uuid4().hex}"
    person = {"email": email, "password": password, "name": name, "locale": "ja"}
    city.call("POST", "/api/identity/travellers", body=person)
    _, token = city.call("POST", "/api/identity/tokens", body={"email": email, "password": password})
    city.call("POST", "/api/identity/tokens", body={"email": email, "password": "wrong " + password})
    city.call("GET", "/api/orders", token=token["access_token"])
    city.call("POST", "/api/orders", token=token["access_token"], body={"passengers": [name]})
    log = (city.folder / "maas.log").read_text(encoding="utf-8")
    assert '"operation": "registerTraveller"' in log, "the calls above are logged"
    for secret in (email, password, name, token["access_token"], city.admin_token):
        assert secret not in log


def test_every_line_carries_its_request(city: City) -> None:
    city.call("GET", "/api/demo/clock")
    lines = (city.folder / "maas.log").read_text(encoding="utf-8").splitlines()
    requests = [line for line in lines if '"event": "http_request"' in line]
    assert requests
    assert all('"request_id": "' in line for line in requests)
