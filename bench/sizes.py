"""How much of everything is measured."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.catch_up import Sizes as CatchUp
from bench.flood import Sizes as Flood
from bench.stock import Sizes as Stock


@dataclass(frozen=True, slots=True)
class Sizes:
    deliveries: int = 4_000
    intake_rounds: int = 5
    arrivals_s: float = 60.0
    orders: int = 400
    slow_orders: int = 200
    pipeline_rounds: int = 3
    single_orders: int = 30
    lone_orders: int = 15
    depths: Sequence[int] = (1_000, 100_000, 1_000_000)
    turns: int = 400
    console: Sequence[int] = (10_000, 1_000_000)
    console_turns: int = 20
    flood: Flood = Flood()
    catch_up: CatchUp = CatchUp(orders=10_000, box_s=420.0)
    reconcile: int = 100_000
    stock: Stock = Stock()
    within_s: float = 1_680.0

    def in_time(self, left_s: float) -> "Sizes":
        """With a box for catching up that leaves time for what comes after it."""
        box_s = min(self.catch_up.box_s, max(AT_LEAST_S, left_s - AFTER_S))
        return replace(self, catch_up=replace(self.catch_up, box_s=box_s), within_s=left_s)


AT_LEAST_S, AFTER_S = 60.0, 500.0
"""Seconds under the quota, and what seeding, retention and the parts after it take."""

NORMAL = Sizes()
"""Everything within half an hour: on a slow machine fewer orders are caught up and reconciled, and the rows say so."""

FULL = replace(NORMAL, catch_up=CatchUp(orders=10_000, box_s=7_200.0, more=40_000), within_s=14_400.0)
"""All 10,000 orders under the quota, and 50,000 through one worker."""

TINY = Sizes(
    deliveries=100,
    intake_rounds=1,
    arrivals_s=1.0,
    orders=12,
    slow_orders=6,
    pipeline_rounds=1,
    single_orders=2,
    lone_orders=1,
    depths=(100, 1_000),
    turns=10,
    console=(1_000, 3_000),
    console_turns=2,
    flood=Flood(integrations=3, rounds=1, flood=100),
    catch_up=CatchUp(orders=20, box_s=20.0, trial=10),
    reconcile=100,
    stock=Stock(skus=300, changed=3),
)
"""To see whether it works; measures nothing."""
