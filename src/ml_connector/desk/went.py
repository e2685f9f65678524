"""What became of what a person has just released: `9 of 14 booked`, until nothing of it moves by itself any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ml_connector.desk import wording
from ml_connector.engine.database import Database
from ml_connector.engine.views import released
from ml_connector.engine.views.released import Released

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Gone:
    """A record with its name; `why`: what it waits for by now, where it is held."""

    row: Released
    called: str
    href: str
    why: str
    why_href: str


@dataclass(frozen=True, slots=True)
class Went:
    """All of one action. `rows`: what is not done first, `SHOWN` of them. `booked`: totals of what is done."""

    action: str
    count: int
    done: int
    held: int
    booked: Mapping[str, Decimal]
    rows: Sequence[Gone]
    things: str
    to_the_erp: bool

    @property
    def finished(self) -> bool:
        """Nothing of it moves any more by itself."""
        return self.done + self.held == self.count


_MOVING, _WAITS, _DONE = ("waiting", "running"), ("held", "dead"), ("synced", "excluded")


async def read(database: Database, erps: Mapping[int, str], action: str) -> Went | None:
    """None: nothing was released by that action, or it is none of these integrations'."""
    if not action:
        return None
    async with database.connect() as sql:
        rows = await released.of_action(sql, action, list(erps))
    if not rows:
        return None
    done = [row for row in rows if row.status in _DONE]
    sums: dict[str, Decimal] = {}
    for row in done:
        if row.status == "synced" and row.total is not None and row.currency:
            sums[row.currency] = sums.get(row.currency, Decimal(0)) + row.total
    ordered = sorted(rows, key=lambda row: [*_WAITS, *_MOVING, *_DONE].index(row.status))
    return Went(
        action, len(rows), len(done), sum(row.status in _WAITS for row in rows), sums,
        [_gone(row, erps[row.integration]) for row in ordered[:SHOWN]],
        wording.thing(rows[0].flow, len(rows)), rows[0].flow in ("orders", "customers"),
    )  # fmt: skip


def _gone(row: Released, erp: str) -> Gone:
    held = row.status == "held"
    return Gone(
        row,
        wording.called(row.flow, row.title),
        wording.record_href(row.integration, row.flow, row.key),
        wording.title(row.hold_kind, row.hold_key, erp) if held else "",
        wording.hold_href(row.integration, row.hold_kind, row.hold_key) if held else "",
    )
