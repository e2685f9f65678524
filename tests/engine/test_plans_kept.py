"""Plans are kept as they were seen, applied once by whoever comes first, and forgotten when nobody applied them."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from ml_connector.engine import plans, wishes
from ml_connector.engine.actor import acting
from ml_connector.engine.database import Database
from ml_connector.engine.plans import LARGEST, New, Order, Paper


def an_order(key: str, act: str = "create") -> Order:
    paper = Paper(act, {"reference": f"S1-O{key}", "text": "a\x00b", "lines": []})  # type: ignore[arg-type]
    return Order(key, key, "documents", f"digest of {key}", papers=[paper])


async def keep(database: Database, orders: Sequence[Order], **facts: bool) -> int:
    with acting("user:ann"):
        return await plans.keep(database, New(1, "Some orders", facts.get("backfilled", False), 3, 4, orders,
                                              drafted=facts.get("drafted", False)))  # fmt: skip


async def rows(database: Database, statement: str) -> list[tuple[object, ...]]:
    async with database.connect() as sql:
        return [tuple(row) for row in await sql.execute(text(statement))]


async def test_of_many_who_apply_at_once_one_does(database: Database) -> None:
    plan = await keep(database, [an_order("7"), an_order("8", "right"), an_order("9")])
    results = await asyncio.gather(*(plans.apply(database, 1, plan) for _ in range(6)))
    assert [each for each in results if each is not None] == [["7", "9"]]
    async with database.connect() as sql:
        asked = await wishes.of_records(sql, 1, "orders", ["7", "8", "9"])
    assert asked.approved == {"7": "digest of 7", "9": "digest of 9"}
    assert await rows(database, "SELECT key, status, seq FROM records ORDER BY key") == [
        ("7", "waiting", 2),
        ("9", "waiting", 2),
    ]
    assert await rows(database, "SELECT count(*) FROM audit WHERE kind = 'plan' AND data ->> 'event' = 'applied'") == [
        (1,)
    ]


async def test_what_is_kept_is_what_was_shown(database: Database) -> None:
    plan = await keep(database, [an_order("9"), an_order("7")])
    async with database.connect() as sql:
        found = await plans.read(sql, 1, plan)
        orders = await plans.orders_of(sql, 1, plan)
        assert await plans.read(sql, 2, plan) is None
    assert found is not None
    assert (found.made_by, found.mapping_version, found.policy_version) == ("user:ann", 3, 4)
    assert [order.key for order in orders] == ["9", "7"]
    assert orders[0].papers[0].content["text"] == "a\ufffdb"
    with pytest.raises(ValueError, match="at most 200"):
        await keep(database, [an_order(str(number)) for number in range(LARGEST + 1)])


async def test_an_order_that_was_given_up_runs_again_and_one_before_the_cut_over_counts(database: Database) -> None:
    async with database.connect() as sql:
        await sql.execute(
            text("INSERT INTO records (integration, flow, key, status) VALUES (1, 'orders', '7', 'dead')")
        )
    plan = await keep(database, [an_order("7")], backfilled=True)
    assert await plans.apply(database, 1, plan) == ["7"]
    assert await rows(database, "SELECT status FROM records WHERE key = '7'") == [("waiting",)]
    assert await rows(database, "SELECT kind FROM wishes ORDER BY kind") == [("approve",), ("backfill",)]


async def test_a_draft_is_never_applied(database: Database) -> None:
    plan = await keep(database, [an_order("7")], drafted=True)
    assert await plans.apply(database, 1, plan) is None
    assert await rows(database, "SELECT 1 FROM wishes") == []
    with pytest.raises(IntegrityError):
        await rows(database, "UPDATE plans SET applied_at = now(), applied_by = 'x' RETURNING 1")


async def test_plans_that_nobody_applied_are_forgotten(database: Database) -> None:
    old, applied, young = [await keep(database, [an_order("7")]) for _ in range(3)]
    await plans.apply(database, 1, applied)
    await rows(
        database, f"UPDATE plans SET made_at = now() - interval '31 days' WHERE plan IN ({old}, {applied}) RETURNING 1"
    )
    newest = await keep(database, [an_order("8")])
    async with database.connect() as sql:
        assert [plan.id for plan in await plans.latest(sql, [1])] == [newest, young, applied]
        assert [plan.id for plan in await plans.latest(sql, [1], after=young)] == [applied]
    assert {plan for (plan,) in await rows(database, "SELECT plan FROM plan_orders")} == {newest, young, applied}
