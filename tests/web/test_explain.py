"""A person explains a difference of the tie-out: what that closes, how long it holds, how it is taken back."""

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from ml_connector.domain.access import Role
from ml_connector.reconcile import results
from ml_connector.reconcile.causes import Cause
from ml_connector.reconcile.stream import Cursor
from ml_connector.reconcile.totals import Totals
from ml_connector.reconcile.values import Compared, Difference, Entry
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Visitor, session, token, user

DAY = date(2026, 11, 18)
WHY = "booked by hand before we came"


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def clerk(served: Served, role: Role = Role.clerk) -> Visitor:
    someone = await user(served, role, f"{role}.ann")
    return Visitor(served, {COOKIE: await session(served, someone)})


async def night(served: Served, *, erp: str = "0", loose: str = "0") -> None:
    """One day: order 2 differs by its document, order 3 is held. `loose`: in the ERP, and told by no finding."""
    d = Decimal
    totals = Totals(orders=2, documents=1)
    gone = Difference(Cause.AMOUNT, 2, "S1-O2", d("12.99"), d(erp), "USD", "another amount", day=DAY, kind="orders")
    lost = Entry(DAY, "USD", "orders", d("12.99"), d(0), d("12.99"), d(erp) + d(loose))
    totals.add(Compared(2, "posted", entries=[lost], differences=[gone]))
    waits = Difference(Cause.HELD, 3, "S1-O3", d(50), d(0), "USD", "order 3 is held", day=DAY, kind="orders")
    totals.add(
        Compared(3, "held", entries=[Entry(DAY, "USD", "orders", d(50), d(50), d(0), d(0))], differences=[waits])
    )
    async with served.database.transaction() as sql:
        cursor = Cursor(DAY, DAY, DAY, totals=totals)
        await results.conclude(sql, 1, cursor, datetime(2026, 11, 19, 9, tzinfo=UTC), marked=0, held=0)


async def place(served: Served, ann: Visitor) -> tuple[str, str]:
    """Where the form of the one finding that can be explained is sent, and its name."""
    text = (await ann.get(f"/reconciliation?day={DAY}")).text
    csrf = r'<input type="hidden" name="csrf" value="[^"]+">'
    line = r'<input type="hidden" name="line" value="([0-9a-f]+)">'
    found = re.search(rf'<form method="post" action="([^"]+)"[^>]*>{csrf}{line}', text)
    assert found, text
    return found[1].replace("&amp;", "&"), found[2]


async def explain(served: Served, ann: Visitor, why: str = WHY) -> Any:
    address, line = await place(served, ann)
    return await ann.post(address, do="explain", line=line, why=why)


async def test_what_is_explained_is_closed_and_stays_to_be_seen(served: Served) -> None:
    await night(served)
    ann = await clerk(served)
    assert "One day differs" in (await ann.get("/reconciliation")).text
    assert "does not tie" in (await ann.get("/")).text
    answer = await explain(served, ann)
    assert answer.status == 303
    text = (await ann.get(answer.headers["Location"])).text
    assert "It ties, but for what is explained" in text
    assert WHY in text
    assert "clerk.ann" in text
    assert "Differs, explained" in text
    assert "does not tie" not in (await ann.get("/")).text
    [told] = await served.rows("SELECT who, key, refs, data FROM audit WHERE kind = 'explained'")
    assert (told.who, told.key, told.data["explained"]) == ("user:clerk.ann", "2", WHY)
    rows = csv.DictReader(io.StringIO((await ann.get("/reconciliation/export.csv")).text))
    assert [row["explained"] for row in rows if row["section"] == "difference"] == [WHY]


async def test_a_reason_needs_three_words(served: Served) -> None:
    await night(served)
    ann = await clerk(served)
    answer = await explain(served, ann, "so <b>it</b>")
    assert answer.status == 422
    assert "three words at least" in answer.text.lower()
    assert "so &lt;b&gt;it&lt;/b&gt;" in answer.text, "what was typed is there still"
    assert not await served.rows("SELECT 1 FROM explained")


