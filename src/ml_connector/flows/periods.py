"""Which days the ERP takes documents for: as configured, and as the ERP itself says where it does."""

from ml_connector.connectors.base import ReadsPeriods
from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.documents import Documents, Excluded, HoldCode, Plan
from ml_connector.domain.policy import OpenPeriods
from ml_connector.flows.context import Context

PERIODS_LIFETIME_S = 900.0
"""Periods are closed once a month, and what has moved a day is asked again."""


async def open_periods(context: Context, max_age_s: float) -> OpenPeriods:
    """Open by the configuration and by the ERP. What the ERP does not tell now closes nothing: its refusal holds."""
    connector = context.erp_connector
    if not isinstance(connector, ReadsPeriods):
        return context.periods
    try:
        told = await connector.open_periods(max_age_s)
    except ConnectorError:
        return context.periods
    return context.periods if told is None else context.periods.within(told)


def moved_by_periods(plan: Plan, periods: OpenPeriods) -> bool:
    """Whether a closed period may have had a part in this plan: it is held for one, or a new document stands on the
    first day of an open one."""
    if isinstance(plan, Excluded):
        return False
    if isinstance(plan, Documents):
        return any(not each.already and periods.begins(each.posting_date) for each in plan.documents)
    return plan.code is HoldCode.CLOSED_PERIOD
