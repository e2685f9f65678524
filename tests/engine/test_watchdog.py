"""The watchdog ends a process that stood still while a posting was being sent, and no other."""

import os
import signal
import subprocess
import sys
import time

import pytest

from ml_connector.engine.watchdog import Watchdog

STOPPED = """
import asyncio, os, signal, sys
from ml_connector.engine.watchdog import Watchdog
async def main():
    dog = Watchdog(enabled=sys.argv[1] == "on")
    if sys.argv[2] == "armed":
        dog.arm(2.0)
    await asyncio.sleep(3.0 if sys.argv[3] == "busy" else 0.1)   # longer than P: a loop that runs re-arms it
    if sys.argv[3] == "stopped":
        print("stopping", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
        print("sent", flush=True)
    dog.disarm()
    await asyncio.sleep(2.0 if sys.argv[3] == "busy" else 0)
    print("end", flush=True)
asyncio.run(main())
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", STOPPED, *arguments], stdout=subprocess.PIPE, text=True)


def stop_for(process: subprocess.Popen[str], seconds: float) -> str:
    """Waits until it has stopped itself, lets that much time pass, and lets it go on. Returns what it printed."""
    os.waitpid(process.pid, os.WUNTRACED)
    time.sleep(seconds)  # the time itself is what is tested
    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=20)
    return output


def test_a_process_stopped_for_longer_than_p_never_runs_again() -> None:
    process = start("on", "armed", "stopped")
    assert "sent" not in stop_for(process, 2.2)
    assert process.returncode == -signal.SIGALRM


def test_a_process_with_nothing_in_flight_goes_on() -> None:
    process = start("on", "idle", "stopped")
    assert "end" in stop_for(process, 2.2)
    assert process.returncode == 0


def test_a_loop_that_runs_is_not_ended() -> None:
    process = start("on", "armed", "busy")
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "end\n")


def test_switched_off_it_ends_nothing() -> None:
    process = start("off", "armed", "stopped")
    assert "sent" in stop_for(process, 2.2)
    assert process.returncode == 0


def test_a_p_that_would_kill_healthy_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        Watchdog().arm(1.0)