async def test_another_amount_is_another_difference(served: Served) -> None:
    await night(served, erp="2.00")
    ann = await clerk(served)
    await explain(served, ann)
    await night(served, erp="2.00")
    assert "It ties, but for what is explained" in (await ann.get("/reconciliation")).text
    await night(served, erp="3.00")
    text = (await ann.get("/reconciliation")).text
    assert "One day differs" in text
    assert WHY not in text


async def test_a_day_on_which_more_differs_than_was_looked_at_is_open(served: Served) -> None:
    await night(served)
    ann = await clerk(served)
    await explain(served, ann)
    await night(served, loose="7.00")
    assert "One day differs" in (await ann.get("/reconciliation")).text


async def test_it_is_taken_back(served: Served) -> None:
    await night(served)
    ann = await clerk(served)
    await explain(served, ann)
    address, line = await place(served, ann)
    assert (await ann.post(address, do="again", line=line)).status == 303
    assert "One day differs" in (await ann.get("/reconciliation")).text
    said = await served.rows("SELECT data ->> 'taken_back' AS why FROM audit WHERE kind = 'explained' ORDER BY id")
    assert [row.why for row in said] == [None, WHY]


async def test_what_only_waits_cannot_be_explained_away(served: Served) -> None:
    await night(served)
    ann = await clerk(served)
    address, _ = await place(served, ann)
    answer = await ann.post(address, do="explain", line="0" * 24, why=WHY)
    assert answer.status == 422
    assert "not found any more" in answer.text
    assert (await ann.get(f"/reconciliation?day={DAY}")).text.count("Explain this difference") == 1


async def test_an_order_is_replayed_beside_its_difference(served: Served) -> None:
    await night(served)
    async with served.database.connect() as sql:
        await sql.exec_driver_sql(
            "INSERT INTO records (integration, flow, key, status) VALUES (1, 'orders', '2', 'synced')"
        )
    ann = await clerk(served)
    address, _ = await place(served, ann)
    assert (await ann.post(address, do="replay", order="2")).status == 303
    [record] = await served.rows("SELECT status FROM records WHERE key = '2'")
    assert record.status == "waiting"


async def test_a_viewer_sees_and_changes_nothing(served: Served) -> None:
    await night(served)
    ann = await clerk(served)
    address, line = await place(served, ann)
    viewer = await clerk(served, Role.viewer)
    assert (await viewer.post(address, do="explain", line=line, why=WHY)).status == 403


async def test_a_program_explains_too(served: Served) -> None:
    await night(served)
    bearer = {"Authorization": f"Bearer {await token(served, await user(served, Role.clerk))}"}
    api = f"{served.url}/api/v1/reconciliation"

    async def books() -> Any:
        async with served.client.get(api, headers=bearer) as answer:
            assert answer.status == 200
            return (await answer.json())["books"][0]

    async def act(do: str, **body: str) -> tuple[int, Any]:
        async with served.client.post(f"{api}/{do}", json=body, headers=bearer) as answer:
            return answer.status, await answer.json()

    before = await books()
    [finding] = [each for each in before["days"][0]["findings"] if not each["open"]]
    assert (before["differing"], before["days"][0]["state"]) == (1, "differs")
    about = {"integration": before["integration"], "line": finding["name"]}
    assert (await act("explain", **about, why="so it"))[0] == 422
    assert (await act("explain", **{**about, "line": "0" * 24}, why=WHY))[0] == 404
    status, said = await act("explain", **about, why=WHY)
    assert (status, said["explained"]["why"]) == (200, WHY)
    after = await books()
    assert (after["differing"], after["days"][0]["state"]) == (0, "explained")
    assert await act("unexplain", **about) == (200, {"done": True})
    assert await act("unexplain", **about) == (200, {"done": False})
    assert (await books())["differing"] == 1
