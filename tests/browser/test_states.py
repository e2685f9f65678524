"""Pages when something is away, and figures over time, as somebody sees them."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser
from sqlalchemy import text

from ml_connector.domain.access import Role
from tests.browser.conftest import Console
from tests.browser.test_console import AXE
from tests.web.line import Line
from tests.web.serving import serving
from tests.web.visitors import COOKIE, session, user

SAMPLED = text("""
INSERT INTO pulses (integration, flow, at, waiting, lag_s)
SELECT 1, 'orders', statement_timestamp() - n * interval '1 minute', 1, 20 + n % 7
  FROM generate_series(CAST(:youngest AS int), 1400) n
""")


async def can_be_read(console: Console, name: str) -> None:
    for theme in ("light", "dark"):
        for wide, high in ((1440, 1000), (390, 844)):
            await console.page.emulate_media(color_scheme=theme)
            await console.page.set_viewport_size({"width": wide, "height": high})
            await console.picture(f"{name}-{theme}-{wide}")
            over = await console.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, (name, wide)
            await console.page.evaluate(AXE.read_text())
            found = await console.page.evaluate(
                "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})"
                ".then(r => r.violations.map(v => v.id))"
            )
            assert found == [], (name, theme, wide)


async def test_without_a_worker_the_page_says_so_at_its_top(console: Console) -> None:
    async with console.served.database.connect() as sql:
        await sql.execute(SAMPLED, {"youngest": 12})
    await console.open("/records")
    said = await console.page.text_content(".broken")
    assert said is not None
    assert "No worker has run since" in said
    await can_be_read(console, "state-worker")


async def test_a_figure_over_time_has_a_cursor_and_a_table(console: Console) -> None:
    async with console.served.database.connect() as sql:
        await sql.execute(SAMPLED, {"youngest": 1})
    await console.open("/trends/flow/us-store/orders")
    await console.page.wait_for_selector(".plot .uplot canvas")
    await console.page.hover(".plot .u-over")
    await console.page.wait_for_function(
        "() => /^[0-9]+ s$/.test(document.querySelectorAll('.u-legend .u-value')[1].textContent.trim())"
    )
    await console.page.click("text=Show as table")
    await console.page.wait_for_selector("#points tbody tr[data-y]")
    await can_be_read(console, "trend")
    assert console.said == []
    assert console.elsewhere == []


@pytest.fixture
async def cut(database_url: str, browser: Browser) -> AsyncIterator[tuple[Console, Line]]:
    """An operator's browser before an application whose database can be taken away."""
    async with Line(database_url) as line, serving(line.url) as served:
        context = await browser.new_context(reduced_motion="reduce")
        value = await session(served, await user(served, Role.operator, "dana"))
        await context.add_cookies([{"name": COOKIE, "value": value, "url": served.url}])
        async with context:
            yield Console(served, context, await context.new_page()), line


async def test_without_the_database_the_page_says_since_when(cut: tuple[Console, Line]) -> None:
    console, line = cut
    await console.open("/holds")
    await line.cut()
    answer = await console.page.goto(f"{console.served.url}/holds")
    assert answer is not None
    assert answer.status == 503
    said = await console.page.text_content(".broken")
    assert said is not None
    assert said.startswith("Since ")
    await can_be_read(console, "state-database")
    await line.mend()
    await console.page.click("text=Load again")
    await console.page.wait_for_selector("nav.side", state="attached")
