"""What changed in the store since a moment: watermark polls and windows of creation.

Pages are not counted, since rows move between pages while they are read: each list is asked again from the highest
stamp that it showed. Stamps have whole seconds, so a second that fills a page is read by ID.
Source: "Get All Orders" (Orders v2), "Get All Refunds" (Orders v3), "Get All Customers" (Customers v3).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_connector.connectors.base import Change, ChangePage
from ml_connector.connectors.bigcommerce.answers import SYSTEM
from ml_connector.connectors.bigcommerce.client import LARGEST_PAGE, Client, Json, per_page_of, whole_of
from ml_connector.connectors.bigcommerce.wire_fields import moment as wire_moment
from ml_connector.connectors.errors import ConnectorError, Transient, Unreachable

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list: its ID, the stamp that the list is sorted by, and when it was changed."""

    id: int
    stamp: datetime
    modified: datetime


def moment(told: object) -> datetime:
    """An aware UTC moment from RFC 2822 (v2) or ISO 8601 (v3). Raises `Transient` for anything else."""
    try:
        return wire_moment(told)
    except ValueError as error:
        raise Transient(f"the store gives {str(told)[:60]!r} where a date should be", system=SYSTEM) from error


def written(when: datetime) -> str:
    """A moment as filters take it: whole seconds, always with the time of day."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


async def changed_orders(client: Client, since: datetime) -> AsyncIterator[ChangePage]:
    """Orders modified and orders refunded at or after `since`, oldest first.

    A refund need not touch its order's `date_modified`, so refunds are asked for by their own moment: after each page
    for the same span, so that a page's watermark is safe for both. While one of the two cannot be read, the other is
    told without a watermark, and the error is raised at the end: the next poll looks again from where both were read.
    """
    low = since
    seen: datetime | None = None
    away: ConnectorError | None = None
    pages = aiter(_orders_by(client, "date_modified", low, None))
    while True:
        try:
            rows, last = await anext(pages)
        except StopAsyncIteration:
            break
        except (Transient, Unreachable) as error:  # the refunds are asked for all the same
            rows, last, away = list[Row](), True, away or error
        high = max((row.stamp for row in rows), default=low)
        refunds: list[tuple[int, datetime]] = []
        try:
            refunds = await _refunds(client, low, None if last else high)
        except (Transient, Unreachable) as error:  # the orders are told all the same
            away = away or error
        known = {row.id for row in rows}
        changes = [Change(str(row.id), row.modified) for row in rows]
        changes += [Change(str(order), None) for order in sorted({order for order, _ in refunds} - known)]
        stamps = [row.stamp for row in rows] + ([created for _, created in refunds] if last else [])
        seen = max(stamps if seen is None else [seen, *stamps], default=None)
        if changes:
            yield ChangePage(tuple(changes), None if away else seen)
        low = high
        if last:
            break
    if away is not None:
        raise away


async def orders_created(client: Client, first: datetime, last: datetime) -> AsyncIterator[ChangePage]:
    """Orders created from `first` to `last`, oldest first; the watermark is a moment of creation."""
    async for rows, _ in _orders_by(client, "date_created", first, last):
        inside = [row for row in rows if first - _SECOND < row.stamp <= last]
        if inside:
            changes = tuple(Change(str(row.id), row.modified) for row in inside)
            yield ChangePage(changes, max(row.stamp for row in inside))


async def changed_customers(client: Client, since: datetime) -> AsyncIterator[ChangePage]:
    """Customers modified at or after `since`, oldest first.

    There is no filter by ID range, so a second that fills a page is read page by page, again and again until a pass
    shows nobody new.
    """
    low = since
    while True:
        rows, full = await _customers(client, low, 1)
        following = max((row.stamp for row in rows), default=low)
        if full and rows[0].stamp == following:
            rows = await _customers_of_second(client, following)
            following += _SECOND
        if rows:
            yield ChangePage(tuple(Change(str(row.id), row.modified) for row in rows), max(row.stamp for row in rows))
        if not full:
            return
        low = following


async def _orders_by(
    client: Client, name: str, low: datetime, high: datetime | None
) -> AsyncIterator[tuple[list[Row], bool]]:
    """Pages of orders by `date_modified` or `date_created`, ascending, each with whether it is the last."""
    bound: dict[str, str | int] = {f"max_{name}": written(high)} if high else {}
    shown: set[Row] = set()
    while True:
        query: dict[str, str | int] = {f"min_{name}": written(low), **bound, "sort": f"{name}:asc"}
        rows = await _order_rows(client, query, name)
        full = len(rows) >= LARGEST_PAGE
        if full and rows[0].stamp == rows[-1].stamp:
            second = rows[0].stamp
            async for part in _second_by_id(client, name, second):
                yield part, False
            low = second + _SECOND
            continue
        yield [row for row in rows if row not in shown], not full
        if not full:
            return
        low = max(row.stamp for row in rows)
        shown = {row for row in rows if row.stamp == low}


async def _second_by_id(client: Client, name: str, second: datetime) -> AsyncIterator[list[Row]]:
    """Every order of one second, by ID. The upper bound is a second later, whether it is inclusive or not."""
    query: dict[str, str | int] = {
        f"min_{name}": written(second),
        f"max_{name}": written(second + _SECOND),
        "sort": "id:asc",
    }
    next_id = 0
    while True:
        rows = await _order_rows(client, {**query, "min_id": next_id}, name)
        inside = [row for row in rows if row.stamp == second]
        if inside:
            yield inside
        if len(rows) < LARGEST_PAGE:
            return
        next_id = rows[-1].id + 1


async def _order_rows(client: Client, query: dict[str, str | int], name: str) -> list[Row]:
    told = await client.v2_page("/v2/orders", {**query, "limit": LARGEST_PAGE}, priority="background")
    return [_row(row, name) for row in told]


async def _refunds(client: Client, low: datetime, high: datetime | None) -> list[tuple[int, datetime]]:
    """Order ID and moment of every refund created in the span, both ends included."""
    query: dict[str, Any] = {"created:min": written(low)}
    if high is not None:
        query["created:max"] = written(high + _SECOND)
    rows = await client.v3_list("/v3/orders/payment_actions/refunds", query)
    return [(whole_of(row, "order_id"), moment(row.get("created"))) for row in rows]


async def _customers(client: Client, low: datetime, page: int) -> tuple[list[Row], bool]:
    query = {
        "date_modified:min": written(low),
        "sort": "date_modified:asc",
        "page": page,
        "limit": LARGEST_PAGE,
    }
    told = await client.get("/v3/customers", query, priority="background")
    rows = [_row(row, "date_modified") for row in client.data(told, "/v3/customers")]
    return rows, bool(rows) and len(rows) >= per_page_of(told)


async def _customers_of_second(client: Client, second: datetime) -> list[Row]:
    found: dict[int, Row] = {}
    while True:
        before = len(found)
        page = 1
        while True:
            rows, full = await _customers(client, second, page)
            found |= {row.id: row for row in rows if row.stamp == second}
            if not full or rows[-1].stamp > second:
                break
            page += 1
        if len(found) == before:
            return list(found.values())


def _row(told: Json, name: str) -> Row:
    return Row(whole_of(told, "id"), moment(told.get(name)), moment(told.get("date_modified")))
