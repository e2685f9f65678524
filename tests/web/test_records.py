"""The list of records over HTTP: its export, and what is done to what was selected."""

import csv
import io
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from ml_connector.desk import records
from ml_connector.domain.access import Role
from ml_connector.engine import labels
from ml_connector.engine.labels import Label
from ml_connector.engine.views import record_list
from ml_connector.web.console.pages import records as records_page
from tests.web.orders import orders
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Visitor, session, user


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def visitor(served: Served, role: Role) -> Visitor:
    return Visitor(served, {COOKIE: await session(served, await user(served, role, f"{role}.ann"))})


async def test_the_list_is_exported_as_it_is_asked_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    await orders(served, "held", *(str(number) for number in range(100, 125)))
    await orders(served, "synced", "7", booked=True)
    monkeypatch.setattr(records, "_AT_ONCE", 10)
    ann = await visitor(served, Role.viewer)
    assert "/records/export.csv?status=held" in (await ann.get("/records?status=held")).text
    answer = await ann.get("/records/export.csv?status=held")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    head, *lines = csv.reader(io.StringIO(answer.text))
    assert head == list(records.COLUMNS)
    told = [dict(zip(head, line, strict=True)) for line in lines]
    assert sorted(each["key"] for each in told) == [str(number) for number in range(100, 125)]
    assert {each["status"] for each in told} == {"held"}
    assert all("T" in each["changed_at"] and each["changed_at"].endswith("+00:00") for each in told)
    everything = list(csv.DictReader(io.StringIO((await ann.get("/records/export.csv")).text)))
    assert len(everything) == 26
    assert [each["documents"] for each in everything if each["key"] == "7"] != [""]


async def test_an_export_that_is_cut_off_says_so(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    await orders(served, "held", *(str(number) for number in range(100, 112)))
    monkeypatch.setattr(records, "EXPORTED", 10)
    lines = (await (await visitor(served, Role.viewer)).get("/records/export.csv")).text.splitlines()
    assert len(lines) == 12
    assert lines[-1] == "More than 10 records match: narrow the query for the rest."


async def test_a_search_that_too_many_match_says_so_on_the_page_and_in_its_export(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [str(number) for number in range(100, 112)]
    await orders(served, "held", *keys)
    async with served.database.connect() as sql:
        await labels.note(
            sql, 1, "orders", [Label(key, key, "Moreau & Fils", "", Decimal(1), "EUR", None, None, ()) for key in keys]
        )
    monkeypatch.setattr(record_list, "GATHERED", 10)
    monkeypatch.setattr(records, "GATHERED", 10)
    monkeypatch.setattr(records_page, "GATHERED", 10)
    ann = await visitor(served, Role.viewer)
    told = (await ann.get("/records?q=moreau")).text
    assert "more than 10 match: add a word" in told
    assert "10+" in told
    lines = (await ann.get("/records/export.csv?q=moreau")).text.splitlines()
    assert "More than 10 records match the search, these are some: add a word." in lines[-1]


async def test_what_is_held_of_the_selected_is_released(served: Served) -> None:
    await orders(served, "held", "1", "2")
    await orders(served, "synced", "3", booked=True)
    cleo = await visitor(served, Role.clerk)
    chosen = {"do": "release", "chosen": "1:orders:1"}
    answer = await cleo.send("/records/act", chosen)
    assert "released" in answer.headers["Location"]
    rows = await served.rows("SELECT key, status FROM records WHERE flow = 'orders' ORDER BY key")
    assert [row.status for row in rows] == ["waiting", "held", "synced"]
    alone = await cleo.send("/records/act", {**chosen, "chosen": "1:orders:3"})
    assert "3+is+not+held" in alone.headers["Location"]
    vera = await visitor(served, Role.viewer)
    assert (await vera.send("/records/act", chosen)).status == 403
