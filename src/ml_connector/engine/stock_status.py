"""What a person, and the oversell guard, ask of stock: how fresh each figure is, and what drifted."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import stock_sql as sql
from ml_connector.engine import watermarks
from ml_connector.engine.database import Database
from ml_connector.engine.stock import levels_of

FLOW = "stock"


@dataclass(frozen=True, slots=True)
class SkuStock:
    """One SKU. `age_s`: since the ERP's figure was read or confirmed. `wanted` and `store`: by location, as of the last
    run. `on_orders`: pieces that store orders have taken, posted ones included. `drift`: what the last recount found.
    `stale`: what the oversell guard did."""

    sku: str
    item: str
    status: str
    fresh_at: datetime | None
    age_s: float | None
    wanted: Mapping[int, int]
    store: Mapping[int, int]
    on_orders: int
    settling: bool
    sent_at: datetime | None
    drift: Mapping[str, Any] | None
    drift_at: datetime | None
    stale: str
    why: str


@dataclass(frozen=True, slots=True)
class StockSummary:
    """One integration. `oldest_s`: age of its oldest figure. `recount`: what the last one found."""

    integration: int
    skus: int
    stale: int
    drifted: int
    oldest_at: datetime | None
    oldest_s: float
    recount: Mapping[str, Any] | None


async def gone_stale(connection: AsyncConnection, integration: int, minutes: int, *, limit: int) -> dict[str, int]:
    """SKU -> version of figures that are too old, and of which nothing was told yet."""
    parameters = {"integration": integration, "minutes": minutes, "limit": limit}
    return {row.sku: row.version for row in await connection.execute(sql.GONE_STALE, parameters)}


async def fresh_again(connection: AsyncConnection, integration: int, minutes: int) -> int:
    """How many figures of which nothing but that they are old was told are fresh again, which ends it."""
    parameters = {"integration": integration, "minutes": minutes}
    return len((await connection.execute(sql.FRESH_AGAIN, parameters)).all())


async def skus(
    database: Database, integration: int, *, sku: str | None = None, troubled: bool = False, limit: int = 1000
) -> list[SkuStock]:
    """By SKU. `troubled`: those that are stale or drifted alone."""
    parameters = {"integration": integration, "sku": sku, "troubled": troubled, "limit": limit}
    async with database.connect() as connection:
        return [
            SkuStock(
                sku=row.sku,
                item=row.item,
                status=row.status or "",
                fresh_at=row.fresh_at,
                age_s=row.age_s,
                wanted=levels_of(row.wanted),
                store=levels_of(row.store),
                on_orders=row.on_orders,
                settling=bool(row.settling),
                sent_at=row.sent_at,
                drift=row.drift,
                drift_at=row.drift_at,
                stale=row.stale or "",
                why=row.reason or row.last_error or "",
            )
            for row in await connection.execute(sql.SKUS, parameters)
        ]


@dataclass(frozen=True, slots=True)
class SkuStanding:
    """How far we are with a SKU. `wanted`: as of the last run; None: no run has come so far. `sent`: a write was not
    seen in the store yet. `pending`: a run is due or under way, since `heard_at`."""

    status: str = ""
    item: str = ""
    wanted: Mapping[int, int] | None = None
    sent: bool = False
    pending: bool = False
    heard_at: datetime | None = None
    stale: str = ""
    why: str = ""


async def standings(connection: AsyncConnection, integration: int, skus: Collection[str]) -> dict[str, SkuStanding]:
    """Every SKU that was asked for, also those that nothing is known of."""
    rows = await connection.execute(sql.STANDINGS, {"integration": integration, "skus": list(skus)})
    return {
        row.sku: SkuStanding(
            row.status or "",
            row.item or "",
            None if row.wanted is None else levels_of(row.wanted),
            row.sent,
            row.pending,
            row.heard_at,
            row.stale or "",
            row.why,
        )
        for row in rows
    }


async def summaries(database: Database) -> list[StockSummary]:
    """Every integration that has stock."""
    async with database.connect() as connection:
        recounts = await watermarks.noted_by_all(connection, FLOW, "recount")
        return [
            StockSummary(
                row.integration,
                row.skus,
                row.stale,
                row.drifted,
                row.oldest_at,
                row.oldest_s,
                recounts.get(row.integration),
            )
            for row in await connection.execute(sql.SUMMARY)
        ]
