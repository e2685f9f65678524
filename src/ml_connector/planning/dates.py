"""Days: a moment in the store's time zone, and the posting day that an open period allows."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from ml_connector.domain.documents import HoldCode
from ml_connector.domain.policy import OpenPeriods, Policy
from ml_connector.planning.facts import hold


def local_day(moment: datetime, store_zone: str, policy: Policy) -> date:
    """The date of `moment` where the books are kept: `dates.time_zone`, normally the store's zone."""
    zone = store_zone if policy.dates_time_zone == "store" else policy.dates_time_zone
    return moment.astimezone(ZoneInfo(zone)).date()


def open_day(day: date, periods: OpenPeriods, policy: Policy, what: str) -> date:
    """`day`, or the first open day where policy moves what falls into a closed period. Raises `Stop`."""
    if periods.contains(day):
        return day
    first = periods.first_open(day)
    if policy.closed_period == "first_open_day" and first is not None:
        return first
    raise hold(
        HoldCode.CLOSED_PERIOD,
        f"{what} belongs to {day}, which is not in an open posting period",
        key=day.isoformat(),
        facts={
            "document": what,
            "posting_date": day.isoformat(),
            "open_from": periods.open_from.isoformat() if periods.open_from else "",
            "open_to": periods.open_to.isoformat() if periods.open_to else "",
        },
    )
