"""Crash points: they fire where told, only there, and leave a line behind; every name in the source is registered."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ml_connector.engine import crash

SOURCE = Path(crash.__file__).parents[1]
PROGRAM = (
    "import asyncio; from ml_connector.engine import crash\n"
    "async def main():\n"
    "    for key in ('1', '2', '12', '2'):\n"
    "        print(key, flush=True)\n"
    "        await crash.point('plan.a', key)\n"
    "asyncio.run(main())"
)


def run(rule: str, log: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ML_CONNECTOR_CRASH": rule, "ML_CONNECTOR_CRASH_LOG": str(log)}
    return subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("rule", "status", "printed"),
    [
        ("", 0, "1 2 12 2"),
        ("look_up.a:kill", 0, "1 2 12 2"),
        ("plan.a:kill", -signal.SIGKILL, "1"),
        ("plan.a#3:exit", crash.EXIT_STATUS, "1 2 12"),
        ("plan.a@^2$:kill", -signal.SIGKILL, "1 2"),
        ("plan.a#2@^2$:kill", -signal.SIGKILL, "1 2 12 2"),
        ("plan.a#4:exit; plan.a@12:kill", -signal.SIGKILL, "1 2 12"),
    ],
)
def test_it_ends_the_process_there(rule: str, status: int, printed: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = run(rule, log)
    assert (result.returncode, result.stdout.split()) == (status, printed.split())
    lines = log.read_text().splitlines() if log.exists() else []
    assert [json.loads(line)["point"] for line in lines] == ["plan.a"] * (status != 0)


def test_a_stopped_process_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {**os.environ, "ML_CONNECTOR_CRASH": "plan.a#2:stop", "ML_CONNECTOR_CRASH_LOG": str(log)}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True)
    pid, status = os.waitpid(process.pid, os.WUNTRACED)
    assert pid == process.pid
    assert os.WIFSTOPPED(status)
    assert json.loads(log.read_text())["key"] == "2"
    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=20)
    assert (process.returncode, output.split()) == (0, ["1", "2", "12", "2"])


@pytest.mark.parametrize("rule", ["nowhere.a:kill", "plan.a", "plan.a:faint", "plan.a#x:kill"])
def test_a_rule_that_could_never_fire_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="ML_CONNECTOR_CRASH"):
        crash.parse(rule)


def test_every_point_in_the_source_is_registered() -> None:
    named: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        named |= set(re.findall(r"crash\.(?:point|here)\(\s*\"([^\"]+)\"", path.read_text()))
    assert named <= crash.POINTS
    assert {"claim.commit.a", "finish.commit.b"} <= named
