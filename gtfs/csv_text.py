"""Bytes of one file -> columns of text, with the line of each row.

Problem   Feeds come with or without a byte order mark, in Shift_JIS, with quotes, blank lines, ragged rows
          and spaces around values; and one file may have a hundred megabytes.
Idea      Two readers that agree. A clean file (no quote, every line with the same number of commas) goes
          through polars at full speed, where line = index + 2. Anything else goes row by row through
          Python's csv, which knows where each row started.
Invariant For a clean file both give the same table (tests/gtfs/test_csv_text.py).
"""

import codecs
import csv
import io
import itertools
from collections.abc import Iterator, Sequence

import polars as pl

from gtfs.notices import Notices, Severity

_CHUNK_BYTES = 4 * 2**20
_SLOW_ROWS = 50_000
_HEAD_ROWS = 3
_PADDED = (b" ,", b", ", b" \n", b"\n ", b"\t")


def read_columns(
    content: bytes, *, file: str, wanted: Sequence[str], notices: Notices
) -> pl.DataFrame | None:
    """The wanted columns that the file has, as text, trimmed, nulls for empty, with `row`.

    None, with a notice, if the bytes are no table at all. Row numbers are lines; the header is line 1.
    """
    text = _to_utf8(content, file=file, notices=notices)
    if text is None:
        return None
    if not text.strip():
        notices.add("empty_file", Severity.ERROR, "The file is empty; write its header at least.", file=file)
        return None
    try:
        if _is_clean(text):
            return _read_fast(text, file=file, wanted=wanted, notices=notices)
        return _read_slowly(text, file=file, wanted=wanted, notices=notices)
    except csv.Error as error:
        message = f"Not readable as CSV ({error}); look for a quote that is never closed."
        notices.add("csv_unreadable", Severity.ERROR, message, file=file)
        return None


def _to_utf8(content: bytes, *, file: str, notices: Notices) -> bytes | None:
    """UTF-8 without byte order mark, lines ending in newline; None where the encoding is not known."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        notices.add("encoding_unknown", Severity.ERROR, "This is UTF-16; save it as UTF-8.", file=file)
        return None
    text = content.removeprefix(codecs.BOM_UTF8)
    if not _is_utf8(text):
        japanese = _find_shift_jis(text)
        if japanese is None:
            message = "Neither UTF-8 nor Shift_JIS; save the file as UTF-8."
            notices.add("encoding_unknown", Severity.ERROR, message, file=file)
            return None
        message = "The file is in Shift_JIS and was read so; GTFS asks for UTF-8."
        notices.add("encoding_shift_jis", Severity.WARNING, message, file=file)
        text = japanese
    if b"\0" in text:
        message = "NUL characters were taken out; export the file again without them."
        notices.add("nul_character", Severity.WARNING, message, file=file)
        text = text.replace(b"\0", b"")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text


def _is_utf8(content: bytes) -> bool:
    if content.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(content)
    try:
        for start in range(0, len(content), _CHUNK_BYTES):
            decoder.decode(view[start : start + _CHUNK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _find_shift_jis(content: bytes) -> bytes | None:
    """The text as UTF-8 if it is believable Shift_JIS.

    Many Latin-1 bytes decode as rare kanji too. In Japanese text kana and common kanji begin with 0x81-0x9F,
    bytes that Latin-1 text almost never has; so these must be the majority of the high lead bytes.
    """
    try:
        decoded = content.decode("cp932")
    except UnicodeDecodeError:
        return None
    common = sum(content.count(bytes([lead])) for lead in range(0x81, 0xA0))
    rare = sum(content.count(bytes([lead])) for lead in range(0xE0, 0xFD))
    return decoded.encode() if common > rare else None


def _is_clean(text: bytes) -> bool:
    """Whether line = row + 1 holds and every line has as many cells as the header; see the module."""
    if b'"' in text or b"\n\n" in text or text.startswith((b"\n", b" ")):
        return False
    header = text[: text.find(b"\n")] if b"\n" in text else text
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    return text.count(b",") == lines * header.count(b",")


def _read_header(header: list[str], *, file: str, wanted: Sequence[str], notices: Notices) -> dict[str, int]:
    """Wanted column -> its place in the row."""
    names = [name.strip() for name in header]
    for name in {name for name in names if name and names.count(name) > 1}:
        message = f"Column `{name}` stands twice; the first was read. Remove the other."
        notices.add("duplicate_column", Severity.WARNING, message, file=file, row=1, field=name)
    return {name: names.index(name) for name in wanted if name in names}


def _read_fast(text: bytes, *, file: str, wanted: Sequence[str], notices: Notices) -> pl.DataFrame | None:
    end = text.find(b"\n")
    header = text[: end if end >= 0 else len(text)].decode().split(",")
    places = _read_header(header, file=file, wanted=wanted, notices=notices)
    if not places or end < 0 or end + 1 == len(text):
        return _empty(places)
    try:
        frame = pl.read_csv(
            text,
            has_header=False,
            skip_lines=1,
            new_columns=[f"column_{place}" for place in range(len(header))],
            schema={f"column_{place}": pl.String for place in range(len(header))},
            columns=sorted(places.values()),
            quote_char=None,
            truncate_ragged_lines=False,
        )
    except pl.exceptions.PolarsError:
        # The totals matched but single lines did not: a line too long and one too short.
        return _read_slowly(text, file=file, wanted=wanted, notices=notices)
    frame = frame.select(pl.col(f"column_{place}").alias(name) for name, place in places.items())
    frame = frame.with_row_index("row", offset=2)
    is_padded = text.endswith(b" ") or any(pad in text for pad in _PADDED)
    return _trim(frame) if is_padded else frame


def _empty(places: dict[str, int]) -> pl.DataFrame:
    return pl.DataFrame(schema={"row": pl.UInt32} | dict.fromkeys(places, pl.String))


def _trim(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the white space around values; what was only white space becomes null."""
    trimmed = pl.col(pl.String).str.strip_chars(" \t\r\n")
    frame = frame.with_columns(trimmed)
    return frame.with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)).name.keep())


