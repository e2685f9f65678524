"""The right to write a SKU, and what orders have taken: the real SQL."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from ml_connector.connectors.base import Timing
from ml_connector.connectors.errors import NotSent
from ml_connector.engine import records, stock, stock_status
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Fence
from ml_connector.engine.records import Lane
from ml_connector.engine.stock import Asked, Noted, Reserved, Taken
from ml_connector.engine.stock_permit import StockPermit
from ml_connector.engine.watchdog import Watchdog

TIMING = Timing(p_s=2, t_s=1, l_s=1, v_s=1, s_s=0)
LANE = Lane(1, "stock")
LONG_AGO = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def run(database: Database, *skus: str) -> Fence:
    """A run that has claimed these SKUs."""
    async with database.connect() as connection:
        await records.mark(connection, 1, "stock", list(skus))
        claim = await records.claim(connection, LANE, worker="w", batch=100, lease_s=30)
    assert claim is not None
    return Fence(1, claim.token)


async def noted(database: Database, fence: Fence, *skus: str, at: datetime | None = None) -> dict[str, int]:
    async with database.connect() as connection:
        read_at = at or await stock.now(connection)
        return await stock.note(connection, fence, [Noted(sku, sku, read_at, {1: 5}, {1: 4}) for sku in skus])


async def arm(database: Database, fence: Fence, versions: Mapping[str, int]) -> dict[str, int]:
    async with database.transaction() as connection:
        return await stock.arm(connection, fence, versions, {sku: {1: 5} for sku in versions}, {}, TIMING)


async def execute(database: Database, statement: str, **parameters: Any) -> Any:
    async with database.connect() as connection:
        return await connection.execute(text(statement), parameters)


# ------------------------------------------------------------------ one writer


async def test_a_write_needs_the_version_that_its_plan_has_read(database: Database) -> None:
    fence = await run(database, "A")
    versions = await noted(database, fence, "A")
    assert await arm(database, fence, versions) == {"A": versions["A"] + 1}
    async with database.connect() as connection:
        await stock.refused(connection, 1, {"A": versions["A"] + 1})
    assert await arm(database, fence, versions) == {}, "that version is gone"


async def test_nothing_follows_a_write_that_may_still_be_on_its_way(database: Database) -> None:
    fence = await run(database, "A")
    versions = await noted(database, fence, "A")
    opened = await arm(database, fence, versions)
    async with database.connect() as connection:
        known = (await stock.known(connection, 1, ["A"]))["A"]
    assert 0 < known.settles_in_s <= TIMING.h_s
    assert known.sent == {1: 5}
    assert await arm(database, fence, opened) == {}
    await execute(database, "UPDATE stock SET settles_at = statement_timestamp()")
    assert await arm(database, fence, opened) == {"A": opened["A"] + 1}


async def test_a_run_that_was_taken_over_notes_and_writes_nothing(database: Database) -> None:
    fence = await run(database, "A")
    versions = await noted(database, fence, "A")
    await execute(database, "DELETE FROM runs")
    assert await arm(database, fence, versions) == {}
    assert await noted(database, fence, "A") == {}


async def test_a_permit_is_for_all_of_its_skus_or_for_none(database: Database) -> None:
    fence = await run(database, "A", "B")
    versions = await noted(database, fence, "A", "B")
    await arm(database, fence, {"B": versions["B"]})
    sent = {"A": {1: 5}, "B": {1: 5}}
    permit = StockPermit(database, fence, versions, sent, {}, TIMING, Watchdog(enabled=False))
    with pytest.raises(NotSent, match="the stock of B"):
        await permit.arm()
    async with database.connect() as connection:
        known = await stock.known(connection, 1, ["A"])
    assert known["A"].settles_in_s == 0
    with pytest.raises(NotSent, match="never granted"):
        permit.check()


async def test_an_older_read_does_not_replace_a_newer_one(database: Database) -> None:
    fence = await run(database, "A")
    await noted(database, fence, "A")
    assert await noted(database, fence, "A", at=LONG_AGO) == {}


async def test_an_answer_touches_its_own_write_alone(database: Database) -> None:
    fence = await run(database, "A")
    first = await arm(database, fence, await noted(database, fence, "A"))
    await execute(database, "UPDATE stock SET settles_at = statement_timestamp()")
    second = await arm(database, fence, first)
    async with database.connect() as connection:
        await stock.refused(connection, 1, first)
        assert (await stock.known(connection, 1, ["A"]))["A"].settles_in_s > 1
        await stock.accepted(connection, 1, second, 0.5)
        assert (await stock.known(connection, 1, ["A"]))["A"].settles_in_s <= 0.5


# ------------------------------------------------------------------ what orders have taken


async def taken(database: Database, order: str, *, at_s: int = 0, created: datetime = LONG_AGO, **by: int) -> list[str]:
    async with database.connect() as connection:
        stamp = created + timedelta(seconds=at_s)
        told = await stock.reserve(connection, 1, [Taken(order, created, stamp, by)])
    return [sku for sku, look in told.items() if look]


async def reserved(database: Database, sku: str, counted_before: datetime | None = None) -> Reserved:
    async with database.connect() as connection:
        before = counted_before or await stock.now(connection)
        return (await stock.reserved(connection, 1, {sku: Asked(sku, (sku,), before)})).get(sku, Reserved())


async def posted(database: Database, order: str, kind: str, at: datetime, state: str = "posted") -> None:
    await execute(
        database,
        "INSERT INTO postings (integration, reference, connection, flow, record_key, kind, state, fingerprint, content,"
        " posted_at, resolve_at) VALUES (1, :reference, 1, 'orders', :order, :kind, :state, '', '{}',"
        " CASE WHEN :state NOT IN ('sending', 'uncertain') THEN CAST(:at AS timestamptz) END, :at)",
        reference=f"{kind}-{order}", order=order, kind=kind, state=state, at=at,
    )  # fmt: skip


async def test_orders_add_up_and_an_edit_replaces(database: Database) -> None:
    await taken(database, "1", A=3, B=1)
    await taken(database, "2", A=4)
    assert await reserved(database, "A") == Reserved(7)
    assert await taken(database, "1", at_s=5, A=2) == ["A", "B"]
    assert await reserved(database, "A") == Reserved(6)
    assert await reserved(database, "B") == Reserved(0)
    assert await taken(database, "1", at_s=1, A=9) == [], "an older read"
    assert await reserved(database, "A") == Reserved(6)
    async with database.connect() as connection:
        assert set(await stock.read_orders(connection, 1, ["1", "2", "3"])) == {"1", "2"}


async def test_a_new_order_asks_for_a_look_only_where_a_figure_was_written_since(database: Database) -> None:
    now = datetime.now(UTC)
    assert await taken(database, "1", created=now, A=3) == []
    fence = await run(database, "A")
    await arm(database, fence, await noted(database, fence, "A"))
    assert await taken(database, "2", created=now, A=3, B=1) == ["A"]
    assert await taken(database, "3", created=now + timedelta(hours=1), A=3) == []


async def test_an_order_that_is_left_out_holds_nothing(database: Database) -> None:
    await taken(database, "1", A=3)
    await execute(
        database, "INSERT INTO records (integration, flow, key, status) VALUES (1, 'orders', '1', 'excluded')"
    )
    assert await reserved(database, "A") == Reserved(0)


@pytest.mark.parametrize(
    ("kind", "state", "before", "after"),
    [
        ("sales_invoice", "posted", Reserved(3, unsure=True), Reserved(0)),
        ("sales_order", "checked", Reserved(3, unsure=True), Reserved(0)),
        ("sales_invoice", "uncertain", Reserved(3, unsure=True), Reserved(3, unsure=True)),
        ("sales_order", "sending", Reserved(3, unsure=True), Reserved(3, unsure=True)),
        ("sales_invoice", "rejected", Reserved(3), Reserved(3)),
        ("sales_invoice", "held", Reserved(3), Reserved(3)),
        ("order", "posted", Reserved(3), Reserved(3)),
    ],
)
async def test_a_document_that_takes_the_goods_out_counts_from_the_next_read(
    database: Database, kind: str, state: str, before: Reserved, after: Reserved
) -> None:
    await taken(database, "1", A=3)
    await posted(database, "1", kind, LONG_AGO + timedelta(seconds=10), state)
    assert await reserved(database, "A", LONG_AGO + timedelta(seconds=5)) == before
    assert await reserved(database, "A", LONG_AGO + timedelta(seconds=15)) == after


async def test_a_document_that_was_reversed_takes_nothing_out(database: Database) -> None:
    await taken(database, "1", A=3)
    await posted(database, "1", "sales_invoice", LONG_AGO)
    assert await reserved(database, "A") == Reserved(0)
    await execute(
        database,
        "INSERT INTO postings (integration, reference, connection, flow, record_key, kind, state, step, fingerprint,"
        " content, reverses_reference, reverses_generation, posted_at) VALUES (1, 'V', 1, 'orders', '1', 'reversal',"
        " 'posted', 'reverse', '', '{}', 'sales_invoice-1', 1, now())",
    )
    assert await reserved(database, "A") == Reserved(3)


# ------------------------------------------------------------------ freshness


async def test_a_figure_is_as_fresh_as_its_read_or_as_the_scan_that_left_it_alone(database: Database) -> None:
    fence = await run(database, "A", "B")
    await noted(database, fence, "A", "B")
    await execute(database, "UPDATE stock SET read_at = read_at - interval '2 hours'")
    await execute(database, "UPDATE records SET token = NULL, done_seq = seq, status = 'synced'")
    await execute(
        database,
        "INSERT INTO watermarks (integration, flow, value) VALUES"
        " (1, 'stock', jsonb_build_object('scanned_at', statement_timestamp()))",
    )
    async with database.connect() as connection:
        assert await stock_status.gone_stale(connection, 1, 60, limit=10) == {}
        await records.mark(connection, 1, "stock", ["B"])
        assert set(await stock_status.gone_stale(connection, 1, 60, limit=10)) == {"B"}, "a change waits"
        await stock.set_stale(connection, 1, ["B"], "found")
        assert await stock_status.gone_stale(connection, 1, 60, limit=10) == {}
        assert await stock_status.fresh_again(connection, 1, 60) == 0
        await connection.execute(text("UPDATE records SET done_seq = seq"))
        assert await stock_status.fresh_again(connection, 1, 60) == 1
    [summary] = await stock_status.summaries(database)
    assert (summary.skus, summary.stale, summary.drifted) == (2, 0, 0)


async def test_a_scan_serves_until_it_is_old(database: Database) -> None:
    async with database.connect() as connection:
        began = await stock.now(connection)
        await stock.see(connection, 1, began, {"A": "d1", "GONE": ""}, {"A": {"sellable": True, "warehouses": {}}})
        assert await stock.news(connection, 1, {"A": "d1", "B": "d1"}) == ["B"]
        assert await stock.news(connection, 1, {"A": "d2"}) == ["A"]
        seen = await stock.scanned(connection, 1, ["A", "GONE", "B"], younger_s=60)
        assert {item: (each.digest, each.as_of) for item, each in seen.items()} == {"A": ("d1", began)}
        await connection.execute(text("UPDATE stock_seen SET seen_at = seen_at - interval '2 minutes'"))
        assert await stock.scanned(connection, 1, ["A"], younger_s=60) == {}
        assert await stock.seen_items(connection, 1) == {"A"}
