"""Postings: what we know of each document in the target, one row per (integration, reference, generation).

Every transition is one function, and each demands its licence in the statement itself:

    planned --send--> sending --> posted --> checked
       ^  ^              |  |---> rejected --requeue--> planned
       |  '---unsent-----'  '---> uncertain
       '------absent at H--- sending, uncertain --found--> posted | held

All of them are fenced: the run's row is locked FOR KEY SHARE in the statement that writes (R3), so that a run which
was taken over changes nothing. A function gets the `Posting` **as read before the look-up** and writes only if its
`version` is still that one (P2); what answers an attempt compares `attempt` (P3). A result that is missing from what a
function returns was refused: read again, decide again, never insist. Rules P1-P13: `docs/exactly-once.md`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.connectors.base import Timing
from ml_connector.domain.documents import IN_PLACE, Kind
from ml_connector.engine import postings_sql as sql
from ml_connector.engine import records
from ml_connector.engine.database import Database, dump_json, rows_of
from ml_connector.engine.masking import known_secrets
from ml_connector.engine.posting_values import (
    LIVE,
    OPEN,
    Answer,
    Counted,
    Fence,
    Found,
    Name,
    Planned,
    Posting,
    Sent,
    State,
    Step,
    as_inserted,
    from_row,
)

__all__ = [
    "LIVE",
    "OPEN",
    "Answer",
    "Counted",
    "Fence",
    "Found",
    "Name",
    "Planned",
    "Posting",
    "Sent",
    "State",
    "Step",
    "absent",
    "answer",
    "count",
    "decide",
    "decided_gone",
    "due_counts",
    "found",
    "hold",
    "hold_all",
    "live_generations",
    "of_records",
    "open_postings",
    "plan",
    "read",
    "replan",
    "send",
    "updated_names",
]


async def plan(database: Database, fence: Fence, planned: Sequence[Planned]) -> dict[Name, Posting]:
    """Inserts what is absent as `planned`; the unique key decides between two runs. Returns these rows as they stand.

    An existing row is left as it is: compare, then `replan`. Empty for a fenced run. A new row's `content` is the
    planned one itself.
    """
    if not planned:
        return {}
    parameters = {
        **_fence(fence),
        **_names([document.name for document in planned]),
        "connections": [document.connection for document in planned],
        "flows": [document.flow for document in planned],
        "record_keys": [document.record_key for document in planned],
        "kinds": [document.kind for document in planned],
        **_contents(planned),
    }
    async with database.connect() as connection:
        told = await rows_of(connection, sql.PLAN, parameters)
        if not told:
            return {}
        new = {Name(row.reference, row.generation): row for row in told if row.reference is not None}
        old = [document.name.reference for document in planned if document.name not in new]
        rows = await read(connection, fence.integration, old) if old else {}
    return rows | {
        document.name: as_inserted(document, fence.integration, new[document.name])
        for document in planned
        if document.name in new
    }


async def replan(database: Database, fence: Fence, changes: Sequence[tuple[Posting, Planned]]) -> set[Name]:
    """New content for rows that are `planned` or `rejected` (P5), and `rejected -> planned`.

    A refused one is looked up again only from refusal + V on: `resolve_at` stays.
    """
    if not changes:
        return set()
    parameters = {
        **_fence(fence),
        **_versions([posting for posting, _ in changes]),
        **_contents([planned for _, planned in changes]),
    }
    async with database.connect() as connection:
        return {Name(row.reference, row.generation) for row in await rows_of(connection, sql.REPLAN, parameters)}


async def send(database: Database, fence: Fence, batch: Sequence[Posting], timing: Timing) -> tuple[Sent, ...]:
    """`planned -> sending` for one request, all of the batch or nothing. Empty: refused, send nothing.

    Licence: this run looked up after `posting` was read, found nothing, and the row is still that version; an earlier
    refusal or time-out has run its course; a repost waits for its reversal, an update for the write before it (P7,
    P8); the server is still the one that our commits went to, or H has passed since (send gate). Take the monotonic
    time *before* calling: the first byte must leave within `timing.p_s` of that.
    """
    if not batch:
        return ()
    parameters = {
        **_fence(fence),
        **_versions(batch),
        "read_at": [posting.read_at for posting in batch],
        "fingerprints": [posting.fingerprint for posting in batch],
        "h_s": timing.h_s,
        "expected": len(batch),
    }
    return await _sent(database, sql.SEND, parameters)


async def send_again(database: Database, fence: Fence, sent: Sequence[Sent], timing: Timing) -> tuple[Sent, ...]:
    """The next write of attempts that are `sending`, all of them or none: H counts from it. Empty: refused."""
    parameters = {
        **_fence(fence),
        **_names([each.name for each in sent]),
        "attempts": [each.attempt for each in sent],
        "expected": len(sent),
    } | {"h_s": timing.h_s}
    return await _sent(database, sql.SEND_AGAIN, parameters)


async def _sent(database: Database, statement: TextClause, parameters: Mapping[str, Any]) -> tuple[Sent, ...]:
    async with database.connect() as connection:
        rows = await rows_of(connection, statement, parameters)
    sent = (Sent(Name(r.reference, r.generation), r.attempt, r.version, r.sent_at, r.resolve_at) for r in rows)
    return tuple(sorted(sent, key=lambda each: each.name))


async def answer(database: Database, fence: Fence, answers: Sequence[Answer], timing: Timing) -> set[Name]:
    """Records what became of own attempts (P3); each by itself. Returns those written. Wakes who waited (P4)."""
    if not answers:
        return set()
    allowed = {State.POSTED, State.REJECTED, State.UNCERTAIN, State.PLANNED}
    if any(a.state not in allowed for a in answers):
        raise ValueError(f"an attempt ends in one of {sorted(allowed)}")
    parameters = {
        **_fence(fence),
        **_names([a.sent.name for a in answers]),
        "attempts": [a.sent.attempt for a in answers],
        "states": [str(a.state) for a in answers],
        "numbers": [a.number for a in answers],
        "stored": [_json(a.stored) for a in answers],
        "errors": [a.error for a in answers],
        "v_s": timing.v_s,
    }
    return await _write(database, fence, sql.ANSWER, parameters)


async def found(database: Database, fence: Fence, results: Sequence[Found], timing: Timing) -> set[Name]:
    """`planned, sending, uncertain -> posted | held`: a look-up found it. Presence is proof at any time (P6)."""
    if not results:
        return set()
    if any(result.state not in (State.POSTED, State.HELD) for result in results):
        raise ValueError("what was found is adopted (posted) or held")
    parameters = {
        **_fence(fence),
        **_versions([result.posting for result in results]),
        "states": [str(result.state) for result in results],
        "numbers": [result.number for result in results],
        "stored": [_json(result.stored) for result in results],
        "fingerprints": [result.fingerprint or result.posting.fingerprint for result in results],
        "adopted": [not result.ours for result in results],
        "errors": [result.error for result in results],
        "v_s": timing.v_s,
    }
    return await _write(database, fence, sql.FOUND, parameters)


async def absent(database: Database, fence: Fence, postings: Sequence[Posting]) -> set[Name]:
    """`sending, uncertain -> planned`: a look-up that started at or after `resolve_at` found nothing.

    The rows must have been read at or after `resolve_at` too, before the look-up: that is what proves its start.
    """
    if not postings:
        return set()
    parameters = {**_fence(fence), **_versions(postings), "read_at": [posting.read_at for posting in postings]}
    return await _write(database, fence, sql.ABSENT, parameters)


async def count(database: Database, fence: Fence, counted: Sequence[Counted]) -> set[Name]:
    """`posted -> checked` (exactly one) or `held`, V after posting; once more at `recount_at` if it was uncertain.

    The records of what is held are marked in the same transaction: they run, and are held where a person looks.
    """
    if not counted:
        return set()
    wrong = [result.posting for result in counted if result.count != 1]
    parameters = {
        **_fence(fence),
        **_versions([result.posting for result in counted]),
        "read_at": [result.posting.read_at for result in counted],
        "right": [result.count == 1 for result in counted],
        "errors": [
            result.error
            or (None if result.count == 1 else f"The target shows {result.count} documents; one was expected.")
            for result in counted
        ],
    }
    return await _write(database, fence, sql.COUNT, parameters, marks=wrong)


async def hold(database: Database, fence: Fence, posting: Posting, error: str) -> bool:
    """`planned, posted, checked, rejected -> held`: a person must decide (reversed by hand, guard against look-up)."""
    parameters = {**_fence(fence), **_versions([posting]), "error": error}
    return bool(await _write(database, fence, sql.HOLD, parameters))


async def hold_all(connection: AsyncConnection, fence: Fence, doubtful: Sequence[tuple[Posting, str]]) -> set[Name]:
    """The same for several, in the caller's transaction, beside the marks that show the holds to a person.

    What a reversal of ours undoes is left out: a run may have sent it after the rows were read and before the target
    was, and it leaves no trace in the row of what it undoes.
    """
    undone = await reversed_names(connection, fence.integration, [posting.name.reference for posting, _ in doubtful])
    held: set[Name] = set()
    for posting, error in sorted(doubtful, key=lambda pair: pair[0].name):
        if posting.name in undone:
            continue
        parameters = {**_fence(fence), **_versions([posting]), "error": known_secrets.mask(error)}
        held |= {Name(r.reference, r.generation) for r in await connection.execute(sql.HOLD, parameters)}
    return held


async def decide(
    connection: AsyncConnection, posting: Posting, state: State, *, why: str, number: str | None = None
) -> bool:
    """A person's decision on a held, checked or rejected posting, in a transaction with its audit row; no token.

    `POSTED`: what the target has is right as it is (`adopted`). `VOID`: it is not live there, the next generation may
    be posted. `PLANNED`: try again, after a look-up as always. False: the posting has changed meanwhile.
    """
    if state not in (State.POSTED, State.VOID, State.PLANNED):
        raise ValueError("a person decides for posted, void or planned")
    parameters: dict[str, Any] = {
        "integration": posting.integration,
        "reference": posting.name.reference,
        "generation": posting.name.generation,
        "version": posting.version,
        "state": str(state),
        "why": why,
        "number": number,
    }
    return (await connection.execute(sql.DECIDE, parameters)).first() is not None


def decided_gone(posting: Posting) -> State:
    """What follows when a person says that it is not in the target: reversals, customers and shipments have no next
    generation, and are made again under their own reference."""
    again = posting.step is Step.REVERSE or (posting.step is Step.CREATE and Kind(posting.kind) in IN_PLACE)
    return State.PLANNED if again else State.VOID


# ------------------------------------------------------------------ reading


async def read(connection: AsyncConnection, integration: int, references: Collection[str]) -> dict[Name, Posting]:
    """All generations of these references."""
    parameters = {"integration": integration, "references": sorted(set(references))}
    return _by_name(await rows_of(connection, sql.READ, parameters))


async def of_records(
    connection: AsyncConnection, integration: int, flow: str, keys: Collection[str]
) -> dict[Name, Posting]:
    """Every posting of these records, whatever its state: what a plan is compared with."""
    parameters = {"integration": integration, "flow": flow, "keys": sorted(set(keys))}
    return _by_name(await rows_of(connection, sql.OF_RECORDS, parameters))


async def standing(
    connection: AsyncConnection, integration: int, flow: str, keys: Collection[str]
) -> dict[Name, Posting]:
    """As `of_records`, for who asks only what stands: `content`, `before` and `stored` are left out."""
    parameters = {"integration": integration, "flow": flow, "keys": sorted(set(keys))}
    return _by_name(await rows_of(connection, sql.STANDING, parameters))


async def open_postings(
    connection: AsyncConnection, integration: int, flow: str, keys: Collection[str]
) -> list[Posting]:
    """The open postings of these records; a run resolves them before it reads or plans anything (P1)."""
    parameters = {"integration": integration, "flow": flow, "keys": sorted(set(keys))}
    return sorted(_by_name(await rows_of(connection, sql.OPEN, parameters)).values(), key=lambda p: p.name)


async def due_counts(connection: AsyncConnection, integration: int, target: int, limit: int = 200) -> list[Posting]:
    """Postings of the connection `target` whose count is due (P11), the longest due first."""
    parameters = {"integration": integration, "target": target, "limit": limit}
    rows = await connection.execute(sql.DUE_COUNTS, parameters)
    return [from_row(row) for row in rows]


async def youngest(connection: AsyncConnection, integration: int, target: int, timing: Timing) -> Posting | None:
    """The last document that was posted to the connection `target` at least V ago, or else the last: a look-up that
    cannot see it sees nothing."""
    parameters = {"integration": integration, "target": target, "v_s": timing.v_s}
    rows = await connection.execute(sql.YOUNGEST, parameters)
    return next((from_row(row) for row in rows), None)


async def counted_before(
    connection: AsyncConnection, integration: int, target: int, kinds: Collection[str], references: Collection[str]
) -> list[Posting]:
    """Of each of `kinds` the youngest document, beside `references`, that a count has seen in the `target`."""
    parameters = {
        "integration": integration,
        "target": target,
        "kinds": sorted(set(kinds)),
        "references": sorted(set(references)),
    }
    return [from_row(row) for row in await connection.execute(sql.COUNTED_BEFORE, parameters)]


async def owners(
    connection: AsyncConnection, integration: int, references: Collection[str]
) -> dict[str, tuple[str, frozenset[str]]]:
    """By reference: the record that it belongs to, and the target's numbers of all its generations."""
    parameters = {"integration": integration, "references": sorted(set(references))}
    rows = await connection.execute(sql.OWNERS, parameters)
    return {row.reference: (row.record_key, frozenset(row.numbers)) for row in rows}


