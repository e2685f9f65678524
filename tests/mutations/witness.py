"""A pytest plugin for one mutant: is it the mutant's source that is tested, and how did each test end?"""

import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

SOURCE = "ML_CONNECTOR_MUTANT_SOURCE"
REPORT = "ML_CONNECTOR_MUTANT_REPORT"


def pytest_configure(config: pytest.Config) -> None:
    import ml_connector

    wanted, tested = Path(os.environ[SOURCE]).resolve(), Path(str(ml_connector.__file__)).resolve()
    if not tested.is_relative_to(wanted):
        raise pytest.UsageError(f"{tested} would be tested, not the mutant in {wanted}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    error = call.excinfo.value if call.excinfo and report.outcome == "failed" else None
    line: dict[str, Any] = {
        "test": item.nodeid,
        "when": report.when,
        "outcome": report.outcome,
        "seconds": report.duration,
        "errors": sorted(set(_names(error))) if error else [],
        "said": (str(error).strip().splitlines() or [""])[0][:200] if error else "",
    }
    with Path(os.environ[REPORT]).open("a") as file:
        file.write(json.dumps(line) + "\n")
    return report


def _names(error: BaseException) -> Iterator[str]:
    """The classes of what was raised; of a group, of its members."""
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _names(member)
    else:
        yield type(error).__name__
