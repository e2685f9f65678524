"""The sums of a reconciliation: grows by one order at a time, stays as small as the window has days."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from ml_connector.domain.money import ZERO, round_half_up
from ml_connector.reconcile.causes import ABOUT, Cause
from ml_connector.reconcile.values import Compared, Difference

LISTED_REASONS = ("held", "waiting", "dead", "never_heard")
"""States whose orders are worth a line each; the others are counted by reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the tie-out. `open`: what of `store` is not in the ERP yet, for a known reason."""

    day: date | None
    currency: str
    kind: str
    store: Decimal
    open: Decimal
    ours: Decimal
    erp: Decimal
    documents: int

    @property
    def difference(self) -> Decimal:
        return self.erp - (self.store - self.open)


@dataclass(frozen=True, slots=True)
class AccountRow:
    """Debit minus credit of our live documents and of the ERP's. `account`: number without leading zeros,
    `receivables` (all customers) or `tax CODE`."""

    day: date | None
    currency: str
    account: str
    ours: Decimal
    erp: Decimal

    @property
    def difference(self) -> Decimal:
        return self.erp - self.ours


@dataclass(slots=True)
class Totals:
    """Add what was compared, then read the verdict."""

    orders: int = 0
    documents: int = 0
    three_sided: bool = True
    states: Counter[str] = field(default_factory=Counter[str])
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    found: list[Difference] = field(default_factory=list[Difference])
    _rows: dict[tuple[date | None, str, str], list[Decimal]] = field(
        default_factory=dict[tuple[date | None, str, str], list[Decimal]]
    )
    _counts: Counter[tuple[date | None, str, str]] = field(default_factory=Counter[tuple[date | None, str, str]])
    _accounts: dict[tuple[date | None, str, str], list[Decimal]] = field(
        default_factory=dict[tuple[date | None, str, str], list[Decimal]]
    )

    def add(self, compared: Compared, *, counts: bool = True) -> None:
        """`counts`: the order was placed in the window, and is one of those that must be accounted for."""
        if counts:
            self.orders += 1
            if compared.state:
                self.states[compared.state] += 1
                if compared.reason:
                    self.reasons[compared.state, compared.reason] += 1
        self.documents += compared.documents
        for entry in compared.entries:
            key = (entry.day, entry.currency, entry.kind)
            sums = self._rows.setdefault(key, [ZERO, ZERO, ZERO, ZERO])
            for place, amount in enumerate((entry.store, entry.open, entry.ours, entry.erp)):
                sums[place] += amount
            self._counts[key] += entry.documents
        for line in compared.accounts:
            pair = self._accounts.setdefault((line.day, line.currency, line.account), [ZERO, ZERO])
            pair[0] += line.ours
            pair[1] += line.erp
        self.found += compared.differences

    # -------------------------------------------------------------- what it says

    @property
    def rows(self) -> list[Row]:
        return [
            Row(day, currency, kind, *(round_half_up(x, currency) for x in sums), self._counts[day, currency, kind])  # type: ignore[misc]
            for (day, currency, kind), sums in sorted(self._rows.items(), key=_by_day)
        ]  # fmt: skip

    @property
    def accounts(self) -> list[AccountRow]:
        """Per day; accounts on which nothing moved in the end are left out."""
        return [
            AccountRow(day, currency, account, round_half_up(ours, currency), round_half_up(erp, currency))
            for (day, currency, account), (ours, erp) in sorted(self._accounts.items(), key=_by_day)
            if ours or erp
        ]

    @property
    def account_totals(self) -> list[AccountRow]:
        """Over the whole window."""
        sums: dict[tuple[str, str], list[Decimal]] = {}
        for (_, currency, account), (ours, erp) in self._accounts.items():
            pair = sums.setdefault((currency, account), [ZERO, ZERO])
            pair[0] += ours
            pair[1] += erp
        return [
            AccountRow(None, currency, account, round_half_up(ours, currency), round_half_up(erp, currency))
            for (currency, account), (ours, erp) in sorted(sums.items())
        ]

    @property
    def differences(self) -> list[Difference]:
        """What does not tie."""
        return [each for each in self.found if not each.open]

    @property
    def open(self) -> list[Difference]:
        """What is not posted yet, for a known reason."""
        return [each for each in self.found if each.open]

    @property
    def by_currency(self) -> dict[str, Decimal]:
        """Absolute differences of orders, captures, refunds and the like. Parts of them (tax, ...) are not added."""
        found: dict[str, Decimal] = {}
        for row in self.rows:
            found.setdefault(row.currency, ZERO)
            if row.kind not in PART_KINDS:
                found[row.currency] += abs(row.difference)
        return found

    @property
    def largest(self) -> Decimal:
        """The largest absolute difference of any currency."""
        return max((abs(amount) for amount in self.by_currency.values()), default=ZERO)

    @property
    def ties(self) -> bool:
        """No difference that needs a person, and every sum agrees."""
        return (
            not self.differences
            and not any(row.difference for row in self.rows)
            and not any(row.difference for row in self.accounts if self.three_sided)
        )

    def count(self, *causes: Cause) -> int:
        return sum(1 for each in self.found if each.cause in causes)

    @property
    def duplicates(self) -> int:
        """Documents that are one too many."""
        return sum(max(1, len(each.numbers) - 1) for each in self.found if each.cause is Cause.DUPLICATE)

    @property
    def missing(self) -> int:
        return self.count(Cause.MISSING, Cause.DELETED, Cause.REVERSED, Cause.NEVER_HEARD)

    # -------------------------------------------------------------- kept between slices of one run

    def to_json(self) -> dict[str, Any]:
        return {
            "orders": self.orders,
            "documents": self.documents,
            "states": dict(self.states),
            "reasons": [[*key, count] for key, count in self.reasons.items()],
            "rows": [[*_key(key), *map(str, sums), self._counts[key]] for key, sums in self._rows.items()],
            "accounts": [[*_key(key), *map(str, sums)] for key, sums in self._accounts.items()],
            "found": [difference_to_json(each) for each in self.found],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Totals":
        made = cls(data["orders"], data["documents"], states=Counter(data["states"]))
        made.reasons = Counter({(state, reason): count for state, reason, count in data["reasons"]})
        for day, currency, kind, *sums, count in data["rows"]:
            key = (_day(day), currency, kind)
            made._rows[key] = [Decimal(each) for each in sums]
            made._counts[key] = count
        for day, currency, account, *sums in data["accounts"]:
            made._accounts[_day(day), currency, account] = [Decimal(each) for each in sums]
        made.found = [difference_from_json(each) for each in data["found"]]
        return made


PART_KINDS = frozenset({"tax", "shipping", "gift certificates", "store credit"})
"""Kinds whose figures are parts of others."""


def difference_to_json(each: Difference) -> dict[str, Any]:
    """As the command prints it: amounts as texts, with the cause in words and what to do."""
    about = ABOUT[each.cause]
    return {
        **asdict(each),
        "cause": str(each.cause),
        "day": each.day.isoformat() if each.day else None,
        "store": str(each.store),
        "ours": str(each.ours),
        "erp": str(each.erp),
        "difference": str(each.amount),
        "numbers": list(each.numbers),
        "open": each.open,
        "likely_cause": about.words,
        "next_step": about.next_step,
    }


def difference_from_json(data: Mapping[str, Any]) -> Difference:
    return Difference(
        Cause(data["cause"]), data["order_id"], data["reference"], Decimal(data["store"]), Decimal(data["erp"]),
        data["currency"], data["text"], ours=Decimal(data["ours"]), day=_day(data["day"]), kind=data["kind"],
        numbers=tuple(data["numbers"]), touched=data["touched"],
    )  # fmt: skip


def added(compared: Iterable[Compared]) -> Totals:
    totals = Totals()
    for each in compared:
        totals.add(each)
    return totals


def _by_day(item: tuple[tuple[date | None, str, str], list[Decimal]]) -> tuple[str, str, str]:
    (day, currency, what), _ = item
    return (str(day or ""), currency, what)


def _key(key: tuple[date | None, str, str]) -> tuple[str | None, str, str]:
    day, currency, what = key
    return (day.isoformat() if day else None, currency, what)


def _day(written: str | None) -> date | None:
    return date.fromisoformat(written) if written else None
