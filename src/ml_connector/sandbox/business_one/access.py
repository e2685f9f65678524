"""Who may call: users, sessions with their nodes and queues, cookies exactly as the Service Layer writes them."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ml_connector.sandbox.business_one.errors import (
    BAD_LOGIN,
    LOCKED,
    NO_CREDENTIALS,
    B1Error,
    bad_query,
    no_session,
)
from ml_connector.sandbox.business_one.settings import Settings
from ml_connector.sandbox.business_one.tables.enums import ENUMS

COMPANY, USER = "SBO_STORE", "mlc_integration"
SESSION_COOKIE, NODE_COOKIE = "B1SESSION", "ROUTEID"
NODES = (".node1", ".node2")
LOGIN_FIELDS = ("CompanyDB", "UserName", "Password", "Language")


@dataclass
class User:
    name: str
    password: str
    failures: int = 0
    locked: bool = False
    may_manage: bool = True
    """May create user fields and tables, queries and subscriptions."""


@dataclass
class Session:
    id: str
    user: User
    node: str
    used_s: float
    language: str
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Calls of one session run one after another."""
    calls: int = 0
    waiting: int = 0
    most_waiting: int = 0


@dataclass
class Node:
    """One Service Layer node. ``fields``: how far into the log of user-defined fields it had read when it started."""

    name: str
    alive: bool = True
    hidden: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """User-defined fields (table, name) that it does not know yet."""


@dataclass
class Access:
    settings: Callable[[], Settings]
    time_s: Callable[[], float]
    draw: random.Random
    users: dict[str, User] = field(default_factory=dict[str, User])
    sessions: dict[str, Session] = field(default_factory=dict[str, Session])
    nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    _turn: int = 0

    def __post_init__(self) -> None:
        self.password = self._secret(20)
        self.reset()

    def reset(self) -> None:
        self.sessions.clear()
        self.users = {name: User(name, self.password) for name in (USER, "manager")}
        self.nodes = {name: Node(name) for name in NODES}

    def shown(self) -> list[dict[str, Any]]:
        self._drop_idle()
        return [
            {
                "id": each.id,
                "user": each.user.name,
                "node": each.node,
                "language": each.language,
                "calls": each.calls,
                "waiting": each.waiting,
                "most_waiting": each.most_waiting,
            }
            for each in self.sessions.values()
        ]

    def login(self, given: Mapping[str, Any], route: str | None) -> Session:
        """Raises ``B1Error``; wrong passwords lock the user."""
        for name in given:
            if name not in LOGIN_FIELDS:
                raise bad_query(f"Property '{name}' of 'Login' is invalid")
        if given.get("CompanyDB") != COMPANY:
            raise no_credentials()
        user = self.users.get(str(given.get("UserName")))
        if user is None:
            raise B1Error(401, BAD_LOGIN, "Login failed: wrong user name or password")
        if user.locked:
            raise B1Error(401, LOCKED, "The user account is locked")
        if str(given.get("Password")) != user.password:
            user.failures += 1
            user.locked = user.failures >= self.settings().lock_after
            raise B1Error(401, BAD_LOGIN, "Login failed: wrong user name or password")
        user.failures = 0
        self._drop_idle()
        cap = self.settings().session_cap
        if cap is not None and len(self.sessions) >= cap:
            raise too_many_sessions()
        number = uuid.UUID(int=self.draw.getrandbits(128), version=1)
        language = str(given.get("Language") or "3")
        if language not in ENUMS["BoSuppLangs"].values() and language not in ENUMS["BoSuppLangs"]:
            raise bad_query(f"'{language}' is no language")
        language = ENUMS["BoSuppLangs"].get(language, language)
        session = Session(str(number), user, self._node(route).name, self.time_s(), language)
        self.sessions[session.id] = session
        return session

    def logout(self, session: Session) -> None:
        self.sessions.pop(session.id, None)

    def session_of(self, cookies: Mapping[str, str]) -> Session:
        """The live session that the cookies name, on its node or on one that takes it over. Raises ``B1Error`` 301."""
        session = self.sessions.get(cookies.get(SESSION_COOKIE, ""))
        if session is None:
            raise no_session()
        if self.time_s() - session.used_s > self.settings().session_minutes * 60:
            del self.sessions[session.id]
            raise no_session()
        node = self._node(cookies.get(NODE_COOKIE))
        if node.name != session.node:
            if not self.settings().session_sharing:
                raise no_session()
            session.node = node.name
        session.used_s = self.time_s()
        return session

    def switch_node(self, session: Session) -> None:
        """As when the balancer moves the session to another living node."""
        others = [node.name for node in self.nodes.values() if node.alive and node.name != session.node]
        session.node = self.draw.choice(others) if others else session.node

    def _node(self, route: str | None) -> Node:
        """The node that the balancer chooses: the asked one while it lives, else the next. Raises ``B1Error`` 503."""
        asked = self.nodes.get(route or "")
        if asked is not None and asked.alive:
            return asked
        alive = [node for node in self.nodes.values() if node.alive]
        if not alive:
            raise B1Error(503, -1, "Service Unavailable")
        self._turn += 1
        return alive[self._turn % len(alive)]

    def _drop_idle(self) -> None:
        oldest = self.time_s() - self.settings().session_minutes * 60
        for name in [name for name, each in self.sessions.items() if each.used_s < oldest]:
            del self.sessions[name]

    def _secret(self, length: int) -> str:
        return "".join(
            self.draw.choice("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789") for _ in range(length)
        )


def no_credentials() -> B1Error:
    return B1Error(401, NO_CREDENTIALS, "Fail to get DB Credentials from SLD")


def too_many_sessions() -> B1Error:
    """The brief has no text for it (open question 10): told as a server that cannot start one more core."""
    return B1Error(500, -1, "Switch company error: -1, the number of sessions or licenses is exhausted")


def cookies_of(header: str) -> dict[str, str]:
    """By hand: a value may hold what a cookie library refuses."""
    pairs = (piece.partition("=") for piece in header.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}


def add_session_cookies(answer: web.StreamResponse, session: Session) -> None:
    """No Path on the first, and a trailing semicolon, as printed in SAP's guide."""
    answer.headers.add("Set-Cookie", f"{SESSION_COOKIE}={session.id};HttpOnly;")
    add_node_cookie(answer, session)


def add_node_cookie(answer: web.StreamResponse, session: Session) -> None:
    answer.headers.add("Set-Cookie", f"{NODE_COOKIE}={session.node}; path=/b1s")
