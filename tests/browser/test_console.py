"""The console as a person sees it: every page in both themes and widths, and the story of a hold that is fixed."""

from pathlib import Path

import pytest
from sqlalchemy import text

from tests.browser.conftest import Console

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PAGES = {
    "overview": "/",
    "records": "/records?q=moreau",
    "record": "/records/1/orders/101",
    "holds": "/holds",
    "reconciliation": "/reconciliation",
    "audit": "/audit",
    "mapping": "/mapping?missing=payment_method|laterco|credit_card",
    "mapping-taxes": "/mapping?tab=taxes",
    "mapping-policy": "/mapping/policy?key=offline_methods",
    "connections": "/connections",
    "connection": "/connections/of/ledger",
    "connect": "/connections/new/erp?store=web-store&system=business_one",
    "alerts": "/settings/alerts",
    "users": "/settings/users",
    "rule": "/settings/alerts/rule?name=late&of=0",
    "channel": "/settings/alerts/channel",
    "trend": "/trends/flow/us-store/orders",
}
WIDTHS = {"desk": (1440, 1000), "phone": (390, 844)}


@pytest.mark.parametrize("name", PAGES)
async def test_every_page_can_be_read_in_both_themes_and_widths(console: Console, name: str) -> None:
    for theme in ("light", "dark"):
        for width, (wide, high) in WIDTHS.items():
            await console.page.set_viewport_size({"width": wide, "height": high})
            path = PAGES[name]
            await console.open(f"{path}{'&' if '?' in path else '?'}theme={theme}")
            await console.picture(f"{name}-{theme}-{width}")
            over = await console.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{name} at {wide} px scrolls sideways by {over} px"
            await console.page.evaluate(AXE.read_text())
            found = await console.page.evaluate(
                "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})"
                ".then(r => r.violations.map(v => `${v.id}: ${v.nodes.slice(0, 3).map(n => n.html).join(' | ')}`))"
            )
            assert found == [], f"{name}, {theme}, {width}"
    assert console.said == []
    assert console.elsewhere == []


async def test_a_hold_is_fixed_and_exactly_what_waited_for_it_goes(console: Console) -> None:
    await console.open("/")
    await console.page.click("text=Choose account")
    await console.page.wait_for_selector("h2:has-text('has no account')")
    await console.page.fill("#pick", "12540000")
    await console.page.click("text=Save and release 3 orders")
    await console.page.wait_for_selector("text=3 orders released")
    rows = await console.served.rows(
        "SELECT key, status FROM records WHERE flow = 'orders' AND key < '104' ORDER BY key"
    )
    assert [row.status for row in rows] == ["waiting"] * 3
    others = await console.served.rows("SELECT status FROM records WHERE flow = 'orders' AND key > '103' ORDER BY key")
    assert [row.status for row in others] == ["synced", "dead", "excluded"]
    told = await console.served.rows("SELECT DISTINCT who FROM audit WHERE kind = 'released'")
    assert [row.who for row in told] == ["user:operator-dana"]


async def test_the_overview_keeps_itself_current(console: Console) -> None:
    await console.open("/")
    await console.page.wait_for_selector("text=Two things need a person")
    async with console.served.database.connect() as sql:
        await sql.execute(text("UPDATE records SET status = 'synced', last_error = NULL WHERE key = '105'"))
    await console.page.wait_for_selector("text=One thing needs a person", timeout=60_000)


async def test_an_order_is_found_selected_and_left_out_with_a_reason(console: Console) -> None:
    await console.open("/records?q=moreau")
    await console.page.check("input[aria-label='Select Order 101']")
    assert await console.page.inner_text("[data-sums]") == "120.50 USD"
    await console.page.click("text=Exclude…")
    await console.page.fill("#why", "a test order of the shop")
    await console.page.click("button:has-text('Leave out 1 record')")
    await console.page.wait_for_selector("text=1 record left out")
    wishes = await console.served.rows("SELECT key, kind, value, wished_by FROM wishes")
    assert [tuple(row) for row in wishes] == [("101", "exclude", "a test order of the shop", "user:operator-dana")]


async def test_the_keyboard_alone_walks_and_opens(console: Console) -> None:
    await console.open("/records")
    await console.page.keyboard.press("j")
    await console.page.keyboard.press("j")
    await console.page.keyboard.press("Enter")
    await console.page.wait_for_url("**/records/1/orders/*")
    await console.page.keyboard.press("g")
    await console.page.keyboard.press("h")
    await console.page.wait_for_url("**/holds")
