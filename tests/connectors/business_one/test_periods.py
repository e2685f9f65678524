"""The company's own posting periods: which days are open, how long that is believed, and who may not see them."""

from datetime import date
from typing import Any

import pytest

from ml_connector.connectors.base import ReadsPeriods
from ml_connector.connectors.business_one.periods import periods_of
from ml_connector.domain.policy import OpenPeriods
from tests.connectors.business_one.conftest import connect
from tests.connectors.business_one.erp import Erp
from tests.connectors.shared import LocalServices

YEAR = date.today().year  # noqa: DTZ011 the stand-in has periods around its own today
LISTS = "CompanyService_GetFinancePeriods"


def month(number: int, **changes: object) -> dict[str, Any]:
    last = {1: 31, 2: 28, 3: 31, 4: 30, 5: 31}[number]
    days = {"PostingDateFrom": f"2026-{number:02}-01", "PostingDateTo": f"2026-{number:02}-{last}T00:00:00Z"}
    return {**days, "PeriodStatus": "ltUnlocked", **changes}


def test_open_periods_are_one_stretch_with_holes() -> None:
    rows = [month(4), month(1, PeriodStatus="ltLocked"), month(2), month(3, PeriodStatus="ltPeriodClosing")]
    found = periods_of(rows)
    hole = (date(2026, 3, 1), date(2026, 3, 31))
    assert found == OpenPeriods(date(2026, 2, 1), date(2026, 4, 30), (hole,))
    assert [found.contains(date(2026, number, 15)) for number in (1, 2, 3, 4, 5)] == [False, True, False, True, False]
    assert found.first_open(date(2026, 1, 7)) == date(2026, 2, 1)
    assert found.first_open(date(2026, 3, 7)) == date(2026, 4, 1)
    assert found.first_open(date(2026, 5, 7)) is None
    assert [found.begins(date(2026, 4, day)) for day in (1, 2)] == [True, False]


def test_what_takes_no_sales_documents_is_closed_to_us_and_older_releases_know_locked_alone() -> None:
    assert periods_of([month(1, PeriodStatus="ltUnlockedExceptSales"), month(2)]) == OpenPeriods(
        date(2026, 2, 1), date(2026, 2, 28)
    )
    old = [month(1, PeriodStatus=None, Locked="tYES"), month(2, PeriodStatus=None, Locked="tNO")]
    assert periods_of(old) == OpenPeriods(date(2026, 2, 1), date(2026, 2, 28))
    assert periods_of([]) is None
    everything = periods_of([month(1, PeriodStatus="ltLocked")])
    assert everything is not None
    assert (everything.contains(date(2026, 1, 5)), everything.first_open(date(2026, 1, 5))) == (False, None)


async def test_the_company_is_asked_and_believed_for_a_while(erp: Erp) -> None:
    connector = connect(erp, LocalServices())
    assert isinstance(connector, ReadsPeriods)
    erp.settings(period_statuses={f"{YEAR}-03": "ltLocked"})
    found = await connector.open_periods(900)
    assert found is not None
    assert found.contains(date(YEAR, 2, 15))
    assert not found.contains(date(YEAR, 3, 15))
    asked = erp.requests(LISTS)
    assert await connector.open_periods(900) == found
    assert erp.requests(LISTS) == asked
    erp.settings(period_statuses={})
    fresh = await connector.open_periods(0)
    assert fresh is not None
    assert fresh.contains(date(YEAR, 3, 15))
    assert erp.requests(LISTS) == 2 * asked
    await connector.close()


async def test_who_may_not_see_them_tells_nothing(erp: Erp) -> None:
    connector = connect(erp, LocalServices())
    erp.settings(withdrawn=["FinancePeriods"])
    assert await connector.open_periods(900) is None
    [told] = [check for check in await connector.ping() if check.name == "open periods"]
    assert (told.ok, told.needed) == (False, False)
    assert "authorisation for posting periods" in told.fix
    await connector.close()


@pytest.mark.parametrize(("statuses", "ok"), [({}, True), ({f"{date.today():%Y-%m}": "ltLocked"}, False)])  # noqa: DTZ011
async def test_ping_says_what_the_company_says(erp: Erp, statuses: dict[str, str], ok: bool) -> None:
    connector = connect(erp, LocalServices())
    erp.settings(period_statuses=statuses)
    [told] = [check for check in await connector.ping() if check.name == "open periods"]
    assert told.ok is ok, told
    assert "by the company" in told.message
    await connector.close()
