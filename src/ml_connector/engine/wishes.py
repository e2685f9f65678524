"""What a person asked for, per record. Planning is told; nothing else about a run changes.

- `backfill`: the order counts although it is older than the cut-over. Kept for good.
- `approve`: post exactly the plan that was shown (its digest), in as many runs as it takes. If the store, the mapping
  or the books have moved meanwhile, the record is held as `plan_changed` and the person looks again.
- `repost`: a mapping change never rewrites history by itself; here the posted documents are compared with what the
  current mapping makes of them and amended as an edit would be. Asking twice is harmless: they are equal then.
- `exclude`: the order is left out for the reason given, until the wish is withdrawn. Nothing of it may stand in the
  books: what does is held for the person.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import runs
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Fence
from ml_connector.engine.runs import Hold

Kind = Literal["backfill", "approve", "repost", "exclude"]

_WISH = text("""
INSERT INTO wishes (integration, flow, key, kind, value, wished_by)
SELECT :integration, :flow, k, :kind, v, :author
  FROM unnest(CAST(:keys AS text[]), CAST(:values AS text[])) AS w(k, v) ORDER BY k
ON CONFLICT (integration, flow, key, kind) DO UPDATE
   SET value = excluded.value, wished_at = statement_timestamp(), wished_by = excluded.wished_by
""")
_WITHDRAW = text("""
DELETE FROM wishes WHERE integration = :integration AND flow = :flow AND kind = :kind
   AND key = ANY(CAST(:keys AS text[])) RETURNING key
""")
_OF = text("""
SELECT key, kind, value, wished_at FROM wishes
 WHERE integration = :integration AND flow = :flow AND key = ANY(CAST(:keys AS text[]))
""")

# A wish that was made again meanwhile is another one: the run has not read it.
_GRANTED = text("""
DELETE FROM wishes w
 USING unnest(CAST(:keys AS text[]), CAST(:wished_at AS timestamptz[])) AS d(key, wished_at)
 WHERE w.integration = :integration AND w.flow = :flow AND w.kind = :kind
   AND w.key = d.key AND w.wished_at = d.wished_at
""")
_CARRIED = text("""
UPDATE wishes w SET value = d.value
  FROM unnest(CAST(:keys AS text[]), CAST(:wished_at AS timestamptz[]), CAST(:values AS text[]))
    AS d(key, wished_at, value)
 WHERE w.integration = :integration AND w.flow = :flow AND w.kind = 'approve'
   AND w.key = d.key AND w.wished_at = d.wished_at
""")


@dataclass(frozen=True, slots=True)
class Wishes:
    """Of a batch of records. `approved`: key -> digest of the plan. `excluded`: key -> why. `made`: (key, kind) -> when
    it was asked for."""

    backfilled: frozenset[str] = frozenset()
    reposted: frozenset[str] = frozenset()
    approved: Mapping[str, str] = field(default_factory=dict[str, str])
    excluded: Mapping[str, str] = field(default_factory=dict[str, str])
    made: Mapping[tuple[str, str], datetime] = field(default_factory=dict[tuple[str, str], datetime])


async def wish(
    connection: AsyncConnection,
    integration: int,
    flow: str,
    kind: Kind,
    keys: Collection[str],
    *,
    digests: Mapping[str, str] | None = None,
    why: str = "",
    author: str = "",
) -> None:
    """In the transaction that marks the records. `digests`: of the plans that are approved; `why` they are left out."""
    ordered = sorted(set(keys))
    parameters = {
        "integration": integration,
        "flow": flow,
        "kind": kind,
        "keys": ordered,
        "values": [(digests or {}).get(key, why) for key in ordered],
        "author": author,
    }
    await connection.execute(_WISH, parameters)


async def withdraw(
    connection: AsyncConnection, integration: int, flow: str, kind: Kind, keys: Collection[str]
) -> list[str]:
    """These wishes hold no longer; in the transaction that marks the records. Returns the keys that had one."""
    parameters = {"integration": integration, "flow": flow, "kind": kind, "keys": sorted(set(keys))}
    return sorted((await connection.execute(_WITHDRAW, parameters)).scalars())


async def of_records(connection: AsyncConnection, integration: int, flow: str, keys: Collection[str]) -> Wishes:
    """Everything that was asked for these records."""
    rows = (await connection.execute(_OF, {"integration": integration, "flow": flow, "keys": sorted(set(keys))})).all()
    return Wishes(
        backfilled=frozenset(row.key for row in rows if row.kind == "backfill"),
        reposted=frozenset(row.key for row in rows if row.kind == "repost"),
        approved={row.key: row.value for row in rows if row.kind == "approve"},
        excluded={row.key: row.value for row in rows if row.kind == "exclude"},
        made={(row.key, row.kind): row.wished_at for row in rows},
    )


async def granted(database: Database, fence: Fence, flow: str, read: Wishes, kind: Kind, keys: Collection[str]) -> None:
    """These wishes, as they were `read`, were fulfilled, or have lapsed."""
    ordered = sorted(set(keys))
    if not ordered:
        return
    async with database.transaction() as connection:
        await runs.fence(connection, fence)
        parameters = {
            "integration": fence.integration,
            "flow": flow,
            "kind": kind,
            "keys": ordered,
            "wished_at": [read.made[key, kind] for key in ordered],
        }
        await connection.execute(_GRANTED, parameters)


async def carried(database: Database, fence: Fence, flow: str, read: Wishes, digests: Mapping[str, str]) -> None:
    """These approvals stand for the next run. `digests`: of the same plans, with the customers that exist by now."""
    changed = {key: digest for key, digest in sorted(digests.items()) if digest != read.approved[key]}
    if not changed:
        return
    async with database.transaction() as connection:
        await runs.fence(connection, fence)
        parameters = {
            "integration": fence.integration,
            "flow": flow,
            "keys": list(changed),
            "wished_at": [read.made[key, "approve"] for key in changed],
            "values": list(changed.values()),
        }
        await connection.execute(_CARRIED, parameters)


def plan_changed(key: str) -> Hold:
    """What was approved is no longer what would be posted."""
    message = f"order {key} would be posted otherwise than it was approved: look at the plan again, then replay"
    return Hold("plan_changed", key, message, wakes=False)
