"""Who may what, in the browser: somebody is invited, sees what is not theirs, runs an order again, and is let go."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from ml_connector.domain.access import Role
from tests.browser.conftest import Console, signed_in
from tests.web.serving import Served

PASSWORD = "winter barge tulip forty"


@pytest.fixture
async def console(served: Served, browser: Browser) -> AsyncIterator[Console]:
    """Signed in as an administrator."""
    async with await signed_in(served, browser, Role.administrator) as made:
        yield Console(served, made, await made.new_page())


async def test_a_clerk_is_invited_runs_an_order_again_and_is_let_go(console: Console, browser: Browser) -> None:
    await console.open("/settings/users")
    await console.page.fill("#name", "kim@shop.example")
    await console.page.select_option("#role", "clerk")
    await console.page.click("text=Add and show the link")
    link = await console.page.input_value("#link")

    async with await browser.new_context(viewport={"width": 1440, "height": 1000}) as context:
        kim = await context.new_page()
        await kim.goto(link)
        await kim.fill("#password", PASSWORD)
        await kim.fill("#again", PASSWORD)
        await kim.click("text=Save and sign in")
        await kim.wait_for_selector("h1:has-text('need a person')")

        await kim.goto(console.served.url + "/records/1/orders/105")
        await kim.click("button:has-text('Replay')")
        await kim.wait_for_selector(".said")
        told = await console.served.rows("SELECT key, who FROM audit WHERE kind = 'replayed'")
        assert [tuple(row) for row in told] == [("105", "user:kim@shop.example")]
        (row,) = await console.served.rows("SELECT status FROM records WHERE flow = 'orders' AND key = '105'")
        assert row.status == "waiting"

        await kim.goto(console.served.url + "/settings/users")
        button = kim.locator("button:has-text('Add and show the link')")
        assert await button.is_disabled()
        assert "administrator" in str(await button.get_attribute("title"))

        await console.open("/settings/users")
        mine = console.page.locator("tr", has_text="kim@shop.example")
        await mine.get_by_role("button", name="Disable").click()
        await console.page.wait_for_selector("text=They are signed out everywhere")
        await kim.goto(console.served.url + "/records")
        await kim.wait_for_url("**/sign-in**")
    assert console.said == []
