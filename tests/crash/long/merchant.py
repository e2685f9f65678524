"""The shop meanwhile: orders come in as fast as they are worked off, and the merchant edits, refunds and cancels."""

import random
import urllib.error
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.crash import books
from tests.crash.long.scene import LongCase

CHUNK = 10
CUSTOMERS = 40
DEEDS_PER_ORDER = 0.15
_REFUNDS = {"JPY": "100", "KWD": "0.500"}


@dataclass(slots=True)
class Merchant:
    """`orders` in all. At most `backlog` are under way at once, so that strikes meet work from first to last."""

    case: LongCase
    draw: random.Random
    orders: int
    backlog: int
    placed: int = 0
    deeds: Counter[str] = field(default_factory=Counter[str])
    _waiting: list[int] = field(default_factory=list[int])
    _first_chunk: bool = True

    @property
    def done(self) -> bool:
        return self.placed >= self.orders and not self._waiting

    def unheard(self, known: int) -> int:
        """Orders that nobody has heard of yet: they count as under way."""
        return max(0, self.placed - known)

    def tick(self, under_way: int) -> None:
        """Places the next orders if there is room, and changes one of those placed before."""
        if self.placed < self.orders and under_way < self.backlog:
            self._place(min(CHUNK, self.orders - self.placed))
        if self._waiting and (self.draw.random() < 0.5 or self.placed >= self.orders):
            self._change(self._waiting.pop(self.draw.randrange(len(self._waiting))))

    def _place(self, count: int) -> None:
        seed = {
            "orders": count,
            "seed": self.draw.randrange(1_000_000_000),
            "customers": CUSTOMERS if self._first_chunk else 0,
            "spread_days": 0.02,
        }
        made = books.call(f"{self.case.store}/seed", seed)
        self._first_chunk = False
        self.placed += count
        ids = range(int(made["first_id"]), int(made["last_id"]) + 1)
        self._waiting += [order for order in ids if self.draw.random() < DEEDS_PER_ORDER]

    def _change(self, order: int) -> None:
        [found] = books.call(f"{self.case.store}/state/orders?after={order - 1}&limit=1")["items"]
        deed = self._fitting(found)
        if deed is None:
            return
        action, arguments = deed
        try:
            self.case.act(order, action, **arguments)
        except urllib.error.HTTPError as refusal:
            if refusal.code not in (400, 422):
                raise
            self.deeds["refused by the store"] += 1
        else:
            self.deeds[action] += 1

    def _fitting(self, found: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """What a merchant could do to this order."""
        head, lines = found["order"], found["products"]
        if head["payment_method"] == "Cash on Delivery" or head["payment_status"] == "authorized":
            return "cancel", {}
        if head["payment_status"] != "captured" or found["refunds"]:
            return None
        line = max(lines, key=lambda each: int(each["quantity"]))
        if int(line["quantity"]) > 1 and self.draw.random() < 0.5:
            return "edit", {"line_id": line["id"], "quantity": int(line["quantity"]) - 1}
        return "refund", {"amount": _REFUNDS.get(head["currency_code"], "1.00")}
