"""The figures that planning told when it held a record: both sums line by line, as the audit keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ml_connector.engine.audit_queries import Question, page
from ml_connector.engine.database import Database

LOOKED = 40


@dataclass(frozen=True, slots=True)
class Row:
    """`left` and `right` None: it has no figure on that side."""

    label: str
    left: Decimal | None
    right: Decimal | None = None
    strong: bool = False

    @property
    def difference(self) -> Decimal | None:
        if self.left is None and self.right is None:
            return None
        return (self.right or Decimal(0)) - (self.left or Decimal(0))


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one record. `heads`: of the columns after the first; with two of them the rows have a difference too. `limit`:
    the tolerance that was exceeded, `off` by how much the two sums differ."""

    key: str
    heads: Sequence[str]
    rows: Sequence[Row]
    off: Decimal | None = None
    limit: Decimal | None = None


async def of_record(database: Database, integration: int, flow: str, key: str, kind: str) -> Figures | None:
    """What the last run told that held the record for `kind`; None where it told no figures."""
    found = await page(database, Question(integration, flow, key, kinds=("planned",)), limit=LOOKED)
    for row in found.rows:
        if row.key == key and row.data.get("held") == kind:
            facts = {name: str(value) for name, value in row.data.items() if name not in ("held", "key")}
            return _figures(key, kind, facts)
    return None


def _figures(key: str, kind: str, facts: Mapping[str, str]) -> Figures | None:
    if "computed_total" in facts:
        named = sorted(
            (each for each in facts.items() if each[0].startswith("part ")), key=lambda each: _place(each[0])
        )
        parts = [_part(name, told) for name, told in named]
        rows = [
            *parts,
            Row("Tax", _number(facts["total_tax"])),
            Row("Together", _number(facts["computed_total"]), strong=True),
            Row("The store’s total", _number(facts.get("store_total", "")), strong=True),
        ]
        return Figures(
            key, ("Amount",), rows, _number(facts.get("difference", "")), _number(facts.get("tolerance", ""))
        )
    if "store_tax" in facts:
        codes = [
            Row(f"Tax code {name.removeprefix('tax ')}", _number(told))
            for name, told in facts.items()
            if name.startswith("tax ")
        ]
        rows = [
            *codes,
            Row("Tax rows together", _number(facts.get("tax_rows", "")), strong=True),
            Row("The order’s tax", _number(facts["store_tax"]), strong=True),
        ]
        return Figures(
            key, ("Amount",), rows, _number(facts.get("difference", "")), _number(facts.get("tolerance", ""))
        )
    if "posted_total" in facts and "new_total" in facts:
        return _compared(key, facts)
    plain = [Row(name.replace("_", " ").capitalize(), _number(told)) for name, told in facts.items()]
    rows = [row for row in plain if row.left is not None]
    return Figures(key, ("Amount",), rows) if rows else None


def _compared(key: str, facts: Mapping[str, str]) -> Figures:
    """What is booked beside what would be booked now, line by line."""
    sides: dict[str, list[Decimal | None]] = {}
    for name, told in facts.items():
        which, _, about = name.partition(" ")
        side, _, amount = told.partition(" ")
        number = _number(amount)
        if which in ("posted", "new") and about and number is not None:
            pair = sides.setdefault(about, [None, None])
            pair[which == "new"] = number if side == "debit" else -number
    rows = [
        Row(about[:1].upper() + about[1:].replace("_", " "), left, right)
        for about, (left, right) in sorted(sides.items(), key=lambda each: each[0])
    ]
    total = Row("Total", _number(facts["posted_total"]), _number(facts["new_total"]), strong=True)
    return Figures(key, ("Booked", "As it is now"), [*rows, total])


_ORDER = ("line", "shipping", "handling", "wrapping", "fee")


def _place(name: str) -> tuple[int, int, str]:
    """As an invoice has them: lines in their order, then charges."""
    what, _, rest = name.removeprefix("part ").partition("/")
    number = rest.partition("/")[0]
    return (
        _ORDER.index(what) if what in _ORDER else len(_ORDER), int(number) if number.isdecimal() else 0, rest
    )  # fmt: skip


def _part(name: str, told: str) -> Row:
    """`part line/501/revenue` -> `60.00 HP-LANT x2`."""
    amount, _, text = told.partition(" ")
    return Row(text or name.removeprefix("part "), _number(amount))


def _number(told: str) -> Decimal | None:
    try:
        number = Decimal(told)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
