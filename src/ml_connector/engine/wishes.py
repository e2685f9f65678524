"""What a person asked for, per record. Planning is told; nothing else about a run changes.

- `backfill`: the order counts although it is older than the cut-over. Kept for good.
- `approve`: post exactly the plan that was shown (its digest). If the store, the mapping or the books have moved
  meanwhile, the record is held as `plan_changed` and the person looks again.
- `repost`: a mapping change never rewrites history by itself; here the posted documents are compared with what the
  current mapping makes of them and amended as an edit would be. Asking twice is harmless: they are equal then.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import runs
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Fence
from ml_connector.engine.runs import Hold

Kind = Literal["backfill", "approve", "repost"]

_WISH = text("""
INSERT INTO wishes (integration, flow, key, kind, value, wished_by)
SELECT :integration, :flow, k, :kind, v, :author
  FROM unnest(CAST(:keys AS text[]), CAST(:values AS text[])) AS w(k, v) ORDER BY k
ON CONFLICT (integration, flow, key, kind) DO UPDATE
   SET value = excluded.value, wished_at = statement_timestamp(), wished_by = excluded.wished_by
""")
_OF = text("""
SELECT key, kind, value FROM wishes
 WHERE integration = :integration AND flow = :flow AND key = ANY(CAST(:keys AS text[]))
""")
_GRANTED = text("""
DELETE FROM wishes
 WHERE integration = :integration AND flow = :flow AND kind = ANY(CAST(:kinds AS text[]))
   AND key = ANY(CAST(:keys AS text[]))
""")


@dataclass(frozen=True, slots=True)
class Wishes:
    """Of a batch of records. `approved`: key -> digest of the plan."""

    backfilled: frozenset[str] = frozenset()
    reposted: frozenset[str] = frozenset()
    approved: Mapping[str, str] = field(default_factory=dict[str, str])


async def wish(
    connection: AsyncConnection,
    integration: int,
    flow: str,
    kind: Kind,
    keys: Collection[str],
    *,
    digests: Mapping[str, str] | None = None,
    author: str = "",
) -> None:
    """In the transaction that marks the records. `digests`: of the plans that are approved."""
    ordered = sorted(set(keys))
    parameters = {
        "integration": integration,
        "flow": flow,
        "kind": kind,
        "keys": ordered,
        "values": [(digests or {}).get(key, "") for key in ordered],
        "author": author,
    }
    await connection.execute(_WISH, parameters)


async def of_records(connection: AsyncConnection, integration: int, flow: str, keys: Collection[str]) -> Wishes:
    """Everything that was asked for these records."""
    rows = (await connection.execute(_OF, {"integration": integration, "flow": flow, "keys": sorted(set(keys))})).all()
    return Wishes(
        backfilled=frozenset(row.key for row in rows if row.kind == "backfill"),
        reposted=frozenset(row.key for row in rows if row.kind == "repost"),
        approved={row.key: row.value for row in rows if row.kind == "approve"},
    )


async def granted(database: Database, fence: Fence, flow: str, keys: Collection[str], *kinds: Kind) -> None:
    """These wishes were fulfilled, or have lapsed."""
    if not keys:
        return
    async with database.transaction() as connection:
        await runs.fence(connection, fence)
        parameters = {"integration": fence.integration, "flow": flow, "keys": sorted(set(keys)), "kinds": list(kinds)}
        await connection.execute(_GRANTED, parameters)


def plan_changed(key: str) -> Hold:
    """What was approved is no longer what would be posted."""
    message = f"order {key} would be posted otherwise than it was approved: look at the plan again, then replay"
    return Hold("plan_changed", key, message, wakes=False)
