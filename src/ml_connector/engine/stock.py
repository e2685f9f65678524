"""What we know of each SKU's stock: read last, written last, taken by orders; and the right to write it.

A write to the store is absolute and may be repeated, but two on their way at once may overtake one another, and a
worker that was stopped must not wake up and put an old figure over a newer one. So the row of a SKU is its lock:
`arm` compares its `version`, asks that nothing is still on its way (`settles_at`) and that the run is alive, in the
statement that says what is about to be sent; the first byte leaves within P of it or not at all. An answer says when
the next write may follow; no answer leaves the time at which a lost write can no longer take effect.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.connectors.base import Timing
from ml_connector.engine import stock_sql as sql
from ml_connector.engine.database import dump_json
from ml_connector.engine.postings import Fence

Levels = Mapping[int, int]
"""Quantity by location."""


@dataclass(frozen=True, slots=True)
class Known:
    """One SKU. `settles_in_s`: a write may still be on its way for so long; 0: none is. `sent`: what was written last
    and has not been seen in the store since, with the marks (`sent_seq`) that its run knew of. `stale`: `found` by the
    oversell guard, or `held` for a person since."""

    sku: str
    version: int = 0
    sent: Levels = field(default_factory=dict[int, int])
    sent_seq: int | None = None
    settles_in_s: float = 0.0
    stale: str = ""


@dataclass(frozen=True, slots=True)
class Noted:
    """What a run read and wants of a SKU. `read_at`: when the ERP's figure was read."""

    sku: str
    item: str
    read_at: datetime
    wanted: Levels
    store: Levels


@dataclass(frozen=True, slots=True)
class Taken:
    """What an order has taken, by SKU, as of its stamp."""

    order: str
    created: datetime
    stamp: datetime
    by_sku: Mapping[str, int]


async def now(connection: AsyncConnection) -> datetime:
    """The database's clock: before a read of the ERP begins."""
    return (await connection.execute(sql.NOW)).scalar_one()


async def known(connection: AsyncConnection, integration: int, skus: Collection[str]) -> dict[str, Known]:
    """Every SKU that was asked for, also those that nothing is known of."""
    found = {sku: Known(sku) for sku in skus}
    for row in await connection.execute(sql.KNOWN, {"integration": integration, "skus": list(skus)}):
        found[row.sku] = Known(
            row.sku, row.version, levels_of(row.sent), row.sent_seq, max(0.0, row.settles_in_s or 0.0), row.stale or ""
        )
    return found


async def note(connection: AsyncConnection, fence: Fence, noted: Sequence[Noted]) -> dict[str, int]:
    """Keeps what was read. Returns the SKUs' versions; a SKU is missing where a
    later read is kept, all are where the run was taken over."""
    parameters: dict[str, Any] = {
        **_fence(fence),
        "read_at": [each.read_at for each in noted],
        "skus": [each.sku for each in noted],
        "items": [each.item for each in noted],
        "wanted": [_json(each.wanted) for each in noted],
        "store": [_json(each.store) for each in noted],
    }
    return {row.sku: row.version for row in await connection.execute(sql.NOTE, parameters)}


async def arm(
    connection: AsyncConnection,
    fence: Fence,
    versions: Mapping[str, int],
    sent: Mapping[str, Levels],
    seqs: Mapping[str, int],
    timing: Timing,
) -> dict[str, int]:
    """Opens a write of these SKUs; their new versions. In a transaction: fewer than asked for means that none may go.

    A SKU is not in the answer when another run wrote it, when a write may still be on its way, or when the run was
    taken over.
    """
    skus = sorted(sent)
    parameters: dict[str, Any] = {
        **_fence(fence),
        "skus": skus,
        "versions": [versions[sku] for sku in skus],
        "sent": [_json(sent[sku]) for sku in skus],
        "seqs": [seqs.get(sku, 0) for sku in skus],
        "horizon_s": timing.h_s,
    }
    return {row.sku: row.version for row in await connection.execute(sql.ARM, parameters)}


async def accepted(connection: AsyncConnection, integration: int, versions: Mapping[str, int], within_s: float) -> None:
    """The store has taken the write; it shows within `within_s`."""
    await connection.execute(sql.ACCEPTED, {**_versions(integration, versions), "within_s": within_s})


async def refused(connection: AsyncConnection, integration: int, versions: Mapping[str, int]) -> None:
    """Nothing was written: the store refused it, or no byte has left."""
    await connection.execute(sql.REFUSED, _versions(integration, versions))


async def verified(connection: AsyncConnection, integration: int, skus: Collection[str]) -> None:
    """The store shows what was written."""
    await connection.execute(sql.VERIFIED, {"integration": integration, "skus": list(skus)})


async def set_stale(connection: AsyncConnection, integration: int, skus: Collection[str], stale: str) -> None:
    """What the oversell guard, or a run after it, knows of these figures; a successful read ends it."""
    if skus:
        await connection.execute(sql.SET_STALE, {"integration": integration, "skus": list(skus), "stale": stale})


async def drifted(connection: AsyncConnection, integration: int, drift: Mapping[str, tuple[Levels, Levels]]) -> None:
    """What a recount found: SKU -> what the store had, what it should have had. A later run that finds both equal, or
    makes them so, ends it."""
    parameters = {
        "integration": integration,
        "skus": list(drift),
        "drift": [f'{{"store":{_json(had)},"wanted":{_json(wanted)}}}' for had, wanted in drift.values()],
    }
    await connection.execute(sql.DRIFTED, parameters)


# ------------------------------------------------------------------ what orders have taken


