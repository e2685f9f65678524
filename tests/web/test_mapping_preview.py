"""What a draft would do to real orders, with the sandbox's store and ERP behind it."""

import re

from ml_connector.domain.access import Role
from tests.e2e.scene import Scene
from tests.web.selling import parts as parts
from tests.web.selling import scene as scene
from tests.web.selling import served as served
from tests.web.selling import world as world
from tests.web.serving import Served
from tests.web.visitors import COOKIE, Answer, Visitor, session, user


def words(answer: Answer) -> str:
    """What a person reads of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


async def test_a_draft_is_tried_on_booked_and_on_waiting_orders_and_nothing_is_written(
    scene: Scene, served: Served
) -> None:
    clerk = Visitor(served, {COOKIE: await session(served, await user(served, Role.operator, "oscar"))})
    booked = scene.place("paid")
    scene.command("sync", "us-store", str(booked))
    worker = scene.worker()
    scene.posted(booked)
    # From now on orders are asked for an account that the mapping has no more.
    page = await clerk.get("/mapping?tab=accounts")
    mark = re.search(r'name="at" value="revenue"><input type="hidden" name="mark" value="(\w+)"', page.text)
    assert mark
    await clerk.post("/mapping/row/remove", table="accounts", at="revenue", mark=mark[1])
    assert (await clerk.post("/mapping/save", comment="to see what waits")).status == 303
    waiting = scene.place("paid")
    scene.command("sync", "us-store", str(waiting))
    assert scene.held(waiting).kind == "unmapped"
    worker.kill()

    chart = words(await clerk.get("/mapping?tab=accounts"))
    assert re.search(r"Compared with [\d,]+ accounts of SAP S/4HANA", chart), chart
    assert "in the ERP:" in chart
    number = re.search(r'data-value="(\d+)"', (await clerk.get("/mapping/options?typed.value=4")).text)
    assert number
    added = await clerk.post("/mapping/row", table="accounts", new="1", **{"c.key": "revenue", "c.value": number[1]})
    assert added.status == 303
    used = words(await clerk.get("/mapping?tab=accounts"))
    assert "Used by the latest 1 order" in used
    before = await served.rows("SELECT count(*) AS n FROM postings")
    found = words(await clerk.get("/mapping/consequences"))
    assert "1 waiting order would be booked of 1 looked at" in found, found
    assert f"Order {waiting}" in found
    assert "Held: No account for revenue" in found
    assert "1 booked order would look otherwise today of 1 looked at" in found
    assert f"Order {booked}" in found
    assert "They stay as they are" in found
    assert await served.rows("SELECT count(*) AS n FROM postings") == before
    assert scene.held(waiting).kind == "unmapped"
    assert len(scene.documents(booked)) == 1

    part = await clerk.get("/mapping/consequences", **{"HX-Request": "true"})
    assert "<html" not in part.text
    assert "would be booked" in words(part)
