"""Numbers, dates and times as the reader's account says; files and the API stay ISO with a dot."""

from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import text

from ml_connector.desk import formats
from ml_connector.domain.access import Role
from ml_connector.engine.access import users
from ml_connector.web.access.account import LOCALES
from ml_connector.web.console import show
from tests.web.orders import orders
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Visitor, session, token, user

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
THEN = datetime(2026, 11, 20, 15, 14, 31, tzinfo=UTC)


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    formats.use("")


@pytest.mark.parametrize(
    ("locale", "money", "moment", "day"),
    [
        ("en-US", "1,204.00", "Nov 20, 15:14", "Tue, Nov 17"),
        ("en-GB", "1,204.00", "20 Nov, 15:14", "Tue, 17 Nov"),
        ("de-DE", "1.204,00", "20 Nov, 15:14", "Tue, 17 Nov"),
        ("fr-FR", "1\u202f204,00", "20 Nov, 15:14", "Tue, 17 Nov"),
    ],
)
def test_each_locale_is_written_its_way(locale: str, money: str, moment: str, day: str) -> None:
    formats.use(locale)
    assert show.amount(Decimal(1204), "USD") == money
    assert f">{moment}<" in show.moment(THEN, now=NOW)
    assert show.day(date(2026, 11, 17), weekday=True) == day
    assert show.amount(Decimal("-1204.5"), "USD", plain=True) == "-1,204.50", "plain is for programs"


def test_every_locale_that_an_account_may_choose_is_known() -> None:
    assert set(LOCALES) - {""} == set(formats.WAYS)


def test_an_account_without_a_locale_follows_the_browser() -> None:
    for accepted, mark in (("de-AT,de;q=0.9", ","), ("en-US", "."), ("xx", "."), ("", "."), ("*", "."), ("fr", ",")):
        formats.use("", accepted)
        assert formats.way().mark == mark, accepted
    formats.use("en-US", "de-DE")
    assert formats.way().mark == "."


def test_one_request_is_nothing_to_another() -> None:
    copy_context().run(formats.use, "de-DE")
    assert formats.grouped(1204) == "1,204"


async def test_pages_follow_the_account_and_files_do_not(served: Served) -> None:
    await orders(served, "held", "1")
    change = text("UPDATE labels SET total = 1204.5, currency = 'EUR', placed_at = :at")
    async with served.database.connect() as sql:
        await sql.execute(change, {"at": datetime(2020, 6, 30, 22, 30, tzinfo=UTC)})
    someone = await user(served, Role.clerk)
    ann = Visitor(served, {COOKIE: await session(served, someone)})
    plain = (await ann.get("/records")).text
    assert "1,204.50" in plain
    assert "Jun 30, 2020" in plain
    assert "Times are the store’s" in plain
    await users.set_shown(served.database, someone.id, locale="de-DE", zone="Europe/Berlin", theme="")
    german = (await ann.get("/records")).text
    assert "1.204,50" in german
    assert "1 Jul 2020" in german, "it was after midnight in Berlin"
    assert "Times are yours: Europe/Berlin" in german
    assert 'data-mark=","' in german
    assert "Things count on the store’s day on which they happen: UTC" in (await ann.get("/reconciliation")).text
    exported = (await ann.get("/records/export.csv")).text
    assert ",1204.5,EUR," in exported
    assert "2020-06-30T22:30:00+00:00" in exported
    bearer = f"Bearer {await token(served, someone)}"
    told = (await ann.get("/api/v1/records", Authorization=bearer)).text
    assert '"value":"1204.5"' in told
