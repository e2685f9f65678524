"""Input that is made to hurt: numbers without end, nesting without end, entities, addresses in disguise."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from ml_connector.connectors.bigcommerce.answers import quota_from, wait_s
from ml_connector.connectors.errors import UnsafeAddress
from ml_connector.connectors.http import HttpSession, Response, Timeouts
from ml_connector.connectors.http_answer import LONGEST_WAIT_S, json_of
from ml_connector.connectors.safety import AddressPolicy
from ml_connector.connectors.soap import body_of
from ml_connector.domain.money import amount_from, round_half_up
from tests.connectors.shared import LocalServices

NOW = datetime(2026, 3, 4, 15, 20, tzinfo=UTC).timestamp()
QUICK = settings(max_examples=150, database=None)


def headers(**told: str) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict({name.replace("_", "-"): value for name, value in told.items()}))


NO_AMOUNTS = ("NaN", "sNaN", "Infinity", "1e999999", "1e-999999", "9" * 5000, "0." + "9" * 400, "1e15", "", "x")


@pytest.mark.parametrize("told", NO_AMOUNTS)
def test_what_no_ledger_can_hold_is_no_amount(told: str) -> None:
    with pytest.raises(ValueError, match=r"is not a|more digits"):
        amount_from(told)


@QUICK
@given(st.decimals(min_value=-(10**14), max_value=10**14, places=4))
def test_an_amount_keeps_its_value_and_can_be_summed_and_rounded(amount: Decimal) -> None:
    assert amount_from(str(amount)) == amount
    total = sum([amount_from(str(amount))] * 50, Decimal(0))
    assert total == amount * 50
    round_half_up(total, "KWD")


@pytest.mark.parametrize("told", ["0e999999", "-0", "0e-999999", "0.0000"])
def test_every_zero_is_zero(told: str) -> None:
    assert amount_from(told) == 0
    assert round_half_up(amount_from(told), "USD") == 0


def test_trailing_zeros_are_no_digits() -> None:
    assert amount_from("60." + "0" * 500) == 60


NO_JSON = (b"NaN", b'{"a": -Infinity}', b"[" * 200_000, b'{"a":' * 200_000, b"9" * 5000, b"\xff", b"")


@pytest.mark.parametrize("body", NO_JSON, ids=range(len(NO_JSON)))
def test_what_json_has_no_words_for_is_not_read(body: bytes) -> None:
    with pytest.raises(ValueError):
        json_of(body)


def test_texts_can_be_stored() -> None:
    told = json_of(rb'{"a\u0000": ["x\ud800y", {"b": "\u0000"}], "pair": "\ud83d\ude00"}')
    assert told == {"a\ufffd": ["x?y", {"b": "\ufffd"}], "pair": "\U0001f600"}


@QUICK
@given(st.text(max_size=40) | st.floats().map(str) | st.integers().map(str) | st.datetimes().map(str))
def test_no_header_makes_us_wait_for_long(told: str) -> None:
    response = Response(429, headers(Retry_After=told, X_Rate_Limit_Time_Reset_Ms=told), b"")
    for waited in (response.retry_after_s(NOW), wait_s(response.headers)):
        assert waited is None or 0 <= waited <= LONGEST_WAIT_S


ENDLESS = ("²", "9" * 400, "1e999", "nan", "Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 GMT")


@pytest.mark.parametrize("told", ENDLESS)
def test_a_wait_without_end_ends(told: str) -> None:
    waited = Response(429, headers(Retry_After=told), b"").retry_after_s(NOW)
    assert waited is None or 0 <= waited <= LONGEST_WAIT_S


@pytest.mark.parametrize("told", ["", "x", "²", "1e9", "9" * 50, "1.5"])
def test_a_quota_that_cannot_be_meant_is_none(told: str) -> None:
    given = {
        "X_Rate_Limit_Requests_Quota": "150",
        "X_Rate_Limit_Requests_Left": told,
        "X_Rate_Limit_Time_Reset_Ms": "1",
    }
    assert quota_from(headers(**given)) is None


def test_no_entity_reads_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sentinel-5d1c")
    for kind in ("SYSTEM", 'PUBLIC "x"'):
        typed = f'<!DOCTYPE a [<!ENTITY x {kind} "file://{secret}">]><a>&x;</a>'
        with pytest.raises(ValueError, match=r"XML|document type") as refused:
            body_of(typed.encode())
        assert "sentinel" not in str(refused.value)


def test_entities_do_not_multiply() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    with pytest.raises(ValueError, match=r"XML|document type"):
        body_of(f'<!DOCTYPE a [<!ENTITY l0 "lol">{laughs}]><a>&l11;</a>'.encode())


DISGUISES = ("2130706433", "127.1", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.0.0.1.", "１２７.0.0.1", "localhost\\@x")


@pytest.mark.parametrize("host", DISGUISES)
async def test_an_address_in_disguise_is_not_called(host: str) -> None:
    called = 0

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal called
        called += 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    session = HttpSession(f"https://{host}:{port}", services=LocalServices(), timeouts=Timeouts(5, 5, 5))
    with pytest.raises(UnsafeAddress):
        await session.read("GET", "/")
    await session.close()
    server.close()
    assert called == 0


TWO_WAYS = (
    "https://a b.example",
    "https://a.example/\r\nHost: b",
    "https://[::ffff:14.0.0.1]x",
    "https://bücher.example",
)


@pytest.mark.parametrize("url", TWO_WAYS)
def test_an_address_that_can_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(UnsafeAddress):
        AddressPolicy(sandbox=True).check_url(url)
