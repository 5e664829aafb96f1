"""Writing is the inverse of reading, and the same feed gives the same bytes."""

import tempfile
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gtfs.literal import literal_contents, literal_feed
from gtfs.reader import read_contents, read_feed
from gtfs.tables import Feed, Zone
from gtfs.writer import write_feed

# What the reader keeps of a value: anything printable without white space at its ends.
NAME = (
    st.text(
        st.characters(blacklist_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]) | st.sampled_from([",", '"', "\n"])
    )
    .map(lambda text: text.strip())
    .filter(bool)
)
TEXT = """
    calendar weekday 2026-01-01 2026-12-31 mon-fri -2026-05-05 +2026-05-09
    route R1 rail agency=JR name="山手線, 外回り" color=00A0E9
    stops    A      B            C
    t1       08:00  ~            26:10:07
    walk     B C 180
    every    t1 8:00 9:00 600 exact
"""


def same(first: Feed, second: Feed) -> bool:
    return first.zones == second.zones and all(
        first[name].drop("row").equals(second[name].drop("row")) for name in first.tables
    )


def write_and_read(feed: Feed) -> tuple[bytes, Feed]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feed.zip"
        write_feed(feed, path)
        reading = read_feed(path, feed_id=feed.feed_id)
        assert reading.feed is not None, list(reading.notices)
        return path.read_bytes(), reading.feed


def test_a_feed_survives_writing_and_reading() -> None:
    feed = literal_feed(TEXT)
    square = ((139.0, 35.0), (140.0, 35.0), (140.0, 36.0), (139.0, 35.0))
    feed = Feed(feed.feed_id, feed.tables, (Zone("z", "坂下", ((square,), (square, square))),))
    content, again = write_and_read(feed)
    assert same(feed, again)
    assert write_and_read(again)[0] == content


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(NAME, min_size=3, max_size=3),
    lat=st.floats(-89, 89, allow_subnormal=False).filter(lambda lat: abs(lat) > 1),
    times=st.lists(st.integers(0, 200_000), min_size=3, max_size=3).map(sorted),
)
def test_any_values_survive(names: list[str], lat: float, times: list[int]) -> None:
    feed = read_contents(literal_contents(TEXT), feed_id="lit").feed
    assert feed is not None
    stops = feed["stops"].with_columns(stop_name=pl.Series(names), stop_lat=pl.Series([lat] * 3))
    calls = feed["stop_times"].with_columns(
        arrival_time=pl.Series(times, dtype=pl.Int32), departure_time=pl.Series(times, dtype=pl.Int32)
    )
    feed = feed.with_tables(stops=stops, stop_times=calls)
    assert same(feed, write_and_read(feed)[1])
