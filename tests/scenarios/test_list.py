"""`docs/scenarios.md` holds every item, and each names tests that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.scenarios import test_scenarios  # noqa: F401 - the scenarios register themselves
from tests.scenarios.playing import SCENARIOS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scenarios.md").read_text()
TESTS = {
    name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
}
ITEMS = [
    "same webhook twice at once",
    "webhook lost for a day",
    "webhook after 48–72 h",
    "paid before created",
    "event for an order that reads 404 for a second",
    "poll and webhook together",
    "ERP commits then times out",
    "ERP commits late, after our look-up said absent",
    "look-up index lagging",
    "429 with and without a reset header",
    "quota eaten by another app",
    "token revoked mid-batch",
    "process killed at each boundary",
    "process paused past its lease",
    "two workers with the same key",
    "clock skew of minutes",
    "order edited between read and post",
    "order edited after post",
    "partial refund by amount only",
    "shipping-only refund",
    "two refunds at once",
    "refund before the capture record exists",
    "exchange dearer than the return",
    "gift card plus card",
    "store credit",
    "guest with an existing email",
    "zero-total order",
    "line discount that does not divide",
    "tax-inclusive store into tax-exclusive ERP",
    "JPY/KWD decimals",
    "charge currency differs from store currency",
    "deleted product",
    "duplicate SKU",
    "missing mapping",
    "closed posting period",
    "ERP document deleted by a user",
    "our own write echoing back",
    "one poison order among 10,000",
    "DB failover during claim",
]


def _rows() -> Iterator[tuple[str, list[str], str]]:
    """Item, tests and outcome of each row."""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if len(cells) == 3 and cells[0] != "what happens" and set(cells[0]) != {"-"}:
            yield cells[0], re.findall(r"`([^`]+)`", cells[1]), cells[2]


def test_every_item_is_told_once() -> None:
    assert sorted(item for item, _, _ in _rows()) == sorted(ITEMS)


def test_every_item_names_tests_that_exist() -> None:
    scenarios = {scenario.name for scenario in SCENARIOS}
    for item, tests, outcome in _rows():
        assert tests, item
        assert outcome, item
        assert not [name for name in tests if name not in TESTS | scenarios], item


def test_every_scenario_is_listed_under_its_item() -> None:
    listed = {item: tests for item, tests, _ in _rows()}
    for scenario in SCENARIOS:
        assert scenario.name in listed[scenario.item], scenario.name
