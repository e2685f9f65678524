"""Posting periods as the ERP tells them: what was true a while ago moves no document."""

from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from ml_connector.connectors.base import ReadsPeriods
from ml_connector.connectors.errors import Unreachable
from ml_connector.domain.documents import Documents, Held
from ml_connector.domain.policy import OpenPeriods
from ml_connector.engine.wishes import Wishes
from ml_connector.flows.order_plans import OrderPlans
from ml_connector.flows.periods import open_periods
from tests.planning.store import StoreOrder, a_mapping, a_policy, captured

ORDER = captured(StoreOrder().snapshot())
DAY = date(2026, 3, 4)
APRIL = OpenPeriods(date(2026, 4, 1))
ALWAYS = OpenPeriods()


@dataclass
class Teller:
    """An ERP whose periods change behind our back. `old` is what was read a while ago."""

    old: OpenPeriods | None
    now: OpenPeriods | None
    away: bool = False
    asked: list[float] = field(default_factory=list[float])

    async def open_periods(self, max_age_s: float) -> OpenPeriods | None:
        self.asked.append(max_age_s)
        if self.away:
            raise Unreachable("nobody listens")
        return self.old if max_age_s else self.now


def context(erp: object, policy: str = "first_open_day", configured: OpenPeriods = ALWAYS) -> Any:
    return SimpleNamespace(
        erp_connector=erp,
        periods=configured,
        mapping=a_mapping(),
        policy=a_policy(closed_period=policy),
        reference_form="short",
        style="journal",
        family="",
        kinds=None,
        database=None,
        integration=SimpleNamespace(id=1),
    )


async def planned(erp: Teller, policy: str = "first_open_day") -> Any:
    """Only what concerns periods: no customer is new, so that nothing else is read."""
    where = context(erp, policy)
    plans = OrderPlans(where, {"1": ORDER}, {}, Wishes(), periods=await open_periods(where, 9))
    made = {"1": plans.one("1")}
    return (made | await plans._moved(made))["1"]


def days(plan: Documents | Held) -> set[date]:
    assert isinstance(plan, Documents), plan
    return {document.posting_date for document in plan.documents}


async def test_open_is_believed_without_a_second_question() -> None:
    erp = Teller(ALWAYS, APRIL)
    assert isinstance(erp, ReadsPeriods)
    assert days(await planned(erp)) == {DAY}
    assert erp.asked == [9]


async def test_closed_is_asked_again_before_a_day_is_moved() -> None:
    erp = Teller(APRIL, APRIL)
    assert days(await planned(erp)) == {date(2026, 4, 1)}
    assert erp.asked == [9, 0]


@pytest.mark.parametrize("policy", ["first_open_day", "hold"])
async def test_what_was_opened_since_is_posted_on_its_own_day(policy: str) -> None:
    assert days(await planned(Teller(APRIL, ALWAYS), policy)) == {DAY}


@pytest.mark.parametrize("told", [None, ALWAYS])
async def test_what_is_told_no_more_closes_nothing(told: OpenPeriods | None) -> None:
    assert days(await planned(Teller(APRIL, told))) == {DAY}


async def test_what_is_closed_is_held_where_policy_wants_it() -> None:
    found = await planned(Teller(APRIL, APRIL), "hold")
    assert isinstance(found, Held)
    assert (found.code, (found.facts or {})["open_from"]) == ("closed_period", "2026-04-01")


async def test_the_configuration_narrows_and_stands_alone_where_the_erp_tells_nothing() -> None:
    may = OpenPeriods(date(2026, 5, 1))
    assert await open_periods(context(Teller(APRIL, APRIL), configured=may), 0) == may
    assert await open_periods(context(Teller(None, None), configured=may), 0) == may
    assert await open_periods(context(Teller(APRIL, APRIL, away=True), configured=may), 0) == may
    assert await open_periods(context(object(), configured=may), 0) == may
    assert await open_periods(context(Teller(may, may), configured=APRIL), 0) == may