async def in_hand(connection: AsyncConnection, fence: Fence, references: Collection[str]) -> set[Name]:
    """Those of these references that another live run has planned and not sent yet."""
    parameters = {**_fence(fence), "references": sorted(set(references))}
    return {Name(row.reference, row.generation) for row in await connection.execute(sql.IN_HAND, parameters)}


async def reversed_names(connection: AsyncConnection, integration: int, references: Collection[str]) -> set[Name]:
    """Which documents under these references a reversal of ours undoes, or may be undoing right now."""
    parameters = {"integration": integration, "references": sorted(set(references))}
    rows = await connection.execute(sql.REVERSED, parameters)
    return {Name(row.reverses_reference, row.reverses_generation) for row in rows}


async def updated_names(
    connection: AsyncConnection, integration: int, references: Collection[str]
) -> dict[Name, State]:
    """Which documents under these references an update of ours has replaced under the next generation of their name, or
    may be replacing now; with the update's state."""
    parameters = {"integration": integration, "references": sorted(set(references))}
    rows = await connection.execute(sql.UPDATED, parameters)
    return {Name(row.reverses_reference, row.reverses_generation): State(row.state) for row in rows}


def live_generations(postings: Collection[Posting]) -> dict[str, Posting]:
    """By reference: the highest posted generation that nothing has reversed or replaced (P7). Reversals and updates of
    master data apart.

    Needs every generation of the references and their reversals, as `of_records` returns them.
    """
    reversed_names = {p.reverses for p in postings if p.reverses is not None and (p.state in LIVE or p.has_replaced)}
    live: dict[str, Posting] = {}
    for posting in sorted(postings, key=lambda p: p.name):
        if posting.is_entry and posting.state in LIVE and posting.name not in reversed_names:
            live[posting.name.reference] = posting
    return live


