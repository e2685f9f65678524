"""Stock: what an ERP tells of it, and how a store takes it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from ml_connector.connectors.base.ledger import Permit, Timing
from ml_connector.domain.stock import ItemStock, Level, StoreLocation, StoreStock


@runtime_checkable
class ReadsStock(Protocol):
    """An ERP's stock. Neither call tells what changed: who wants changes reads all and compares digests."""

    @property
    def stock_lag_s(self) -> float:
        """A document that was posted shows in the stock that is read this many seconds later, at most."""
        ...

    async def stock(self, items: Collection[str], warehouses: Collection[str]) -> Mapping[str, ItemStock]:
        """By item as asked, in these warehouses. An item that the ERP does not know is absent; one of which there is
        nothing is not."""
        ...

    def all_stock(self, warehouses: Collection[str]) -> AsyncIterator[Sequence[ItemStock]]:
        """Every item once, page by page, in these warehouses. Raises `Transient` when it cannot be complete."""
        ...


@runtime_checkable
class WritesStock(Protocol):
    """A store's stock. Writes are absolute and safe to repeat; two on their way at once may overtake one another."""

    @property
    def stock_timing(self) -> Timing:
        """`v_s`: an accepted write shows within. `l_s`: one whose answer was lost takes effect within, after `t_s`."""
        ...

    @property
    def stock_write_size(self) -> int:
        """Levels that one call carries at most."""
        ...

    async def locations(self) -> Sequence[StoreLocation]: ...

    async def quantities(self, skus: Collection[str], locations: Collection[int]) -> Mapping[str, StoreStock]:
        """By SKU, at these locations; one that the store does not keep stock of is absent."""
        ...

    def all_quantities(self, locations: Collection[int]) -> AsyncIterator[Sequence[StoreStock]]:
        """Every SKU that the store keeps stock of, page by page."""
        ...

    def open_orders(self) -> AsyncIterator[Sequence[str]]:
        """Keys of all orders that have taken stock and are not finished, page by page."""
        ...

    async def set_quantities(self, levels: Sequence[Level], permit: Permit, *, reason: str) -> None:
        """At most `stock_write_size` of them, all or nothing, accepted when this returns. Raises `Rejected` when the
        store refuses them (nothing was written), `Transient` when the outcome is not known."""
        ...
