"""What goes where, and is it right? One tab of the mapping: its rows beside what the ERP has, what uses them, what is
missing, since when they stand."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, cast

from ml_connector.config.mapped import is_mapped
from ml_connector.config.mapping import mapping_from
from ml_connector.connectors.errors import ConnectorError
from ml_connector.desk import wording
from ml_connector.desk.holds import Charts
from ml_connector.desk.mapping import Opened
from ml_connector.desk.mapping_tables import Column, Row, Table, rows_of, same
from ml_connector.desk.mapping_used import used
from ml_connector.desk.mapping_words import OF_MISSING, Tab, prefilled, source, tabs
from ml_connector.engine.database import Database
from ml_connector.engine.views import counts
from ml_connector.engine.views import mapping as views
from ml_connector.engine.views.mapping import PostedLine, Version
from ml_connector.flows.runtime import Runtime

ROWS = 200
"""Rows of a table at most on a page; the search finds the others."""
ORDERS = 300
"""Latest orders that are looked at for what is used."""
VERSIONS = 30
"""Versions that are looked at for since when a row stands."""
CHART_WITHIN_S = 2.5
"""A page waits so long for the ERP's list; it comes with the next one otherwise."""


@dataclass(frozen=True, slots=True)
class Known:
    """An account as the ERP has it. `state`: ok, blocked, or absent from a list that has others."""

    state: Literal["ok", "blocked", "absent"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """The ERP's accounts by number; `why` in words where there are none to compare with."""

    accounts: Mapping[str, Known]
    age_s: float = 0.0
    why: str = ""

    @property
    def names(self) -> Mapping[str, str]:
        """Account -> what the ERP calls it."""
        return {number: each.name for number, each in self.accounts.items() if each.name}

    def of(self, number: str) -> Known | None:
        """None: nothing is known. SAP pads numbers with zeros, and takes them with and without."""
        if not self.accounts or not number:
            return None
        return self.accounts.get(number) or self.accounts.get(number.lstrip("0")) or Known("absent")


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it is shown. `state`: new, changed, removed by the draft, or empty. `orders`: how many of the latest
    used it; None: not known. `since`: the version it came with; `older`: or an earlier one."""

    row: Row
    state: str = ""
    before: Mapping[str, str] | None = None
    accounts: Mapping[str, Known] | None = None
    orders: int | None = None
    since: Version | None = None
    older: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """What orders wait for, and the mapping lacks. `table`: where it is added; `typed`: as far as its key tells."""

    kind: str
    key: str
    title: str
    table: str
    count: int
    sums: Mapping[str, Decimal]
    since: datetime
    thing: str
    typed: Mapping[str, str]
    drafted: bool = False
    """The draft has it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A table on the page. `count`: of all rows that fit the search."""

    table: Table
    lines: Sequence[Line]
    count: int
    missing: Sequence[Missing]

    @property
    def columns(self) -> list[Column]:
        """Those that are needed, or have a value in some row."""
        alone = self.table.shape == "single"
        rows = [each.row.values for each in self.lines]
        return [
            column
            for column in self.table.columns
            if column.required or alone or any(row.get(column.name, "") not in ("", _off(column)) for row in rows)
        ]


@dataclass(frozen=True, slots=True)
class Page:
    """One tab. `missing`: tab -> how many entries are missing; `orders`: how many of the latest were looked at."""

    tab: Tab
    tabs: Sequence[Tab]
    tables: Sequence[Shown]
    missing: Mapping[str, int]
    chart: Chart
    orders: int


def _off(column: Column) -> str:
    return str(column.default).lower() if isinstance(column.default, bool) else ""


async def read(runtime: Runtime, charts: Charts, known: Opened, erp: str, *, tab: str = "", asked: str = "") -> Page:
    """`erp`: what the ERP is called. `tab`: by the name of one of its parts; empty: the first where something is
    missing, or else the first."""
    integration, all_tabs = known.integration, tabs()
    async with runtime.database.connect() as sql:
        holds = [each for each in await counts.holds(sql, [integration.id]) if each.kind == "unmapped"]
        posted = await views.posted_with(sql, integration.id, orders=ORDERS)
    missing = [_missing(each, known, erp) for each in holds]
    by_tab = {each.name: sum(1 for lack in missing if lack.table in {t.name for t in each.tables}) for each in all_tabs}
    wanted = next((each for each in all_tabs if tab in {each.name, *(t.name for t in each.tables)}), None)
    chosen = wanted or next((each for each in all_tabs if by_tab[each.name]), all_tabs[0])
    chart = await read_chart(runtime, charts, integration.erp)
    tables = [
        await _shown(
            runtime.database, known, table, chart, posted, asked, [m for m in missing if m.table == table.name]
        )
        for table in chosen.tables
    ]
    return Page(chosen, all_tabs, tables, by_tab, chart, len({each.key for each in posted}))


async def _shown(
    database: Database, known: Opened, table: Table, chart: Chart, posted: Sequence[PostedLine], asked: str,
    missing: Sequence[Missing],
) -> Shown:  # fmt: skip
    stored, wanted = rows_of(known.mapping, table), rows_of(known.drafted_mapping, table)
    lines = compared(table, stored, wanted)
    uses = used(table, wanted, known.drafted_mapping, posted)
    found = [each for each in lines if _fits(each.row, asked)]
    async with database.connect() as sql:
        history = await views.parts(sql, "mapping", known.integration.id, table.path, limit=VERSIONS)
    charted = [column.name for column in table.columns if source(table, column) == "chart"]
    shown: list[Line] = []
    for line in found[:ROWS]:
        accounts = {name: each for name in charted if (each := chart.of(line.row.values.get(name, ""))) is not None}
        since, older = _since(line.row, table, history) if not line.state else (None, False)
        orders = uses.get(line.row.at) if line.state != "removed" else None
        shown.append(Line(line.row, line.state, line.before, accounts, orders, since, older))
    return Shown(table, shown, len(found), missing)


def compared(table: Table, stored: Sequence[Row], wanted: Sequence[Row]) -> list[Line]:
    """The wanted rows, each with what the draft did to it, then those that it takes out."""
    if table.shape == "rows":
        kept = [same(each.content) for each in stored]
        lines = [Line(each, "" if same(each.content) in kept else "new") for each in wanted]
        left = [same(each.content) for each in wanted]
        return [*lines, *(Line(each, "removed") for each in stored if same(each.content) not in left)]
    before = {each.at: each for each in stored}
    lines = list[Line]()
    for each in wanted:
        old = before.pop(each.at, None)
        if old is None:
            lines.append(Line(each, "new"))
        elif same(old.content) != same(each.content):
            lines.append(Line(each, "changed", old.values))
        else:
            lines.append(Line(each))
    return [*lines, *(Line(each, "removed") for each in before.values())]


def _fits(row: Row, asked: str) -> bool:
    return not asked or all(
        any(word in value.casefold() for value in row.values.values()) for word in asked.casefold().split()
    )


def _since(row: Row, table: Table, history: Sequence[Version]) -> tuple[Version | None, bool]:
    """The version that brought the row, among those that were read; whether it may be older than the oldest of them."""
    found: Version | None = None
    for version in history:
        if not _has(version.content, row, table):
            return found, False
        found = version
    return found, found is not None and found.version > 1


def _has(part: Any, row: Row, table: Table) -> bool:
    if table.shape == "rows":
        return isinstance(part, list) and row.content in part
    if table.shape == "single":
        return bool(row.content) and rows_of(_nested(table, part), table)[0].content == row.content
    return isinstance(part, dict) and cast("dict[str, Any]", part).get(row.at) == row.content


def _nested(table: Table, part: Any) -> dict[str, Any]:
    for step in reversed(table.path):
        part = {step: part}
    return part


def _missing(hold: counts.Hold, known: Opened, erp: str) -> Missing:
    from_key, _, key = hold.key.partition("|")
    table = OF_MISSING.get(from_key, "")
    collective = table.startswith("customers") and key in ("one_time", "collective")
    typed: Mapping[str, str] = {} if collective else prefilled(from_key, key)
    table = "customers" if collective else table
    title = wording.title(hold.kind, hold.key, erp)
    thing = wording.thing(hold.flow, hold.count)
    drafted = known.draft is not None and _is_drafted(known, hold.key)
    return Missing(from_key, key, title, table, hold.count, hold.sums, hold.since, thing, typed, drafted)


def _is_drafted(known: Opened, key: str) -> bool:
    return is_mapped(mapping_from(known.drafted_mapping), key)


async def read_chart(runtime: Runtime, charts: Charts, erp: int) -> Chart:
    """The accounts of the connection `erp`. What is not there in time is read on, for the next page."""
    try:
        connection = await runtime.registry.connection(erp)
        connector = await runtime.connector(connection)
    except (ConnectorError, LookupError, ValueError) as error:
        return Chart({}, why=str(error))
    reading = asyncio.ensure_future(charts.accounts(erp, connector))
    done, _ = await asyncio.wait({reading}, timeout=CHART_WITHIN_S)
    if not done:
        reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        return Chart({}, why="The ERP’s list of accounts is being read; it is compared when you open the page again.")
    try:
        accounts, age_s = reading.result()
    except ConnectorError as error:
        return Chart({}, why=f"The ERP’s list of accounts could not be read: {error}")
    return Chart({each.number: Known("blocked" if each.blocked else "ok", each.name) for each in accounts}, age_s)
