"""What the overview says of connections and of the test pair, and the pages behind its figures."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from ml_connector.domain.access import Role
from ml_connector.engine import checks
from ml_connector.engine.checks import Result, Step
from ml_connector.engine.records import Claimed, Lane
from ml_connector.engine.runs import Done, Run
from ml_connector.flows.upkeep import PulseFlow
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Visitor, session, user

SAMPLES = text("""
INSERT INTO connection_pulses (integration, connection, at, over_s, calls, failed, median_ms, p95_ms, quota_used)
SELECT 1, :connection, statement_timestamp() - n * interval '1 minute', 60, 192, 0, 184, 620, :quota
  FROM generate_series(0, 3) n
""")
HELD = text("""
INSERT INTO records (integration, flow, key, status, hold_kind, hold_key, last_error, heard_at)
SELECT 1, 'orders', n::text, 'held', 'connection', :connection, 'refused', statement_timestamp() - interval '20 minutes'
  FROM generate_series(1, 3) n
""")
LAGS = text("""
INSERT INTO pulses (integration, flow, at, waiting, lag_s)
SELECT 1, 'orders', statement_timestamp() - n * interval '1 minute', 1, CASE WHEN n = 30 THEN 180 ELSE 20 END
  FROM generate_series(0, 120) n
""")


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def visitor(served: Served) -> Visitor:
    return Visitor(served, {COOKIE: await session(served, await user(served, Role.viewer))})


async def sides(served: Served) -> tuple[int, int]:
    row = (await served.rows("SELECT store, erp FROM integrations"))[0]
    return row.store, row.erp


async def page(ann: Visitor, path: str = "/") -> str:
    """As somebody reads it, without the marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", (await ann.get(path)).text))


async def test_a_connection_shows_its_calls_its_time_and_its_quota(served: Served) -> None:
    store, _ = await sides(served)
    async with served.database.connect() as sql:
        await sql.execute(SAMPLES, {"connection": store, "quota": 0.86})
    text = await page(await visitor(served))
    assert "paced" in text
    assert "quota 86" in text
    assert "3.2 calls/s" in text
    assert "184 ms" in text


async def test_a_breaker_tells_since_when(served: Served) -> None:
    _, erp = await sides(served)
    await served.rows(
        "INSERT INTO breakers (connection, state, failures, retry_at, opened_at, changed_at) VALUES"
        f" ({erp}, 'open', 12, now(), now() - interval '6 minutes', now()) RETURNING 1"
    )
    text = await page(await visitor(served))
    assert "has not answered for 6 min" in text
    assert "Nothing waits." in text
    assert "does not answer since" in text
    assert "Connection broken" in text


async def test_a_connection_that_lets_us_in_no_more_says_what_ends_that(served: Served) -> None:
    _, erp = await sides(served)
    async with served.database.connect() as sql:
        await sql.execute(HELD, {"connection": str(erp)})
    text = await page(await visitor(served))
    assert "lets us in no more, for 20 min" in text
    assert "Renew its secret or its right in Connections. 3 records wait, and go by themselves afterwards." in text


@pytest.mark.parametrize("failed", ["", "post-back"])
async def test_the_test_pair_is_told_in_one_line(served: Served, failed: str) -> None:
    steps = [Step("order", 1.0), Step("heard", 2.0), Step("document", 30.0), Step("post-back", 5.0), Step("stock", 0.0)]
    if failed:
        steps = [each if each.name != failed else Step(failed, 300.0, "late") for each in steps]
    async with served.database.transaction() as sql:
        await checks.save(sql, 1, Result(datetime.now(UTC) - timedelta(minutes=6), tuple(steps), "1042"))
    text = await page(await visitor(served))
    if failed:
        assert "Test pair: it stopped at the post-back: late" in text
    else:
        assert "Test pair: order, document, post-back and stock came through in 38 s, 6 min ago." in text


async def test_a_worker_samples_flows_and_connections(served: Served) -> None:
    store, erp = await sides(served)
    call = text(
        "INSERT INTO audit (integration, at, correlation, kind, connection, data) VALUES"
        " (1, statement_timestamp() - interval '20 s', 'c', 'call', :connection, CAST(:data AS jsonb))"
    )
    async with served.database.connect() as sql:
        await sql.execute(call, {"connection": store, "data": '{"status": 200, "duration_s": 0.2}'})
    runtime = served.app.state.pages.runtime
    claimed = Claimed("all", 1, None, 0, None, False)
    done = await PulseFlow(runtime).run(Run(Lane(1, "system:pulse"), 1, 0, 30.0, (claimed,)))
    assert isinstance(done["all"], Done)
    sampled = await served.rows("SELECT connection, calls, median_ms FROM connection_pulses ORDER BY connection")
    assert {row.connection: (row.calls, row.median_ms) for row in sampled} == {store: (1, 200.0), erp: (0, None)}
    flows = {row.flow for row in await served.rows("SELECT flow FROM pulses")}
    assert "orders" in flows


async def test_figures_lead_to_how_they_went(served: Served) -> None:
    store, _ = await sides(served)
    eu = str((await served.rows("SELECT name FROM integrations"))[0].name)
    async with served.database.connect() as sql:
        await sql.execute(LAGS)
        await sql.execute(SAMPLES, {"connection": store, "quota": None})
    ann = await visitor(served)
    overview = (await ann.get("/")).text
    for path in (f"/trends/flow/{eu}/orders", "/trends/connection/web-store"):
        assert path in overview
    lag = await ann.get(f"/trends/flow/{eu}/orders")
    assert "Now 20 s, at most 3 min in the last 24 hours, over the budget of 2 min." in lag.text
    assert 20 < lag.text.count('<tr data-y="') < 40
    done = await ann.get(f"/trends/flow/{eu}/orders?metric=done&hours=168")
    assert done.text.count('<tr data-y="0.0"') == 168
    calls = await page(ann, "/trends/connection/web-store?metric=calls")
    assert "Now 3.2 calls/s, at most 3.2 calls/s in the last 24 hours." in calls
    quota = await page(ann, "/trends/connection/web-store?metric=quota&hours=168")
    assert "Nothing was measured in the last 7 days" in quota
    for path in ("/trends/connection/nobody", "/trends/flow/nowhere/orders", f"/trends/flow/{eu}/lies"):
        assert (await ann.get(path)).status == 303
