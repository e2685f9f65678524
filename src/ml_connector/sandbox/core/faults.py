"""Faults: what goes wrong between a client and a stand-in, switched by rule, by rate or per request.

A rule: ``{"system", "match": {"method", "path", "query", "body", "nth" | "rate", "times"}, "fault", "args"}``.
``path``, ``query`` and ``body`` are regular expressions, searched. ``nth`` (a number or a list, from 1) counts the
requests that matched the rest; ``rate`` (0..1) draws from a seeded generator; ``times`` bounds the hits.
A client can ask for a fault of one request by the header ``X-Sandbox-Fault: name[;key=value...][, name...]``.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

HEADER = "X-Sandbox-Fault"
ACTIVE = web.RequestKey("sandbox_faults", dict[str, dict[str, Any]])

Proceed = Callable[[], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class FaultContext:
    """One request that a fault happens to.

    ``proceed()`` runs the rest (further faults, then the handler) to its end, whatever the client does, and gives
    the answer that it would have sent. ``cleared`` is set when the rules are taken away.
    """

    request: web.Request
    args: Mapping[str, Any]
    proceed: Proceed
    spawn: Callable[[Any], Any]
    cleared: asyncio.Event


Fault = Callable[[FaultContext], Awaitable[web.StreamResponse]]
"""What answers instead of, before or after the handler."""


class Match(BaseModel):
    model_config = ConfigDict(extra="forbid")

    method: str | None = None
    path: str = ""
    query: str | None = None
    body: str | None = None
    nth: int | list[int] | None = None
    rate: float | None = Field(default=None, ge=0, le=1)
    times: int | None = Field(default=None, ge=0)

    @field_validator("path", "query", "body")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value


class Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fault: str
    system: str | None = None
    match: Match = Field(default_factory=Match)
    args: dict[str, JsonValue] = Field(default_factory=dict)


class UnknownFault(ValueError):
    """The stand-in knows no fault of that name."""


@dataclass
class ActiveRule:
    rule: Rule
    number: int
    draw: random.Random
    seen: int = 0
    hits: int = 0

    def fires(self, request: web.Request, body: bytes) -> bool:
        match = self.rule.match
        if match.method is not None and match.method.upper() != request.method:
            return False
        if not re.search(match.path, request.path):
            return False
        if match.query is not None and not re.search(match.query, str(request.rel_url.query_string)):
            return False
        if match.body is not None and not re.search(match.body, body.decode("utf-8", "replace")):
            return False
        self.seen += 1
        if match.times is not None and self.hits >= match.times:
            return False
        if match.nth is not None and self.seen not in ([match.nth] if isinstance(match.nth, int) else match.nth):
            return False
        if match.rate is not None and self.draw.random() >= match.rate:
            return False
        self.hits += 1
        return True

    def shown(self) -> dict[str, Any]:
        return {"id": self.number, **self.rule.model_dump(exclude_none=True), "seen": self.seen, "hits": self.hits}


@dataclass
class FaultBook:
    """The rules of one stand-in."""

    system: str
    names: Collection[str]
    seed: int
    rules: list[ActiveRule] = field(default_factory=list[ActiveRule])
    cleared: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: int = 0

    def add(self, rule: Rule) -> ActiveRule:
        """Raises ``UnknownFault``. A rule for another system is refused with ``ValueError``."""
        if rule.system not in (None, self.system):
            raise ValueError(f"a rule for {rule.system} was sent to {self.system}")
        self.check(rule.fault)
        self._numbers += 1
        active = ActiveRule(rule, self._numbers, random.Random(f"{self.seed}/{self.system}/{self._numbers}"))
        self.rules.append(active)
        return active

    def clear(self) -> None:
        self.rules.clear()
        self.cleared.set()
        self.cleared = asyncio.Event()  # of the rules to come

    def forget(self) -> None:
        """Clears the rules, and what still waits for that waits for ever."""
        self.rules.clear()
        self.cleared = asyncio.Event()

    def check(self, name: str) -> None:
        if name not in self.names:
            raise UnknownFault(f"{self.system} knows no fault {name!r}; it knows {', '.join(sorted(self.names))}")

    def hitting(self, request: web.Request, body: bytes) -> list[tuple[str, dict[str, Any]]]:
        """Name and args of each fault of this request: those of the header first. Raises ``UnknownFault``."""
        asked = parse_header(request.headers.get(HEADER, ""))
        for name, _ in asked:
            self.check(name)
        fired = [(rule.rule.fault, dict[str, Any](rule.rule.args)) for rule in self.rules if rule.fires(request, body)]
        return asked + fired


def parse_header(text: str) -> list[tuple[str, dict[str, Any]]]:
    """``slow;delay_s=2, closed_period`` as names with args."""
    asked: list[tuple[str, dict[str, Any]]] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, *pairs = (piece.strip() for piece in part.split(";"))
        asked.append(
            (name, {key.strip(): _value(value.strip()) for key, _, value in (p.partition("=") for p in pairs)})
        )
    return asked


def fault_args(request: web.Request, name: str) -> Mapping[str, Any] | None:
    """The args of a handler fault that is active for this request, or None."""
    return request.get(ACTIVE, {}).get(name)


def _value(text: str) -> int | float | str | bool:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
