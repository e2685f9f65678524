"""The runs of the demo, started together and waited for where they are asked about."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.crash.processes import PROGRAM

PATIENCE_S = 1000.0


@dataclass(frozen=True, slots=True)
class Ended:
    status: int
    lines: list[str]
    words: str


class Demos:
    """`clean` ends with figures for a script, `tampered` with words for a person, `business_one` with the figures of
    the other ERP. A directory for each run, through which another user may pass (the embedded PostgreSQL's)."""

    def __init__(self, clean: Path, tampered: Path, business_one: Path) -> None:
        self._running = {
            clean: self._start(clean, "--json"),
            tampered: self._start(tampered, "--tamper"),
            business_one: self._start(business_one, "--json", "--erp", "business_one"),
        }
        self._clean, self._tampered, self._business_one = clean, tampered, business_one
        self._ended: dict[Path, Ended] = {}

    @property
    def clean(self) -> Ended:
        return self._end(self._clean)

    @property
    def tampered(self) -> Ended:
        return self._end(self._tampered)

    @property
    def business_one(self) -> Ended:
        return self._end(self._business_one)

    def close(self) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
                process.wait(60)

    def _start(self, directory: Path, *options: str) -> "subprocess.Popen[bytes]":
        given = {name: value for name, value in os.environ.items() if not name.startswith("ML_CONNECTOR_")}
        given["ML_CONNECTOR_DATA"] = str(directory / "data")
        with (directory / "out").open("wb") as out, (directory / "words").open("wb") as words:
            return subprocess.Popen([*PROGRAM, "demo", "--once", *options], env=given, stdout=out, stderr=words)

    def _end(self, directory: Path) -> Ended:
        if directory not in self._ended:
            status = self._running[directory].wait(PATIENCE_S)
            out, words = ((directory / name).read_text(errors="replace") for name in ("out", "words"))
            self._ended[directory] = Ended(status, out.splitlines(), out + words)
        return self._ended[directory]
