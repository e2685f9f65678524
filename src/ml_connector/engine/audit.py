"""The audit: every call and every change of state, appended, never changed.

Entries are gathered in memory and written in batches, because a row per call in a transaction of its own would cost
more than many a call. `flush` is the promise: what was recorded before it is in the database when it returns; a run
flushes before it finishes. Entries of a run that has lost its lease are written like any other: facts need no token.
If the database is away, entries wait; when too many wait, recording waits too. A batch whose commit was not
acknowledged is written again, so an entry may be there twice, never not at all.

Writing takes no lock and knows nothing of the chain: a sealer binds rows together afterwards (`audit_chain.py`).
"""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.connectors.base import Call
from ml_connector.engine.actor import WORKER, actor
from ml_connector.engine.correlation import correlation
from ml_connector.engine.database import Database, dump_json, rows_of
from ml_connector.engine.masking import MASK, KnownSecrets, known_secrets, looks_secret

KINDS: Final = {
    "call": "a request to another system",
    "heard": "a mark: a record may have changed",
    "intake_refused": "a webhook delivery that was not accepted (rate-limited)",
    "read": "the source state of a record was read",
    "planned": "documents were planned",
    "sent": "a document was sent",
    "stored": "a document exists in the target",
    "not_sent": "a write was given up before its first byte",
    "uncertain": "the outcome of a write is unknown",
    "absent": "a write of unknown outcome is proved not to have happened",
    "rejected": "the target refused a document",
    "adopted": "a document that exists already was taken for ours",
    "held": "a record waits for a reason",
    "released": "a hold was lifted",
    "excluded": "a record is none of ours, by a named rule",
    "retry": "a record is tried again later",
    "dead": "a record was parked",
    "synced": "a record is done",
    "replayed": "a person asked for another run",
    "plan": "a plan was made or applied",
    "config": "configuration was applied",
    "access": "somebody signed in or out, or users, passwords, second factors or tokens changed",
    "personal": "somebody looked at personal data",
    "breaker": "a circuit breaker opened or closed",
    "fenced": "a fact that a run learnt after it had lost its lease",
    "gate": "the send gate closed or opened",
    "key_rotated": "the master key was rotated",
    "retention": "old rows were deleted",
    "stock": "quantities were written to the store, or are fresh again",
    "stale": "quantities of the ERP are too old, and what is done about it",
    "alert": "somebody was told that something is wrong, or is well again; or alerts were set",
    "check": "a synthetic check was made",
    "explained": "a person explained a difference of the tie-out, or took that back",
    "recount": "every SKU of the store was compared with the ERP",
}
"""What an entry can be about. Everything else is refused, so that a search by kind finds all."""

TEXT_LIMIT = 64 * 1024
DATA_LIMIT = 256 * 1024
BATCH = 200
BATCH_CHARACTERS = 2_000_000
WAITING = 20_000
"""Entries that may wait in memory; recording a call waits beyond that."""

_WRITE_AFTER_S = 0.2
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of `audit`.

    `at` UTC, by this process's clock. `correlation`: of the run or request. `refs`: references of documents. `token`:
    of the run, for facts that a fenced run learnt. `data`: by kind; redacted, at most `DATA_LIMIT` characters.
    `who`: in whose name, see `actor`.
    """

    kind: str
    integration: int = 0
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    correlation: str = ""
    connection: int | None = None
    flow: str | None = None
    key: str | None = None
    refs: tuple[str, ...] = ()
    token: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    who: str = WORKER


INSERT = text(
    """
    INSERT INTO audit (integration, at, correlation, kind, connection, flow, key, refs, token, data, who)
    SELECT r.integration, r.at, r.correlation, r.kind, r.connection, r.flow, r.key, r.refs, r.token, r.data, r.who
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (integration int, at timestamptz, correlation text, kind text,
           connection int, flow text, key text, refs text[], token bigint, data jsonb,
           who text)
    """
)
"""One statement and one parameter for any number of entries, in order."""


class Audit:
    """The writer of one process."""

    def __init__(self, db: Database, *, secrets: KnownSecrets = known_secrets) -> None:
        self._db = db
        self._secrets = secrets
        self._waiting: deque[str] = deque()
        self._characters = 0
        self._recorded = 0
        self._written = 0
        self._writing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ record

    def record(
        self,
        kind: str,
        *,
        integration: int | None = None,
        connection: int | None = None,
        flow: str | None = None,
        key: str | None = None,
        refs: Sequence[str] = (),
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Appends an entry; what is not given comes from the correlation. It is in the database after `flush`."""
        self._append(entry(kind, integration, connection, flow, key, refs, data))

    async def call(self, connection: int, system: str, call: Call) -> None:
        """Appends a call, then waits while too many entries wait for the database: whoever is cancelled or refused
        there has made the call all the same. Raises what `flush` raises."""
        self._append(
            entry("call", None, connection, None, None, call.references, {"system": system, **call_data(call)})
        )
        if len(self._waiting) > WAITING:
            await self.flush()

    async def flush(self) -> None:
        """Everything recorded before this call is in the database. Raises `SQLAlchemyError`; nothing is lost then."""
        until = self._recorded
        async with self._writing:
            while self._written < until:
                await self._write_batch()

    async def close(self) -> None:
        """Stops the writer after a last flush. Raises what `flush` raises."""
        try:
            await self.flush()
        finally:
            if self._task is not None:
                self._task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._task
                self._task = None

    # ------------------------------------------------------------------ write

    def _append(self, item: Entry) -> None:
        row = as_row(item, self._secrets)
        self._waiting.append(row)
        self._recorded += 1
        self._characters += len(row)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_behind(), name="audit writer")
        if len(self._waiting) >= BATCH or self._characters >= BATCH_CHARACTERS:
            self._wake.set()

    async def _write_behind(self) -> None:
        """Ends when nothing waits: an idle process has no timer."""
        while self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WRITE_AFTER_S):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.flush()
            except (SQLAlchemyError, OSError):
                # Entries wait; whoever flushes gets the error, and nothing finishes without a flush.
                await asyncio.sleep(_RETRY_S)

    async def _write_batch(self) -> None:
        rows: list[str] = []
        characters = 0
        for row in self._waiting:
            rows.append(row)
            characters += len(row)
            if len(rows) >= BATCH or characters >= BATCH_CHARACTERS:
                break
        async with self._db.connect() as sql:
            await rows_of(sql, INSERT, {"rows": f"[{','.join(rows)}]"})
        for _ in rows:
            self._waiting.popleft()
        self._written += len(rows)
        self._characters -= characters


