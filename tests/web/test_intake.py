"""Webhook intake over a real socket and a real database: what is accepted is on the disk before it is answered, what is
not tells the sender nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from ml_connector.engine.audit_queries import Question, page
from ml_connector.web.hooks import LARGEST
from tests.web.serving import Served, body_of, headers_of, serving


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


# ---------------------------------------------------------------------- accepted


async def test_a_delivery_is_stored_and_marked_before_it_is_answered(served: Served) -> None:
    assert await served.order(118) == (200, b"")
    assert await served.marked() == {"118": 1}
    (row,) = await served.rows("SELECT scope, body FROM webhooks")
    assert (row.scope, bytes(row.body)) == ("store/order/updated", body_of(118))


async def test_a_repeated_delivery_is_stored_once_and_marks_again(served: Served) -> None:
    for _ in range(3):
        assert await served.order(118, id="msg_same") == (200, b"")
    assert await served.stored() == ["msg_same"]
    assert await served.marked() == {"118": 3}


async def test_two_deliveries_of_one_order_are_both_stored(served: Served) -> None:
    await asyncio.gather(served.order(118, id="a"), served.order(118, id="b"))
    assert await served.stored() == ["a", "b"]
    assert (await served.marked()).keys() == {"118"}


async def test_a_burst_loses_nothing(served: Served) -> None:
    answers = await asyncio.gather(*(served.order(number) for number in range(1, 601)))
    assert {status for status, _ in answers} == {200}
    assert (await served.marked()).keys() == {str(number) for number in range(1, 601)}
    assert len(await served.stored()) == 600


async def test_a_worker_is_woken(served: Served) -> None:
    async with served.database.listen("ml_connector_work") as payloads:
        await served.order(118)
        async with asyncio.timeout(5):
            async for payload in payloads:
                assert payload == "1:orders"
                break


async def test_every_integration_of_the_store_hears_of_it(database_url: str) -> None:
    def twice(data: Any) -> None:
        ledger = data["connections"]["ledger"]
        other = {**ledger, "settings": {**ledger["settings"], "company_code": "1720"}}
        data["connections"]["other-books"] = other
        second = {**data["integrations"]["us-store"], "erp": "other-books", "flows": {"orders": {}}}
        second["policy"] = {**second["policy"], "reference.tag": "S2"}
        off = {**second, "flows": {"customers": {}}, "policy": {**second["policy"], "reference.tag": "S3"}}
        data["integrations"] |= {"second": second, "no-orders": off}

    async with serving(database_url, twice) as served:
        await served.order(118)
        names = "SELECT g.name FROM records r JOIN integrations g USING (integration) ORDER BY name"
        assert [row.name for row in await served.rows(names)] == ["second", "us-store"]
        assert len(await served.stored()) == 3


async def test_a_scope_that_concerns_nothing_is_kept_and_marks_nothing(served: Served) -> None:
    body = body_of(118, scope="store/product/updated")
    assert await served.deliver(body, headers_of(body, "m1")) == (200, b"")
    assert await served.marked() == {}
    assert await served.stored() == ["m1"]


# ---------------------------------------------------------------------- refused


def _unsigned() -> tuple[bytes, dict[str, str]]:
    return body_of(118), {}


def _forged() -> tuple[bytes, dict[str, str]]:
    return body_of(118), headers_of(body_of(118), "m1", secret="somebody else's")


def _altered() -> tuple[bytes, dict[str, str]]:
    return body_of(119), headers_of(body_of(118), "m1")


def _without_our_secret() -> tuple[bytes, dict[str, str]]:
    headers = headers_of(body_of(118), "m1")
    return body_of(118), {name: value for name, value in headers.items() if "Secret" not in name}


def _replayed() -> tuple[bytes, dict[str, str]]:
    return body_of(118), headers_of(body_of(118), "m1", at=time.time() - 3600)


def _of_another_store() -> tuple[bytes, dict[str, str]]:
    body = body_of(118, producer="stores/zzz999")
    return body, headers_of(body, "m1")


def _no_json() -> tuple[bytes, dict[str, str]]:
    return b"{not json", headers_of(b"{not json", "m1")


def _empty() -> tuple[bytes, dict[str, str]]:
    return b"", headers_of(b"", "m1")


def _deep() -> tuple[bytes, dict[str, str]]:
    body = b"[" * 60_000
    return body, headers_of(body, "m1")


@pytest.mark.parametrize(
    "made",
    [_unsigned, _forged, _altered, _without_our_secret, _replayed, _of_another_store, _no_json, _empty, _deep],
    ids=lambda made: made.__name__,
)
async def test_what_does_not_prove_its_origin_gets_an_empty_401(served: Served, made: Any) -> None:
    body, headers = made()
    assert await served.deliver(body, headers) == (401, b"")
    assert await served.marked() == {}
    assert await served.stored() == []


async def test_an_unknown_connection_gets_the_same_401(served: Served) -> None:
    body = body_of(118)
    for name in ("nobody", "ledger", "..%2f..%2fetc", "web-store%00", "é"):
        assert await served.deliver(body, headers_of(body, "m1"), name) == (401, b""), name
    assert await served.stored() == []


async def test_too_large_a_body_gets_an_empty_413_and_is_not_read_to_its_end(served: Served) -> None:
    body = b"x" * (LARGEST + 1)
    assert await served.deliver(body, headers_of(body, "m1")) == (413, b"")


async def test_a_body_of_no_announced_length_is_cut_off(served: Served) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 50 * LARGEST:
            sent += 16_384
            yield b"x" * 16_384

    try:
        async with served.client.post(f"{served.url}/hooks/web-store", data=endless()) as answer:
            assert (answer.status, await answer.read()) == (413, b"")
    except OSError:  # the server closed the connection while we were still sending
        pass
    assert sent < 50 * LARGEST
    assert await served.order(1) == (200, b"")


async def test_the_largest_allowed_body_is_accepted(served: Served) -> None:
    padding = LARGEST - len(body_of(118)) - len(', "pad": ""')
    body = body_of(118)[:-1] + b', "pad": "' + b"x" * padding + b'"}'
    assert len(body) == LARGEST
    assert (await served.deliver(body, headers_of(body, "m1")))[0] == 200


async def test_forgeries_are_counted_and_told_once_a_minute(served: Served) -> None:
    body, headers = _forged()
    for _ in range(20):
        await served.deliver(body, {**headers, "X-Forwarded-For": "203.0.113.7"})
    await served.shared.audit.flush()
    (row,) = (await page(served.database, Question(kinds=("intake_refused",)))).rows
    assert row.data["reason"] == "webhook-signature does not match the body"
    assert row.data["sender"] == "127.0.0.1"
    async with served.client.get(f"{served.url}/metrics") as answer:
        told = await answer.text()
    assert 'ml_connector_intake_total{connection="web-store",outcome="forged"} 20.0' in told


async def test_names_that_senders_make_up_are_no_labels(served: Served) -> None:
    for number in range(5):
        await served.deliver(b"{}", {}, f"made-up-{number}")
    async with served.client.get(f"{served.url}/metrics") as answer:
        told = await answer.text()
    assert "made-up" not in told
    assert 'connection="unknown",outcome="forged"} 5.0' in told


# ---------------------------------------------------------------------- when the database cannot


async def test_a_delivery_that_cannot_be_stored_is_not_acknowledged(served: Served) -> None:
    await served.order(1)
    async with served.database.connect() as connection:
        await connection.execute(text("ALTER TABLE webhooks RENAME TO webhooks_away"))
    assert await served.order(2) == (503, b"")
    async with served.database.connect() as connection:
        await connection.execute(text("ALTER TABLE webhooks_away RENAME TO webhooks"))
    assert await served.order(2) == (200, b"")
    assert (await served.marked()).keys() == {"1", "2"}


async def test_one_that_cannot_be_stored_does_not_take_others_with_it(served: Served) -> None:
    async with served.database.connect() as connection:
        await connection.execute(text("ALTER TABLE webhooks ADD CHECK (delivery_key <> 'bad')"))
    answers = await asyncio.gather(
        *(served.order(number) for number in range(1, 30)), served.order(500, id="bad"),
        *(served.order(number) for number in range(31, 60)),
    )  # fmt: skip
    assert [status for status, _ in answers].count(200) == 58
    assert answers[29] == (503, b"")
    assert "500" not in await served.marked()


async def test_text_that_postgresql_refuses_is_stored_all_the_same(served: Served) -> None:
    body = body_of(118).replace(b'"store/order/updated"', b'"store/order/\\u0000\\ud800"')
    assert (await served.deliver(body, headers_of(body, "m1")))[0] == 200
    assert await served.marked() == {"118": 1}
