"""`python -m fuzz`: every target, or those named, each for FUZZ_SECONDS; a bar each, then a table and one JSON line."""

import argparse
import asyncio
import json
import os
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from fuzz.targets import TARGETS

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".fuzz"
GRACE_S = 300
"""Importing under instrumentation and the first pass over the corpus are not part of the time."""

_STATUS = re.compile(r"#(\d+)\s+\S+\s+cov: (\d+) ft: (\d+) corp: (\d+).*?exec/s: (\d+) rss: (\d+)Mb")
_STOPS = re.compile(r"ERROR: libFuzzer: ([a-z-]+)")


@dataclass
class Score:
    """What a run of one target did. `first_coverage`: of the seeds alone; both count instrumented branches."""

    target: str
    executions: int = 0
    first_coverage: int = 0
    coverage: int = 0
    corpus: int = 0
    rss_mb: int = 0
    seconds: float = 0
    findings: list[str] = field(default_factory=list[str])

    def read(self, line: str) -> None:
        if found := _STATUS.search(line):
            self.executions, self.coverage, _, self.corpus, _, rss = map(int, found.groups())
            self.rss_mb = max(self.rss_mb, rss)
            if "INITED" in line or not self.first_coverage:
                self.first_coverage = self.coverage
        elif line.startswith("FINDING "):
            self.findings.append(line.removeprefix("FINDING ").strip())
        elif found := _STOPS.search(line):
            self.findings.append(f"{found.group(1)}: see {WORK / self.target / 'findings'}")


async def fuzz_one(name: str, seconds: int, progress: Progress, bar: TaskID) -> Score:
    score = Score(name)
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fuzz.one", name, f"--seconds={seconds}", f"--work={folder}"),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    assert process.stderr is not None
    began = None
    with (folder / "log").open("w") as log:
        try:
            async with asyncio.timeout(seconds + GRACE_S):
                async for raw in process.stderr:
                    line = raw.decode("utf-8", "replace")
                    log.write(line)
                    score.read(line)
                    began = began or (time.monotonic() if score.executions else None)
                    done = min(seconds, time.monotonic() - began) if began else 0
                    told = f"{score.executions:,} inputs, {score.coverage} branches"
                    told += f", [red]{len(score.findings)} findings[/]" if score.findings else ""
                    progress.update(bar, completed=done, told=told)
        except TimeoutError:
            process.kill()
            score.findings.append(f"hang: did not end within {seconds + GRACE_S} s; see {folder / 'log'}")
        code = await process.wait()
    if code and not score.findings:
        score.findings.append(f"the fuzzer ended with {code}: see {folder / 'log'}")
    if not score.executions:
        score.findings.append(f"not one input was tried: see {folder / 'log'}")
    score.seconds = round(time.monotonic() - started, 1)
    progress.update(bar, completed=seconds)
    return score


async def fuzz_all(names: list[str], seconds: int, jobs: int, console: Console) -> list[Score]:
    gate = asyncio.Semaphore(jobs)
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
    )
    with Progress(*columns, console=console) as progress:
        bars = {name: progress.add_task(name, total=seconds, told="waits") for name in names}

        async def take(name: str) -> Score:
            async with gate:
                return await fuzz_one(name, seconds, progress, bars[name])

        return list(await asyncio.gather(*map(take, names)))


def show(scores: list[Score], console: Console) -> None:
    table = Table("target", "inputs", "branches: seeds", "now", "corpus", "memory, MB", "seconds", "findings")
    for score in scores:
        figures = (score.first_coverage, score.coverage, score.corpus, score.rss_mb, round(score.seconds))
        found = f"[red]{len(score.findings)}[/]" if score.findings else "0"
        table.add_row(score.target, f"{score.executions:,}", *map(str, figures), found)
    console.print(table)
    for score in scores:
        for finding in score.findings:
            console.print(f"[red]{score.target}[/]: {finding}", highlight=False, soft_wrap=True)
        told = WORK / score.target / "findings" / "findings.jsonl"
        if score.findings and told.exists():
            for line in told.read_text().splitlines()[-len(score.findings) :]:
                console.print(json.loads(line)["trace"], markup=False, highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all when none is named")
    parser.add_argument("--seconds", type=int, default=int(os.environ.get("FUZZ_SECONDS", "600")))
    parser.add_argument("--jobs", type=int, default=max(1, min(4, os.cpu_count() or 1)), help="targets at a time")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.targets) - set(TARGETS))
    if unknown:
        parser.error(f"no target is called {unknown[0]!r}; known are {', '.join(TARGETS)}")
    console = Console(stderr=True)
    scores = asyncio.run(fuzz_all(arguments.targets or list(TARGETS), arguments.seconds, arguments.jobs, console))
    show(scores, console)
    print(
        json.dumps(
            {"findings": sum(len(score.findings) for score in scores), "targets": [asdict(one) for one in scores]}
        )
    )
    return 1 if any(score.findings for score in scores) else 0


if __name__ == "__main__":
    sys.exit(main())