# ------------------------------------------------------------------ parts


async def _write(
    database: Database,
    fence: Fence,
    statement: sql.Statement,
    parameters: Mapping[str, Any],
    *,
    marks: Collection[Posting] = (),
) -> set[Name]:
    """A fenced change of postings and, in the same transaction, the wake-up of records that waited for them (P4).

    Two statements on purpose: the second must see a record that began to wait while the first was blocked by it.
    `marks`: the records of those of them that were written are marked too.
    """
    told = {**parameters, **_without_secrets(parameters)}
    async with database.transaction() as connection:
        written = {Name(r.reference, r.generation) for r in await rows_of(connection, statement, told)}
        if written:
            references = sorted({name.reference for name in written})
            marked = [posting for posting in marks if posting.name in written]
            if marked:  # all records of both statements are locked in one order (R13), before the first is changed
                flows, keys = [p.flow for p in marked], [p.record_key for p in marked]
                waits = {"references": references, "flows": flows, "keys": keys}
                await connection.execute(sql.LOCK_RECORDS, {"integration": fence.integration, **waits})
            await rows_of(connection, sql.WAKE, {"integration": fence.integration, "references": references})
            for flow in sorted({posting.flow for posting in marked}):
                keys = {posting.record_key for posting in marked if posting.flow == flow}
                await records.mark(connection, fence.integration, flow, keys)
    return written


