"""Goods that leave: delivery notes, and invoices that the warehouse has given a tracking number.

A company that invoices without delivering by a document of its own ships with the invoice: its tracking number says
that the goods have left. Lines name the order or invoice that they were copied from; user fields are copied too, so a
reference on the note itself proves nothing, and whoever reads it compares the number.
Sources: Service Layer metadata, `Document`, `DocumentLine`, `ShippingType`; `docs/protocol/business-one.md`.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Literal, cast

from ml_connector.connectors.base import Change, ChangePage
from ml_connector.connectors.business_one.answers import SYSTEM
from ml_connector.connectors.business_one.client import B1Client, chunks
from ml_connector.connectors.business_one.tables import DELIVERIES, INVOICES, ORDERS, REFERENCE, Target
from ml_connector.connectors.gathering import together
from ml_connector.connectors.odata import readable
from ml_connector.connectors.odata_values import Row, as_row, date_of, decimal_of, text_of
from ml_connector.domain.shipments import DeliveryNote, NoteLine

SETS = (DELIVERIES, INVOICES)
CHANGED = ("DocEntry", "UpdateDate", "UpdateTime", "TrackingNumber")
SELECT = (
    *("DocEntry", "DocNum", "DocDate", "CancelStatus", "TrackingNumber", "TransportationCode", REFERENCE),
    "DocumentLines",
)
PAGE = 200
_BY_TYPE: Mapping[str, Target] = {str(target.type): target for target in (ORDERS, INVOICES, DELIVERIES)}
_STATES: Mapping[str, Literal["cancelled", "cancellation"]] = {"csYes": "cancelled", "csCancellation": "cancellation"}
_LETTERS: Mapping[Target, str] = {DELIVERIES: "D", INVOICES: "I"}


async def changed(client: B1Client, since: datetime) -> AsyncIterator[ChangePage]:
    """By the stamps that the server gives in its own time, to the minute. A page for each set: their keys do not tell
    which of them changed first."""
    day, minute = since.date().isoformat(), since.strftime("%H:%M:00")
    where = f"UpdateDate gt '{day}' or (UpdateDate eq '{day}' and UpdateTime ge '{minute}')"
    newest = since
    found: list[Change] = []
    for target in SETS:
        rows = await client.rows(target.set, where=where, select=CHANGED, page_size=PAGE, priority="catalogue")
        with readable(target.set, SYSTEM):
            for row in rows:
                stamp = _stamp(row)
                newest = max(newest, stamp or newest)
                if target is DELIVERIES or text_of(row, "TrackingNumber"):
                    found.append(Change(f"{target.set}/{text_of(row, 'DocEntry')}", stamp))
    yield ChangePage(tuple(found), newest)


async def read(client: B1Client, keys: Sequence[str]) -> dict[str, DeliveryNote]:
    """One call for forty notes of a set, one for forty documents that they deliver from, one for the ways of shipping.
    An invoice without a tracking number is no delivery."""
    rows: dict[str, Row] = {}
    for target in SETS:
        entries = [key.partition("/")[2] for key in keys if key.partition("/")[0] == target.set]
        for row in await _rows(client, target, entries, SELECT):
            if target is DELIVERIES or text_of(row, "TrackingNumber"):
                rows[f"{target.set}/{text_of(row, 'DocEntry')}"] = row
    if not rows:
        return {}
    references = await _references(client, rows.values())
    names = await _ways(client) if any(_way(row) for row in rows.values()) else {}
    with readable("DeliveryNotes", SYSTEM):
        return {key: _note(key, row, references, names) for key, row in rows.items()}


async def _rows(client: B1Client, target: Target, entries: Iterable[str], select: Sequence[str]) -> list[Row]:
    clauses = [f"DocEntry eq {int(entry)}" for entry in sorted(set(entries)) if entry.isascii() and entry.isdigit()]
    answered = await together(client.rows(target.set, where=where, select=select) for where in chunks(clauses))
    return [row for rows in answered for row in rows]


async def _references(client: B1Client, rows: Iterable[Row]) -> dict[str, str]:
    """By key, the reference that a document carries from which some of these deliver."""
    wanted: dict[Target, set[str]] = {}
    for row in rows:
        for line in _lines(row):
            base = _BY_TYPE.get(text_of(line, "BaseType"))
            if base in (ORDERS, INVOICES):
                wanted.setdefault(base, set()).add(text_of(line, "BaseEntry"))
    found: dict[str, str] = {}
    for target, entries in wanted.items():
        for row in await _rows(client, target, entries, ("DocEntry", REFERENCE)):
            found[f"{target.set}/{text_of(row, 'DocEntry')}"] = text_of(row, REFERENCE)
    return found


async def _ways(client: B1Client) -> dict[str, str]:
    rows = await client.rows("ShippingTypes", key="Code", select=("Code", "Name"), priority="catalogue")
    return {text_of(row, "Code"): text_of(row, "Name") for row in rows}


def _note(key: str, row: Row, references: Mapping[str, str], names: Mapping[str, str]) -> DeliveryNote:
    target = next(each for each in SETS if key.startswith(f"{each.set}/"))
    way = _way(row)
    day = date_of(text_of(row, "DocDate")[:10])
    if day is None:
        raise ValueError(f"{key} has no date")
    return DeliveryNote(
        key=key,
        name=f"{_LETTERS[target]}{text_of(row, 'DocEntry')}",
        number=text_of(row, "DocNum"),
        day=day,
        lines=tuple(_line(key, row, line, references) for line in _lines(row) if _leaves(target, line)),
        tracking_number=text_of(row, "TrackingNumber").strip(),
        carrier=way,
        carrier_name=names.get(way, ""),
        state=_STATES.get(text_of(row, "CancelStatus"), "posted"),
    )


def _line(key: str, row: Row, line: Row, references: Mapping[str, str]) -> NoteLine:
    base = _BY_TYPE.get(text_of(line, "BaseType"))
    item, quantity = text_of(line, "ItemCode"), decimal_of(line, "Quantity")
    if base is None:
        return NoteLine(item, quantity, key, text_of(row, REFERENCE), _place(line, "LineNum"))
    number = f"{base.set}/{text_of(line, 'BaseEntry')}"
    return NoteLine(item, quantity, number, references.get(number, ""), _place(line, "BaseLine"))


def _leaves(target: Target, line: Row) -> bool:
    """What is invoiced after its delivery has left already."""
    return target is not INVOICES or text_of(line, "BaseType") != str(DELIVERIES.type)


def _place(line: Row, name: str) -> int:
    told = text_of(line, name)
    return int(told) if told.isascii() and told.isdigit() else -1


def _way(row: Row) -> str:
    code = text_of(row, "TransportationCode")
    return "" if code in ("", "-1", "0") else code


def _stamp(row: Row) -> datetime | None:
    """The server's own time, written as if it were UTC: only its order counts."""
    day = date_of(text_of(row, "UpdateDate")[:10])
    if day is None:
        return None
    told = text_of(row, "UpdateTime")
    try:
        at = time.fromisoformat(told[:8]) if told else time()
    except ValueError:
        at = time()
    return datetime.combine(day, at.replace(tzinfo=None), UTC)


def _lines(row: Row) -> list[Row]:
    told = row.get("DocumentLines")
    return [as_row(each) for each in cast("list[object]", told)] if isinstance(told, list) else []
