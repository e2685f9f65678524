"""Plans over HTTP: what is shown to whom, and that applying posts what was shown, once, and nothing else."""

import asyncio
import csv
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from ml_connector.desk import mapping
from ml_connector.domain.access import Role
from ml_connector.engine import plans
from ml_connector.engine.actor import acting
from ml_connector.engine.registry import Registry
from tests.crash.stage import OTHER_REVENUE
from tests.e2e.scene import Scene
from tests.web.selling import parts as parts
from tests.web.selling import scene as scene
from tests.web.selling import serve, still
from tests.web.selling import served as served
from tests.web.selling import world as world
from tests.web.serving import Served
from tests.web.visitors import COOKIE, Answer, Visitor, session, token, user


async def visitor(served: Served, role: Role, name: str = "") -> Visitor:
    someone = await user(served, role, name or f"{role}.ann")
    return Visitor(served, {COOKIE: await session(served, someone)})


def words(answer: Answer) -> str:
    """What a person reads of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


async def made(visitor: Visitor, orders: str = "", **more: str) -> str:
    """The address of a plan."""
    answer = await visitor.post("/plan", integration="1", orders=orders, **more)
    assert answer.status == 303, words(answer)
    return answer.headers["Location"]


async def comes_to_rest(scene: Scene, by: Visitor, address: str) -> str:
    """What the page says when every order of the plan is done."""

    async def said() -> str:
        return words(await by.get(address))

    text = await said()
    for _ in range(600):
        if "has come to rest" in text:
            return text
        await asyncio.sleep(0.2)
        text = await said()
    pytest.fail(f"{text}\n{scene._logs()}")


async def test_what_is_shown_is_posted_once_and_an_order_that_changed_is_left_out(scene: Scene, served: Served) -> None:
    first, second = scene.place("paid"), scene.place("paid")
    viewer, clerk = await visitor(served, Role.viewer), await visitor(served, Role.clerk)
    operator = await visitor(served, Role.operator)
    assert (await viewer.post("/plan", integration="1", orders=str(first))).status == 403
    address = await made(clerk, f"{first}, #{second}")
    page = await viewer.get(f"{address}?order={first}")
    text = words(page)
    assert "What would be booked" in text
    assert "Create 4" in text
    assert f"S1-O{first} not in the ERP" in text
    assert "Apply 4 documents for 2 orders" in text
    shown = re.search(r"Balanced ([\d,.]+)", text)
    assert shown
    assert (await clerk.post(f"{address}/apply", sure="yes")).status == 403
    assert scene.documents(first) == []
    asked = await operator.post(f"{address}/apply")
    assert "Book 4 documents for 2 orders" in words(asked)
    assert (await served.rows("SELECT 1 FROM wishes")) == []

    scene.take_one_away(second)
    assert (await operator.post(f"{address}/apply", sure="yes", comment="agreed with Dana")).status == 303
    scene.worker()
    done = await comes_to_rest(scene, viewer, address)
    assert "1 booked, 1 changed since and was left out" in done
    assert "agreed with Dana" in done
    assert "Plan 1 order again" in done
    held = await clerk.get(f"/holds?group=1:plan_changed:{second}")
    assert "Plan 1 order again" in words(held)
    assert f'value="1:orders:{second}"' in held.text
    (document,) = scene.documents(first)
    assert f"{sum(line.amount for line in document.lines if line.amount > 0):,.2f}" == shown[1]
    assert scene.documents(second) == []
    assert scene.record(second)["hold_kind"] == "plan_changed"

    again = await operator.post(f"{address}/apply", sure="yes")
    assert again.headers["Location"].endswith("?done=before")
    assert "Nothing was changed" in words(await operator.get(again.headers["Location"]))
    assert (await served.rows("SELECT 1 FROM wishes")) == []
    told = await served.rows("SELECT who, data ->> 'event' AS event FROM audit WHERE kind = 'plan' ORDER BY id")
    assert [tuple(row) for row in told] == [("user:clerk.ann", "made"), ("user:operator.ann", "applied")]
    later = words(await clerk.get(await made(clerk, str(first))))
    assert "There is nothing to book" in later
    assert "Already right 2" in later


async def test_orders_are_chosen_by_days_by_status_and_from_the_lists(scene: Scene, served: Served) -> None:
    first, second = scene.place("paid"), scene.place("paid")
    clerk = await visitor(served, Role.clerk)
    today = datetime.now(UTC).date()
    window = {"first": str(today - timedelta(days=60)), "last": str(today + timedelta(days=1))}
    for by in ("ordered", "changed"):
        text = words(await clerk.get(await made(clerk, by=by, **window)))
        assert "Orders 2 Create 4" in text, text
        assert f"Orders {by} from" in text
    await served.rows(
        "INSERT INTO records (integration, flow, key, status, hold_kind, hold_key, run_at)"
        f" VALUES (1, 'orders', '{second}', 'held', 'status_held', '', now()) RETURNING 1"
    )
    for more in ({}, window):
        text = words(await clerk.get(await made(clerk, status="held", **more)))
        assert "Held orders" in text
        assert f"Order {second}" in text
        assert f"S1-O{first}" not in text
    chosen = await clerk.post("/records/act", do="plan", chosen=f"1:orders:{second}")
    assert f"Order {second}" in words(await clerk.get(chosen.headers["Location"]))
    assert 'formaction="/plan"' in (await clerk.get(f"/records/1/orders/{second}")).text
    listed = words(await clerk.get("/plan"))
    assert "Plan 5" in listed
    assert "clerk.ann" in listed


async def test_a_mistake_is_said_and_nothing_is_kept(scene: Scene, served: Served) -> None:
    clerk = await visitor(served, Role.clerk)

    async def refused(**form: str) -> str:
        answer = await clerk.post("/plan", integration="1", **form)
        assert answer.status == 422
        return words(answer)

    assert "“12x” is no order number" in await refused(orders="101, 12x")
    assert "Say which orders" in await refused()
    assert "200 orders at most" in await refused(orders=" ".join(map(str, range(1, 202))))
    assert "last day is before the first" in await refused(first="2026-11-20", last="2026-11-19")
    assert "is no day" in await refused(first="yesterday")
    assert "No order is like that" in await refused(status="dead")
    scene.fault({"fault": "html_503", "match": {"path": "/orders"}}, system="store")
    said = await refused(orders="101")
    assert "web-store said" in said
    assert "Nothing was kept or sent" in said
    scene.clear_faults("store")
    assert (await served.rows("SELECT 1 FROM plans")) == []
    text = words(await clerk.get(await made(clerk, "999001")))
    assert "The store does not know order 999001" in text
    assert (await clerk.get("/plan/1/77")).status == 404
    assert (await clerk.get("/plan/7/1")).status == 404


async def test_a_plan_is_never_applied_half_and_never_twice(scene: Scene, parts: Served) -> None:
    """The process dies just before the commit, and once more just after it."""
    first, second = scene.place("paid"), scene.place("paid")
    operator = await visitor(parts, Role.operator)
    for point, applied in (("approve.commit.b", False), ("approve.commit.a", True)):
        process = serve(scene, f"{point}:kill")
        if not applied:
            address = await made(operator, f"{first} {second}")
        with pytest.raises(aiohttp.ClientError):
            await operator.post(f"{address}/apply", sure="yes")
        process.died_at(point)
        (plan,) = await parts.rows("SELECT applied_at IS NOT NULL AS applied FROM plans")
        assert plan.applied is applied
        kept = {row.key for row in await parts.rows("SELECT key FROM wishes WHERE kind = 'approve'")}
        assert kept == ({str(first), str(second)} if applied else set())
        marked = {row.key for row in await parts.rows("SELECT key FROM records WHERE flow = 'orders'")}
        assert marked == kept
    serve(scene)
    again = await operator.post(f"{address}/apply", sure="yes")
    assert again.headers["Location"].endswith("?done=before")
    scene.worker()
    assert "2 booked" in await comes_to_rest(scene, operator, address)
    scene.posted(first, second)


async def test_a_second_person_applies_where_that_is_asked_for(scene: Scene, served: Served) -> None:
    def two(content: Any) -> None:
        still(content)
        content["integrations"]["us-store"]["plans"] = {"second_person": True}

    scene.configure(two)
    order = scene.place("paid")
    olga, omar = [await user(served, Role.operator, name) for name in ("olga", "omar")]
    hers = Visitor(served, {COOKIE: await session(served, olga)})
    address = await made(hers, str(order))
    refused = await hers.post(f"{address}/apply", sure="yes")
    assert refused.status == 422
    assert "a second person applies it" in words(refused)
    api = f"{served.url}/api/v1/plans/us-store/{address.rpartition('/')[2]}"
    for who, status in ((olga, 409), (omar, 200)):
        bearer = {"Authorization": f"Bearer {await token(served, who, who.name)}"}
        async with served.client.post(f"{api}/apply", json={}, headers=bearer) as answer:
            assert answer.status == status, await answer.text()
    assert (await served.rows("SELECT applied_by FROM plans"))[0].applied_by == "token:omar"


async def test_the_command_keeps_the_plan_that_it_applies(scene: Scene, served: Served) -> None:
    order = scene.place("paid")
    said = scene.command("plan", "us-store", str(order), "--apply", "--json")
    assert said.json["approved"] == [str(order)]
    scene.worker()
    (plan,) = await served.rows("SELECT made_by, applied_by FROM plans")
    assert plan.made_by == plan.applied_by
    assert plan.made_by.startswith("cli:")
    operator = await visitor(served, Role.operator)
    assert "1 booked" in await comes_to_rest(scene, operator, "/plan/1/1")
    scene.posted(order)


async def test_a_plan_by_a_draft_is_to_look_at_and_can_never_be_applied(scene: Scene, served: Served) -> None:
    order = scene.place("paid")
    operator = await visitor(served, Role.operator)
    refused = await operator.post("/plan", integration="1", orders=str(order), drafted="yes")
    assert "You have no draft" in words(refused)
    assert "By my draft" not in words(await operator.get("/plan"))
    integration = await Registry(served.database).integration(1)

    def other_account(content: Mapping[str, Any]) -> dict[str, Any]:
        accounts = {**content["accounts"], "revenue": OTHER_REVENUE}
        rules = [{**rule, "account": OTHER_REVENUE} for rule in content["revenue_rules"]]
        return {**content, "accounts": accounts, "revenue_rules": rules}

    with acting("user:operator.ann"):
        await mapping.change_mapping(served.database, integration, "user:operator.ann", "revenue", other_account)
    assert "By my draft" in words(await operator.get("/plan"))
    address = await made(operator, str(order), drafted="yes")
    text = words(await operator.get(address))
    assert f"{OTHER_REVENUE} " in text
    assert "cannot be applied" in text
    answer = await operator.post(f"{address}/apply", sure="yes")
    assert answer.status == 422
    assert "This plan is by a draft" in words(answer)
    assert (await plans.apply(served.database, 1, int(address.rpartition("/")[2]))) is None
    assert (await served.rows("SELECT 1 FROM wishes")) == []
    by_version = words(await operator.get(await made(operator, str(order))))
    assert OTHER_REVENUE not in by_version


async def test_the_lines_of_a_plan_are_exported(scene: Scene, served: Served) -> None:
    order = scene.place("paid")
    clerk = await visitor(served, Role.clerk)
    address = await made(clerk, f"{order} 999001")
    answer = await clerk.get(f"{address}/export.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["order"] for row in rows} == {str(order), "999001"}
    for side in ("debit", "credit"):
        assert sum(Decimal(row[side] or 0) for row in rows if row["reference"] == f"S1-O{order}") > 0
    debit, credit = (sum(Decimal(row[side] or 0) for row in rows) for side in ("debit", "credit"))
    assert debit == credit
