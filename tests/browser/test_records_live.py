"""The list of records while somebody looks at it: rows change in place, new ones wait, nothing moves under the hand."""

from sqlalchemy import text

from tests.browser.conftest import Console

DONE = text("UPDATE records SET status = 'dead', last_error = 'given up now' WHERE key = '101'")
NEW = text("""
INSERT INTO records (integration, flow, key, status, heard_at, seq, done_seq)
SELECT 1, 'orders', n::text, 'waiting', statement_timestamp(), 1, 0 FROM generate_series(901, 903) n
""")


async def test_rows_change_in_place_and_new_ones_wait_behind_a_bar(console: Console) -> None:
    page = console.page
    await console.open("/records")
    await page.wait_for_selector("[data-rows-now] tr[data-name]", state="attached")
    order = await page.eval_on_selector_all("tr[data-row]", "rows => rows.map(row => row.dataset.name)")
    await page.check("tr[data-name='1:orders:101'] input")
    async with console.served.database.connect() as sql:
        await sql.execute(DONE)
        await sql.execute(NEW)
    await page.wait_for_selector("tr[data-row][data-name='1:orders:101'] >> text=Dead", timeout=60_000)
    await page.wait_for_selector("a.newer:has-text('3 newer')", timeout=60_000)
    assert await page.is_checked("tr[data-name='1:orders:101'] input"), "what was selected stays so"
    assert order == await page.eval_on_selector_all("tr[data-row]", "rows => rows.map(row => row.dataset.name)")
    await console.picture("records-newer")
    await page.click("a.newer")
    await page.wait_for_selector("tr[data-row][data-name='1:orders:903']")
    assert console.said == []


async def test_a_row_that_fits_no_more_stays_and_is_dimmed(console: Console) -> None:
    await console.open("/records?status=held")
    await console.page.wait_for_selector("[data-rows-now] tr[data-name]", state="attached")
    async with console.served.database.connect() as sql:
        await sql.execute(DONE)
    await console.page.wait_for_selector("tr.gone[data-name='1:orders:101']", timeout=60_000)
    assert await console.page.locator("tr[data-row]:not(.gone)").count() == 2
