"""Places that are no stops, findable by name: parks, museums, streets, quarters.

Idea      The names of `routing/streets/landmarks.py` in an index like that of stops (name_index.py). A search
          begins or ends at such a place as at any point.
Rule      Among equals the one of more importance is meant. Names that a stop has mean the stop (places.py).
          The index is made when it is first asked: who names only stops needs no memory for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np

from maas.journeys import Place
from routing.footpaths import distance_m
from routing.streets.landmarks import STREET, Landmarks, open_landmarks
from routing.strings import find_string, get_string
from services.planner.name_index import UNBRACKETED, WHOLE, NameIndex, Tiers
from services.planner.names import without_brackets


@dataclass(frozen=True, slots=True)
class LandmarkMatch:
    """A landmark that a text may mean; a smaller tier is better."""

    landmark: int
    tier: int


def open_index(folder: Path) -> "LandmarkIndex":
    """The landmarks saved there. Raises StreetsUnreadable."""
    return LandmarkIndex(open_landmarks(folder))


class LandmarkIndex:
    """All landmarks of a map, findable."""

    def __init__(self, landmarks: Landmarks) -> None:
        self._landmarks = landmarks
        self._lock = Lock()

    @cached_property
    def _built(self) -> NameIndex:
        return NameIndex(self._list_forms())

    @property
    def _index(self) -> NameIndex:
        with self._lock:
            return self._built

    def find_id(self, text: str) -> int | None:
        """The landmark with this id, or None."""
        return find_string(self._landmarks.ids, text)

    def list_exact(self, text: str) -> list[LandmarkMatch]:
        """Those with a name that is the text, or sounds just so."""
        return self._ranked(self._index.collect_exact(text) or self._index.collect_sounding(text))

    def list_written(self, text: str) -> list[LandmarkMatch]:
        """Those with a name that has the text in it, or all its words."""
        return self._ranked(self._index.collect_written(text))

    def list_matches(self, text: str) -> list[LandmarkMatch]:
        """Those that the text may mean, best first: by its letters, its sound, or with errors."""
        return self._ranked(self._index.collect(text, self._index.collect_written(text)))

    def list_near(self, lat: float, lon: float, *, count: int | None) -> Iterator[tuple[int, float]]:
        """(landmark, metres) of those nearest to a point, nearest first; of all, if there is no count."""
        points = self._landmarks.points
        metres = distance_m(np.array(lat), np.array(lon), points.lat, points.lon)
        return ((int(i), float(metres[i])) for i in np.argsort(metres, kind="stable")[:count])

    def place(self, landmark: int, language: str = "") -> Place:
        """The landmark as a place."""
        points = self._landmarks.points
        names = self._landmarks.list_names(landmark)
        return Place(
            name=next((name for spoken, name in names if spoken == language), names[0][1]),
            lat=float(points.lat[landmark]),
            lon=float(points.lon[landmark]),
        )

    def id_of(self, landmark: int) -> str:
        """Its public id."""
        return get_string(self._landmarks.ids, landmark)

    def is_street(self, landmark: int) -> bool:
        """Whether it is a street, and no place."""
        return int(self._landmarks.points.kinds[landmark]) == STREET

    def importance_of(self, landmark: int) -> float:
        """From 0 to 1."""
        return int(self._landmarks.points.importances[landmark]) / 100

    def _ranked(self, tiers: Tiers) -> list[LandmarkMatch]:
        found = [LandmarkMatch(i, tier) for i, tier in tiers.items()]
        return sorted(
            found, key=lambda match: (match.tier, -self.importance_of(match.landmark), match.landmark)
        )

    def _list_forms(self) -> Iterator[tuple[int, str, int]]:
        for landmark in range(self._landmarks.count):
            for _, name in self._landmarks.list_names(landmark):
                yield landmark, name, WHOLE
                yield landmark, without_brackets(name), UNBRACKETED
