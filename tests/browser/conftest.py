"""The console in a real browser: the system's Chromium, the served application, records as runs leave them."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from sqlalchemy import text

from ml_connector.domain.access import Role
from ml_connector.engine import labels
from ml_connector.engine.labels import Label
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, session, user

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
ARGUMENTS = (
    *("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--disable-gpu"),
)
PICTURES = Path(__file__).parent / "pictures"
NOW = datetime.now(UTC)

RECORDS = text("""
INSERT INTO records (integration, flow, key, status, hold_kind, hold_key, last_error, reason, heard_at, done_at, seq,
                     done_seq)
VALUES (1, :flow, :key, :status, :kind, :hold_key, :error, :reason, :heard, :done, 1, :done_seq)
""")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM:
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason="no Chromium on this machine: `apt-get install chromium`"))


@dataclass
class Console:
    """A person's browser. `said`: what its console wrote; `elsewhere`: requests to another host."""

    served: Served
    context: BrowserContext
    page: Page
    said: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        answer = await self.page.goto(self.served.url + path)
        assert answer is not None
        assert answer.status == 200, (path, answer.status)

    async def picture(self, name: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        await self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        await _orders(running)
        yield running


async def _orders(served: Served) -> None:
    """Three that wait for one account, one done, one given up, one left out."""
    wait = "the mapping has no entry for payment_method 'laterco|credit_card'"
    states = [
        *((key, "held", "unmapped", "payment_method|laterco|credit_card", wait, None) for key in ("101", "102", "103")),
        ("104", "synced", None, None, None, None),
        ("105", "dead", None, None, "The worker that ran this record alone died or stopped answering (time 3).", None),
        ("106", "excluded", None, None, None, "by_person: test order of the shop"),
    ]
    rows = [
        Label(key, key, name, "", Decimal("120.50"), "USD", NOW - timedelta(hours=2), NOW, ("HP-LANT-02",))
        for (key, *_), name in zip(
            states, ("Simone Moreau", "Luc Moreau", "Dana Ortiz", *["Aiko Holm"] * 3), strict=True
        )
    ]
    async with served.database.connect() as sql:
        await labels.note(sql, 1, "orders", rows)
        for key, status, kind, hold_key, error, reason in states:
            done = status in ("synced", "excluded")
            await sql.execute(
                RECORDS,
                {"flow": "orders", "key": key, "status": status, "kind": kind, "hold_key": hold_key, "error": error,
                 "reason": reason, "heard": NOW - timedelta(minutes=9), "done": NOW if done else None,
                 "done_seq": int(done)},
            )  # fmt: skip


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest.fixture
async def console(served: Served, browser: Browser) -> AsyncIterator[Console]:
    """Signed in as an operator."""
    async with await signed_in(served, browser, Role.operator) as made:
        yield Console(served, made, await made.new_page())


async def signed_in(served: Served, browser: Browser, role: Role) -> BrowserContext:
    context = await browser.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
    value = await session(served, await user(served, role, f"{role}-dana"))
    await context.add_cookies([{"name": COOKIE, "value": value, "url": served.url}])
    return context


@pytest.fixture(autouse=True)
def watched(request: pytest.FixtureRequest) -> None:
    """Everything the browser says, and everywhere it asks, is kept."""
    if "console" not in request.fixturenames:
        return
    console: Console = request.getfixturevalue("console")
    host = urlsplit(console.served.url).netloc
    # A form with two secrets makes Chromium write a hint for password managers.
    console.page.on("console", lambda said: None if said.text.startswith("[DOM]") else console.said.append(said.text))
    console.page.on("pageerror", lambda error: console.said.append(str(error)))
    console.page.on(
        "request",
        lambda asked: (
            console.elsewhere.append(asked.url)
            if not asked.url.startswith("data:") and urlsplit(asked.url).netloc != host
            else None
        ),
    )
