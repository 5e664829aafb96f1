"""The streets and landmarks of a network: compiled of a map, or those in force taken along.

Idea      They stand in a folder of their own inside the network's, as bounds do, so they are published, kept
          and forgotten with it. A load that names no map takes the compiled streets in force along: links,
          where the file system has them, since nobody ever writes to a published file.
Not here  What a map means (routing/streets).
"""

import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from maas.errors import MaasError
from routing.errors import RoutingError, StreetsUnreadable
from routing.streets.compiling import compile_streets
from routing.streets.graph import StreetGraph, open_streets
from routing.streets.landmarks import LANDMARKS, read_landmarks
from services.feeds.compiler_job import STREETS
from services.feeds.models import CompileJob


class StreetsRefused(MaasError):
    """The map cannot be used. Give an OpenStreetMap extract (.osm.pbf or .osm) of the city."""

    code = "streets_refused"


def bring_streets(job: CompileJob) -> tuple[StreetGraph | None, dict[str, Any]]:
    """The streets of the job's network, in their place, and what is told of them. Raises StreetsRefused."""
    target = job.target / STREETS
    if job.streets is not None:
        try:
            report = asdict(compile_streets(job.streets, target))
            landmarks = read_landmarks(job.streets)
            landmarks.save(target / LANDMARKS)
        except (RoutingError, OSError) as error:
            raise StreetsRefused(f"{job.streets}: {error}") from error
        return open_streets(target), {**report, "map": job.streets.name, "landmark_count": landmarks.count}
    if job.streets_in_force is None:
        return None, {}
    shutil.copytree(job.streets_in_force, target, copy_function=_link)
    try:
        graph = open_streets(target)
    except StreetsUnreadable as error:
        raise StreetsRefused(f"{error}. Load with --streets again.") from error
    return graph, {"version": graph.version, "node_count": graph.node_count, "edge_count": graph.edge_count}


def _link(source: str, into: str) -> None:
    try:
        os.link(source, into)
    except OSError:
        shutil.copyfile(source, Path(into))
