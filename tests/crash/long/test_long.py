"""The long run in small: with a real kill, a real stop and a PostgreSQL that really dies; and that it can go red."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

from ml_connector.connectors.base import Settings
from tests.crash.long.verdict import counted
from tests.crash.processes import until
from tests.crash.stage import EXAMPLE
from tests.planning.store import StoreOrder, captured
from tests.reconcile.books import Books

pytestmark = [pytest.mark.crash, pytest.mark.timeout(1800)]
SOURCE = Path(__file__).parents[3] / "src"


def _hears_the_terminal() -> None:
    """A suite that runs in a shell's background has been told to ignore Ctrl-C, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(slots=True)
class Started:
    """A run as a person starts it. Its own group of processes, as a terminal gives it."""

    child: "subprocess.Popen[bytes]"
    said: Path
    out: Path
    report: Path

    @classmethod
    def of(cls, home: Path, arguments: Sequence[str]) -> "Started":
        home.mkdir()
        said, out, report = home / "said", home / "out", home / "report.md"
        command = [sys.executable, "-m", "tests.crash.long", *arguments, "--report", str(report)]
        with said.open("wb") as stderr, out.open("wb") as stdout:
            child = subprocess.Popen(
                command,
                stdout=stdout,
                stderr=stderr,
                cwd=SOURCE.parent,
                start_new_session=True,
                preexec_fn=_hears_the_terminal,
            )
        return cls(child, said, out, report)

    def figures(self) -> dict[str, Any]:
        """The last line, once it has ended."""
        self.child.wait()
        lines = self.out.read_text().splitlines()
        assert lines, self.words()
        return json.loads(lines[-1])

    def end(self) -> None:
        """Whatever it is doing."""
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGINT)
        self.child.wait()

    def words(self) -> str:
        return self.said.read_text()[-4000:]


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("long")


def test_nothing_is_doubled_or_missing_after_kills_stops_faults_and_a_dead_server(home: Path) -> None:
    good = Started.of(home / "good", ["--orders", "30", "--seed", "11"])
    found = good.figures()
    assert good.child.returncode == 0, f"{found}\n{good.words()}"
    assert found["orders"] == 30
    assert (found["duplicates"], found["missing"], Decimal(found["difference"])) == (0, 0, 0)
    assert found["kills"] >= 1
    assert found["stops"] >= 1
    assert found["postgres_restarts"] == 1
    assert found["faults"] >= 1
    assert found["documents"] > found["orders"]
    page = good.report.read_text()
    assert "every cent ties" in page
    assert f"| seed | {found['seed']} |" in page


def test_a_document_that_somebody_deletes_in_the_erp_turns_the_verdict_red(home: Path) -> None:
    bad = Started.of(home / "bad", ["--orders", "8", "--seed", "12", "--tamper"])
    found = bad.figures()
    assert bad.child.returncode == 1, f"{found}\n{bad.words()}"
    assert found["missing"] == 1
    assert Decimal(found["difference"]) > 0
    assert any("no live document" in words for words in found["complaints"])
    assert "does NOT hold" in bad.report.read_text()


def test_an_interrupted_run_says_so_and_leaves_no_process_behind(tmp_path: Path) -> None:
    started = Started.of(tmp_path / "run", ["--orders", "400", "--seed", "13"])
    try:
        until(lambda: "placed" in started.words() or started.child.poll() is not None, started.words)
        below = psutil.Process(started.child.pid).children(recursive=True)
        assert len(below) > 3, "no sandbox, nursery and workers"
        os.killpg(started.child.pid, signal.SIGINT)  # as Ctrl-C at a terminal
        found = started.figures()
    finally:
        started.end()
    assert started.child.returncode == 130, started.words()
    assert found["interrupted"] is True
    assert found["clean"] is False
    assert found["duplicates"] == 0, "it was not counted"
    assert not [each for each in below if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert not started.report.exists()


@pytest.fixture
def books() -> Books:
    made = Books()
    made.post(captured(StoreOrder(id=10250).snapshot()))
    for document in list(made.stored):  # numbers as the ERP writes them
        padded = (
            replace(line, account=_padded(line.account), customer=_padded(line.customer)) for line in document.lines
        )
        made.change(document.reference, lines=tuple(padded))
    return made


def test_what_is_booked_twice_or_for_another_amount_is_counted(books: Books) -> None:
    assert verdict(books).clean
    [first, *_] = books.stored
    books.double(first.reference)
    doubled = verdict(books)
    assert doubled.duplicates == 1
    assert not doubled.clean
    books.stored.pop()
    books.change(first.reference, lines=tuple(replace(line, amount=line.amount * 2) for line in first.lines))
    changed = verdict(books)
    assert changed.difference > 0
    assert not changed.clean


def verdict(books: Books) -> Any:
    content = YAML().load(EXAMPLE.read_text())
    settings = Settings(
        name="ledger",
        base_url="https://ledger.example",
        settings={
            **content["connections"]["ledger"]["settings"],
            "tax_groups": [dict(group) for group in content["integrations"]["us-store"]["mapping"]["tax_groups"]],
        },
        credentials={"client_id": "x", "client_secret": "x"},
    )
    orders = list(books.snapshots.values())
    return counted(orders, books.stored, {}, mapping=books.tables, policy=books.policy, settings=settings)


def _padded(number: str) -> str:
    return number and number.zfill(10)
