"""The statements that must stay flat as the tables grow: their query plans on 10,000 rows and more."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import TextClause, text

from ml_connector.engine import postings_sql, records, records_sql
from ml_connector.engine.database import Database
from ml_connector.engine.records import Lane

ROWS = 10_000
FILL = f"""
INSERT INTO records (integration, flow, key, run_at)
SELECT n % 3 + 1, 'orders', n::text, statement_timestamp() + CASE WHEN n % 2 = 0 THEN interval '1 day' ELSE '-1 s' END
  FROM generate_series(1, {ROWS}) n;
INSERT INTO records (integration, flow, key, status) SELECT 1, 'orders', 'done' || n, 'synced'
  FROM generate_series(1, {ROWS}) n;
INSERT INTO postings (integration, reference, connection, flow, record_key, kind, fingerprint, content, state)
SELECT 1, 'S1-O' || n, 2, 'orders', n::text, 'order', 'f', '{{}}', 'checked' FROM generate_series(1, {ROWS}) n;
INSERT INTO runs (integration, token, flow, worker, keys, lease_until)
SELECT 1, n + 1000, 'orders', 'w', '{{}}', statement_timestamp() + interval '1 hour' FROM generate_series(1, 200) n;
"""
LANE: dict[str, Any] = {"integration": 1, "flow": "orders", "token": 7}
STATEMENTS: dict[str, tuple[TextClause, dict[str, Any]]] = {
    "claim": (records_sql.CLAIM, {**LANE, "worker": "w", "batch": 20, "lease_s": 30.0, "floor": "-infinity"}),
    "lanes": (records_sql.LANES, {}),
    "mark": (records_sql.MARK, {**LANE, "keys": ["3", "9"], "want": None}),
    "finish": (
        records_sql.FINISH,
        {
            **LANE,
            "keys": ["3", "9"],
            "seqs": [1, 1],
            "stamps": [None, None],
            "next_at": [None, None],
            "next_in": [None, None],
            "statuses": ["synced", "synced"],
            "reasons": [None, None],
            "ends": True,
            "run_age_s": 0.0,
            "stamp_settles_s": 5.0,
        },
    ),
    "release": (records_sql.RELEASE, {"integration": 1, "kind": "unmapped", "hold_keys": ["tax|7"]}),
    "open postings": (postings_sql.OPEN, {**LANE, "keys": ["3", "9"]}),
    "postings of records": (postings_sql.OF_RECORDS, {**LANE, "keys": ["3", "9"]}),
    "due counts": (postings_sql.DUE_COUNTS, {"integration": 1, "target": 1, "limit": 100}),
    "send": (
        postings_sql.SEND,
        {
            **LANE,
            "references": ["S1-O3"],
            "generations": [1],
            "versions": [0],
            "read_at": ["2026-01-01"],
            "fingerprints": ["f"],
            "h_s": 60.0,
            "expected": 1,
        },
    ),
    "youngest": (postings_sql.YOUNGEST, {"integration": 1, "target": 1, "v_s": 60.0}),
    "counted before": (
        postings_sql.COUNTED_BEFORE,
        {"integration": 1, "target": 1, "kinds": ["order"], "references": ["S1-O3"]},
    ),
    "wake": (postings_sql.WAKE, {"integration": 1, "references": ["S1-C7"]}),
}
GROWING = {"records", "postings"}


@pytest.fixture
async def filled(database: Database) -> Database:
    async with database.transaction() as connection:
        for statement in filter(str.strip, FILL.split(";")):
            await connection.execute(text(statement))
    async with database.connect() as connection:
        await connection.execute(text("ANALYZE records, postings, runs"))
    return database


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def plan_of(database: Database, statement: TextClause, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    async with database.connect() as connection:
        explained = text("EXPLAIN (FORMAT JSON) " + statement.text)
        found = (await connection.execute(explained, parameters)).scalar_one()
    parsed = json.loads(found) if isinstance(found, str) else found
    return list(nodes(parsed[0]["Plan"]))


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_growing_table_is_read_whole(filled: Database, name: str) -> None:
    plan = await plan_of(filled, *STATEMENTS[name])
    whole = [n for n in plan if n["Node Type"] == "Seq Scan" and n.get("Relation Name") in GROWING]
    assert not whole, f"{name} reads {whole[0]['Relation Name']} from end to end"


async def test_the_claim_walks_the_due_index_by_its_condition(filled: Database) -> None:
    plan = await plan_of(filled, *STATEMENTS["claim"])
    (scan,) = [node for node in plan if node.get("Index Name") == "records_due"]
    assert "run_at <= statement_timestamp()" in scan["Index Cond"], "a filter would scan every future row"
    assert "run_at >=" in scan["Index Cond"], "without the floor, dead entries pile up at the head of the lane"
    assert not [node for node in plan if node["Node Type"] == "Sort" and "run_at" in str(node.get("Sort Key")) and
                node["Plan Rows"] > 1000]  # fmt: skip


async def test_the_claim_keeps_one_plan_for_all_values_and_it_walks_the_due_index(filled: Database) -> None:
    """Planned anew, a claim beside many records costs a third more than beside few."""
    async with filled.connect() as connection:
        for _ in range(8):
            await records.claim(connection, Lane(1, "orders"), worker="w", batch=20, lease_s=30)
        kept = (
            "SELECT name, generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%first_value%'"
        )
        (claim,) = (await connection.execute(text(kept))).all()
        assert (claim.generic_plans, claim.custom_plans) == (8, 0)
        mode = (await connection.execute(text("SHOW plan_cache_mode"))).scalar_one()
        assert mode == "auto", "other statements of the connection are planned as ever"
        await connection.execute(text("SET plan_cache_mode = force_generic_plan"))
        arguments = "1, 'orders', '-infinity', 'w', 30"
        explained = await connection.execute(text(f"EXPLAIN (FORMAT JSON) EXECUTE {claim.name} ({arguments})"))
        plan = list(nodes(explained.scalar_one()[0]["Plan"]))
        await connection.execute(text("RESET plan_cache_mode"))
    assert not [n for n in plan if n["Node Type"] == "Seq Scan" and n.get("Relation Name") in GROWING]
    (scan,) = [node for node in plan if node.get("Index Name") == "records_due"]
    assert "run_at <= statement_timestamp()" in scan["Index Cond"]
    assert "run_at >=" in scan["Index Cond"]


async def test_a_claim_touches_as_few_pages_beside_many_future_rows_as_beside_none(filled: Database) -> None:
    """Buffers, not time: the same on a busy machine."""

    async def pages() -> int:
        statement, parameters = STATEMENTS["claim"]
        async with filled.connect() as connection:
            explained = text("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement.text)
            found = (await connection.execute(explained, parameters)).scalar_one()
        return next(
            node["Shared Hit Blocks"] for node in nodes(found[0]["Plan"]) if node.get("Index Name") == "records_due"
        )

    few = await pages()
    async with filled.transaction() as connection:
        await connection.execute(
            text(
                "INSERT INTO records (integration, flow, key, run_at) SELECT 1, 'orders', 'f' || n,"
                " statement_timestamp() + n * interval '1 minute' FROM generate_series(1, 50000) n"
            )
        )
    assert await pages() <= few + 10


async def test_lanes_cost_grows_with_lanes_not_with_records(filled: Database) -> None:
    async with filled.connect() as connection:
        assert await records.lanes(connection) == [Lane(1, "orders"), Lane(2, "orders"), Lane(3, "orders")]
        explained = text("EXPLAIN (ANALYZE, FORMAT JSON) " + records_sql.LANES.text)
        found = (await connection.execute(explained)).scalar_one()
    scans = [node for node in nodes(found[0]["Plan"]) if node.get("Index Name") == "records_due"]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in scans) <= 4
