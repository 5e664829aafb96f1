"""The use cases of the feeds service.

Problem   A new network must replace the old one whole, or not at all, whatever breaks in between.
Idea      A worker process (compiler.py) builds a folder beside the others. The folder is renamed to its
          version, and then one transaction writes the rows, switches `in_force` and appends
          `NetworkPublished`. Before that commit the old network is in force, after it the new one. Folders
          without a row are leftovers of a crash; they go at the next start.
Invariant At most one network is in force, and its folder is complete.
"""

import asyncio
import json
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maas.events import NetworkPublished
from maas.ports import PublishedNetwork
from services.feeds import store
from services.feeds.compiler_job import STREETS, TARIFFS, feed_id_of
from services.feeds.errors import CompilerBroken
from services.feeds.models import (
    CompileJob,
    CompileLine,
    FeedList,
    LoadProgress,
    LoadReport,
    NetworkList,
    NoticeList,
)
from services.feeds.store import queries
from services.platform.context import ServiceContext
from services.platform.problem import Problem

NETWORKS_KEPT = 2
_WAIT_S_MAX = 900
_LINE_BYTES_MAX = 64 * 2**20
_IDLE = LoadProgress(stage="idle")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where networks and the feeds they were made of are kept."""

    networks: Path
    sources: Path

    def of(self, version: str) -> tuple[Path, Path]:
        """The network's folder and its sources'."""
        return self.networks / version, self.sources / version


class Feeds:
    """Loads, publishes and answers; implements NetworkPort."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._database = context.database
        self._folders = Folders(context.data_dir / "networks", context.data_dir / "feeds")
        self._progress = _IDLE

    async def get_in_force(self) -> PublishedNetwork | None:
        """The network in force; None before the first is published, or if its folder was taken away."""
        row = await self._database.fetchrow(queries["find_in_force"])
        if row is None:
            return None
        folder, _ = self._folders.of(row["version"])
        if not folder.is_dir():
            self._context.log.error("network_folder_missing", version=row["version"])
            return None
        return PublishedNetwork(version=row["version"], path=str(folder), published_at=row["published_at"])

    async def load(
        self, paths: Sequence[str], *, tariffs: str | None, streets: str | None = None
    ) -> LoadReport:
        """Make the next network of these feeds, on these streets, and publish it.

        Raises Problem feed_unreadable, with the report, if a file cannot be used; the old network stays.
        """
        checked = _check_paths(paths, tariffs, streets)
        self._progress = LoadProgress(stage="waiting")
        try:
            async with self._alone():
                return await self._load(checked, tariffs, streets)
        finally:
            self._progress = _IDLE

    async def _load(self, paths: list[Path], tariffs: str | None, streets: str | None) -> LoadReport:
        now = self._context.clock.now()
        version = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        folder, sources = self._folders.of(version)
        part = folder.with_suffix(".part")
        job = CompileJob(
            version=version,
            now=now,
            paths=paths,
            sources=sources,
            target=part,
            tariffs=await self._find_in_force(TARIFFS) if tariffs is None else Path(tariffs),
            streets=None if streets is None else Path(streets),
            streets_in_force=await self._find_in_force(STREETS) if streets is None else None,
        )
        try:
            report = await self._compile(job)
            self._progress = LoadProgress(stage="publishing", done=len(paths), total=len(paths))
            part.rename(folder)
            await self._publish(report, folder)
        except BaseException:
            await asyncio.to_thread(self._drop_unless_published, version)
            raise
        await self._forget_old()
        return report.model_copy(update={"published": True})

    async def _publish(self, report: LoadReport, folder: Path) -> None:
        """The moment at which the new network takes the old one's place."""
        async with self._database.transaction() as tx:
            await store.insert_network(tx, report, self._context.clock.now())
            event = NetworkPublished(version=report.version, path=str(folder))
            await self._context.outbox.append(tx, event)

    async def _find_in_force(self, part: str) -> Path | None:
        """The fare tables, or the streets, of the network in force; None where it has none."""
        in_force = await self.get_in_force()
        folder = None if in_force is None else Path(in_force.path) / part
        return folder if folder is not None and folder.is_dir() else None

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One load at a time in the whole house; others wait their turn."""
        async with self._database.session() as connection:
            await connection.execute(queries["lock_loads"], store.LOADS_LOCK, timeout=_WAIT_S_MAX)
            # The end of the session's block releases its locks.
            yield

    async def _compile(self, job: CompileJob) -> LoadReport:
        self._progress = LoadProgress(stage="starting", total=len(job.paths))
        self._folders.networks.mkdir(parents=True, exist_ok=True)
        self._folders.sources.mkdir(parents=True, exist_ok=True)
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.feeds.compiler",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES_MAX,
            cwd=Path(__file__).parents[2],
        )
        try:
            return await self._talk(worker, job)
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()

    async def _talk(self, worker: asyncio.subprocess.Process, job: CompileJob) -> LoadReport:
        assert worker.stdin is not None, "the worker was started with pipes"
        assert worker.stdout is not None, "the worker was started with pipes"
        assert worker.stderr is not None, "the worker was started with pipes"
        complaints = asyncio.ensure_future(worker.stderr.read())
        report: LoadReport | None = None
        try:
            worker.stdin.write(job.model_dump_json().encode() + b"\n")
            await worker.stdin.drain()
            while line := await worker.stdout.readline():
                told = CompileLine.model_validate_json(line)
                self._progress = told.progress or self._progress
                report = told.report or report
        except (ConnectionError, ValueError) as error:
            self._context.log.warning("compiler_pipe_broken", error=str(error))
        status = await worker.wait()
        words = (await complaints).decode(errors="replace")
        if report is None:
            self._context.log.error("compiler_broken", status=status, stderr=words[-2000:])
            raise CompilerBroken(f"status {status}: {words.strip().splitlines()[-1:]}")
        if report.refused_because:
            raise _refusal(report)
        return report

    def _drop_unless_published(self, version: str) -> None:
        """Remove what a failed load left; a folder with a row is not touched even if the answer got lost."""
        folder, sources = self._folders.of(version)
        shutil.rmtree(folder.with_suffix(".part"), ignore_errors=True)
        if not folder.exists():
            shutil.rmtree(sources, ignore_errors=True)

    async def _forget_old(self) -> None:
        async with self._database.transaction() as tx:
            versions = await store.delete_old_networks(tx, kept=NETWORKS_KEPT)
        await asyncio.to_thread(self._remove, versions)

    def _remove(self, versions: Sequence[str]) -> None:
        for version in versions:
            for folder in self._folders.of(version):
                shutil.rmtree(folder, ignore_errors=True)

    async def clean_up(self) -> None:
        """Remove the leftovers of loads that were cut off. Does nothing while a load is running."""
        async with self._database.session() as connection:
            if not await connection.fetchval(queries["try_lock_loads"], store.LOADS_LOCK):
                return
            known = await store.list_versions(connection)
            for folder in (self._folders.networks, self._folders.sources):
                entries = list(folder.iterdir()) if folder.is_dir() else []
                for entry in entries:
                    if entry.name not in known:
                        self._context.log.info("leftover_removed", folder=str(entry))
                        await asyncio.to_thread(shutil.rmtree, entry, ignore_errors=True)

    def get_progress(self) -> LoadProgress:
        """Where the load of this process stands."""
        return self._progress

    async def list_networks(self) -> NetworkList:
        """All networks that are kept, newest first."""
        return NetworkList(networks=await store.list_networks(self._database))

    async def get_notices(self, version: str) -> NoticeList:
        """What was noticed in a network's feeds. Raises Problem network_not_found."""
        notices = await store.find_notices(self._database, version)
        if notices is None:
            raise Problem("network_not_found", detail="List the networks to find their versions.")
        return NoticeList(version=version, notices=notices)

    async def list_feeds(self) -> FeedList:
        """The feeds of the network in force."""
        row = await self._database.fetchrow(queries["find_in_force"])
        feeds = await store.list_feeds_in_force(self._database)
        return FeedList(version=None if row is None else row["version"], feeds=feeds)


