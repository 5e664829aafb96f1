import re
from html.parser import HTMLParser

import pytest

from services.gateway.face import PAGES
from services.platform.access import ACCESS
from tests.services.gateway.conftest import Gateway


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.targets += [value for name, value in attrs if name in ("href", "src") and value]


async def test_the_document_tells_every_endpoint_and_who_may_call_it(gateway: Gateway) -> None:
    status, document, _ = await gateway.ask("GET", "/api/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    operations = {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    assert set(operations) == {route.operation for route in gateway.service.routes}
    for name, operation in operations.items():
        assert bool(operation["security"]) == bool(ACCESS[name])


@pytest.mark.parametrize("path", ["/", "/api/docs"])
async def test_pages_bring_all_they_need_and_every_link_leads_somewhere(gateway: Gateway, path: str) -> None:
    answer = await gateway.client.get(path)
    text = await answer.text()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    links = Links()
    links.feed(text)
    assert links.targets
    for target in links.targets:
        assert target.startswith(("/", "#")), target
        if target.startswith("/"):
            assert (await gateway.client.get(target)).status == 200, target


def test_the_script_never_writes_markup_from_the_document() -> None:
    script = (PAGES / "docs.js").read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", script)