async def append(sql: AsyncConnection, entries: Sequence[Entry], *, secrets: KnownSecrets = known_secrets) -> None:
    """Writes entries in the caller's transaction: for a change of state that must not stand without its entry."""
    if entries:
        await sql.execute(INSERT, {"rows": f"[{','.join(as_row(item, secrets) for item in entries)}]"})


class ConnectionCalls:
    """The `CallSink` of one connection."""

    def __init__(self, audit: Audit, connection: int, system: str) -> None:
        self._audit = audit
        self._connection = connection
        self._system = system

    async def call(self, call: Call) -> None:
        await self._audit.call(self._connection, self._system, call)


# ---------------------------------------------------------------------- entries


def entry(
    kind: str,
    integration: int | None = None,
    connection: int | None = None,
    flow: str | None = None,
    key: str | None = None,
    refs: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
) -> Entry:
    """An entry with what the correlation knows."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of audit entry: one of {', '.join(KINDS)}")
    now = correlation.get()
    return Entry(
        kind,
        integration=now.integration if integration is None else integration,
        correlation=now.id,
        connection=connection,
        flow=now.flow or None if flow is None else flow,
        key=now.key or None if key is None else key,
        refs=tuple(refs),
        token=now.token,
        data=data or {},
        who=actor.get(),
    )


def call_data(call: Call) -> dict[str, Any]:
    """A call's facts; empty ones are left out."""
    facts = {
        "method": call.method,
        "url": call.url,
        "status": call.status,
        "sent": None if call.sent else False,
        "duration_s": round(call.duration_s, 4),
        "request_id": call.request_id,
        "error": call.error,
        "request_body": call.request_body,
        "response_body": call.response_body,
    }
    return {name: value for name, value in facts.items() if value not in ("", None)}


def as_row(item: Entry, secrets: KnownSecrets) -> str:
    """The entry as JSON that PostgreSQL takes, without secrets, within the limits. Bodies are written as JSON once."""
    data = dump_json(_clean(item.data, secrets))
    if len(data) > DATA_LIMIT:
        data = dump_json({"truncated": len(data), "start": data[:TEXT_LIMIT]})
    row = {
        "kind": item.kind,
        "integration": item.integration,
        "at": item.at.isoformat(),
        "correlation": _clean(item.correlation, secrets),
        "connection": item.connection,
        "flow": _clean(item.flow, secrets),
        "key": _clean(item.key, secrets),
        "refs": [_clean(reference, secrets) for reference in item.refs],
        "token": item.token,
        "who": _clean(item.who, secrets),
    }
    return f'{dump_json(row)[:-1]},"data":{data}}}'


def _clean(value: Any, secrets: KnownSecrets, name: str = "") -> Any:
    match value:
        case str():
            if looks_secret(name) and value:
                return MASK
            # jsonb holds neither NUL nor half a surrogate pair.
            plain = value.replace("\x00", "\ufffd") if "\x00" in value else value
            masked = secrets.mask(plain if plain.isascii() else plain.encode("utf-8", "replace").decode())
            return masked if len(masked) <= TEXT_LIMIT else f"{masked[:TEXT_LIMIT]}… [{len(masked)} characters in all]"
        case Mapping():
            return {_clean(str(key), secrets): _clean(item, secrets, str(key)) for key, item in value.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        case list() | tuple() | set() | frozenset():
            return [_clean(item, secrets) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case datetime():
            return value.isoformat()
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case _:
            return _clean(str(value), secrets, name)
