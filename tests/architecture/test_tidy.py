"""The house rules that a machine can see, in under a second or two: names, clocks, money, kernels, tables."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("gtfs", "routing", "payments", "maas", "services", "load_tests")
BANNED_MODULES = {"utils", "helpers", "common", "misc", "base", "manager", "processor", "data", "info"}
MONEY_PACKAGES = ("payments", "maas/fares", "maas/offers.py", "maas/orders.py", "maas/disruptions.py")
CLOCK_READS = {"now", "utcnow", "today"}
# Files may outgrow the measure with a reason: it stands here, beside the name.
LONG_FILES: dict[str, str] = {}
LINES_MAX = 500


@cache
def modules() -> tuple[Path, ...]:
    return tuple(
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "node_modules" not in path.parts
    )


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))


def test_no_module_is_named_after_nothing() -> None:
    assert [name_of(path) for path in modules() if path.stem in BANNED_MODULES] == []


def test_no_star_imports() -> None:
    stars = [
        name_of(path)
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    ]
    assert stars == []


def test_the_time_is_read_in_one_place() -> None:
    """`datetime.now()` and `date.today()` stand in the clock only; `time.time()` nowhere else either."""
    reads = []
    for path in modules():
        if name_of(path) == "services/platform/clock.py":
            continue
        for call in calls(path):
            function = call.func
            if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
                continue
            is_date = function.value.id in {"datetime", "date"} and function.attr in CLOCK_READS
            is_time = function.value.id == "time" and function.attr in {"time", "time_ns"}
            if is_date or is_time:
                reads.append(f"{name_of(path)}:{call.lineno}")
    assert reads == []


def test_no_float_stands_next_to_money() -> None:
    """No float() call, no float annotation and no true division in the code that computes amounts."""
    found = []
    for path in modules():
        if not name_of(path).startswith(MONEY_PACKAGES):
            continue
        for node in ast.walk(tree_of(path)):
            is_float = isinstance(node, ast.Name) and node.id == "float"
            is_division = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not _is_path(node)
            if is_float or is_division:
                found.append(f"{name_of(path)}:{node.lineno}")
    assert found == []


def _is_path(node: ast.BinOp) -> bool:
    """`folder / "file"` is no division."""
    text = ast.unparse(node)
    return "'" in text or "folder" in text or "path" in text


def test_every_kernel_names_its_twin() -> None:
    """A jitted function of routing/kernels that others call names its slow twin, and the twin is there."""
    missing = []
    for path in (ROOT / "routing" / "kernels").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "@njit" not in text and "@numba" not in text:
            continue
        twins = re.findall(r"tests/oracles/[a-z_]+\.py", text)
        if not twins or not all((ROOT / twin).exists() for twin in twins):
            missing.append(name_of(path))
    assert missing == []


def test_long_files_have_a_reason() -> None:
    long = {
        name_of(path)
        for path in (*modules(), *sorted((ROOT / "tests").rglob("*.py")))
        if len(path.read_text(encoding="utf-8").splitlines()) > LINES_MAX
    }
    assert long == set(LONG_FILES)


def test_nothing_is_left_to_do() -> None:
    """No marks for later, no unfinished functions: work that is left is an issue."""
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError")
    found = [
        f"{name_of(path)}:{number}"
        for path in modules()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("folder", [path for path in sorted((ROOT / "services").iterdir()) if path.is_dir()])
def test_every_service_folder_has_its_rooms(folder: Path) -> None:
    if folder.name == "__pycache__":
        return
    assert (folder / "README.md").exists() or folder.name == "cli", "each service tells what it is"
    if (folder / "store.py").exists():
        assert (folder / "queries.sql").exists(), "SQL lives in queries.sql"


def test_every_package_has_a_readme() -> None:
    assert [package for package in PACKAGES if not (ROOT / package / "README.md").exists()] == []


def test_sql_stands_in_sql_files() -> None:
    """No statement that changes rows is written inside Python, but in two rooms with their own plumbing."""
    # The platform records migrations; the stand-in is a program apart, with an SQLite memory of its own.
    apart = ("services/platform/", "services/payments/stand_in/")
    changes = re.compile(r"^\s*(insert into|update \w+ set|delete from)\b", re.IGNORECASE)
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules()
        if name_of(path).startswith("services/") and not name_of(path).startswith(apart)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and changes.match(node.value)
    ]
    assert found == []