def _without_secrets(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What a target said, which may repeat what it was sent."""
    masked: dict[str, Any] = {}
    if "errors" in parameters:
        masked["errors"] = [error and known_secrets.mask(error) for error in parameters["errors"]]
    if "error" in parameters:
        masked["error"] = known_secrets.mask(parameters["error"])
    return masked


def _fence(fence: Fence) -> dict[str, Any]:
    return {"integration": fence.integration, "token": fence.token}


def _names(names: Sequence[Name]) -> dict[str, Any]:
    if len(set(names)) != len(names):
        raise ValueError("a posting is named twice in one batch")
    return {"references": [name.reference for name in names], "generations": [name.generation for name in names]}


def _versions(postings: Sequence[Posting]) -> dict[str, Any]:
    return {**_names([posting.name for posting in postings]), "versions": [posting.version for posting in postings]}


def _contents(planned: Sequence[Planned]) -> dict[str, Any]:
    return {
        "steps": [str(document.step) for document in planned],
        "reverses_references": [document.reverses.reference if document.reverses else None for document in planned],
        "reverses_generations": [document.reverses.generation if document.reverses else None for document in planned],
        "fingerprints": [document.fingerprint for document in planned],
        "contents": [_json(document.content) for document in planned],
        "befores": [_json(document.before) for document in planned],
        "digests": [document.source_digest for document in planned],
        "mapping_versions": [document.mapping_version for document in planned],
        "policy_versions": [document.policy_version for document in planned],
    }


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else dump_json(value)


def _by_name(rows: Any) -> dict[Name, Posting]:
    return {posting.name: posting for posting in (from_row(row) for row in rows)}
