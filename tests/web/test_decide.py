"""Deciding about a held document: what is shown, what is refused, what becomes true. The ERP is a stand-in."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from ml_connector.domain.access import Role
from ml_connector.domain.documents import Document
from ml_connector.sandbox.process import SandboxProcess
from tests.connectors.s4hana.documents import order
from tests.web.books import LONG_AGO, Books, books, dearer, erp_process
from tests.web.visitors import COOKIE, Visitor, session, token, user

GROUP = "1:posting_held:S1-O10250"
ASKED = {"group": GROUP, "reference": "S1-O10250"}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with erp_process() as running:
        yield running


@pytest.fixture
async def shop(database_url: str, process: SandboxProcess) -> AsyncIterator[Books]:
    async with books(database_url, process) as made:
        yield made


async def clerk(shop: Books, role: Role = Role.clerk) -> Visitor:
    someone = await user(shop.served, role, f"{role}.ann")
    return Visitor(shop.served, {COOKIE: await session(shop.served, someone)})


async def held(shop: Books, planned: Document, *, error: str = "it is not what was planned") -> None:
    await shop.row(planned, key="10250", error=error)
    await shop.record("10250", "posting_held", "S1-O10250", error)


async def state(shop: Books) -> tuple[str, str | None, bool, str, int]:
    [posting] = await shop.served.rows("SELECT state, number, adopted FROM postings")
    [record] = await shop.served.rows("SELECT status FROM records WHERE flow = 'orders'")
    [told] = await shop.served.rows("SELECT count(*) AS n FROM audit WHERE kind = 'released'")
    return posting.state, posting.number, posting.adopted, record.status, told.n


UNTOUCHED = ("held", None, False, "held", 0)


async def test_what_stands_there_is_shown_beside_what_was_planned(shop: Books) -> None:
    number = await shop.post(order())
    await held(shop, dearer(order(), "2.00"))
    ann = await clerk(shop)
    whole = (await ann.get("/holds")).text
    assert "/holds/document?group=" in whole
    assert number not in whole, "the page itself does not wait for the ERP"
    part = (await ann.get(f"/holds/document?group={GROUP}")).text
    for words in (number, "72.55", "74.55", "live", "it is right as it is there".capitalize()):
        assert words in part, words
    assert "Posting the next generation would book it twice" in part
    assert number in (await ann.get(f"/holds?group={GROUP}&look=1")).text, "without script too"


async def test_gone_is_refused_while_a_live_document_stands(shop: Books) -> None:
    number = await shop.post(order())
    await held(shop, dearer(order(), "2.00"))
    ann = await clerk(shop)
    answer = await ann.post("/holds/decide", **ASKED, verdict="gone", why="a slip of the hand")
    assert answer.status == 422
    assert f"S1-O10250 is not gone: the ERP shows it as {number}, not reversed" in answer.text
    assert await state(shop) == UNTOUCHED


async def test_gone_is_refused_while_the_erp_need_not_show_it(database_url: str, process: SandboxProcess) -> None:
    """Nothing under the reference, a moment after we posted it, proves nothing."""
    async with books(database_url, process, visible_s=600.0) as shop:
        await shop.row(order(), key="10250", posted_at=datetime.now(UTC), error="no longer there")
        await shop.record("10250", "posting_held", "S1-O10250", "no longer there")
        ann = await clerk(shop)
        answer = await ann.post("/holds/decide", **ASKED, verdict="gone")
        assert answer.status == 422
        assert "was posted a moment ago, and the ERP need not show it yet" in answer.text
        assert await state(shop) == UNTOUCHED


async def test_right_takes_what_stands_there_under_its_number(shop: Books) -> None:
    number = await shop.post(order())
    await held(shop, dearer(order(), "2.00"))
    ann = await clerk(shop)
    answer = await ann.post("/holds/decide", **ASKED, verdict="right", why="the shop says so")
    assert answer.status == 303, answer.text
    assert await state(shop) == ("posted", number, True, "waiting", 1)
    [told] = await shop.served.rows("SELECT who, refs, data FROM audit WHERE kind = 'released'")
    assert told.who == "user:clerk.ann"
    assert (told.data["verdict"], told.data["why"], told.data["was"]) == ("right", "the shop says so", "held")
    assert "is right as it is" in (await ann.get(answer.headers["Location"])).text


async def test_gone_is_taken_where_nothing_stands(shop: Books) -> None:
    await held(shop, order(), error="the ERP shows 0 documents under S1-O10250")
    ann = await clerk(shop)
    refused = await ann.post("/holds/decide", **ASKED, verdict="right")
    assert refused.status == 422
    assert "the ERP shows no live document under this reference" in refused.text
    assert await state(shop) == UNTOUCHED
    assert (await ann.post("/holds/decide", **ASKED, verdict="gone", why="deleted there")).status == 303
    assert (await state(shop))[0] == "void"
    assert (await state(shop))[3] == "waiting"


async def test_what_changed_meanwhile_is_not_decided(shop: Books) -> None:
    await shop.row(order(), key="10250", state="posted", number="1/1710/2026", posted_at=LONG_AGO)
    await shop.record("10250", status="synced")
    ann = await clerk(shop)
    answer = await ann.post("/holds/decide", **ASKED, verdict="retry")
    assert answer.status == 422
    assert "does not apply to it" in answer.text
    assert (await state(shop))[0] == "posted"


async def test_where_the_erp_does_not_answer_nothing_is_decided(shop: Books) -> None:
    await held(shop, order())
    shop.erp.fault("status", path="OPLACCTG", method="GET", status=503)
    ann = await clerk(shop)
    answer = await ann.post("/holds/decide", **ASKED, verdict="gone")
    assert answer.status == 422, answer.text
    assert "The ERP could not be asked" in answer.text
    assert await state(shop) == UNTOUCHED


async def test_a_program_is_told_the_same(shop: Books) -> None:
    number = await shop.post(order())
    await held(shop, dearer(order(), "2.00"))
    bearer = await token(shop.served, await user(shop.served, Role.clerk, "bob"))
    [named] = await shop.served.rows("SELECT name FROM integrations")

    async def say(verdict: str, reference: str = "S1-O10250") -> tuple[int, str]:
        url, headers = f"{shop.served.url}/api/v1/holds/decide", {"Authorization": f"Bearer {bearer}"}
        body = {"integration": named.name, "reference": reference, "verdict": verdict}
        async with shop.served.client.post(url, json=body, headers=headers) as answer:
            return answer.status, await answer.text()

    assert (await say("right", "S1-O999"))[0] == 404
    status, words = await say("gone")
    assert status == 409
    assert f"the ERP shows it as {number}, not reversed" in words
    assert await state(shop) == UNTOUCHED
    assert (await say("right"))[0] == 200
    assert await state(shop) == ("posted", number, True, "waiting", 1)


async def test_a_verdict_that_is_none_and_a_document_that_is_none_are_refused(shop: Books) -> None:
    await held(shop, order())
    ann = await clerk(shop)
    assert (await ann.post("/holds/decide", **ASKED, verdict="perhaps")).status == 422
    unknown = await ann.post("/holds/decide", group=GROUP, reference="S1-O999", verdict="retry")
    assert "No document S1-O999 is known" in unknown.text
    assert await state(shop) == UNTOUCHED
