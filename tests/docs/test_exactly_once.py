"""`docs/exactly-once.md` tells no tales: every rule is there, every function and every test that it names exists."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_connector.engine import crash
from tests.crash.points import STORIES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "exactly-once.md").read_text()
COUNTS = {"T": 13, "W": 8, "R": 14, "P": 13}
RULES = {*(f"{kind}{n}" for kind, count in COUNTS.items() for n in range(1, count + 1)), "H", "send gate", "watchdog"}
HOMES = ("ml_connector.engine", "ml_connector")
TESTS = {
    name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
}


def rows(last_heading: str) -> Iterator[list[str]]:
    """Cells of each row of the tables whose last column has this heading."""
    wanted = False
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            wanted = False
        elif cells[-1] == last_heading:
            wanted = True
        elif wanted and set(cells[0]) != {"-"}:
            yield cells


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


GUARDED = list(rows("red without it"))


@pytest.mark.parametrize("cells", GUARDED, ids=lambda cells: cells[0][:40])
def test_a_rule_has_somebody_who_keeps_it_and_a_test(cells: list[str]) -> None:
    *_, keeper, test = cells
    assert keeper
    assert test
    for name in named(keeper):
        if "." in name and name.replace(".", "").replace("_", "").split("(")[0].isalnum():
            assert exists(name.split("(")[0]), f"{name} is nowhere"


@pytest.mark.parametrize("cells", GUARDED, ids=lambda cells: cells[0][:40])
def test_its_tests_exist(cells: list[str]) -> None:
    stories = {story.name for story in STORIES}
    for word, name in re.findall(r"(crash )?`([^`]+)`", cells[-1]):
        if word:
            assert name in stories, f"no story {name}"
        elif name.startswith("test_"):
            assert name in TESTS, f"no test {name}"
        else:
            assert (ROOT / name).exists(), f"no file {name}"


def test_no_rule_is_left_out() -> None:
    found = {cells[0] for cells in GUARDED}
    assert found >= RULES, f"missing: {sorted(RULES - found)}"


def test_every_crash_point_is_explained() -> None:
    points = [name for cells in rows("relies on") for name in named(cells[0])]
    assert sorted(points) == sorted({*crash.POINTS, "erp.committed"})


def exists(name: str) -> bool:
    """`module.thing.attribute` below one of the homes."""
    parts = name.split(".")
    for home in HOMES:
        for split in range(len(parts) - 1, 0, -1):
            try:
                thing = importlib.import_module(".".join([home, *parts[:split]]))
            except ImportError:
                continue
            for attribute in parts[split:]:
                thing = getattr(thing, attribute, None)
            if thing is not None:
                return True
    return False
