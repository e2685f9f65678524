"""Which differences a person has explained, and what that closes. Pure.

An explanation is of one difference with its amounts: if either side moves, it is another difference, and open. A day is
closed when all its differences are, and when what no finding of it tells has not moved since either.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ml_connector.domain.money import ZERO
from ml_connector.engine.explained import Explanation
from ml_connector.reconcile.days import Day
from ml_connector.reconcile.totals import PART_KINDS
from ml_connector.reconcile.values import Difference

Said = Mapping[str, Explanation]
"""Name of a difference -> what a person has said of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference with its name, under which it is found again each night. `said` None: nobody has explained it."""

    name: str
    difference: Difference
    said: Explanation | None

    @property
    def open(self) -> bool:
        """It does not tie, and nobody has said why."""
        return self.said is None and not self.difference.open


def name_of(each: Difference) -> str:
    """Of what it is about, whatever its amounts."""
    about = (each.cause, each.order_id, each.reference, each.kind, each.currency, each.day, *sorted(each.numbers))
    return hashlib.sha256("\x1f".join(map(str, about)).encode()).hexdigest()[:24]


def findings(found: Sequence[Difference], said: Said) -> list[Finding]:
    """Each with what was said of it, as long as its amounts are those that were looked at."""
    made: list[Finding] = []
    for each in found:
        name = name_of(each)
        known = said.get(name)
        counts = known is not None and not each.open and (known.store, known.erp) == (each.store, each.erp)
        made.append(Finding(name, each, known if counts else None))
    return made


def state(day: Day, currency: str, said: Said) -> str:
    """As `Day.state`, and `explained` where everything that differs has been."""
    plain = day.state(currency)
    if plain != "differs":
        return plain
    mine = [each for each in findings(day.found, said) if currency in ("", each.difference.currency)]
    closed = [each.said for each in mine if each.said is not None]
    if day.more or not closed or any(each.open for each in mine):
        return "differs"
    for code in {each.difference.currency for each in mine if each.said is not None} | _moving(day, currency):
        latest = max(
            (each.said for each in mine if each.said is not None and each.difference.currency == code),
            key=lambda each: each.at,
            default=None,
        )
        if latest is None or latest.rest != rest(day, code):
            return "differs"
    return "explained"


def rest(day: Day, currency: str) -> Decimal:
    """What of the day's difference no finding tells. Parts of other figures are not added to them."""
    told = sum(
        (
            each.amount
            for each in day.found
            if each.currency == currency and not each.open and each.kind not in PART_KINDS
        ),
        ZERO,
    )
    return day.sums(currency).difference - told


def _moving(day: Day, currency: str) -> set[str]:
    rows = {row.currency for row in (*day.rows, *day.accounts) if row.difference}
    return {code for code in rows if currency in ("", code)}
