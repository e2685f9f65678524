"""Records are the queue: one row per (integration, flow, key) is state and work at once.

The statements are in `records_sql.py`, each with the rule that it keeps (R1-R14 of `docs/exactly-once.md`). Those that
end a record's part in a run compare `token`, never a clock (R2): a run that was swept changes nothing, and the
functions answer with what they did write, so that the caller sees that it is fenced.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import records_sql as sql
from ml_connector.engine.database import rows_by_kept_plan

CHANNEL = "ml_connector_work"
"""NOTIFY channel; the payload is `integration:flow` of a lane that has work. A hint: polling is the truth."""

MARK_AT_ONCE = 5_000
"""Keys per marking transaction at most: while it is open, finishing those records waits for it (R13)."""

REST_S = 5
"""A record that failed or was held on new data runs again after that many seconds at the earliest (R10)."""

DEATHS_TO_PARK = 3
"""Lone runs that must die before a record is parked; more than the crashes that hit one by chance (R7)."""

STAMP_SETTLES_S = 5.0
"""A source's stamp that is older than this when a run begins is given to no further edit: sources count whole seconds,
and their clocks may be a few of them ahead or behind."""

DEFECTS_TO_PARK = 8
"""Lone runs that must end in an error of our own before a record is parked."""


class Status(StrEnum):
    """What a person sees. The engine itself decides by `run_at` and `token`."""

    WAITING = "waiting"
    RUNNING = "running"
    SYNCED = "synced"
    EXCLUDED = "excluded"
    HELD = "held"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """All records of one flow in one integration; lanes take turns (R11)."""

    integration: int
    flow: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """One record as a run received it. `seq`: the marks this run has seen. `want`: newest source stamp heard of."""

    key: str
    seq: int
    want: datetime | None
    attempts: int
    hold_kind: str | None
    suspect: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed batch. `epoch`: read with the claim; mappings must be read at that epoch or later (R5).

    `floor`: the earliest `run_at` that was due; the next claim of the lane may start there.
    """

    lane: Lane
    token: int
    epoch: int
    records: tuple[Claimed, ...]
    floor: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """A record that is done. `seq` as claimed; `stamp` of the snapshot, compared with `want` (R6).

    `next_at` or `next_in_s` (by the database's clock) is the next time of a scheduled record.
    """

    key: str
    seq: int
    stamp: datetime | None = None
    next_at: datetime | None = None
    next_in_s: float | None = None
    status: Status = Status.SYNCED
    reason: str | None = None


async def mark(
    connection: AsyncConnection, integration: int, flow: str, keys: Collection[str], *, want: datetime | None = None
) -> None:
    """These records may have changed; commits with what caused it. `want`: the source's own stamp of the change.

    At most `MARK_AT_ONCE` keys per transaction. Call `notify` after the commit.
    """
    if len(keys) > MARK_AT_ONCE:
        raise ValueError(
            f"{len(keys)} keys in one marking transaction; at most {MARK_AT_ONCE}, or finishing them waits"
        )
    if keys:
        parameters = {"integration": integration, "flow": flow, "keys": list(keys), "want": want}
        await connection.execute(sql.MARK, parameters)


@dataclass(frozen=True, slots=True)
class Heard:
    """A verified delivery for one integration. `id` is equal for redeliveries of one event."""

    integration: int
    id: str
    scope: str
    body: bytes


async def hear(connection: AsyncConnection, heard: Sequence[Heard], marks: Collection[tuple[Lane, str]]) -> None:
    """Stores deliveries and marks what they name, in one statement: on an autocommit connection it is one commit.

    At most `MARK_AT_ONCE` marks. Call `notify` afterwards.
    """
    parameters = {
        "integrations": [each.integration for each in heard],
        "ids": [each.id for each in heard],
        "scopes": [each.scope for each in heard],
        "bodies": [each.body for each in heard],
        "mark_integrations": [lane.integration for lane, _ in marks],
        "mark_flows": [lane.flow for lane, _ in marks],
        "mark_keys": [key for _, key in marks],
    }
    await connection.execute(sql.HEAR, parameters)


async def notify(connection: AsyncConnection, lanes: Iterable[Lane]) -> None:
    """Wakes workers. A hint: send it after the commit, outside the transaction, where it cannot serialise commits."""
    for lane in lanes:
        await connection.execute(sql.NOTIFY, {"channel": CHANNEL, "lane": f"{lane.integration}:{lane.flow}"})


