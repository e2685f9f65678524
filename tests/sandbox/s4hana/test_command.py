"""The sandbox command as a person or a test starts it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import requests

from ml_connector.sandbox.process import SandboxProcess

from .client import Sap, envelope, sale


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_faults_file_and_port_are_obeyed(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    rule = {"system": "s4hana", "match": {"method": "POST", "path": "journalentry", "nth": 2}, "fault": "html_503"}
    faults.write_text(json.dumps([{**rule, "args": {}}]))
    port = free_port()
    with SandboxProcess(["s4hana"], options=["--faults", str(faults), "--port", f"s4hana={port}"]) as process:
        told = process.systems["s4hana"]
        assert told.base_url == f"http://127.0.0.1:{port}"
        sap = Sap(told)
        assert [sap.soap(envelope(sale())).status_code for _ in range(3)] == [200, 503, 200]
        assert process.stop() == 0


def test_a_port_in_use_and_an_unknown_fault_are_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "ml_connector.sandbox", "s4hana", "--port", f"s4hana={port}"]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (refused.returncode, "cannot listen" in refused.stderr) == (2, True)
    faults = tmp_path / "faults.yaml"
    faults.write_text("- {fault: earthquake}\n")
    command = [sys.executable, "-m", "ml_connector.sandbox", "s4hana", "--faults", str(faults)]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (refused.returncode, "earthquake" in refused.stderr) == (2, True)


def test_secrets_are_the_same_for_a_seed_and_differ_between_seeds() -> None:
    def password(seed: str) -> str:
        with SandboxProcess(["s4hana"], options=["--seed", seed]) as process:
            return str(process.systems["s4hana"].credentials["password"])

    assert password("1") == password("1") != password("2")


def test_it_stops_at_sigterm_while_a_client_hangs() -> None:
    with SandboxProcess(["s4hana"]) as process:
        told = process.systems["s4hana"]
        hanging = socket.create_connection(("127.0.0.1", int(told.base_url.rpartition(":")[2])))
        hanging.sendall(
            b"POST /sap/bc/sec/oauth2/token HTTP/1.1\r\nHost: x\r\nX-Sandbox-Fault: hang\r\nContent-Length: 0\r\n\r\n"
        )
        assert requests.get(f"{told.control_url}/clock", timeout=5).ok
        assert process.stop(timeout_s=8) == 0
        hanging.close()


def test_people_are_told_in_words() -> None:
    command = [sys.executable, "-m", "ml_connector.sandbox", "s4hana"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().startswith("s4hana: http://127.0.0.1:")
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == 0
    child.stdout.close()
