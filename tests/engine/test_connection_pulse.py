"""How the calls of a connection went, minute by minute: what is sampled, what is a gap, what it costs."""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from ml_connector.engine import connection_pulse
from ml_connector.engine.connection_pulse import SAMPLE
from ml_connector.engine.database import Database

CALLS = text("""
INSERT INTO audit (integration, at, correlation, kind, connection, data)
SELECT 1, statement_timestamp() - :ago_s * interval '1 second', 'c', 'call', :connection,
       jsonb_build_object('status', CAST(:status AS int), 'duration_s', n / 10.0)
  FROM generate_series(1, :n) n
""")


async def called(database: Database, connection: int, n: int, *, ago_s: float = 20, status: int = 200) -> None:
    """`n` calls that took 100, 200, 300 ... ms."""
    async with database.connect() as sql:
        await sql.execute(CALLS, {"connection": connection, "n": n, "ago_s": ago_s, "status": status})


async def test_calls_since_the_sample_before_are_counted_once(database: Database) -> None:
    await called(database, 2, 5)
    await called(database, 2, 1, status=503)
    await called(database, 9, 4)  # a connection of somebody else
    async with database.connect() as sql:
        await connection_pulse.sample(sql, 1, (2, 3))
        await connection_pulse.sample(sql, 1, (2, 3))
        found = await connection_pulse.recent(sql, 1)
    assert set(found) == {2, 3}
    assert (found[2].calls, found[2].failed, found[2].quota_used) == (6, 1, None)
    assert found[2].median_ms is not None
    assert 100 <= found[2].median_ms <= 300
    assert (found[3].calls, found[3].median_ms) == (0, None)


async def test_calls_that_may_not_be_written_yet_wait_for_the_next_sample(database: Database) -> None:
    await called(database, 2, 3, ago_s=1)
    async with database.connect() as sql:
        await connection_pulse.sample(sql, 1, (2,))
        assert (await connection_pulse.recent(sql, 1))[2].calls == 0


async def test_a_quota_is_told_while_its_window_lasts(database: Database) -> None:
    limits = text(
        "INSERT INTO limits (connection, quota, quota_at) VALUES"
        " (2, CAST(:quota AS jsonb), statement_timestamp()),"
        " (3, CAST(:quota AS jsonb), statement_timestamp() - interval '1 hour')"
    )
    async with database.connect() as sql:
        await sql.execute(limits, {"quota": json.dumps({"limit": 150, "left": 30, "reset_s": 30})})
        await connection_pulse.sample(sql, 1, (2, 3))
        found = await connection_pulse.recent(sql, 1)
    assert found[2].quota_used is not None
    assert round(found[2].quota_used, 6) == 0.8
    assert found[3].quota_used is None


async def test_a_trend_has_gaps_where_nothing_was_sampled(database: Database) -> None:
    rows = text(
        "INSERT INTO connection_pulses (integration, connection, at, over_s, calls, failed, median_ms, p95_ms)"
        " SELECT 1, 2, statement_timestamp() - n * interval '10 minutes', 60, 6, 0, 100 + n, 200"
        "   FROM generate_series(1, 5) n WHERE n <> 3"
    )
    async with database.connect() as sql:
        await sql.execute(rows)
        points = await connection_pulse.trend(sql, 1, 2, datetime.now(UTC) - timedelta(hours=1), 6)
    told = [None if each is None else each.median_ms for each in points]
    assert [each for each in told if each is not None] == [105, 104, 102, 101]
    assert told.count(None) == 2
    assert points[-1] is None or points[-1].calls_s == 0.1


async def test_a_sample_reads_the_youngest_end_of_the_audit_alone(database: Database) -> None:
    fill = text("""
        INSERT INTO audit (integration, at, correlation, kind, connection, data)
        SELECT 1, statement_timestamp() - n * interval '1 minute', 'c', 'call', 2, '{"status": 200, "duration_s": 0.1}'
          FROM generate_series(1, 20000) n
    """)
    about = {"integration": 1, "connections": [2, 3], "settles_s": 5.0, "longest_s": 600.0}
    async with database.connect() as sql:
        await sql.execute(fill)
        await sql.exec_driver_sql("ANALYZE audit")
        explained = text("EXPLAIN (ANALYZE, FORMAT JSON) " + SAMPLE.text)
        plan = (await sql.execute(explained, about)).scalar_one()[0]["Plan"]
    scans = [each for each in _nodes(plan) if each.get("Relation Name") == "audit"]
    assert scans
    for scan in scans:
        assert "Seq Scan" not in scan["Node Type"], scan["Node Type"]
        assert scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) < 50


def _nodes(plan: dict[str, object]) -> list[dict[str, object]]:
    below = plan.get("Plans", [])
    assert isinstance(below, list)
    return [plan, *(node for each in below for node in _nodes(each))]