async def lanes(connection: AsyncConnection) -> list[Lane]:
    """The lanes that have due records."""
    return [Lane(row.integration, row.flow) for row in await connection.execute(sql.LANES)]


async def claim(
    connection: AsyncConnection, lane: Lane, *, worker: str, batch: int, lease_s: float, floor: datetime | None = None
) -> Claim | None:
    """Takes up to `batch` due records of a lane as one run, or None when nothing is due at or after `floor`."""
    parameters: dict[str, Any] = {
        "integration": lane.integration,
        "flow": lane.flow,
        "worker": worker,
        "lease_s": lease_s,
        "floor": floor or "-infinity",
    }
    rows = await rows_by_kept_plan(connection, _limited(sql.CLAIM, batch), parameters)
    if not rows:
        return None
    claimed = sorted(
        (Claimed(r.key, r.seq, r.want, r.attempts, r.hold_kind, r.suspect) for r in rows), key=lambda record: record.key
    )
    return Claim(lane, rows[0].token, rows[0].epoch or 0, tuple(claimed), rows[0].floor)


@lru_cache(maxsize=64)
def _limited(statement: TextClause, batch: int) -> TextClause:
    """With its limit written out: a plan for a limit that is not known would be made for a tenth of all records."""
    return text(statement.text.replace(":batch", str(int(batch))))


async def finish(
    connection: AsyncConnection,
    lane: Lane,
    token: int,
    finished: Sequence[Finished],
    *,
    ends: bool = False,
    run_age_s: float = 0.0,
) -> set[str]:
    """Done, each until its next mark or time. Returns the keys written; the others belong to a later run.

    `ends`: these were the last records of the run, whose row goes in the same commit. `run_age_s`: the source was read
    that many seconds ago at the earliest.
    """
    parameters: dict[str, Any] = {
        "integration": lane.integration,
        "flow": lane.flow,
        "token": token,
        "keys": [record.key for record in finished],
        "seqs": [record.seq for record in finished],
        "stamps": [record.stamp for record in finished],
        "next_at": [record.next_at for record in finished],
        "next_in": [record.next_in_s for record in finished],
        "statuses": [str(record.status) for record in finished],
        "reasons": [record.reason for record in finished],
        "ends": ends,
        "run_age_s": float(run_age_s),
        "stamp_settles_s": STAMP_SETTLES_S,
    }
    return {row.key for row in await connection.execute(sql.FINISH, parameters)}


async def fail(
    connection: AsyncConnection,
    lane: Lane,
    token: int,
    key: str,
    seq: int,
    *,
    error: str,
    wakes: bool,
    floor_s: float = REST_S,
    counts: bool = True,
    defect: bool = False,
    suspect: bool = False,
) -> bool:
    """Runs again after a back-off that starts at `floor_s` and doubles. False: fenced.

    `wakes`: new data can help. `counts` false: throttled, no attempt is counted. `defect`: an error of our own, the
    record is parked after `DEFECTS_TO_PARK` of them. `suspect`: it runs alone until a run ends normally.
    """
    parameters: dict[str, Any] = {
        "integration": lane.integration,
        "flow": lane.flow,
        "token": token,
        "key": key,
        "seq": seq,
        "error": _storable(error),
        "wakes": wakes,
        "floor_s": float(floor_s),
        "rest_s": float(min(floor_s, REST_S)),
        "counts": counts,
        "defect": defect,
        "suspect": suspect,
        "park": DEFECTS_TO_PARK,
    }
    return (await connection.execute(sql.FAIL, parameters)).first() is not None


async def park(connection: AsyncConnection, lane: Lane, token: int, key: str, *, error: str) -> bool:
    """Dead: nothing runs until a person replays it. False: fenced."""
    parameters = {
        "integration": lane.integration,
        "flow": lane.flow,
        "token": token,
        "key": key,
        "error": _storable(error),
    }
    return (await connection.execute(sql.PARK, parameters)).first() is not None


