"""Every route with every role and with none. Routes come from the application itself, so that one which is added later
is walked too, and one that declares no right turns this red."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import pytest
from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount, Route

from ml_connector.domain.access import RIGHTS, Right, Role
from ml_connector.web.access import requires
from ml_connector.web.access.gate import Asked
from ml_connector.web.access.install import OPEN
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Answer, Visitor, csrf_of, session, token, user

SAFE = {"GET", "HEAD", "OPTIONS"}
NOT_LET_IN = {401, 403}


@dataclass(frozen=True)
class Way:
    """A path with a method. `asked`: the rights that it declares; empty: none, or any session (`session`)."""

    path: str
    method: str
    asked: frozenset[Right]
    session: bool
    declared: bool

    @property
    def open(self) -> bool:
        return self.path in OPEN

    @property
    def address(self) -> str:
        """With something in its place for each parameter; what is there or not is not what this asks."""
        return re.sub(r"\{[^}]+\}", "999999", self.path)

    def lets_in(self, role: Role) -> bool:
        return self.asked <= RIGHTS[role]


def dependencies(dependant: object) -> Iterator[object]:
    for each in getattr(dependant, "dependencies", ()):
        yield each.call
        yield from dependencies(each)


def ways(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[Way]:
    """With what routers add to their routes: prefixes and dependencies."""
    for route in iter_route_contexts(routes):
        path, original = prefix + (route.path or ""), route.original_route
        if isinstance(original, Mount):
            inside = list(original.routes)
            yield from ways(inside, path) if inside else [Way(path, "GET", frozenset(), False, False)]
            continue
        assert isinstance(original, Route), f"{original!r} is a kind of route that this test does not know"
        asked = [each for each in dependencies(getattr(route, "dependant", None)) if isinstance(each, Asked)]
        rights = frozenset(each.right for each in asked if each.right is not None)
        for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
            yield Way(path, method, rights, any(each.right is None for each in asked), bool(asked))


async def _nothing() -> dict[str, str]:
    return {}


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    """With a page and a call of the API for every right beside what there is, so that the walk misses none."""
    async with serving(database_url) as running:
        for right in Right:
            for path in (f"/of/{right}", f"/api/v1/of/{right}"):
                asked = [Depends(requires(right))]
                running.app.add_api_route(path, _nothing, methods=["GET", "POST"], dependencies=asked)
        yield running


def all_ways(app: FastAPI) -> list[Way]:
    found = list(ways(app.routes))
    assert {"/healthz", "/sign-in", "/account"} <= {way.path for way in found}
    return found


async def ask(served: Served, way: Way, cookies: dict[str, str], headers: dict[str, str]) -> Answer:
    return await Visitor(served, cookies).ask(way.method, way.address, headers=headers, read=False)


async def test_every_route_declares_a_right_or_is_open_for_a_reason(served: Served) -> None:
    silent = [way for way in all_ways(served.app) if not way.open and not way.declared]
    assert silent == [], "declare Depends(requires(Right...)), or name it with its reason in web.access.install.OPEN"


async def test_what_is_open_asks_for_nobody(served: Served) -> None:
    open_ways = [way for way in all_ways(served.app) if way.open]
    assert not [way for way in open_ways if way.asked]
    gone = set(OPEN) - {way.path for way in open_ways}
    assert not gone, "names paths that are not there"


async def test_nobody_is_let_in_anywhere(served: Served) -> None:
    for way in all_ways(served.app):
        if way.open:
            continue
        answer = await ask(served, way, {}, {})
        if way.path.startswith("/api/"):
            assert answer.status == 401, way
            assert answer.headers["Content-Type"] == "application/problem+json", way
            assert answer.headers["WWW-Authenticate"] == "Bearer", way
        else:
            assert answer.status == 303, way
            assert answer.headers["Location"].startswith("/sign-in"), way
        for forged in ({"Authorization": "Bearer mlc_forged"}, {"Authorization": "Basic YTpi"}):
            assert (await ask(served, way, {}, forged)).status == 401, way
        assert (await ask(served, way, {COOKIE: "forged"}, {})).status in (303, 401), way


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_is_let_in_where_it_may_and_nowhere_else(served: Served, role: Role) -> None:
    someone = await user(served, role)
    bearer = {"Authorization": f"Bearer {await token(served, someone)}"}
    for way in all_ways(served.app):
        if way.open:
            continue
        value = await session(served, someone)  # the walk signs out on its way
        csrf = {"X-CSRF-Token": csrf_of(value)}
        answer = await ask(served, way, {COOKIE: value}, csrf)
        assert answer.status < 500, way
        if way.lets_in(role):
            assert answer.status not in NOT_LET_IN, (way, answer.status)
        else:
            assert answer.status == 403, (way, answer.status)
        by_token = await ask(served, way, {}, bearer)
        assert by_token.status < 500, way
        assert (by_token.status in NOT_LET_IN) is (way.session or not way.lets_in(role)), (way, by_token.status)
        if way.method not in SAFE:  # a page of somebody else sends the cookie, and cannot know the token
            for wrong in ({}, {"X-CSRF-Token": "x"}, {**csrf, "Sec-Fetch-Site": "cross-site"}):
                value = await session(served, someone)
                given = {**wrong, "X-CSRF-Token": csrf_of(value)} if "Sec-Fetch-Site" in wrong else wrong
                assert (await ask(served, way, {COOKIE: value}, given)).status == 403, way
