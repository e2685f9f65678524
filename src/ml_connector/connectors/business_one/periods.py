"""The company's posting periods, as one stretch of days with holes.

Sources: Service Layer metadata, `CompanyService`; `docs/protocol/business-one.md`.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from ml_connector.connectors.business_one.answers import SYSTEM
from ml_connector.connectors.business_one.client import B1Client
from ml_connector.connectors.business_one.stored import rows_in
from ml_connector.connectors.gathering import together
from ml_connector.connectors.odata import readable
from ml_connector.connectors.odata_values import Row, date_of, text_of
from ml_connector.domain.policy import OpenPeriods

YEARS, OF_YEAR = "CompanyService_GetPeriods", "CompanyService_GetFinancePeriods"
OPEN = "ltUnlocked"
"""Of the others one takes no sales documents, one is open to some users alone, one is closed to all."""


async def read(client: B1Client) -> OpenPeriods | None:
    """None: the company has none that can be read as such. Raises as `B1Client.action`."""
    years = rows_in(await client.action(YEARS, priority="orders"), "value")
    asked = [{"PeriodCategoryParams": {"AbsoluteEntry": year.get("AbsoluteEntry")}} for year in years]
    answers = await together(client.action(OF_YEAR, body, priority="orders") for body in asked)
    with readable(OF_YEAR, SYSTEM):
        return periods_of([row for answer in answers for row in rows_in(answer, "value")])


def periods_of(rows: Sequence[Row]) -> OpenPeriods | None:
    """A day that no open period covers is closed. Raises `ValueError` for days that are none."""
    stretches: list[tuple[date, date]] = []
    for row in rows:
        first, last = (date_of(text_of(row, name)[:10]) for name in ("PostingDateFrom", "PostingDateTo"))
        if first is not None and last is not None and _is_open(row):
            stretches.append((first, last))
    if not rows:
        return None
    if not stretches:  # a company whose periods are all closed: no day is open
        return OpenPeriods(date.max, date.min)
    stretches.sort()
    closed: list[tuple[date, date]] = []
    end = stretches[0][1]
    for first, last in stretches[1:]:
        if first > end + timedelta(days=1):
            closed.append((end + timedelta(days=1), first - timedelta(days=1)))
        end = max(end, last)
    return OpenPeriods(stretches[0][0], end, tuple(closed))


def _is_open(row: Row) -> bool:
    """Older releases know locked and not locked alone."""
    status = text_of(row, "PeriodStatus")
    return status == OPEN if status else text_of(row, "Locked") != "tYES"
