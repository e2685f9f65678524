"""Every request that a stand-in received, so that a test can count them and see what was sent twice."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import deque
from collections.abc import Mapping
from typing import TypedDict
from weakref import WeakKeyDictionary

from aiohttp import web

KEPT = 200_000


class Entry(TypedDict):
    """One request. ``started``/``ended`` are monotonic wall seconds of the sandbox process.

    ``ended`` and ``status`` are null while it runs, and ``status`` stays null when no answer was given.
    ``connection`` counts TCP connections.
    """

    id: int
    method: str
    path: str
    query: str
    status: int | None
    started: float
    ended: float | None
    body_sha256: str
    body_length: int
    connection: int
    faults: list[str]


class RequestLog:
    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._connections: WeakKeyDictionary[asyncio.BaseTransport, int] = WeakKeyDictionary()
        self._next_id = 0
        self._next_connection = 0

    def begin(self, request: web.Request, body: bytes) -> Entry:
        self._next_id += 1
        entry = Entry(
            id=self._next_id,
            method=request.method,
            path=request.path,
            query=request.query_string,
            status=None,
            started=time.monotonic(),
            ended=None,
            body_sha256=hashlib.sha256(body).hexdigest() if body else "",
            body_length=len(body),
            connection=self._connection(request.transport),
            faults=[],
        )
        self._entries.append(entry)
        return entry

    def clear(self) -> None:
        self._entries.clear()

    def select(self, query: Mapping[str, str]) -> list[Entry]:
        """Entries by ``method``, ``path`` (regular expression), ``after`` (id) and ``limit``."""
        pattern = re.compile(query.get("path", ""))
        method, after = query.get("method", "").upper(), int(query.get("after", "0"))
        found = [
            entry
            for entry in self._entries
            if entry["id"] > after and (not method or entry["method"] == method) and pattern.search(entry["path"])
        ]
        return found[: int(query["limit"])] if "limit" in query else found

    def _connection(self, transport: asyncio.BaseTransport | None) -> int:
        if transport is None:
            return 0
        known = self._connections.get(transport)
        if known is None:
            self._next_connection += 1
            known = self._connections[transport] = self._next_connection
        return known