async def read_orders(connection: AsyncConnection, integration: int, orders: Collection[str]) -> dict[str, datetime]:
    """Orders whose lines are known, by the stamp at which they were read."""
    rows = await connection.execute(sql.READ_ORDERS, {"integration": integration, "orders": list(orders)})
    return {row.order_key: row.stamp for row in rows}


async def heard_orders(connection: AsyncConnection, integration: int, orders: Collection[str]) -> set[str]:
    """Those that the orders flow knows and does not leave out."""
    parameters = {"integration": integration, "orders": list(orders)}
    return set((await connection.execute(sql.HEARD_ORDERS, parameters)).scalars())


async def unposted_orders(connection: AsyncConnection, integration: int) -> set[str]:
    """Those that the orders flow knows, does not leave out, and has not done."""
    return set((await connection.execute(sql.UNPOSTED_ORDERS, {"integration": integration})).scalars())


async def reserve(connection: AsyncConnection, integration: int, taken: Sequence[Taken]) -> dict[str, bool]:
    """Keeps what orders have taken; an older read changes nothing. Returns the SKUs of which something else is taken
    now, and whether they must be looked at again: an order that was known takes something else, or a figure was
    written after the order came and without it."""
    rows = [(each, sku, count) for each in taken for sku, count in [("", 0), *each.by_sku.items()]]
    parameters: dict[str, Any] = {
        "integration": integration,
        "orders": [each.order for each, _, _ in rows],
        "skus": [sku for _, sku, _ in rows],
        "quantities": [count for _, _, count in rows],
        "stamps": [each.stamp for each, _, _ in rows],
        "created": [each.created for each, _, _ in rows],
    }
    return {row.sku: row.look for row in await connection.execute(sql.RESERVE, parameters)} if rows else {}


@dataclass(frozen=True, slots=True)
class Reserved:
    """`unsure`: an order among them is posted by now, or may be, so a later read of the ERP will show it, and the one
    at hand may show it already."""

    quantity: int = 0
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Of a SKU: its item, every SKU that shows the item, and when the read of its figure began, less the ERP's lag."""

    item: str
    skus: Collection[str]
    counted_before: datetime


async def reserved(connection: AsyncConnection, integration: int, asked: Mapping[str, Asked]) -> dict[str, Reserved]:
    """By SKU, what orders have taken of its item and the ERP did not show when its figure was read: their document is
    not posted, was not yet, or says less. SKUs without are absent."""
    rows = [(key, sku, each.item, each.counted_before) for key, each in asked.items() for sku in each.skus]
    parameters = {
        "integration": integration,
        "keys": [key for key, _, _, _ in rows],
        "skus": [sku for _, sku, _, _ in rows],
        "items": [item for _, _, item, _ in rows],
        "counted_before": [at for _, _, _, at in rows],
    }
    found = await connection.execute(sql.RESERVED, parameters)
    return {row.sku: Reserved(int(row.quantity), row.unsure) for row in found if row.quantity or row.unsure}


async def forget_orders(connection: AsyncConnection, integration: int) -> None:
    """Orders that hold nothing any more, for a month, and those that are in the books, for a day."""
    await connection.execute(sql.FORGET_ORDERS, {"integration": integration})


# ------------------------------------------------------------------ scans of the ERP


async def news(connection: AsyncConnection, integration: int, digests: Mapping[str, str]) -> list[str]:
    """Items whose digest is another one than the last scan saw.."""
    parameters = {"integration": integration, "items": list(digests), "digests": list(digests.values())}
    return [row.item for row in await connection.execute(sql.NEWS, parameters)]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scan that began at `as_of`, or one before it, saw of an item, and a complete one has confirmed since."""

    digest: str
    content: Mapping[str, Any]
    as_of: datetime


async def see(
    connection: AsyncConnection,
    integration: int,
    seen_at: datetime,
    digests: Mapping[str, str],
    contents: Mapping[str, Mapping[str, Any]],
) -> None:
    """In the transaction that marks the SKUs of these items. An item without content is gone."""
    parameters = {
        "integration": integration,
        "seen_at": seen_at,
        "items": list(digests),
        "digests": list(digests.values()),
        "contents": [dump_json(dict(contents[item])) if item in contents else None for item in digests],
    }
    await connection.execute(sql.SEE, parameters)


async def scanned(
    connection: AsyncConnection, integration: int, items: Collection[str], *, younger_s: float
) -> dict[str, Seen]:
    """What scans know of these items, as far as it is younger than that."""
    parameters = {"integration": integration, "items": list(items), "younger_s": younger_s}
    rows = await connection.execute(sql.SCANNED, parameters)
    return {row.item: Seen(row.digest, row.content, row.as_of) for row in rows}


async def not_in_capitals(connection: AsyncConnection, integration: int) -> set[str]:
    """SKUs with a record that have small letters."""
    return set((await connection.execute(sql.SPELLED, {"integration": integration})).scalars())


async def seen_items(connection: AsyncConnection, integration: int) -> set[str]:
    """Items of which the last scan saw something."""
    return set((await connection.execute(sql.SEEN, {"integration": integration})).scalars())


def levels_of(value: object) -> dict[int, int]:
    """Levels as they are stored. Empty for none."""
    return {int(place): int(count) for place, count in value.items()} if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _fence(fence: Fence) -> dict[str, Any]:
    return {"integration": fence.integration, "token": fence.token}


def _versions(integration: int, versions: Mapping[str, int]) -> dict[str, Any]:
    return {"integration": integration, "skus": list(versions), "versions": list(versions.values())}


def _json(levels: Levels) -> str:
    return dump_json({str(place): count for place, count in levels.items()})
