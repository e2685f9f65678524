"""Audit, reconciliation and settings over HTTP: what is shown to whom, and what each may do there."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time
from decimal import Decimal

import aiohttp
import aiohttp.web
import pytest

from ml_connector.domain.access import Role
from ml_connector.engine import alert_channels, alert_rules, audit_chain, periodic, watermarks
from ml_connector.engine.audit import append, entry
from ml_connector.engine.audit_queries import Question, page
from ml_connector.engine.records import Lane
from ml_connector.reconcile import results
from ml_connector.reconcile.causes import Cause
from ml_connector.reconcile.stream import Cursor
from ml_connector.reconcile.totals import Totals
from ml_connector.reconcile.values import Compared, Difference, Entry
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Visitor, session, user

BODY = '{"first_name": "Moreau"}'


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def visitor(served: Served, role: Role) -> Visitor:
    someone = await user(served, role, f"{role}.ann")
    return Visitor(served, {COOKIE: await session(served, someone)})


async def heard(served: Served, key: str, **facts: object) -> None:
    """A row of the audit about an order of the first integration."""
    async with served.database.transaction() as sql:
        await append(sql, [entry("heard", integration=1, flow="orders", key=key, data=facts)])


async def called(served: Served, reference: str) -> None:
    data = {
        "method": "POST",
        "url": "https://erp.example/journal",
        "status": 201,
        "duration_s": 0.0123,
        "request_body": BODY,
    }
    async with served.database.transaction() as sql:
        row = entry("call", integration=1, flow="orders", key="7", refs=[reference], data=data)
        await append(sql, [row])


# ------------------------------------------------------------------ audit


async def test_the_audit_is_searched_by_what_stands_in_the_address(served: Served) -> None:
    for key in ("1041", "1042"):
        await heard(served, key, reason=f"told of {key}")
    await called(served, "S1-O7")
    ann = await visitor(served, Role.viewer)
    everything = (await ann.get("/audit")).text
    assert "told of 1041" in everything
    assert "told of 1042" in everything
    one = (await ann.get("/audit?record=1042")).text
    assert "told of 1042" in one
    assert "told of 1041" not in one
    assert "told of" not in (await ann.get("/audit?reference=S1-O7")).text
    assert "erp.example/journal answered 201" in (await ann.get("/audit?reference=S1-O7")).text
    assert "told of" not in (await ann.get("/audit?kind=access")).text
    assert "signed in" in (await ann.get("/audit?who=viewer.ann")).text
    assert "Nothing is recorded that fits" in (await ann.get("/audit?until=2001-01-01")).text
    odd = await ann.get("/audit?since=yesterday&after=x&kind=%27&record=%00&correlation=%3Cblink%3E")
    assert odd.status == 200
    assert "<blink>" not in odd.text


async def test_pages_of_the_audit_follow_each_other(served: Served) -> None:
    for number in range(120):
        await heard(served, str(number), reason=f"word{number}.")
    ann = await visitor(served, Role.viewer)
    found: list[str] = []
    address = "/audit?kind=heard"
    for _ in range(3):
        answer = await ann.get(address)
        found += re.findall(r"<span>word(\d+)\.", re.sub(r'<span class="phone">[^<]*</span>', "", answer.text))
        older = re.search(r'href="([^"]+)" rel="next"', answer.text)
        address = older[1].replace("&amp;", "&") if older else ""
    assert found == [str(number) for number in reversed(range(120))]
    assert address == ""


async def test_personal_data_is_revealed_to_who_may_and_the_look_is_kept(served: Served) -> None:
    await called(served, "S1-O7")
    rows = await page(served.database, Question(reference="S1-O7"))
    address = f"/audit/1/{rows.rows[0].id}?reveal=1"
    hidden = await (await visitor(served, Role.clerk)).get(address)
    assert hidden.status == 200
    assert "Moreau" not in hidden.text
    assert not (await page(served.database, Question(kinds=("personal",)))).rows
    oscar = await visitor(served, Role.operator)
    assert "Moreau" not in (await oscar.get(address.removesuffix("?reveal=1"))).text
    assert "Moreau" in (await oscar.get(address)).text
    looks = (await page(served.database, Question(kinds=("personal",)))).rows
    assert [row.who for row in looks] == ["user:operator.ann"]
    assert (await oscar.get("/audit/1/999999")).status == 404


async def test_the_export_is_the_query_and_hides_what_its_reader_may_not_see(served: Served) -> None:
    await called(served, "S1-O7")
    await heard(served, "1042", reason="told of 1042")
    ann, oscar = await visitor(served, Role.viewer), await visitor(served, Role.operator)
    plain = await ann.get("/audit/export.jsonl?reference=S1-O7")
    (row,) = [json.loads(line) for line in plain.text.splitlines()]
    assert row["references"] == ["S1-O7"]
    assert "Moreau" not in plain.text
    assert "attachment" in plain.headers["Content-Disposition"]
    assert "Moreau" in (await oscar.get("/audit/export.jsonl?reference=S1-O7")).text
    table = list(csv.DictReader(io.StringIO((await ann.get("/audit/export.csv?record=1042")).text)))
    assert [each["key"] for each in table] == ["1042"]
    assert [row.who for row in (await page(served.database, Question(kinds=("personal",)))).rows] == [
        "user:operator.ann"
    ]


async def test_the_seals_are_told_as_they_were_found(served: Served) -> None:
    ann = await visitor(served, Role.viewer)
    assert "Nothing is sealed yet" in (await ann.get("/audit")).text
    await heard(served, "1", reason="told")
    await audit_chain.seal_all(served.database, served.vault)
    sealed = (await ann.get("/audit")).text
    assert "through seal 1 of" in sealed
    assert "Unbroken" not in sealed  # nobody has compared it
    await note_seen(served, {"number": 0, "round": "2026-11-20T09:00:00+00:00", "found": None})
    assert "Unbroken" in (await ann.get("/audit")).text
    found = {"message": "row 3 was altered: it does not match seal 1"}
    await note_seen(served, {"number": 0, "round": "2026-11-20T09:00:00+00:00", "found": found})
    broken = (await ann.get("/audit")).text
    assert "Row 3 was altered" in broken
    assert "Broken" in broken


async def note_seen(served: Served, seen: dict[str, object]) -> None:
    async with served.database.transaction() as sql:
        for chain in await audit_chain.chains(served.database):
            await watermarks.note(sql, chain, audit_chain.NAME, {"seen": seen})


# ------------------------------------------------------------------ reconciliation

FIRST, LAST = date(2026, 11, 17), date(2026, 11, 19)
READ_AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


async def compared(served: Served, *, gone: bool = True) -> None:
    """Three days: one ties, one differs by a document that is gone, one has a held order."""
    d = Decimal
    totals = Totals(orders=4, documents=3)
    ok = Entry(FIRST, "USD", "orders", d(100), d(0), d(100), d(100), 1)
    totals.add(Compared(1, "posted", documents=1, entries=[ok]))
    if gone:
        missing = Difference(
            Cause.DELETED, 2, "S1-O2", d("12.99"), d(0), "USD", "S1-O2 is gone", day=date(2026, 11, 18), kind="orders"
        )
        lost = Entry(date(2026, 11, 18), "USD", "orders", d("12.99"), d(0), d("12.99"), d(0))
        totals.add(Compared(2, "posted", entries=[lost], differences=[missing]))
    waits = Difference(Cause.HELD, 3, "S1-O3", d(50), d(0), "USD", "order 3 is held: unmapped", day=LAST, kind="orders")
    held = Entry(LAST, "USD", "orders", d(50), d(50), d(0), d(0))
    totals.add(Compared(3, "held", entries=[held], differences=[waits]))
    async with served.database.transaction() as sql:
        cursor = Cursor(FIRST, LAST, LAST, totals=totals)
        await results.conclude(sql, 1, cursor, READ_AT, marked=0, held=0)


async def test_nothing_compared_says_when_it_will_be(served: Served) -> None:
    ann = await visitor(served, Role.viewer)
    assert "Nothing was compared yet" in (await ann.get("/reconciliation")).text


async def test_the_days_are_shown_as_they_were_compared_last(served: Served) -> None:
    await compared(served)
    ann = await visitor(served, Role.viewer)
    text = (await ann.get("/reconciliation")).text
    assert "One day differs" in text
    assert 'aria-label="Nov 17: ties"' in text
    assert 'aria-label="Nov 18: differs"' in text
    assert 'aria-label="Nov 19: ties, some not posted yet"' in text
    assert 'title="Nov 20: not compared"' in text
    assert "S1-O2 is gone" in text  # the day that differs is open
    assert "order 3 is held" not in text
    assert '/records/1/orders/2"' in text
    opened = (await ann.get("/reconciliation?day=2026-11-19")).text
    assert "order 3 is held" in opened
    assert "S1-O2 is gone" not in opened
    assert (await ann.get("/reconciliation?month=x&day=x&currency=x")).status == 200
    await compared(served, gone=False)
    assert "It ties to the cent" in (await ann.get("/reconciliation")).text


async def test_days_of_an_earlier_night_stay(served: Served) -> None:
    await compared(served)
    async with served.database.transaction() as sql:
        later = Cursor.of(date(2026, 11, 19), date(2026, 11, 20))
        await results.conclude(sql, 1, later, READ_AT, marked=0, held=0)
    text = (await (await visitor(served, Role.viewer)).get("/reconciliation")).text
    assert 'aria-label="Nov 18: differs"' in text
    assert 'aria-label="Nov 19: ties"' in text
    assert 'aria-label="Nov 20: ties"' in text


async def test_the_days_are_exported(served: Served) -> None:
    await compared(served)
    answer = await (await visitor(served, Role.viewer)).get("/reconciliation/export.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["section"], row["day"]) for row in rows if row["section"] != "row"] == [
        ("difference", "2026-11-18"), ("open", "2026-11-19"),
    ]  # fmt: skip
    lost = next(row for row in rows if row["section"] == "row" and row["day"] == "2026-11-18")
    assert (lost["store"], lost["difference"]) == ("12.99", "-12.99")


async def test_a_clerk_has_the_days_compared_now(served: Served) -> None:
    clerk, viewer = await visitor(served, Role.clerk), await visitor(served, Role.viewer)
    async with served.database.connect() as sql:
        names = [str(row.name) for row in await served.rows("SELECT name FROM integrations ORDER BY integration")]
        await periodic.ensure(sql, Lane(1, results.NAME), first_in_s=3600)
    assert (await viewer.post("/reconciliation/now", integration=names[0])).status == 403
    assert not await due(served)
    answer = await clerk.post("/reconciliation/now", integration=names[0])
    assert answer.status == 303
    assert "done=now" in answer.headers["Location"]
    assert await due(served)
    assert "done=unknown" in (await clerk.post("/reconciliation/now", integration="nobody")).headers["Location"]


async def due(served: Served) -> bool:
    rows = await served.rows(
        "SELECT run_at <= statement_timestamp() AS due FROM records WHERE flow = 'system:reconcile'"
    )
    return [row.due for row in rows] == [True]


# ------------------------------------------------------------------ alerts and retention


async def test_alerts_and_retention_are_shown_and_addresses_are_not(served: Served) -> None:
    secret = "jsons://127.0.0.1:1/very-secret-hook"
    quiet = alert_rules.Quiet(time(22), time(7), "America/Chicago")
    channel = alert_rules.Channel("finance", quiet, allow_private=True)
    await alert_channels.set_address(served.database, served.vault, channel, secret)
    ann = await visitor(served, Role.viewer)
    assert (await ann.get("/settings")).headers["Location"] == "/settings/alerts"
    text = (await ann.get("/settings/alerts")).text
    assert "Nothing fires" in text
    assert "changes of any flow are later than their latency budget for 5 min" in text
    assert "22:00 to 07:00, America/Chicago" in text
    assert "400 days" in text
    assert "very-secret-hook" not in text
    await served.rows(
        "INSERT INTO alert_states (integration, rule, subject, state, since, fired_at, title, body) VALUES"
        " (1, 'late', 'orders', 'firing', now(), now(), 'Orders are late', 'Wanted: less') RETURNING 1"
    )
    firing = (await ann.get("/settings/alerts")).text
    assert "One alert fires" in firing
    assert "Orders are late" in firing


async def test_a_rule_is_muted_and_a_channel_tested_by_an_operator_alone(served: Served) -> None:
    channel = alert_rules.Channel("finance", allow_private=True)
    async with Hook() as hook:
        await alert_channels.set_address(served.database, served.vault, channel, f"json://127.0.0.1:{hook.port}/")
        clerk, oscar = await visitor(served, Role.clerk), await visitor(served, Role.operator)
        assert (await clerk.post("/settings/alerts/test", channel="finance")).status == 403
        assert (await clerk.post("/settings/alerts/mute", rule="late", minutes="60")).status == 403
        assert hook.bodies == []
        sent = await oscar.post("/settings/alerts/test", channel="finance")
        assert sent.status == 200
        assert "Test of the channel finance" in sent.text
        assert "Test of the channel finance" in hook.bodies[0]
    assert (await oscar.post("/settings/alerts/test", channel="nobody")).status == 422
    assert (await oscar.post("/settings/alerts/test", channel="finance")).status == 422  # nobody listens any more
    assert (await oscar.post("/settings/alerts/mute", rule="late", minutes="60")).status == 303
    assert "muted until" in (await oscar.get("/settings/alerts")).text
    assert (await oscar.post("/settings/alerts/mute", rule="late", minutes="0")).status == 303
    assert "muted until" not in (await oscar.get("/settings/alerts")).text
    assert (await oscar.post("/settings/alerts/mute", rule="late", minutes="9")).status == 422
    told = (await page(served.database, Question(kinds=("alert",)))).rows
    assert {row.who for row in told} == {"user:operator.ann"}
    assert [row.data["event"] for row in told] == ["muted", "muted", "tested", "tested"]


class Hook:
    """A service that takes messages."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.port = 0

    async def __aenter__(self) -> "Hook":
        app = aiohttp.web.Application()
        app.router.add_post("/", self._take)
        self._runner = aiohttp.web.AppRunner(app)
        await self._runner.setup()
        site = aiohttp.web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: aiohttp.web.Request) -> aiohttp.web.Response:
        self.bodies.append(await request.text())
        return aiohttp.web.Response()
