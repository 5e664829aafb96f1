"""What every test may ask for: a database, a Redis, the real feeds."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.servers import PostgresForTests, RedisForTests

ROOT = Path(__file__).parent.parent

# A busy machine must not fail a property: what matters is whether it holds, not how fast this time. CI
# repeats itself exactly; a person explores, and `HYPOTHESIS_PROFILE=thorough` explores for long.
hypothesis.settings.register_profile("person", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2_000)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "person")
)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A short path that every user may pass through: as root the server runs as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="tsunagu-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresForTests]:
    server = PostgresForTests(server_folder / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database_url(postgres_server: PostgresForTests) -> Iterator[str]:
    """The URL of an empty database on a real server; dropped after the test."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def redis_server(server_folder: Path) -> Iterator[RedisForTests]:
    server = RedisForTests(server_folder / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisForTests) -> str:
    """The URL of an empty Redis database (by number: publish/subscribe channels are shared)."""
    return redis_server.next_url()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real feeds, or a skip that says where they were looked for."""
    folder = Path(os.environ.get("MAAS_REAL_DATA", ROOT.parent / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real feeds in {folder}: set MAAS_REAL_DATA")
    return folder
