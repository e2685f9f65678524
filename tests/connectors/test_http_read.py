"""Reads: pooled connections, counted attempts, checked redirects."""

import asyncio
from decimal import Decimal

import pytest

from ml_connector.connectors.errors import Unreachable, UnsafeAddress
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


async def test_another_origin_is_refused():
    async with raw_server(http("200 OK")) as server:
        with pytest.raises(UnsafeAddress):
            await session(server, LocalServices()).read("GET", "https://other.example/x")


def test_query_encoding():
    assert encode_query({"$filter": "A eq 'O''Neil+1'", "$top": 5}) == "$filter=A%20eq%20'O''Neil%2B1'&$top=5"