def _check_paths(paths: Sequence[str], tariffs: str | None, streets: str | None) -> list[Path]:
    """The paths, each a zip or a folder and none twice by name. Raises Problem feed_unreadable."""
    found = [Path(text) for text in paths]
    for path in found:
        if not path.is_absolute() or not (_is(path, Path.is_file) or _is(path, Path.is_dir)):
            raise Problem("feed_unreadable", detail=f"{path} is no file or folder; give its absolute path.")
    feed_ids = [feed_id_of(path) for path in found]
    twice = sorted({feed_id for feed_id in feed_ids if feed_ids.count(feed_id) > 1})
    if twice:
        raise Problem("feed_unreadable", detail=f"Two feeds are called {twice[0]}; rename one file.")
    if tariffs is not None and not (Path(tariffs).is_absolute() and _is(Path(tariffs), Path.is_dir)):
        raise Problem("feed_unreadable", detail=f"{tariffs} is no folder of tariffs; give its absolute path.")
    if streets is not None and not (Path(streets).is_absolute() and _is(Path(streets), Path.is_file)):
        raise Problem("feed_unreadable", detail=f"{streets} is no file of a map; give its absolute path.")
    return found


def _is(path: Path, kind: Callable[[Path], bool]) -> bool:
    """Whether the path is of that kind; a name too long or a folder closed to us is of none."""
    try:
        return kind(path)
    except OSError:
        return False


def _refusal(report: LoadReport) -> Problem:
    members: dict[str, Any] = json.loads(report.model_dump_json())
    detail = f"{report.refused_because} The old network stays in force."
    return Problem("feed_unreadable", detail=detail, report=members)
