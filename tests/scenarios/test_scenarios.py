"""Every item of the list in `docs/scenarios.md`, by name: one document or a named exception, nothing skipped."""

import pytest

from tests.scenarios import answers, changes, clocks, crowds, deliveries, money  # noqa: F401 - they register
from tests.scenarios.conftest import Theatre
from tests.scenarios.crowds import CROWD
from tests.scenarios.playing import GROUPS, SCENARIOS, Scenario


@pytest.mark.timeout(1200 + CROWD)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario, theatre: Theatre) -> None:
    theatre.ending(scenario.name)


@pytest.mark.timeout(1200 + CROWD)
@pytest.mark.parametrize("group", GROUPS)
def test_what_was_told_together_ties(group: str, theatre: Theatre) -> None:
    theatre.ending(group)
