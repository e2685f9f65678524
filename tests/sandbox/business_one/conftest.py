"""One real sandbox process for these tests, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ml_connector.sandbox.process import SandboxProcess

from .client import ServiceLayer


@pytest.fixture(scope="package")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(["business_one"]) as process:
        yield process


@pytest.fixture
def b1(sandbox: SandboxProcess) -> ServiceLayer:
    """Logged in at v2."""
    caller = ServiceLayer(sandbox.systems["business_one"])
    caller.control("POST", "/reset")
    caller.login()
    return caller
