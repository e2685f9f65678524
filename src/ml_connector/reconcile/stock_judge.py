"""Whether stock that does not agree is a difference, or on its way. Pure: figures and what we know -> a finding."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ml_connector.domain.stock import ItemStock, StoreStock
from ml_connector.engine.stock_status import SkuStanding
from ml_connector.reconcile.stock_causes import StockCause
from ml_connector.reconcile.stock_values import Place, StockDifference


@dataclass(frozen=True, slots=True)
class Figures:
    """One SKU on both sides. `name`: of its item, empty where none is mapped. `item` None: the ERP has none. `wanted`:
    by location, what the store should have; `reserved`: pieces that are taken off in it for orders."""

    store: StoreStock
    name: str
    item: ItemStock | None
    wanted: Mapping[int, int]
    reserved: int = 0

    @property
    def equal(self) -> bool:
        """A location that never counted the SKU has none of it."""
        return self.item is not None and all(
            self.store.on_hand.get(place, 0) == count for place, count in self.wanted.items()
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What else is known. `scanned_at`: when the last complete scan of the ERP began, one every `poll_s`. `changed`:
    the item is not as that scan saw it. `moved`: the store's figure changed while it was read. `order`: one that has
    taken this SKU and is not read yet. `mapped`: the mapping names the SKU."""

    now: datetime
    ours: SkuStanding
    lag_s: float
    poll_s: float
    scanned_at: datetime | None
    changed: bool = False
    moved: bool = False
    order: str = ""
    mapped: bool = False
    in_store: bool = True

    @property
    def known(self) -> bool:
        """It was seen on both sides before, or somebody says that it is on both."""
        return self.mapped or self.ours.wanted is not None

    @property
    def scan_is_late(self) -> bool:
        return self.scanned_at is None or self.now - self.scanned_at > timedelta(seconds=self.poll_s + self.lag_s)

    @property
    def run_is_late(self) -> bool:
        return self.ours.heard_at is not None and self.now - self.ours.heard_at > timedelta(seconds=self.lag_s)


def judged(sku: str, figures: Figures, facts: Facts, names: Mapping[int, str]) -> StockDifference | None:
    """None: the ERP has no item of it, and the store offers none. `names`: of the store's locations."""
    if figures.item is None and not any(figures.store.on_hand.values()):
        return None
    cause, text = _cause(figures, facts)
    wanted = figures.wanted if figures.item is not None else dict.fromkeys(figures.store.on_hand, 0)
    ours = facts.ours.wanted or {}
    places = tuple(
        Place(place, names.get(place, str(place)), figures.store.on_hand.get(place, 0), count, ours.get(place))
        for place, count in sorted(wanted.items())
        if figures.store.on_hand.get(place, 0) != count
    )
    return StockDifference(cause, sku, figures.name, text, places, figures.reserved)


def _cause(figures: Figures, facts: Facts) -> tuple[StockCause, str]:
    ours, item = facts.ours, figures.item
    if ours.status == "dead":
        return StockCause.DEAD, ours.why
    if ours.status == "held":
        return StockCause.HELD, ours.why
    if not figures.name:
        return StockCause.HELD, "no item of the ERP is mapped to it"
    if facts.moved:
        return StockCause.WAITING, "the store's figure changed while it was read"
    if facts.order:
        return StockCause.WAITING, f"order {facts.order} has taken some of it and is not read yet"
    if item is None:
        if facts.known:
            return StockCause.NOT_IN_ERP, f"the ERP has no item {figures.name}"
        return StockCause.LEFT_OUT, f"the ERP has no item {figures.name}: the store's figure stays"
    if (late := _on_its_way(facts)) is not None and (item.sellable or late[0] is StockCause.WAITING):
        return late
    if not item.sellable:
        return StockCause.DISCONTINUED, "the ERP does not sell it any more"
    if not facts.in_store:
        return StockCause.NOT_IN_STORE, "the store keeps no stock of it"
    if ours.wanted == figures.wanted:
        return StockCause.CHANGED_IN_STORE, "the ERP has what we wrote last, the store has something else"
    return StockCause.UNKNOWN, ""


def _on_its_way(facts: Facts) -> tuple[StockCause, str] | None:
    """A run will mend it, or should have."""
    ours = facts.ours
    if ours.sent:
        return StockCause.WAITING, "what was written was not seen in the store yet"
    if ours.pending:
        words = f"a run is due{': ' + ours.why if ours.why else ''}"
        return (StockCause.LATE if facts.run_is_late else StockCause.WAITING), words
    if facts.changed:
        words = "the ERP's figure has changed since its last scan"
        return (StockCause.LATE if facts.scan_is_late else StockCause.WAITING), words
    return None
