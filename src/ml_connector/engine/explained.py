"""Differences of the tie-out that a person has explained: which, with which amounts, why, who, when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_EXPLAIN = text("""
INSERT INTO explained AS e (integration, name, store, erp, rest, why, explained_by)
VALUES (:integration, :name, :store, :erp, :rest, :why, :author)
ON CONFLICT (integration, name) DO UPDATE
   SET store = excluded.store, erp = excluded.erp, rest = excluded.rest, why = excluded.why,
       explained_by = excluded.explained_by, explained_at = statement_timestamp()
""")
_WITHDRAW = text("DELETE FROM explained WHERE integration = :integration AND name = :name RETURNING why")
_ALL = text("""
SELECT integration, name, store, erp, rest, why, explained_by, explained_at FROM explained
 WHERE integration = ANY(CAST(:integrations AS int[]))
""")


@dataclass(frozen=True, slots=True)
class Explanation:
    """`store`, `erp`: the amounts of the difference that was looked at. `rest`: what of its day's difference, in the
    same currency, no finding of that day told; if that moves, the day is open again."""

    name: str
    store: Decimal
    erp: Decimal
    rest: Decimal
    why: str
    by: str
    at: datetime


async def explain(
    connection: AsyncConnection, integration: int, name: str, *, store: Decimal, erp: Decimal, rest: Decimal, why: str,
    author: str,
) -> None:  # fmt: skip
    """In the transaction of its audit row. Whoever explains it again replaces what was said."""
    parameters = {"store": store, "erp": erp, "rest": rest, "why": why, "author": author}
    await connection.execute(_EXPLAIN, {"integration": integration, "name": name, **parameters})


async def withdraw(connection: AsyncConnection, integration: int, name: str) -> str | None:
    """It is explained no longer. What had been said; None: nothing had."""
    why: str | None = (await connection.execute(_WITHDRAW, {"integration": integration, "name": name})).scalar()
    return why


async def of_integrations(
    connection: AsyncConnection, integrations: Sequence[int]
) -> Mapping[int, Mapping[str, Explanation]]:
    """Integration -> name of a difference -> what was said of it."""
    found: dict[int, dict[str, Explanation]] = {}
    for row in await connection.execute(_ALL, {"integrations": list(integrations)}):
        made = Explanation(row.name, row.store, row.erp, row.rest, row.why, row.explained_by, row.explained_at)
        found.setdefault(row.integration, {})[row.name] = made
    return found
