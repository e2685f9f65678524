"""`python -m tests.mutations`: takes out one rule after the other; exit code 1 if no test minds.

--only R3 P7   these rules only
--jobs 2       so many mutants at a time
--json FILE    the results as JSON
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ml_connector.engine import embedded
from ml_connector.engine.migrations import migrate
from tests.conftest import TEMPLATE
from tests.mutations.mutants import Mutant
from tests.mutations.rules import MUTANTS
from tests.mutations.runner import Verdict, judge, unchanged


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="rules, as in the first column of the page's tables")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not options.only or mutant.rule in options.only]
    if not chosen:
        parser.error(f"no such rule; there are {', '.join(dict.fromkeys(mutant.rule for mutant in MUTANTS))}")
    place = Path(tempfile.mkdtemp(prefix="mlc-mutations-"))
    place.chmod(0o711)
    embedded.SETTINGS["fsync"] = "off"  # processes are killed by these tests, machines are not
    server = embedded.EmbeddedPostgres(place / "postgres", database=TEMPLATE)
    try:
        server.start()
        url = server.url(tcp=True)
        migrate(url)
        return _play(chosen, url.render_as_string(hide_password=False), options.jobs, options.json)
    finally:
        server.release()
        shutil.rmtree(place, ignore_errors=True)


def _play(chosen: Sequence[Mutant], server: str, jobs: int, report: Path | None) -> int:
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    print(f"{len(chosen)} mutants of {len({m.rule for m in chosen})} rules, {len(tests)} tests", flush=True)
    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(jobs) as pool:
        parts = pool.map(lambda part: unchanged(tests[part::jobs], server), range(jobs))
        wrong = {test: why for part in parts for test, why in part.items()}
        for test, why in wrong.items():
            print(f"Not green although nothing is taken out: {test}: {why}", flush=True)
        for verdict in pool.map(lambda mutant: judge(mutant, server), chosen):
            if not verdict.why and (proves_nothing := wrong.keys() & set(verdict.mutant.tests)):
                verdict = replace(verdict, why=f"never green: {', '.join(sorted(proves_nothing))}")
            verdicts.append(verdict)
            _tell(verdict)
    survivors = [verdict for verdict in verdicts if verdict.why]
    if report:
        report.write_text(json.dumps([_row(verdict) for verdict in verdicts], indent=1))
    print(f"{len(verdicts) - len(survivors)} killed, {len(survivors)} survived")
    return 1 if survivors or wrong else 0


def _tell(verdict: Verdict) -> None:
    mutant = verdict.mutant
    word = "SURVIVED" if verdict.why else "killed"
    print(f"{mutant.rule:<10} {word:<9} {verdict.seconds:6.1f} s  without {mutant.without}", flush=True)
    print(f"{'':<28}{verdict.why or verdict.said}", flush=True)


def _row(verdict: Verdict) -> dict[str, object]:
    mutant = verdict.mutant
    return {
        "rule": mutant.rule,
        "without": mutant.without,
        "tests": [test.removeprefix("tests/") for test in mutant.tests],
        "seconds": round(verdict.seconds, 1),
        "killed": not verdict.why,
    }


if __name__ == "__main__":
    sys.exit(main())
