"""What a comparison of stock says: one finding for each SKU that is not equal, and the counts of all."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ml_connector.reconcile.stock_causes import ABOUT, StockCause

EQUAL = "equal"
NOT_OFFERED = "not_in_erp_not_offered"
NOT_SOLD = "not_sold_in_store"
LISTED = 10_000
"""Differences, and what is on its way, that are kept with their figures; beyond that they are counted by cause."""


@dataclass(frozen=True, slots=True)
class Place:
    """One location of the store, in pieces. `expected`: what the ERP has to sell there by the policy, less what orders
    have taken. `ours`: what we wanted there last; None: never."""

    location: int
    name: str
    store: int
    expected: int
    ours: int | None

    @property
    def difference(self) -> int:
        return self.store - self.expected


@dataclass(frozen=True, slots=True)
class StockDifference:
    """A SKU whose stock does not tie, or not yet (`open`). `places`: the locations that differ. `reserved`: pieces that
    orders have taken and the ERP does not count yet."""

    cause: StockCause
    sku: str
    item: str
    text: str
    places: tuple[Place, ...] = ()
    reserved: int = 0

    @property
    def open(self) -> bool:
        return ABOUT[self.cause].open

    @property
    def pieces(self) -> int:
        return sum(abs(place.difference) for place in self.places)


@dataclass(slots=True)
class StockTotals:
    """`by_state`: every SKU of the store under `equal` or its cause. `pieces`: of the differences. `not_sold`: items of
    the ERP that no SKU of the store shows."""

    at: datetime
    by_state: Counter[str] = field(default_factory=Counter[str])
    pieces: int = 0
    not_sold: int = 0
    differing: list[StockDifference] = field(default_factory=list[StockDifference])
    on_the_way: list[StockDifference] = field(default_factory=list[StockDifference])

    def equal(self, count: int) -> None:
        self.by_state[EQUAL] += count

    def add(self, found: StockDifference) -> None:
        self.by_state[found.cause] += 1
        if not found.open:
            self.pieces += found.pieces
        listed = self.on_the_way if found.open else self.differing
        if len(listed) < LISTED:
            listed.append(found)

    @property
    def skus(self) -> int:
        return self.by_state.total()

    @property
    def differences(self) -> int:
        return sum(self.by_state[cause] for cause in StockCause if not ABOUT[cause].open)

    @property
    def open(self) -> int:
        return sum(self.by_state[cause] for cause in StockCause if ABOUT[cause].open)

    @property
    def ties(self) -> bool:
        return self.differences == 0

    def as_json(self) -> Mapping[str, Any]:
        return {
            "ties": self.ties,
            "at": self.at.isoformat(),
            "skus": self.skus,
            "by_state": dict(self.by_state),
            "items_not_sold": self.not_sold,
            "pieces": self.pieces,
            "differences": [_as_json(each) for each in self.differing],
            "open": [_as_json(each) for each in self.on_the_way],
            "all_listed": (len(self.differing), len(self.on_the_way)) == (self.differences, self.open),
        }


def _as_json(found: StockDifference) -> Mapping[str, Any]:
    about = ABOUT[found.cause]
    return {
        "cause": str(found.cause),
        "sku": found.sku,
        "item": found.item,
        "reserved": found.reserved,
        "pieces": found.pieces,
        "text": found.text,
        "likely_cause": about.words,
        "next_step": about.next_step,
        "locations": [
            {
                "location": place.location, "name": place.name, "store": place.store, "expected": place.expected,
                "ours": place.ours, "difference": place.difference,
            }
            for place in found.places
        ],
    }  # fmt: skip
