"""A connection that is not stored yet, tried out: its services are this call's alone and leave nothing behind."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ml_connector.connectors.base import Call, Check, Priority, Quota, Services, Settings, Token
from ml_connector.connectors.errors import ConnectorError
from ml_connector.connectors.systems import find_system
from ml_connector.engine.audit import Audit, call_data
from ml_connector.engine.registry import Connection
from ml_connector.flows.pinging import checks_of, unusable
from ml_connector.flows.runtime import settings_of

WITHIN_S = 60.0
"""A person waits for it."""


async def try_out(audit: Audit, connection: Connection, credentials: Mapping[str, str]) -> list[Check]:
    """The checks of a connection as it would be. Its calls are in the audit, under no connection's number."""
    system = find_system(connection.system)
    settings = Settings(
        name=connection.name,
        base_url=connection.base_url,
        settings=settings_of(connection, None),
        credentials=credentials,
        sandbox=connection.sandbox,
    )
    try:
        connector = system.connect(settings, _services(audit, connection.system))
    except ValueError as error:
        return [unusable(error)]
    try:
        async with asyncio.timeout(WITHIN_S):
            return await checks_of(connector)
    except TimeoutError:
        message = f"{connection.base_url} did not answer all checks within {WITHIN_S:.0f} s"
        return [Check("ping", ok=False, message=message, fix="Check the address, the network and the proxy.")]
    finally:
        with contextlib.suppress(ConnectorError, TimeoutError):
            async with asyncio.timeout(WITHIN_S):
                await connector.close()


def _services(audit: Audit, system: str) -> Services:
    return Services(
        tokens=_Tokens(), sessions=_Sessions(), limiter=_Unlimited(), breaker=_NoBreaker(), calls=_Calls(audit, system)
    )


@dataclass(frozen=True, slots=True)
class _Calls:
    audit: Audit
    system: str

    async def call(self, call: Call) -> None:
        data: dict[str, Any] = {"system": self.system, "trial": True, **call_data(call)}
        self.audit.record("call", integration=0, refs=call.references, data=data)


class _Tokens:
    def __init__(self) -> None:
        self._kept: dict[str, Token] = {}

    async def get(self, name: str, fetch: Callable[[], Awaitable[Token]], *, min_valid_s: float = 60) -> Token:
        if name not in self._kept:
            self._kept[name] = await fetch()
        return self._kept[name]

    async def drop(self, name: str, token: Token) -> None:
        if self._kept.get(name) == token:
            del self._kept[name]


class _Session:
    """The one session of a trial."""

    def __init__(self, open: Callable[[], Awaitable[str]]) -> None:
        self._open = open
        self.value = ""
        self.unused_s = 0.0

    def check(self) -> None:
        return None

    def keep(self, value: str) -> None:
        self.value = value

    async def renew(self) -> None:
        self.value = ""
        self.value = await self._open()


class _Sessions:
    """One call at a time in one session: a trial must not use up what an installation may have open. A refused login is
    not repeated, for wrong passwords lock a user."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._known: dict[str, _Session] = {}
        self._refused: dict[str, ConnectorError] = {}

    @asynccontextmanager
    async def lease(self, name: str, size: int, open: Callable[[], Awaitable[str]]) -> AsyncGenerator[_Session]:
        async with self._turn:
            session = self._known.setdefault(name, _Session(open))
            if name in self._refused:
                raise self._refused[name]
            if not session.value:
                try:
                    session.value = await open()
                except ConnectorError as error:
                    self._refused[name] = error
                    raise
            yield session

    async def forgive(self, name: str) -> None:
        self._refused.pop(name, None)

    async def end(self, name: str, close: Callable[[str], Awaitable[None]]) -> None:
        session = self._known.pop(name, None)
        if session is not None and session.value:
            await close(session.value)


class _Unlimited:
    @asynccontextmanager
    async def slot(self, priority: Priority = "orders") -> AsyncGenerator[None]:
        yield

    async def observe(self, quota: Quota | None = None, *, throttled_for_s: float | None = None) -> None:
        return None


class _NoBreaker:
    async def success(self) -> None:
        return None

    async def failure(self, error: Exception) -> None:
        return None
