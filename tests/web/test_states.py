"""Every page in every state: empty, healthy, degraded, without a worker, without the database, without the right."""

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from ml_connector.domain.access import Role
from ml_connector.web.places import PLACES, SET_UP, title_of
from tests.web.line import Line
from tests.web.orders import name_of, orders
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Answer, Visitor, session, user

PAGES = {
    "/": "Overview",
    "/records": "Records",
    "/holds": "Holds",
    "/reconciliation": "Reconciliation",
    "/plan": "Plan",
    "/audit": "Audit",
    "/mapping": "Mapping and policy",
    "/connections": "Connections",
    "/settings/alerts": "Alerts and settings",
    "/settings/users": "Users and tokens",
}
RAW = ("Traceback", "sqlalchemy", "psycopg", "StrictUndefined", "Internal Server Error", 'File "')
"""What only a developer understands."""

SAMPLED = text("""
INSERT INTO pulses (integration, flow, at, waiting, lag_s)
SELECT 1, 'orders', statement_timestamp() - :ago_min * interval '1 minute', 0, 0
""")


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def visitor(served: Served, role: Role = Role.administrator) -> Visitor:
    return Visitor(served, {COOKIE: await session(served, await user(served, role, f"{role}.ann"))})


def built(served: Served) -> dict[str, str]:
    """The pages that this application has, with what each is called."""
    there: frozenset[str] = served.app.state.pages.available
    places = {each.href: each.title for each in (*PLACES, *SET_UP) if each.name in there}
    missing = {href for href in places if not any(page == href or page.startswith(f"{href}/") for page in PAGES)}
    assert not missing, "a page that is in the left bar has no states here"
    return {path: title for path, title in PAGES.items() if any(path == h or path.startswith(f"{h}/") for h in places)}


def readable(path: str, answer: Answer, status: int = 200) -> str:
    """What somebody reads: one heading that says something, nothing of the inside, nothing that still loads."""
    assert answer.status == status, (path, answer.status)
    assert not [word for word in RAW if word in answer.text], path
    headings = re.findall(r"<h1[^>]*>(.*?)</h1>", answer.text, re.S)
    assert len(headings) == 1, path
    assert len(re.sub(r"<[^>]+>", "", headings[0]).strip()) >= 4, path
    assert "aria-busy" not in answer.text, path
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


async def test_empty_pages_say_why_and_what_fills_them(served: Served) -> None:
    await served.rows("UPDATE integrations SET active = false RETURNING 1")
    ann = await visitor(served)
    said = {path: readable(path, await ann.get(path)) for path in built(served)}
    assert "Nothing is connected yet" in said["/"]
    assert "Orders appear here as soon as the store tells of one" in said["/records"]
    assert "No worker has run" not in said["/"]
    links = (await ann.get("/")).text
    assert 'href="/connections"' in links


async def test_pages_are_whole_when_all_is_well(served: Served) -> None:
    await orders(served, "synced", "1", "2", booked=True)
    async with served.database.connect() as sql:
        await sql.execute(SAMPLED, {"ago_min": 1})
    ann = await visitor(served)
    said = {path: readable(path, await ann.get(path)) for path in built(served)}
    assert "Nothing needs you" in said["/"]
    assert "Nothing is held" in said["/holds"]
    assert not [path for path, words in said.items() if "No worker has run" in words]


async def test_pages_lead_to_what_wants_somebody(served: Served) -> None:
    await orders(served, "held", "1", "2")
    await orders(served, "dead", "3")
    ann = await visitor(served)
    said = {path: readable(path, await ann.get(path)) for path in built(served)}
    assert "Two things need a person" in said["/"]
    assert "Order 3 was given up" in said["/"]
    assert "2 " in said["/holds"]


async def test_without_a_worker_every_page_says_since_when_and_what_is_still_true(served: Served) -> None:
    await orders(served, "waiting", "1")
    async with served.database.connect() as sql:
        await sql.execute(SAMPLED, {"ago_min": 12})
    ann = await visitor(served)
    for path in built(served):
        words = readable(path, await ann.get(path))
        assert "No worker has run since" in words, path
        assert "12 min ago. Nothing is lost" in words, path
    async with served.database.connect() as sql:
        await sql.execute(SAMPLED, {"ago_min": 0})
    assert "No worker has run" not in readable("/", await ann.get("/"))


async def test_without_the_database_every_page_says_so_and_the_process_lives(database_url: str) -> None:
    async with Line(database_url) as line, serving(line.url) as served:
        ann = await visitor(served)
        pages = built(served)
        await line.cut()
        since: set[str] = set()
        for path, title in pages.items():
            answer = await ann.get(path)
            words = readable(path, answer, 503)
            assert f"{title} cannot be shown: the database does not answer" in words, path
            assert "Nothing is lost" in words, path
            assert answer.headers["Retry-After"] == "5"
            since |= set(re.findall(r"Since (\d\d:\d\d:\d\d)", words))
        assert len(since) == 1, "since when is when it began, not when somebody looked"
        sent = readable("/holds", await ann.post("/settings/alerts/mute", rule="late", minutes="60"), 503)
        assert "look at it before you send it again" in sent
        assert (await ann.get("/healthz")).status == 200
        await line.mend()
        assert "cannot be shown" not in readable("/", await ann.get("/"))


async def test_who_may_not_is_told_which_page_which_role_and_whom_to_ask(served: Served) -> None:
    await user(served, Role.administrator, "ada")
    await served.rows("UPDATE users SET password = 'x' WHERE name = 'ada' RETURNING 1")
    vera = await visitor(served, Role.viewer)
    asked = {
        "/settings/alerts/rule": "operator",
        "/settings/users/add": "administrator",
        "/settings/kept": "administrator",
        "/records/act": "clerk",
    }
    for path, role in asked.items():
        answer = await (vera.get(path) if path.endswith("/rule") else vera.post(path))
        words = readable(path, answer, 403)
        assert title_of(path) in words, path
        assert f"you need the role {role}; you are viewer" in words, path
        assert f"Ask ada if you should be {role}" in words, path
    assert await name_of(served)


@pytest.mark.parametrize(
    ("path", "title"),
    [("/records/1/orders/7", "Records"), ("/", "Overview"), ("/nowhere", "This page"), ("/recordsx", "This page")],
)
def test_a_page_is_called_as_in_the_left_bar(path: str, title: str) -> None:
    assert title_of(path) == title
