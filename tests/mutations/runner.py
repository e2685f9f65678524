"""Runs the tests of a mutant against a copy of the source that has it, and judges how they ended."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutations.mutants import RED, SOURCE, Mutant
from tests.mutations.witness import REPORT
from tests.mutations.witness import SOURCE as TESTED

ROOT = Path(__file__).parents[2]
LIMIT_S = 1200


@dataclass(frozen=True, slots=True)
class Ending:
    """How one test ended. `when`: setup, call or teardown. `errors`: names of what it raised."""

    test: str
    when: str
    outcome: str
    seconds: float
    errors: tuple[str, ...]
    said: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` is empty for a mutant that its tests have killed."""

    mutant: Mutant
    why: str
    seconds: float
    said: str = ""


def judge(mutant: Mutant, server: str) -> Verdict:
    """Applies it to a copy and runs its tests. Raises `StaleMutant`."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mlc-mutant-") as place:
        os.chmod(place, 0o755)  # the embedded server may run as another user
        source = copy(Path(place))
        mutant.apply(source)
        endings, output = run(source, mutant.tests, "" if mutant.own_server else server)
    seconds = time.monotonic() - began
    whys = [why for test in mutant.tests if (why := _not_red(test, endings, {*RED, *mutant.fails_with}))]
    said = next((e.said for e in endings if e.outcome == "failed" and e.when == "call"), "")
    return Verdict(mutant, "; ".join(whys) + (f"\n{output[-2000:]}" if whys else ""), seconds, said)


def unchanged(tests: Sequence[str], server: str) -> dict[str, str]:
    """The tests that are not green although nothing was taken out, each with the reason: they prove nothing."""
    if not tests:
        return {}
    with tempfile.TemporaryDirectory(prefix="mlc-mutant-") as place:
        os.chmod(place, 0o755)
        endings, output = run(copy(Path(place)), tests, server)
    wrong: dict[str, str] = {}
    for test in tests:
        mine = [ending for ending in endings if _of(ending.test, test)]
        if bad := [ending for ending in mine if ending.outcome != "passed"]:
            wrong[test] = f"{bad[0].outcome}: {bad[0].said}"
        elif not mine:
            wrong[test] = f"did not run\n{output[-2000:]}"
    return wrong


def copy(place: Path) -> Path:
    source = place / "src"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return source


def run(source: Path, tests: Sequence[str], server: str) -> tuple[list[Ending], str]:
    report = source.parent / "report.jsonl"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{source}{os.pathsep}{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        TESTED: str(source),
        REPORT: str(report),
        "ML_CONNECTOR_TEST_SERVER": server,
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.mutations.witness", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    lines = report.read_text().splitlines() if report.exists() else []
    endings = [Ending(**{**data, "errors": tuple(data["errors"])}) for data in map(json.loads, lines)]
    return endings, done.stdout + done.stderr


def _of(ended: str, named: str) -> bool:
    """A name without brackets stands for all cases of the test."""
    return ended == named or ended.startswith(f"{named}[")


def _not_red(test: str, endings: Sequence[Ending], accepted: set[str]) -> str:
    """Why this test does not count as red; empty when it does."""
    mine = [ending for ending in endings if _of(ending.test, test)]
    if not mine:
        return f"{test} did not run"
    if broken := [e for e in mine if e.outcome == "failed" and e.when == "setup"]:
        return f"{test} broke before it began: {broken[0].said}"
    failed = [e for e in mine if e.outcome == "failed" and e.when == "call"]
    if not failed:
        return f"{test} is green"
    if other := [e for e in failed if not accepted.intersection(e.errors)]:
        return f"{test} failed by {', '.join(other[0].errors)}, which says nothing: {other[0].said}"
    return ""
