"""What a person does to records: replay, release, leave out. Each is one transaction with its audit rows.

In the name of the actor (`engine.actor`): whoever lets a person in sets it. Nothing is booked twice by any of them: a
run looks for what exists before it sends.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import crash, postings, records, wishes
from ml_connector.engine.actor import actor
from ml_connector.engine.audit import append, entry
from ml_connector.engine.database import Database
from ml_connector.engine.postings import live_generations
from ml_connector.engine.records import Lane
from ml_connector.engine.views import record_list

WORDS_OF_A_REASON = 3
ORDERS = "orders"


class Refused(Exception):
    """What was asked for is not done, and nothing has changed. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Marked:
    """`done`: keys that run again. `unknown`: keys nobody has heard of. `refused`: key -> why it was left alone."""

    done: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict[str, str])


async def replay(
    database: Database, integration: int, flow: str, keys: Sequence[str], *, why: str = "", repost: bool = False
) -> Marked:
    """These records run again, whatever their status. `repost`: posted orders are compared with the current mapping
    and amended where it makes something else of them. Raises `Refused`."""
    if repost and flow != ORDERS:
        raise Refused("Only orders can be posted again under another mapping.")
    done: list[str] = []
    for part in _parts(keys):
        async with database.transaction() as connection:
            if repost:
                await wishes.wish(connection, integration, flow, "repost", part, author=actor.get())
            done += await _again(connection, integration, flow, part, "replayed", {"why": why} if why else {})
    await _wake(database, [Lane(integration, flow)])
    return Marked(tuple(done), tuple(sorted(set(keys) - set(done))))


async def exclude(database: Database, integration: int, keys: Sequence[str], *, why: str) -> Marked:
    """These orders are left out until somebody takes that back. An order of which something stands in the ERP is
    refused: cancel or refund it in the store, and its documents are reversed. Raises `Refused` without a reason."""
    if len(why.split()) < WORDS_OF_A_REASON:
        raise Refused(f"Say why, in {WORDS_OF_A_REASON} words at least: it stays in the audit, and with the order.")
    refused: dict[str, str] = {}
    done: list[str] = []
    for part in _parts(keys):
        async with database.transaction() as connection:
            standing = await _standing(connection, integration, part)
            refused |= standing
            free = [key for key in part if key not in standing]
            await wishes.wish(connection, integration, ORDERS, "exclude", free, why=why, author=actor.get())
            done += await _again(connection, integration, ORDERS, free, "replayed", {"exclude": why})
    await _wake(database, [Lane(integration, ORDERS)])
    unknown = sorted(set(keys) - set(done) - set(refused))
    return Marked(tuple(done), tuple(unknown), refused)


async def include(database: Database, integration: int, keys: Sequence[str], *, why: str = "") -> Marked:
    """What `exclude` left out counts again."""
    done: list[str] = []
    for part in _parts(keys):
        async with database.transaction() as connection:
            had = await wishes.withdraw(connection, integration, ORDERS, "exclude", part)
            done += await _again(connection, integration, ORDERS, had, "replayed", {"include": why or "taken back"})
    await _wake(database, [Lane(integration, ORDERS)])
    return Marked(tuple(done), tuple(sorted(set(keys) - set(done))))


async def release_records(
    database: Database, integration: int, flow: str, keys: Sequence[str], *, why: str = ""
) -> Marked:
    """Ends the holds of these records, whatever they wait for: they run again now, and are held again if the reason
    still stands. One that is not held is left alone."""
    done: list[str] = []
    for part in _parts(keys):
        async with database.transaction() as connection:
            await records.raise_epoch(connection, integration)
            held = await record_list.held(connection, integration, flow, part)
            done += await _again(connection, integration, flow, held, "released", {"why": why} if why else {})
    await _wake(database, [Lane(integration, flow)])
    alone = sorted(set(keys) - set(done))
    return Marked(tuple(done), (), {key: f"{key} is not held" for key in alone})


async def release(
    database: Database, integration: int, kind: str, hold_keys: Collection[str] | None = None
) -> Mapping[Lane, Sequence[str]]:
    """Ends holds of one kind, of `hold_keys` alone where they are given: the records run again now, and are held again
    if the reason still stands. Returns them by lane."""
    async with database.transaction() as connection:
        await records.raise_epoch(connection, integration)
        released = await records.release(connection, integration, kind, hold_keys)
        told = {"kind": kind, "by": actor.get()}
        await append(
            connection,
            [
                entry("released", integration=integration, flow=lane.flow, key=key, data=told)
                for lane, keys in released.items()
                for key in keys
            ],
        )
        await crash.point("release.commit.b", kind)
    await crash.point("release.commit.a", kind)
    await _wake(database, list(released))
    return released


async def _again(
    connection: AsyncConnection, integration: int, flow: str, keys: Sequence[str], kind: str, facts: Mapping[str, str]
) -> list[str]:
    if not keys:
        return []
    done = await records.replay(connection, integration, flow, keys)
    told = {"by": actor.get(), **facts}
    await append(connection, [entry(kind, integration=integration, flow=flow, key=key, data=told) for key in done])
    return sorted(done)


async def _standing(connection: AsyncConnection, integration: int, keys: Sequence[str]) -> dict[str, str]:
    """Orders of which something is in the ERP, or may be: key -> in words."""
    rows = await postings.standing(connection, integration, ORDERS, keys)
    by_order: dict[str, list[postings.Posting]] = {}
    for row in rows.values():
        by_order.setdefault(row.record_key, []).append(row)
    found: dict[str, str] = {}
    for key, mine in by_order.items():
        live = [row for row in live_generations(mine).values() if row.kind != "customer"]
        open_ones = [row for row in mine if row.is_open]
        if live:
            found[key] = (
                f"{live[0].name.written} of order {key} is in the ERP: cancel or refund the order in the store, "
                "and what is booked is reversed"
            )
        elif open_ones:
            found[key] = f"whether {open_ones[0].name.written} of order {key} is in the ERP is not known yet"
    return found


def _parts(keys: Sequence[str]) -> Iterator[list[str]]:
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), records.MARK_AT_ONCE):
        yield wanted[start : start + records.MARK_AT_ONCE]


async def _wake(database: Database, lanes: Sequence[Lane]) -> None:
    if lanes:
        async with database.connect() as connection:
            await records.notify(connection, lanes)
