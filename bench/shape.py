"""What the orders of a sample ask for, and what reading them from the store takes at least."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml_connector.flows.orders import BATCH

ORDERS_PER_REFUND_LIST = 100


@dataclass(frozen=True, slots=True)
class Shape:
    """What the orders of a sample ask for. `waves`: documents by their place in their order's plan. `plans`: of each
    order, how many documents of each kind."""

    orders: int
    discounted: int
    customers: int
    waves: Sequence[int]
    plans: Sequence[Mapping[str, int]] = ()

    @property
    def entries(self) -> int:
        return sum(self.waves)


def store_reads_catching_up(shape: Shape) -> int:
    """Two lists per batch (the orders, and the second look that no order changed meanwhile), the refunds of 100 orders,
    taxes and transactions of every order, coupons of every discounted one."""
    lists = 2 * math.ceil(shape.orders / BATCH) + math.ceil(shape.orders / ORDERS_PER_REFUND_LIST)
    return lists + 2 * shape.orders + shape.discounted


def store_reads_one_by_one(shape: Shape) -> int:
    return 5 * shape.orders + shape.discounted