def _read_slowly(text: bytes, *, file: str, wanted: Sequence[str], notices: Notices) -> pl.DataFrame | None:
    rows = _iter_rows(text)
    first = next(rows, None)
    assert first is not None, "a text with any printable character has a row"
    header = first[1]
    places = _read_header(header, file=file, wanted=wanted, notices=notices)
    frames = [_empty(places)]
    head = list(itertools.islice(rows, _HEAD_ROWS))
    width = _usual_width([row for _, row in head], len(header))
    rows = itertools.chain(head, rows)
    while True:
        chunk = _take_chunk(rows, width=width, places=places, file=file, notices=notices)
        if chunk.is_empty():
            break
        frames.append(chunk)
    return _trim(pl.concat(frames, rechunk=True))


def _usual_width(rows: list[list[str]], header_width: int) -> int:
    """The header's width, or that of the rows where all of the first ones end in the same empty cells."""
    widths = {len(row) for row in rows}
    is_padded = not any(cell.strip() for row in rows for cell in row[header_width:])
    return max(widths) if len(widths) == 1 and is_padded and max(widths) > header_width else header_width


def _iter_rows(text: bytes) -> Iterator[tuple[int, list[str]]]:
    """Each row that has a value, with the line on which it starts."""
    with io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream, skipinitialspace=True)
        line = 1
        for row in rows:
            if any(cell.strip() for cell in row):
                yield line, row
            line = rows.line_num + 1


def _take_chunk(
    rows: Iterator[tuple[int, list[str]]], *, width: int, places: dict[str, int], file: str, notices: Notices
) -> pl.DataFrame:
    lines: list[int] = []
    columns: list[list[str | None]] = [[] for _ in places]
    for line, row in rows:
        if len(row) != width and not _is_row_kept(row, line, width=width, file=file, notices=notices):
            continue
        lines.append(line)
        for column, place in zip(columns, places.values(), strict=True):
            column.append(row[place] if place < len(row) else None)
        if len(lines) == _SLOW_ROWS:
            break
    cells = {name: pl.Series(name, column, pl.String) for name, column in zip(places, columns, strict=True)}
    return pl.DataFrame({"row": pl.Series("row", lines, pl.UInt32)} | cells)


def _is_row_kept(row: list[str], line: int, *, width: int, file: str, notices: Notices) -> bool:
    """Values missing at the end are taken for empty; one too many means that values slipped to the side."""
    if len(row) < width:
        message = f"{len(row)} values under {width} columns, read from the left; write all of them."
        notices.add("row_length", Severity.WARNING, message, file=file, row=line)
        return True
    message = f"{len(row)} values under {width} columns: quote values with commas. The row was left out."
    notices.add("row_too_long", Severity.ERROR, message, file=file, row=line)
    return False
