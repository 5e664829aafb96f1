"""The database of this house: the one given, or the embedded one, running or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from services.cli.errors import CommandFailed
from services.cli.folder import claim_folder, hold_folder
from services.cli.servers import check_servers
from services.platform.embedded.errors import EmbeddedServerError
from services.platform.embedded.postgres import EmbeddedPostgres, find_running_url
from services.platform.settings import Settings


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """DATABASE_URL, the running embedded server's, or that of one started for this check."""
    folder = settings.data_dir / "postgres"
    check_servers(replace(settings, redis_url=""))
    url = settings.database_url or (find_running_url(folder) if folder.exists() else None)
    if url:
        yield url
        return
    if not folder.exists():
        raise CommandFailed(
            f"{settings.data_dir} holds no database. Set MAAS_DATA to its folder, or DATABASE_URL."
        )
    try:
        claim_folder(settings.data_dir)
        with hold_folder(settings.data_dir):
            server = EmbeddedPostgres(folder)
            try:
                yield server.start()
            finally:
                server.stop()
    except EmbeddedServerError as error:
        raise CommandFailed(str(error)) from error
