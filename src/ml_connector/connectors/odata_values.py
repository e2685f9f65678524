"""OData literals, filters, values and envelopes; version 2 and 4.

Sources: OData 2.0 URI conventions and JSON format, OData 4.0 JSON format.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from ml_connector.connectors.http import Response
from ml_connector.domain.money import amount_from

Row = Mapping[str, Any]

# ------------------------------------------------------------------ literals and filters


def quoted(value: str) -> str:
    """A string literal: quotes doubled. Percent encoding is the session's."""
    return "'" + value.replace("'", "''") + "'"


def equals(name: str, value: str) -> str:
    return f"{name} eq {quoted(value)}"


def starts_with(name: str, prefix: str) -> str:
    return f"startswith({name},{quoted(prefix)})"


def any_of(clauses: Sequence[str]) -> str:
    return clauses[0] if len(clauses) == 1 else "(" + " or ".join(clauses) + ")"


def all_of(*clauses: str) -> str:
    return " and ".join(clause for clause in clauses if clause)


def day(value: date) -> str:
    """An Edm.DateTime literal of midnight."""
    return f"datetime'{value.isoformat()}T00:00:00'"


def key(**values: str) -> str:
    """`('10')` for one key, `(A='1',B='2')` for several."""
    if len(values) == 1:
        return f"({quoted(next(iter(values.values())))})"
    return "(" + ",".join(f"{name}={quoted(value)}" for name, value in values.items()) + ")"


# ------------------------------------------------------------------ values

_JSON_DATE = re.compile(r"^/Date\((-?\d+)([+-]\d{4})?\)/$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def stamp_of(value: object) -> datetime | None:
    """`/Date(1471392000000)/` (the offset, in minutes, is of the writer's clock: the number is UTC) or ISO; UTC.
    Raises `ValueError`."""
    if not isinstance(value, str) or not value:
        return None
    try:
        if match := _JSON_DATE.match(value):
            return _EPOCH + timedelta(milliseconds=int(match.group(1)))  # years up to 9999, which fromtimestamp refuses
        stamp = datetime.fromisoformat(value)
        return stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{value[:40]!r} is outside the calendar") from error


def date_of(value: object) -> date | None:
    stamp = stamp_of(value)
    return stamp.date() if stamp else None


def json_date(value: date) -> str:
    return f"/Date({(datetime(value.year, value.month, value.day, tzinfo=UTC) - _EPOCH).days * 86_400_000})/"


def text_of(row: Row, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)


def decimal_of(row: Row, name: str) -> Decimal:
    """An Edm.Decimal, a JSON string in version 2. Raises `ValueError` when it is none."""
    value = row.get(name)
    if value is None or value == "":
        return Decimal(0)
    try:
        return amount_from(str(value))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def flag_of(row: Row, name: str) -> bool:
    """A boolean, or SAP's `X` and empty."""
    return row.get(name) in (True, "X", "true")


# ------------------------------------------------------------------ envelopes


@dataclass(frozen=True, slots=True)
class Page:
    rows: tuple[Row, ...]
    next_link: str = ""
    count: int | None = None


def page_of(response: Response) -> Page:
    """The rows of a collection in either version's envelope. Raises `ValueError` when it is none."""
    data = _object(response)
    inner = data.get("d", data)
    if isinstance(inner, list):  # version 1 style: a bare list
        return Page(_rows(cast("list[object]", inner)))
    body = as_row(inner)
    rows = body.get("results", body.get("value"))
    if not isinstance(rows, list):
        raise ValueError("the answer is not a collection")  # noqa: TRY004 - a wrong answer, not a wrong call
    link = body.get("__next") or body.get("@odata.nextLink") or ""
    count = body.get("__count", body.get("@odata.count"))
    return Page(_rows(cast("list[object]", rows)), str(link), int(str(count)) if count is not None else None)


def entity_of(response: Response) -> Row:
    """One entity in either version's envelope. Raises `ValueError`."""
    data = _object(response)
    return as_row(data.get("d", data))


def expanded(row: Row, navigation: str) -> tuple[Row, ...]:
    """The rows of an expanded to-many navigation; empty when it was not expanded."""
    value = row.get(navigation)
    inner = cast("Row", value).get("results") if isinstance(value, dict) else value
    return _rows(cast("list[object]", inner)) if isinstance(inner, list) else ()


def etag_of(row: Row) -> str:
    metadata = row.get("__metadata")
    if isinstance(metadata, dict):
        return str(cast("Row", metadata).get("etag") or "")
    return str(row.get("@odata.etag") or "")


def _object(response: Response) -> Row:
    try:
        data = response.json()
    except ValueError as error:
        raise ValueError(f"the answer is not JSON: {response.text[:80]!r}") from error
    return as_row(data)


def as_row(value: object) -> Row:
    if not isinstance(value, dict):
        raise ValueError("the answer is not an object")  # noqa: TRY004 - a wrong answer, not a wrong call
    return cast("Row", value)


def _rows(values: Sequence[object]) -> tuple[Row, ...]:
    return tuple(as_row(value) for value in values)
