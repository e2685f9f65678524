"""Two stories in the browser: a document that was touched in the ERP is decided, a difference is explained."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from ml_connector.reconcile import results
from ml_connector.reconcile.causes import Cause
from ml_connector.reconcile.stream import Cursor
from ml_connector.reconcile.totals import Totals
from ml_connector.reconcile.values import Compared, Difference, Entry
from ml_connector.sandbox.process import SandboxProcess
from tests.browser.conftest import Console
from tests.browser.test_console import AXE, WIDTHS
from tests.connectors.s4hana.documents import order
from tests.web.books import Books, books, dearer, erp_process
from tests.web.serving import Served

DAY = date(2026, 11, 18)


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with erp_process() as running:
        yield running


@pytest.fixture
async def shop(database_url: str, process: SandboxProcess) -> AsyncIterator[Books]:
    async with books(database_url, process) as made:
        yield made


@pytest.fixture
async def served(shop: Books) -> Served:
    """The ERP holds 72.55 where 74.55 was planned."""
    planned = dearer(order(), "2.00")
    await shop.post(order())
    await shop.row(planned, key="10250", error="it is not what was planned")
    await shop.record("10250", "posting_held", "S1-O10250", "it is not what was planned", total="74.55")
    return shop.served


async def readable(console: Console, name: str) -> None:
    """Both themes, both widths: nothing scrolls sideways, axe finds nothing."""
    for theme in ("light", "dark"):
        for width, (wide, high) in WIDTHS.items():
            await console.page.set_viewport_size({"width": wide, "height": high})
            await console.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            await console.picture(f"{name}-{theme}-{width}")
            over = await console.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{name} at {wide} px scrolls sideways by {over} px"
            await console.page.evaluate(AXE.read_text())
            found = await console.page.evaluate(
                "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})"
                ".then(r => r.violations.map(v => `${v.id}: ${v.nodes.slice(0, 3).map(n => n.html).join(' | ')}`))"
            )
            assert found == [], f"{name}, {theme}, {width}"
    wide, high = WIDTHS["desk"]
    await console.page.set_viewport_size({"width": wide, "height": high})


async def test_a_touched_document_is_looked_at_and_taken_as_it_is(console: Console) -> None:
    page = console.page
    await console.open("/holds?group=1:posting_held:S1-O10250")
    await page.wait_for_selector("text=What is true of it?")  # the ERP is asked after the page
    assert await page.is_disabled("input[value=gone]"), "a live document stands"
    assert "would book it twice" in await page.inner_text(".verdicts")
    await readable(console, "decide")
    await page.check("input[value=right]")
    await page.fill("#why-1", "the shop took two dollars off")
    await page.click("button:has-text('Decide S1-O10250')")
    await page.wait_for_selector("text=0 of 1 booked")
    [row] = await console.served.rows("SELECT state, adopted, error FROM postings")
    assert (row.state, row.adopted) == ("posted", True)
    assert "two dollars off" in row.error
    async with console.served.database.connect() as sql:
        await sql.exec_driver_sql("UPDATE records SET status = 'synced' WHERE flow = 'orders'")
        await sql.exec_driver_sql("SELECT pg_notify('records', '')")
    await page.wait_for_selector("text=1 booked, 74.55", timeout=60_000)  # by itself
    await readable(console, "decided")
    assert console.said == []


async def test_a_difference_is_explained_and_closed(console: Console) -> None:
    d = Decimal
    gone = Difference(Cause.DELETED, 2, "S1-O2", d("12.99"), d(0), "USD", "S1-O2 is gone", day=DAY, kind="orders")
    totals = Totals(orders=1, documents=1)
    entries = [Entry(DAY, "USD", "orders", d("12.99"), d(0), d("12.99"), d(0))]
    totals.add(Compared(2, "posted", entries=entries, differences=[gone]))
    async with console.served.database.transaction() as sql:
        cursor = Cursor(DAY, DAY, DAY, totals=totals)
        await results.conclude(sql, 1, cursor, datetime(2026, 11, 19, 9, tzinfo=UTC), marked=0, held=0)
    page = console.page
    await console.open("/reconciliation")
    await page.wait_for_selector("text=One day differs")
    await page.click("summary:has-text('Explain…')")
    await page.fill("textarea[name=why]", "keyed by hand before we were connected")
    await readable(console, "explain")
    await page.click("button:has-text('Explain this difference')")
    await page.wait_for_selector("text=It ties, but for what is explained")
    assert "keyed by hand" in await page.inner_text("tr.settled")
    await readable(console, "explained")
    await page.click("text=Open it again")
    await page.wait_for_selector("text=One day differs")
    assert console.said == []
