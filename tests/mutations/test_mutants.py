"""No mutant has gone stale: each still applies, names tests that exist, and every rule of the page has one."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.points import STORIES
from tests.docs.test_exactly_once import GUARDED, rows
from tests.mutations.mutants import PACKAGE, SOURCE, Edit, Mutant, StaleMutant
from tests.mutations.rules import MUTANTS, OF_THE_PAGE

ROOT = Path(__file__).parents[2]


def name(mutant: Mutant) -> str:
    return re.sub(r"\W+", "-", f"{mutant.rule} {mutant.without}")[:60]


@pytest.mark.parametrize("mutant", MUTANTS, ids=name)
def test_what_a_mutant_takes_out_is_there_once_and_what_is_left_is_python(mutant: Mutant, tmp_path: Path) -> None:
    for file in {edit.file for edit in mutant.edits}:
        (tmp_path / PACKAGE / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOURCE / PACKAGE / file, tmp_path / PACKAGE / file)
    mutant.apply(tmp_path)
    for edit in mutant.edits:
        changed = (tmp_path / PACKAGE / edit.file).read_text()
        assert changed != (SOURCE / PACKAGE / edit.file).read_text()
        ast.parse(changed)


def test_what_has_moved_is_refused(tmp_path: Path) -> None:
    (tmp_path / PACKAGE).mkdir()
    (tmp_path / PACKAGE / "x.py").write_text("a = 1\na = 1\n")
    for search in ("b = 1", "a = 1"):
        with pytest.raises(StaleMutant):
            Mutant("R1", "it", (Edit("x.py", search, ""),), ()).apply(tmp_path)


def test_every_rule_of_the_page_has_a_mutant() -> None:
    assert {mutant.rule for mutant in OF_THE_PAGE} == {cells[0] for cells in GUARDED}


def test_every_test_that_a_mutant_names_exists() -> None:
    wanted = sorted({test for mutant in MUTANTS for test in mutant.tests})
    stories = {f"tests/crash/test_points.py::test_one_document_per_reference[{story.name}]" for story in STORIES}
    asked = sorted({test.partition("::")[0] for test in wanted} - {"tests/crash/test_points.py"})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *asked]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    collected = {line for line in done.stdout.splitlines() if "::" in line} | stories
    known = collected | {test.partition("[")[0] for test in collected}
    assert [test for test in wanted if test not in known] == []


def test_the_page_lists_what_each_mutant_has_shown() -> None:
    listed = {(cells[0], cells[1]) for cells in rows("s")}
    assert listed == {(mutant.rule, mutant.without) for mutant in OF_THE_PAGE}, "run `make mutations` and write it down"
