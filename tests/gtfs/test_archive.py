"""Zips and folders that cannot be trusted."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from gtfs.archive import ReadLimits
from gtfs.errors import FeedUnreadable
from gtfs.literal import literal_contents
from gtfs.reader import Reading, read_feed

CONTENTS = literal_contents("stops A B\nt1 8:00 8:10")


def zip_of(contents: dict[str, bytes], *, folder: str = "") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(folder + name, content)
    return stream.getvalue()


def read_bytes(tmp_path: Path, content: bytes, limits: ReadLimits | None = None) -> Reading:
    path = tmp_path / "feed.zip"
    path.write_bytes(content)
    return read_feed(path, limits=limits or ReadLimits())


def codes(reading: Reading) -> set[str]:
    return {notice.code for notice in reading.notices}


@pytest.mark.parametrize("folder", ["", "feed/", "a/b/"])
def test_a_zip_is_read_also_with_its_folder_in_it(tmp_path: Path, folder: str) -> None:
    extra = {"__MACOSX/._stops.txt": b"rubbish", "readme.md": b"hello"}
    reading = read_bytes(tmp_path, zip_of(CONTENTS, folder=folder)[:] if folder else zip_of(CONTENTS | extra))
    assert reading.feed is not None
    assert reading.feed.feed_id == "feed"
    assert {file.name for file in reading.files} == set(CONTENTS)


def test_a_folder_is_read_also_with_a_folder_in_it(tmp_path: Path) -> None:
    for folder in (tmp_path / "flat", tmp_path / "nested" / "inner"):
        folder.mkdir(parents=True)
        for name, content in CONTENTS.items():
            (folder / name).write_bytes(content)
        assert read_feed(tmp_path / folder.relative_to(tmp_path).parts[0]).feed is not None


def test_no_such_path_is_broken_machinery(tmp_path: Path) -> None:
    with pytest.raises(FeedUnreadable, match=r"absent\.zip"):
        read_feed(tmp_path / "absent.zip")


def test_zero_bytes_garbage_and_every_truncation_are_refused(tmp_path: Path) -> None:
    whole = zip_of(CONTENTS)
    assert codes(read_bytes(tmp_path, b"")) == {"empty_file"}
    assert codes(read_bytes(tmp_path, b"<html>404</html>")) == {"zip_unreadable"}
    for length in range(1, len(whole), 97):
        reading = read_bytes(tmp_path, whole[:length])
        assert reading.feed is None
        assert reading.notices.has_errors


def test_a_name_that_points_outside_is_refused(tmp_path: Path) -> None:
    for name in ("../stops.txt", "/etc/stops.txt", "a/../../stops.txt", "..\\stops.txt"):
        reading = read_bytes(tmp_path, zip_of(CONTENTS | {name: b"x"}))
        assert reading.feed is None
        assert codes(reading) == {"unsafe_file_name"}


def test_a_password_is_told(tmp_path: Path) -> None:
    content = bytearray(zip_of(CONTENTS))
    # Bit 0 of the flags in the first central directory record (8 bytes behind its signature) says encrypted.
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert codes(read_bytes(tmp_path, bytes(content))) == {"zip_encrypted"}


def test_a_bomb_is_refused_by_its_ratio_its_sizes_and_its_count(tmp_path: Path) -> None:
    bomb = zip_of(CONTENTS | {"shapes.txt": b"0" * 20_000_000})
    assert codes(read_bytes(tmp_path, bomb)) == {"zip_bomb"}
    small = ReadLimits(file_bytes_max=50)
    assert codes(read_bytes(tmp_path, zip_of(CONTENTS), small)) == {"too_large"}
    assert codes(read_bytes(tmp_path, zip_of(CONTENTS), ReadLimits(total_bytes_max=99))) == {"too_large"}
    assert codes(read_bytes(tmp_path, zip_of(CONTENTS), ReadLimits(members_max=2))) == {"too_many_files"}


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_of({"agency.txt": b"x" * 5000} | CONTENTS))
    place = content.index(b"PK\x01\x02") + 24
    struct.pack_into("<I", content, place, 10)
    reading = read_bytes(tmp_path, bytes(content))
    assert reading.feed is None
    assert codes(reading) & {"zip_bomb", "zip_unreadable"}


def test_a_damaged_member_is_told(tmp_path: Path) -> None:
    content = bytearray(zip_of(CONTENTS))
    content[60] ^= 0xFF
    reading = read_bytes(tmp_path, bytes(content))
    assert reading.feed is None
    assert "zip_unreadable" in codes(reading)
