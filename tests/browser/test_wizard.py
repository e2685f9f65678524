"""A newcomer at an empty installation: from the one-time link to a dry run, by clicking, and by typing what the sandbox
prints. And how its pages look."""

import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page

from ml_connector.engine.access import links
from tests.browser.conftest import PICTURES
from tests.web.serving import Served, serving

FIVE_MINUTES_S = 300
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
WIDTHS = {"desk": (1440, 1000), "phone": (390, 844)}
Printed = dict[str, dict[str, str]]


@pytest.fixture
async def empty(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url, configured=False) as running:
        yield running


@pytest.fixture
def printed() -> Iterator[Printed]:
    """What a person reads in the terminal where the sandbox runs: system -> label -> value."""
    command = [sys.executable, "-m", "ml_connector.sandbox", "bigcommerce", "s4hana", "--orders", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as child:
        assert child.stdout is not None
        found: Printed = {}
        name = ""
        for line in child.stdout:
            if line.startswith("Serving"):
                break
            label, _, value = line.strip().partition(": ")
            if line.startswith("  "):
                found[name][label] = value
            else:
                name = label
                found[name] = {"address": value.split("  ")[0]}
        yield found
        child.terminate()


@pytest.fixture
async def page(empty: Served, browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    async with context:
        yield await context.new_page()


async def looked_at(page: Page, name: str) -> None:
    """Nothing that axe finds, nothing that scrolls sideways, in both themes and widths."""
    PICTURES.mkdir(exist_ok=True)
    for theme in ("light", "dark"):
        await page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        for width, (wide, high) in WIDTHS.items():
            await page.set_viewport_size({"width": wide, "height": high})
            await page.screenshot(path=PICTURES / f"wizard-{name}-{theme}-{width}.png", full_page=True)
            over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{name} at {wide} px scrolls sideways by {over} px"
            await page.evaluate(AXE.read_text())
            found = await page.evaluate(
                "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})"
                ".then(r => r.violations.map(v => `${v.id}: ${v.nodes.slice(0, 3).map(n => n.html).join(' | ')}`))"
            )
            assert found == [], f"{name}, {theme}, {width}"
    await page.set_viewport_size({"width": 1440, "height": 1000})


async def test_a_newcomer_gets_from_nothing_to_a_dry_run(empty: Served, printed: Printed, page: Page) -> None:
    said: list[str] = []
    elsewhere: list[str] = []
    host = urlsplit(empty.url).netloc
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "request", lambda asked: elsewhere.append(asked.url) if urlsplit(asked.url).netloc not in (host, "") else None
    )
    store, erp = printed["bigcommerce"], printed["s4hana"]
    looking = "ML_CONNECTOR_LOOK" in os.environ  # pictures of every step, for who wants to look at them
    began = time.monotonic()

    await page.goto(f"{empty.url}/welcome/{await links.first_link(empty.database)}")
    await page.fill("#name", "dana@shop.example")
    await page.fill("#password", "seven green lanterns")
    await page.fill("#again", "seven green lanterns")
    await page.click("text=Save and sign in")
    await page.goto(f"{empty.url}/")
    await page.click("a.button:has-text('Connect a store')")

    await page.wait_for_selector("h1:has-text('Which store?')")
    if looking:
        await looked_at(page, "1-store")
    await page.fill("#base_url", store["address"])
    await page.check("text=This is a sandbox")
    await page.fill("#setting-store_hash", store["store hash"])
    await page.fill("#secret-access_token", "mistyped")
    await page.fill("#setting-client_id", store["client id"])
    await page.fill("#secret-client_secret", store["client secret"])
    await page.click("text=Test first")
    await page.wait_for_selector("#checks >> text=What to do:")
    await page.fill("#secret-access_token", store["access token"])
    await page.click("text=Test first")
    await page.wait_for_selector("#checks >> text=Everything that is needed is there.")
    if looking:
        await looked_at(page, "1-tested")
    await page.click("text=Save and go on")

    await page.wait_for_selector("h1:has-text('Into whose books?')")
    await page.click("nav[aria-label='Systems'] >> text=SAP S/4HANA")
    await page.wait_for_selector("#setting-company_code")
    assert not await page.is_visible("#secret-password")  # asked for with another way to log in
    await page.fill("#base_url", erp["address"])
    await page.check("text=This is a sandbox")
    await page.fill("#setting-company_code", erp["company code"])
    await page.fill("#setting-customer_reconciliation_account", erp["reconciliation account"])
    await page.fill("#secret-client_id", erp["client id"])
    await page.fill("#secret-client_secret", erp["client secret"])
    if looking:
        await looked_at(page, "2-erp")
    await page.click("text=Save and go on")

    await page.wait_for_selector("h1:has-text('Do both let us in?')")
    await page.click("button:has-text('Check both')")
    await page.wait_for_selector("h1:has-text('Both let us in')")
    if looking:
        await looked_at(page, "3-check")
    await page.click("text='Go on'")

    await page.wait_for_selector("h1:has-text('How do we hear of an order?')")
    if looking:
        await looked_at(page, "4-webhooks")
    await page.click("text=Save and go on")
    await page.wait_for_selector("h1:has-text('What shall flow?')")
    if looking:
        await looked_at(page, "5-flows")
    await page.click("text=Save and go on")

    await page.wait_for_selector("h1:has-text('Where does money go?')")
    await page.fill("[aria-label='Customer of guests']", erp["one-time customer"])
    await page.fill("[aria-label='Tax code of what is not taxed']", "O0")
    receivable = page.locator("[aria-label='Receivable']")
    await receivable.fill("one-time")  # what is suggested can be changed: a part of the name finds it
    await page.click("[role=option]:has-text('Receivables one-time')")
    assert await receivable.input_value() == "12120000 Receivables one-time"
    await receivable.fill("trade rec")
    await page.click("[role=option]:has-text('Trade receivables')")
    if looking:
        await looked_at(page, "6-accounts")
    await page.click("button:has-text('Save, and look')")

    await page.wait_for_selector("h2:has-text('What the youngest orders need')")
    for tax, code in {"TX Sales Tax": "O1", "MwSt 19": "A1", "MwSt 7": "A2"}.items():
        blank = page.locator(f"[aria-label^='Tax code of {tax}']")
        if await blank.count():
            await blank.fill(code)
    for way in await page.locator("select[name^='missing:offline_method']").all():
        await way.select_option("paid_by_status")
    if looking:
        await looked_at(page, "6-found")
    await page.click("button:has-text('Save, and look')")
    await page.wait_for_url(re.compile(r"dry-run|done="))
    for _ in range(2):  # what comes to light once the rest is known
        if "dry-run" in page.url:
            break
        await page.click("button:has-text('Save, and look')")
        await page.wait_for_load_state()

    await page.wait_for_selector("h2:has-text('Would be booked')")
    took_s = time.monotonic() - began
    heading = await page.inner_text("h1")
    booked = re.search(r"\d+", heading)
    assert booked, heading
    assert int(booked[0]) >= 30, heading
    assert took_s < FIVE_MINUTES_S
    if looking:
        await looked_at(page, "7-dry-run")
    await page.click("text=Go on to go live")
    await page.fill("#cut_over", "2099-01-01")
    await page.wait_for_selector("text=From Jan 1, 2099, 00:00")
    await page.wait_for_selector("text=0 orders are booked now.")
    if looking:
        await looked_at(page, "8-live")
    assert await empty.rows("SELECT 1 FROM postings UNION ALL SELECT 1 FROM records") == []
    (row,) = await empty.rows("SELECT active FROM integrations")
    assert row.active is False
    assert [line for line in said if "422" not in line] == []
    assert elsewhere == []
