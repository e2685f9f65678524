"""A plan from choosing to the ledger in a real browser: a clerk makes it, an operator applies exactly what it shows."""

from collections.abc import AsyncIterator, Sequence

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from ml_connector.domain.access import Role
from tests.browser.conftest import PICTURES
from tests.browser.test_console import AXE, WIDTHS
from tests.e2e.scene import Scene
from tests.web.selling import parts as parts
from tests.web.selling import scene as scene
from tests.web.selling import serve
from tests.web.selling import world as world
from tests.web.serving import Served
from tests.web.visitors import COOKIE, session, user

RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']}"


@pytest.fixture
async def pages(parts: Served, browser: Browser) -> AsyncIterator[dict[Role, Page]]:
    """A clerk's browser and an operator's; what either says of errors fails the test."""
    contexts: list[BrowserContext] = []
    opened: dict[Role, Page] = {}
    said: list[str] = []
    for role in (Role.clerk, Role.operator):
        context = await browser.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
        value = await session(parts, await user(parts, role, f"{role}-dana"))
        await context.add_cookies([{"name": COOKIE, "value": value, "url": parts.url}])
        context.set_default_timeout(60_000)
        contexts.append(context)
        opened[role] = await context.new_page()
        opened[role].on("console", lambda message: said.append(message.text))
        opened[role].on("pageerror", lambda error: said.append(str(error)))
    yield opened
    for context in contexts:
        await context.close()
    assert said == []


SIGHTS = (("light", "desk"), ("dark", "phone"))


async def looked_at(page: Page, name: str, sights: Sequence[tuple[str, str]] = SIGHTS) -> None:
    """By theme and width: nothing scrolls sideways, nothing keeps anybody out; pictures are kept."""
    PICTURES.mkdir(exist_ok=True)
    await page.evaluate(AXE.read_text())
    for theme, width in sights:
        await page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        wide, high = WIDTHS[width]
        await page.set_viewport_size({"width": wide, "height": high})
        await page.screenshot(path=PICTURES / f"{name}-{theme}-{width}.png", full_page=True)
        over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, f"{name} at {wide} px scrolls sideways by {over} px"
        found = await page.evaluate(
            f"axe.run(document, {RULES})"
            ".then(r => r.violations.map(v => `${v.id}: ${v.nodes.slice(0, 3).map(n => n.html).join(' | ')}`))"
        )
        assert found == [], f"{name}, {theme}, {width}"
    await page.set_viewport_size({"width": 1440, "height": 1000})


async def test_a_clerk_plans_an_operator_applies_and_the_ledger_has_exactly_that(
    scene: Scene, parts: Served, pages: dict[Role, Page]
) -> None:
    serve(scene)
    edited = scene.place("paid", several=True)
    worker = scene.worker()
    scene.posted(edited)
    worker.stop()
    scene.take_one_away(edited)
    new, late = scene.place("paid", several=True), scene.place("paid")
    snapshot = scene.snapshot(new)["order"]
    off = scene.copy(new, number=new + 50, total_inc_tax=str(float(snapshot["total_inc_tax"]) + 5))

    clerk, operator = pages[Role.clerk], pages[Role.operator]
    await clerk.goto(f"{parts.url}/plan")
    await looked_at(clerk, "plan")
    await clerk.fill("#orders", f"{new}, {edited}, {late} {off}")
    await clerk.click("text=Show what would be booked")
    await clerk.wait_for_selector("h1:has-text('What would be booked')")
    assert await clerk.is_disabled("text=Apply this plan…")
    await clerk.click(f".orders a:has-text('{edited}')")
    await clerk.wait_for_selector("tr.removed")
    await looked_at(clerk, "plan_amended", [(theme, width) for theme in ("light", "dark") for width in WIDTHS])
    await clerk.click(f".orders a:has-text('{off}')")
    await clerk.wait_for_selector(".why.hold")
    await clerk.click(f".orders a:has-text('{new}')")
    await clerk.wait_for_selector(f"h2:has-text('Order {new}')")
    shown = await clerk.inner_text(".diff tr.total td:last-child >> nth=0")

    scene.take_one_away(late)
    await operator.goto(clerk.url)
    await operator.click("text=Apply this plan…")
    await operator.wait_for_selector("h1:has-text('Book ')")
    await looked_at(operator, "plan_sure")
    await operator.fill("#comment", "agreed on the telephone")
    await operator.click("button:has-text('Apply ')")
    await operator.wait_for_selector("h1:has-text('0 booked, 3 on their way')")
    scene.worker()
    await operator.wait_for_selector(
        "h1:has-text('2 booked, 1 changed since and was left out')", timeout=90_000
    )  # by its stream
    await looked_at(operator, "plan_applied")
    (document,) = scene.documents(new)
    assert f"{sum(line.amount for line in document.lines if line.amount > 0):,.2f}" == shown
    assert scene.documents(late) == []
    (amended,) = scene.documents(edited)
    assert amended.reference == f"S1-O{edited}-2"
    await operator.click("text=Plan 1 order again")
    await operator.wait_for_selector(f"text=Order {late}. Nothing is sent yet")
