"""Whatever the bytes are: no exception, and every feed that comes out keeps the reader's promises."""

import io
import zipfile
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gtfs.literal import literal_contents
from gtfs.reader import Reading, read_contents, read_feed
from gtfs.tables import DTYPES, SPEC_BY_NAME

CONTENTS = literal_contents(
    """
    calendar weekday 2026-01-01 2026-12-31 mon-fri -2026-05-05
    station S 35.5 139.7
    stop A 35.5 139.7 station=S
    route R rail name=線
    stops A   B    C    A
    t1    8:00 8:10 ~    8:40
    t2    9:00 9:10 -    9:30/9:31
    stay t1 t2
    walk A B 120
    every t2 9:00 10:00 600
    """
)
# Bytes that mean something to zips, to CSV, to numbers or to encodings.
TRICKY = [
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"\x93\xfa",
    b"99999999999",
    b"-1",
    b"24:00:00",
    b"1e309",
    b"",
]


def check_promises(reading: Reading) -> None:
    if reading.feed is None:
        assert reading.notices.has_errors, "a feed is refused with a reason"
        return
    for name, spec in SPEC_BY_NAME.items():
        assert reading.feed[name].columns == ["row", *(column.name for column in spec.columns)]
        assert reading.feed[name].dtypes == [pl.UInt32, *(DTYPES[column.kind] for column in spec.columns)]
        for column in spec.columns:
            assert not column.required or reading.feed[name][column.name].null_count() == 0
    calls = reading.feed["stop_times"]
    fixed = calls.filter(pl.col("start_pickup_drop_off_window").is_null())
    assert fixed.select("arrival_time", "departure_time", "stop_id").null_count().row(0) == (0, 0, 0)
    assert (fixed["arrival_time"] <= fixed["departure_time"]).all()
    assert set(calls["trip_id"]) == set(reading.feed["trips"]["trip_id"])
    for (_,), trip in calls.group_by("trip_id"):
        assert (trip["stop_sequence"].diff().drop_nulls() > 0).all()
        assert (trip["row"].diff().drop_nulls() != 0).all()
    assert str(list(reading.notices)).isprintable() or reading.notices


@settings(max_examples=120, deadline=None)
@given(content=st.data())
def test_changed_tables_never_raise(content: st.DataObject) -> None:
    contents = dict(CONTENTS)
    for _ in range(content.draw(st.integers(1, 3))):
        name = content.draw(st.sampled_from(sorted(contents)))
        text = contents[name]
        place = content.draw(st.integers(0, len(text)))
        width = content.draw(st.integers(0, 6))
        fresh = content.draw(st.sampled_from(TRICKY) | st.binary(max_size=4))
        contents[name] = text[:place] + fresh + text[place + width :]
    check_promises(read_contents(contents, feed_id="x"))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.data())
def test_changed_zips_never_raise(tmp_path: Path, content: st.DataObject) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(
        stream, "w", content.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    ) as z:
        for name, text in CONTENTS.items():
            z.writestr(name, text)
    damaged = bytearray(stream.getvalue())
    for _ in range(content.draw(st.integers(1, 4))):
        damaged[content.draw(st.integers(0, len(damaged) - 1))] = content.draw(st.integers(0, 255))
    path = tmp_path / "feed.zip"
    path.write_bytes(bytes(damaged))
    check_promises(read_feed(path))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=300))
def test_noise_never_raises(tmp_path: Path, noise: bytes) -> None:
    path = tmp_path / "feed.zip"
    path.write_bytes(noise)
    check_promises(read_feed(path))
