"""The state of one company: tables, numbers, user-defined fields, rates; the clock that it stamps with."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from ml_connector.sandbox.business_one.access import Node, Session
from ml_connector.sandbox.business_one.errors import bad_query
from ml_connector.sandbox.business_one.fields import SETS, EntitySet, Field, Row
from ml_connector.sandbox.business_one.settings import Settings
from ml_connector.sandbox.business_one.store import Key, Table, Undo
from ml_connector.sandbox.business_one.tables.enums import ENUMS

FIRST_NUMBER = 1
UDF_KINDS: Mapping[str, str] = {
    "db_Alpha": "text",
    "db_Memo": "text",
    "db_Numeric": "int",
    "db_Date": "day",
    "db_Float": "number",
}


@dataclass(frozen=True)
class Asked:
    """Who asks, on which node, and which faults hit the call."""

    session: Session
    node: Node
    faults: Mapping[str, Mapping[str, Any]]
    reserved_entry: int | None = None
    """A key that was drawn before, for a commit that comes late."""

    @property
    def user(self) -> str:
        return self.session.user.name


class Listener(Protocol):
    def __call__(self, entity_set: EntitySet, key: Key, transaction: str) -> None: ...


@dataclass
class Company:
    settings: Settings
    utc_now: Any
    """() -> aware datetime."""
    undo: Undo = field(default_factory=Undo)
    tables: dict[str, Table] = field(default_factory=dict[str, Table])
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    rates: dict[tuple[str, date], Decimal] = field(default_factory=dict[tuple[str, date], Decimal])
    series: list[Row] = field(default_factory=list[Row])
    """Numbering series: what ``SeriesService_GetDocumentSeries`` tells, and where numbers come from."""
    listeners: list[Listener] = field(default_factory=list[Listener])

    def __post_init__(self) -> None:
        self.tables = {name: Table(self.undo) for name in SETS}

    def table(self, name: str) -> Table:
        return self.tables[name]

    def transaction(self) -> AbstractContextManager[None]:
        return self.undo.transaction()

    def now(self) -> datetime:
        """In the company's time zone, with the server's own error of the clock."""
        moment: datetime = self.utc_now() + timedelta(seconds=self.settings.clock_skew_s)
        return moment.astimezone(ZoneInfo(self.settings.time_zone))

    def today(self) -> date:
        return self.now().date()

    def next_number(self, name: str) -> int:
        """Not given back by an undone transaction, as with the real one."""
        self.numbers[name] = self.numbers.get(name, FIRST_NUMBER - 1) + 1
        return self.numbers[name]

    def stamp(self, *, created: bool = False) -> Row:
        now = self.now()
        day, clock = now.date(), now.time().replace(microsecond=0, tzinfo=None)
        stamped: Row = {"UpdateDate": day, "UpdateTime": clock}
        if created:
            stamped.update(CreateDate=day, CreateTime=clock)
        return stamped

    def tell(self, entity_set: str, key: Key, transaction: str) -> None:
        """A deed that webhooks may want: Created, Updated, Deleted, Cancelled, Closed, Reopened."""
        for listener in self.listeners:
            listener(SETS[entity_set], key, transaction)

    # user-defined fields and tables

    def udfs(self, table: str, node: Node | None) -> Mapping[str, Field]:
        """Fields by name with ``U_``, as the node knows them; None for what the database has."""
        if not table:
            return {}
        found: dict[str, Field] = {}
        for _, row in self.tables["UserFieldsMD"].matching({"TableName": frozenset({table})}):
            name = "U_" + str(row["Name"])
            if node is None or (table, name) not in node.hidden:
                kind = UDF_KINDS[row.get("Type") or "db_Alpha"]
                size = int(row.get("Size") or 50) if row.get("Type", "db_Alpha") == "db_Alpha" else None
                found[name] = Field(name, kind, "", size)
        return found

    def user_table(self, name: str, node: Node | None) -> Row | None:
        """``U_MLC_CLAIM`` -> its definition, if the node knows it."""
        if not name.startswith("U_"):
            return None
        row = self.tables["UserTablesMD"].get(name[2:])
        hidden = node is not None and ("@" + name[2:], "") in node.hidden
        return None if row is None or hidden else row

    # money

    def decimals(self, currency: str) -> int:
        """Decimals of totals in a currency; its own where it has them, else the company's."""
        row = self.tables["Currencies"].get(currency)
        kept = ENUMS["CurrenciesDecimalsEnum"].get(str((row or {}).get("Decimals") or "cdDefault"), "-1")
        return self.settings.totals_accuracy if kept == "-1" else int(kept)

    def round_total(self, value: Decimal, currency: str) -> Decimal:
        return rounded(value, self.decimals(currency))

    def rate(self, currency: str, day: date) -> Decimal | None:
        """Units of local currency for one of the foreign."""
        if currency == self.settings.local_currency:
            return Decimal(1)
        return self.rates.get((currency, day)) or self.rates.get((currency, date.min))

    def period_is_open(self, day: date) -> bool:
        locked = self.settings.periods_locked_until
        status = self.settings.period_statuses.get(f"{day:%Y-%m}", "ltUnlocked")
        return (locked is None or day > locked) and status == "ltUnlocked"


def rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def number(row: Row, name: str) -> Decimal:
    return Decimal(row.get(name) or 0)


def one_key(row: Row, names: tuple[str, ...]) -> Key:
    if any(row.get(name) is None for name in names):
        raise bad_query(f"Key {', '.join(names)} is missing")
    return tuple(row[name] for name in names)


MIDNIGHT = time(0, 0)
