"""Reads: pooled connections, counted attempts, checked redirects."""

import asyncio
from decimal import Decimal

import pytest

from ml_connector.connectors.errors import Unreachable, UnsafeAddress
from ml_connector.connectors.gathering import together
from ml_connector.connectors.http import HttpSession, Timeouts, encode_query
from tests.connectors.shared import Heard, LocalServices, RawServer, http, raw_server


def session(server: RawServer, services: LocalServices, read_s: float = 2.0) -> HttpSession:
    return HttpSession(server.url, services=services, timeouts=Timeouts(2, read_s, 5), sandbox=True, system="test")


async def test_json_keeps_decimals():
    async with raw_server(http("200 OK", b'{"a": 0.1, "b": 12}', "Content-Type: application/json")) as server:
        http_session = session(server, LocalServices())
        response = await http_session.read("GET", "/", params={"$filter": "A eq 'x y&z'"})
        await http_session.close()
        assert response.json() == {"a": Decimal("0.1"), "b": 12}
        assert server.heads[0].startswith(b"GET /?$filter=A%20eq%20'x%20y%26z' HTTP/1.1")


async def test_the_connector_says_what_is_a_failure_of_the_system():
    """Some answer 500 for a document that they refuse: a hundred bad documents must not close the lanes."""
    refused, broken = http("500 Refused", b'{"business": true}'), http("500 Broken", b"<html>")
    for failing, failures in ((None, 2), (lambda response: b"business" not in response.body, 1)):
        async with raw_server(refused, broken) as server:
            services = LocalServices()
            more = {"failing": failing} if failing else {}
            http_session = HttpSession(server.url, services=services, sandbox=True, system="test", **more)
            await http_session.read("GET", "/")
            await http_session.read("GET", "/")
            await http_session.close()
            assert len(services.counting_breaker.failures) == failures
            assert services.counting_breaker.successes == 2 - failures


async def test_connections_are_kept():
    async with raw_server(http("200 OK")) as server:
        http_session = session(server, LocalServices())
        for _ in range(3):
            await http_session.read("GET", "/")
        await http_session.close()
        assert len(server.connections) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_read_on_a_dropped_connection_is_sent_again_and_counted(method: str):
    services = LocalServices()
    async with raw_server(http("200 OK"), b"", http("200 OK", b"again")) as server:
        http_session = session(server, services)
        await http_session.read(method, "/")
        response = await http_session.read(method, "/", body=b"q" if method == "POST" else None)
        await http_session.close()
        assert response.body == b"again"
        assert server.requests == 3
    assert len(services.kept.calls) == 3  # every request that left


async def test_read_on_a_fresh_connection_that_drops_is_unreachable_and_counted():
    services = LocalServices()
    async with raw_server(b"") as server:
        http_session = session(server, services)
        with pytest.raises(Unreachable):
            await http_session.read("GET", "/")
        await http_session.close()
        assert server.requests == len(services.kept.calls) == 2  # aiohttp repeats a GET once


async def test_same_origin_redirect_is_followed_another_host_is_not():
    async with raw_server(http("302 Found", b"", "Location: /b"), http("200 OK", b"there")) as server:
        http_session = session(server, LocalServices())
        assert (await http_session.read("GET", "/a")).body == b"there"
        await http_session.close()
    async with raw_server(http("302 Found", b"", "Location: https://evil.example/b")) as server:
        http_session = session(server, LocalServices())
        with pytest.raises(UnsafeAddress, match=r"evil\.example"):
            await http_session.read("GET", "/a")
        await http_session.close()
        assert server.requests == 1


async def test_slow_read_ends():
    async def silent(_: Heard) -> bytes | None:
        return None

    services = LocalServices()
    async with raw_server(silent) as server:
        http_session = session(server, services, read_s=0.3)
        with pytest.raises(Unreachable, match="in time"):
            await asyncio.wait_for(http_session.read("GET", "/"), 3)
        await http_session.close()
    assert len(services.counting_breaker.failures) == 1


async def test_a_read_that_is_cancelled_beside_a_failing_one_is_kept():
    """Whatever left this process is in the audit, also where nobody waits for its answer any more."""
    both = asyncio.Event()

    async def refuses_when_both_are_here(heard: Heard) -> bytes | None:
        if len(server.heads) == 2:
            both.set()
        if b"/silent" in heard.data:
            return None
        await both.wait()
        return http("404 Not Found")

    async def refused(http_session: HttpSession, path: str) -> None:
        response = await http_session.read("GET", path)
        assert response.status == 404
        raise LookupError(path)

    services = LocalServices()
    async with raw_server(refuses_when_both_are_here) as server:
        http_session = session(server, services, read_s=60)
        with pytest.raises(LookupError):
            await together([refused(http_session, "/refused"), refused(http_session, "/silent")])
        assert {(call.url.removeprefix(server.url), call.status, call.sent) for call in services.kept.calls} == {
            ("/refused", 404, True),
            ("/silent", None, True),
        }
        assert any("cancelled" in call.error for call in services.kept.calls)
        assert not services.counting_breaker.failures  # says nothing of the other side
        await http_session.close()


async def test_a_read_whose_caller_has_no_time_left_is_kept():
    async def silent(_: Heard) -> bytes | None:
        patience.reschedule(0)
        return None

    patience = asyncio.timeout(None)

    async def impatient(http_session: HttpSession) -> None:
        async with patience:
            await http_session.read("GET", "/")

    services = LocalServices()
    async with raw_server(silent) as server:
        http_session = session(server, services, read_s=60)
        with pytest.raises(TimeoutError):
            await impatient(http_session)
        await http_session.close()
    assert [(call.status, call.sent) for call in services.kept.calls] == [(None, True)]


async def test_a_read_that_is_cancelled_before_it_left_is_no_call():
    services = LocalServices()
    async with raw_server(http("200 OK")) as server:  # which never answers the greeting of TLS
        secure = HttpSession(
            server.url.replace("http:", "https:"), services=services, sandbox=True, system="test", timeouts=Timeouts(60)
        )
        reading = asyncio.create_task(secure.read("GET", "/"))
        while not server.bytes_received:
            await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await secure.close()
    assert not services.kept.calls


async def test_another_origin_is_refused():
    async with raw_server(http("200 OK")) as server:
        with pytest.raises(UnsafeAddress):
            await session(server, LocalServices()).read("GET", "https://other.example/x")


def test_query_encoding():
    assert encode_query({"$filter": "A eq 'O''Neil+1'", "$top": 5}) == "$filter=A%20eq%20'O''Neil%2B1'&$top=5"
