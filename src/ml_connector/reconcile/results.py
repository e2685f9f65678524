"""The last reconciliation of each integration, and one that is under way, in the table of watermarks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import watermarks
from ml_connector.engine.database import Database
from ml_connector.reconcile import days
from ml_connector.reconcile.stream import Cursor

NAME = days.FLOW
KEPT_DIFFERENCES = 100
"""Differences that the result of a night lists; `reconcile` shows all of them again."""


@dataclass(frozen=True, slots=True)
class TieOutResult:
    """How a window, both days included, came out. `largest`: the largest difference of a currency."""

    integration: int
    at: datetime
    first: date
    last: date
    ties: bool
    orders: int
    documents: int
    differences: int
    open: int
    marked: int
    held: int
    largest: Decimal
    by_currency: Mapping[str, Decimal]


async def under_way(connection: AsyncConnection, integration: int) -> Cursor | None:
    """Where the run before stopped."""
    running: Mapping[str, Any] | None = await watermarks.noted(connection, integration, NAME, "running")
    return Cursor.from_json(running) if running else None


async def keep(connection: AsyncConnection, integration: int, cursor: Cursor) -> None:
    """Where the next run goes on."""
    await watermarks.note(connection, integration, NAME, {"running": cursor.to_json()})


async def conclude(
    connection: AsyncConnection, integration: int, cursor: Cursor, at: datetime, *, marked: int, held: int
) -> None:
    """The window is compared."""
    totals = cursor.totals
    last: dict[str, Any] = {
        "at": at.isoformat(),
        "first": cursor.first.isoformat(),
        "last": cursor.last.isoformat(),
        "ties": totals.ties,
        "orders": totals.orders,
        "documents": totals.documents,
        "differences": len(totals.differences),
        "open": len(totals.open),
        "marked": marked,
        "held": held,
        "largest": str(totals.largest),
        "by_currency": {currency: str(amount) for currency, amount in totals.by_currency.items()},
        "found": [{"cause": str(each.cause), "text": each.text} for each in totals.differences[:KEPT_DIFFERENCES]],
    }
    await watermarks.note(connection, integration, NAME, {"running": None, "last": last})
    await days.keep(connection, integration, totals, cursor.first, cursor.last, at)


async def last_results(database: Database) -> list[TieOutResult]:
    """The last reconciliation of every integration that had one."""
    async with database.connect() as connection:
        last = await watermarks.noted_by_all(connection, NAME, "last")
    return [_result(integration, result) for integration, result in last.items()]


def _result(integration: int, last: Mapping[str, Any]) -> TieOutResult:
    return TieOutResult(
        integration,
        datetime.fromisoformat(last["at"]),
        date.fromisoformat(last["first"]),
        date.fromisoformat(last["last"]),
        last["ties"],
        last["orders"],
        last["documents"],
        last["differences"],
        last["open"],
        last["marked"],
        last["held"],
        Decimal(last["largest"]),
        {currency: Decimal(amount) for currency, amount in last["by_currency"].items()},
    )
