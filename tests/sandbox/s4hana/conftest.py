"""One real sandbox process for these tests, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ml_connector.sandbox.process import SandboxProcess

from .client import Sap


@pytest.fixture(scope="package")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(["s4hana"]) as process:
        yield process


@pytest.fixture
def sap(sandbox: SandboxProcess) -> Sap:
    caller = Sap(sandbox.systems["s4hana"])
    caller.control("POST", "/reset")
    return caller