async def hold(
    connection: AsyncConnection,
    lane: Lane,
    token: int,
    key: str,
    seq: int,
    *,
    epoch: int,
    kind: str,
    hold_key: str,
    message: str,
    wakes: bool,
    resolve_at: datetime | None = None,
    connection_id: int | None = None,
    connection_epoch: int | None = None,
    rest_s: float = REST_S,
) -> Status | None:
    """Waits for a named condition. Returns `HELD`, or `WAITING` when the condition may have moved; None: fenced.

    `epoch` is the one of the claim. `connection_id` and `connection_epoch` for a hold that a connection's recovery
    releases. `wakes`: new data may end the hold too. `resolve_at`: look at the record then, held or not (P1).
    """
    parameters: dict[str, Any] = {
        "integration": lane.integration,
        "flow": lane.flow,
        "token": token,
        "key": key,
        "seq": seq,
        "epoch": epoch,
        "kind": kind,
        "hold_key": hold_key,
        "message": _storable(message),
        "wakes": wakes,
        "resolve_at": resolve_at,
        "connection": connection_id,
        "connection_epoch": connection_epoch,
        "rest_s": float(rest_s),
    }
    row = (await connection.execute(sql.HOLD, parameters)).first()
    return Status(row.status) if row else None


async def defer(
    connection: AsyncConnection,
    lane: Lane,
    token: int,
    key: str,
    seq: int,
    *,
    after_s: float,
    waits_for: str | None = None,
    why: str | None = None,
    keeps_suspicion: bool = False,
    rest_s: float = REST_S,
) -> bool:
    """Runs again after `after_s`; counts as no attempt. False: fenced.

    `waits_for`: the reference of a posting in flight; whoever resolves it makes the record due (P4).
    """
    parameters: dict[str, Any] = {
        "integration": lane.integration,
        "flow": lane.flow,
        "token": token,
        "key": key,
        "seq": seq,
        "after_s": float(after_s),
        "reference": waits_for,
        "why": why,
        "keeps_suspicion": keeps_suspicion,
        "rest_s": float(rest_s),
    }
    return (await connection.execute(sql.DEFER, parameters)).first() is not None


async def end_run(connection: AsyncConnection, integration: int, token: int) -> bool:
    """The run is over. Only after the last of its records was written."""
    return (await connection.execute(sql.END, {"integration": integration, "token": token})).first() is not None


async def raise_epoch(connection: AsyncConnection, integration: int) -> int:
    """A mapping, policy or release changes: nothing may be held on what was true before (R5). Before `release`."""
    return (await connection.execute(sql.RAISE_EPOCH, {"integration": integration})).scalar_one()


async def raise_connection_epoch(connection: AsyncConnection, connection_id: int) -> int:
    """The same for holds of a connection (credentials saved, breaker closed)."""
    return (await connection.execute(sql.RAISE_CONNECTION, {"connection": connection_id})).scalar_one()


async def release(
    connection: AsyncConnection, integration: int, kind: str, hold_keys: Collection[str] | None = None
) -> dict[Lane, list[str]]:
    """Ends the holds of a kind (None: of all its keys); returns the records by lane.

    In the transaction of what made the condition true, after `raise_epoch`. `notify` the lanes after the commit.
    """
    keys = None if hold_keys is None else sorted(set(hold_keys))
    parameters = {"integration": integration, "kind": kind, "hold_keys": keys}
    released: dict[Lane, list[str]] = {}
    for row in await connection.execute(sql.RELEASE, parameters):
        released.setdefault(Lane(integration, row.flow), []).append(row.key)
    return released


async def replay(connection: AsyncConnection, integration: int, flow: str, keys: Collection[str]) -> list[str]:
    """A person asks for another run, whatever the status; also the only way out of `dead`. Returns the keys found."""
    parameters = {"integration": integration, "flow": flow, "keys": sorted(set(keys))}
    return sorted(row.key for row in await connection.execute(sql.REPLAY, parameters))


@dataclass(frozen=True, slots=True)
class Swept:
    """A run that was taken away from its worker, and what became of its records."""

    lane: Lane
    token: int
    statuses: dict[str, Status]


async def sweep(connection: AsyncConnection) -> Swept | None:
    """Takes one run whose lease has lapsed from its worker; None when there is none.

    In a transaction, with `SET LOCAL lock_timeout` against a record that is locked for long: the sweep is then tried
    again. R8 is the caller's: no sweep before a full lease has passed since the database was last away.
    """
    await connection.execute(sql.LOCK_TIMEOUT)
    rows = (await connection.execute(sql.SWEEP, {"park": DEATHS_TO_PARK})).all()
    if not rows:
        return None
    first = rows[0]
    statuses = {row.key: Status(row.status) for row in rows if row.key is not None}
    return Swept(Lane(first.integration, first.flow), first.token, statuses)


def _storable(message: str) -> str:
    """Other systems' messages may hold what PostgreSQL's text cannot."""
    return message.replace("\x00", "\N{REPLACEMENT CHARACTER}")
