"""Text of any shape, against Python's own csv as the oracle."""

import csv
import io

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtfs.csv_text import _is_clean, _read_fast, _read_slowly, read_columns
from gtfs.notices import Notices

CELL = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"]) | st.sampled_from(list(',"\n\r \t;')), max_size=8
)
HAS_VALUE = pl.any_horizontal(pl.exclude("row").is_not_null())
PLAIN_CELL = st.text(st.sampled_from("abc東京 :.-"), max_size=6)


def read(content: bytes, *wanted: str) -> tuple[pl.DataFrame | None, Notices]:
    notices = Notices()
    return read_columns(content, file="x.txt", wanted=wanted, notices=notices), notices


def trimmed(cell: str) -> str | None:
    return cell.strip(" \t\r\n") or None


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    mark=st.booleans(),
    last_newline=st.booleans(),
)
def test_any_quoting_is_read_as_python_reads_it(
    *, rows: list[tuple[str, str, str]], end: str, quoting: int, mark: bool, last_newline: bool
) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator=end, quoting=quoting)
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    text = stream.getvalue() if last_newline else stream.getvalue().removesuffix(end)
    # Line ends are read alike wherever they stand, also inside quotes.
    oracle = list(csv.reader(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"), newline="")))[1:]
    # The writer leaves a lone \r unquoted, which parts a row in two; what is missing at the end is empty.
    padded = [tuple(trimmed(cell) for cell in [*row, "", "", ""][:3]) for row in oracle]
    frame, _ = read(("\ufeff" * mark + text).encode(), "a", "b", "c")
    assert frame is not None
    read_rows = frame.filter(HAS_VALUE).select("a", "b", "c").rows()
    assert read_rows == [row for row in padded if any(row)]


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(PLAIN_CELL, PLAIN_CELL), max_size=8))
def test_the_fast_and_the_slow_reader_agree_on_clean_files(rows: list[tuple[str, str]]) -> None:
    text = "\n".join(["a,b", *(",".join(row) for row in rows)]).encode()
    if not _is_clean(text):
        return
    fast, slow = (
        reader(text, file="x.txt", wanted=["a", "b"], notices=Notices())
        for reader in (_read_fast, _read_slowly)
    )
    # The slow reader passes over rows of nothing; the fast one leaves them to the missing values.
    assert fast.filter(HAS_VALUE).equals(slow)


def test_rows_are_lines_also_behind_blank_lines_and_quoted_newlines() -> None:
    frame, _ = read(b'a,b\n1,x\n\n2,"y\nz"\n,\n3,w\n', "a", "b")
    assert frame is not None
    assert frame.select("row", "a").rows() == [(2, "1"), (4, "2"), (7, "3")]
    frame, _ = read(b"a,b\n1,x\n2,y\n", "b")
    assert frame is not None
    assert frame.rows() == [(2, "x"), (3, "y")]


def test_spaces_around_names_and_values_go() -> None:
    frame, notices = read(b" a , b\n 1 ,  \n2,x y \n", "a", "b")
    assert frame is not None
    assert frame.select("a", "b").rows() == [("1", None), ("2", "x y")]
    assert len(notices) == 0


@pytest.mark.parametrize("text", ["停留所,名前\n1,都庁前\n2,とちょうまえ\n", "停留所,名前\n1,築地市場\n"])
def test_shift_jis_is_read_and_noted(text: str) -> None:
    frame, notices = read(text.encode("cp932"), "名前")
    assert frame is not None
    assert frame["名前"].to_list() == [line.split(",")[1] for line in text.splitlines()[1:]]
    assert notices.count("encoding_shift_jis") == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("a,b\n1,São Paulo é ótimo\n".encode("latin-1"), "encoding_unknown"),
        ("a,b\n1,2\n".encode("utf-16"), "encoding_unknown"),
        (b"", "empty_file"),
        (b" \n\n ", "empty_file"),
        (b'a,b\n1,"' + b"x" * 200_000, "csv_unreadable"),
    ],
)
def test_what_is_no_table_gives_one_error(content: bytes, code: str) -> None:
    frame, notices = read(content, "a", "b")
    assert frame is None
    assert [notice.code for notice in notices] == [code]
    assert notices.has_errors


def test_ragged_rows_are_kept_where_nothing_is_lost() -> None:
    frame, notices = read(b"a,b,c\n1,2\n3,4,5,\n6,7,8,9\n0,0,0\n", "a", "c")
    assert frame is not None
    assert frame.rows() == [(2, "1", None), (5, "0", "0")]
    assert [(notice.code, notice.row) for notice in notices] == [
        ("row_too_long", 3),
        ("row_too_long", 4),
        ("row_length", 2),
    ]


def test_a_comma_at_the_end_of_every_row_does_no_harm() -> None:
    frame, notices = read(b"a,b\n1,2,\n3,4,\n5,,\n", "a", "b")
    assert frame is not None
    assert frame.rows() == [(2, "1", "2"), (3, "3", "4"), (4, "5", None)]
    assert len(notices) == 0


def test_one_row_too_long_and_one_too_short_do_not_hide_each_other() -> None:
    frame, notices = read(b"a,b\n1,2,3\n4\n5,6\n", "a", "b")
    assert frame is not None
    assert frame.rows() == [(3, "4", None), (4, "5", "6")]
    assert (notices.count("row_too_long"), notices.count("row_length")) == (1, 1)


def test_nul_characters_and_duplicate_columns_are_noted() -> None:
    frame, notices = read(b"a,a\n1\x00,2\n", "a")
    assert frame is not None
    assert frame["a"].to_list() == ["1"]
    assert notices.count("nul_character") == 1
    assert notices.count("duplicate_column") == 1
