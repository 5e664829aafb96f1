"""One running city for the tests of the public API."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.city import City, start_city


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The whole house with the demonstration city."""
    folder: Path = tmp_path_factory.mktemp("city") / "data"
    running = start_city(folder)
    yield running
    running.stop()
