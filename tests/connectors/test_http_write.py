"""A write goes out at most once, asks its permit at the right moment, and never leaves anything behind."""

import asyncio
import time

import pytest

from ml_connector.connectors.errors import NotSent, Uncertain, Unreachable
from ml_connector.connectors.http import HttpSession, Timeouts
from tests.connectors.shared import Heard, LocalServices, RawServer, TestPermit, http, raw_server

BODY = b"<document>" + b"x" * 5000 + b"</document>"


def session(server: RawServer, services: LocalServices, write_s: float = 5.0) -> HttpSession:
    return HttpSession(
        server.url, services=services, timeouts=Timeouts(2, 2, write_s), sandbox=True, system="test", secrets=["s3cret"]
    )


async def silent(_: Heard) -> bytes | None:
    return None


async def test_write_asks_before_the_first_byte_and_sends_once():
    services = LocalServices()
    async with raw_server(http("200 OK", b"done")) as server:

        async def nothing_received() -> None:
            while not server.connections:  # the connection stands
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.1)
            assert server.bytes_received == 0

        permit = TestPermit(on_arm=nothing_received)
        response = await session(server, services).write(
            "POST", "/post", body=BODY, permit=permit, references=("S1-O1",)
        )
        assert (response.status, response.body) == (200, b"done")
        assert server.bodies == [BODY]
        assert permit.arms == 1
        assert permit.checks == 2  # before each piece
        assert services.points == ["send.connected", "send.half_body", "send.body_out", "answer.read"]
        assert services.kept.calls[0].references == ("S1-O1",)
        head = server.heads[0].lower()
        assert b"expect:" not in head
        assert b"content-encoding" not in head
        assert b"transfer-encoding" not in head


async def test_half_of_the_body_has_really_left_at_the_crash_point():
    seen: list[int] = []
    async with raw_server(http("200 OK")) as server:

        async def look(point: str) -> None:
            if point == "send.half_body":
                end = time.monotonic() + 2
                while server.bytes_received < len(BODY) // 2 and time.monotonic() < end:
                    await asyncio.sleep(0.005)
                seen.append(server.bytes_received)

        await session(server, LocalServices(look)).write("POST", "/", body=BODY, permit=TestPermit())
        assert len(BODY) // 2 <= seen[0] < len(BODY)


async def test_every_write_has_its_own_connection():
    async with raw_server(http("200 OK")) as server:
        http_session = session(server, LocalServices())
        for _ in range(3):
            await http_session.write("POST", "/", body=b"x", permit=TestPermit())
        assert [heard.requests for heard in server.connections] == [1, 1, 1]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_dropped_connection_is_uncertain_and_not_repeated(method: str):
    services = LocalServices()
    async with raw_server(b"") as server:
        with pytest.raises(Uncertain):
            await session(server, services).write(
                method, "/", body=None if method == "DELETE" else b"abc", permit=TestPermit()
            )
        await asyncio.sleep(0.1)
        assert server.requests == 1
        assert len(server.connections) == 1
    assert len(services.counting_breaker.failures) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_write_after_reads_does_not_use_their_kept_connection(method: str):
    """aiohttp repeats PUT and DELETE once when a kept connection drops: such a connection must never be used."""
    async with raw_server(http("200 OK"), b"") as server:
        http_session = session(server, LocalServices())
        await http_session.read("GET", "/")
        with pytest.raises(Uncertain):
            await http_session.write(method, "/", body=b"abc", permit=TestPermit())
        await asyncio.sleep(0.1)
        assert server.requests == 2
        assert len(server.connections) == 2
        await http_session.close()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_redirect_of_a_write_is_not_followed(status: str):
    async with raw_server(http(status, b"", "Location: /elsewhere")) as server:
        with pytest.raises(Uncertain, match="redirect"):
            await session(server, LocalServices()).write("POST", "/", body=BODY, permit=TestPermit())
        assert server.requests == 1


async def test_refused_arm_sends_nothing():
    async with raw_server(http("200 OK")) as server:
        with pytest.raises(NotSent):
            await session(server, LocalServices()).write("POST", "/", body=BODY, permit=TestPermit(refuse_arm=True))
        await asyncio.sleep(0.05)
        assert server.bytes_received == 0
        assert server.connections[0].closed.is_set()


class DatabaseAway(Exception):
    pass


async def test_a_commit_that_fails_while_arming_reaches_the_caller_as_it_is():
    async def fail() -> None:
        raise DatabaseAway

    async with raw_server(http("200 OK")) as server:
        with pytest.raises(DatabaseAway):
            await session(server, LocalServices()).write("POST", "/", body=BODY, permit=TestPermit(on_arm=fail))
        await asyncio.sleep(0.05)
        assert server.bytes_received == 0


@pytest.mark.parametrize("body", [BODY, None])
async def test_late_check_sends_zero_bytes(body: bytes | None):
    async with raw_server(http("200 OK")) as server:
        services = LocalServices()
        with pytest.raises(NotSent, match="too late"):
            await session(server, services).write("POST", "/", body=body, permit=TestPermit(refuse_check_at=1))
        await asyncio.sleep(0.05)
        assert server.bytes_received == 0
        assert [call.sent for call in services.kept.calls] == [False]


async def test_refused_in_the_middle_of_the_body_is_uncertain():
    async with raw_server(http("200 OK")) as server:
        with pytest.raises(Uncertain):
            await session(server, LocalServices()).write("POST", "/", body=BODY, permit=TestPermit(refuse_check_at=2))
        await asyncio.wait_for(server.connections[0].closed.wait(), 2)
        assert server.requests == 0  # the request never became whole


async def test_connection_closed_while_arming_is_not_sent():
    async with raw_server(http("200 OK")) as server:
        services = LocalServices()
        closed = asyncio.Event()

        async def close_other_side() -> None:
            await closed.wait()
            await asyncio.sleep(0.05)

        async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()
            await writer.wait_closed()
            closed.set()

        closing = await asyncio.start_server(end, "127.0.0.1", 0)
        server.port = closing.sockets[0].getsockname()[1]
        with pytest.raises(NotSent):
            await session(server, services).write("POST", "/", body=BODY, permit=TestPermit(on_arm=close_other_side))
        closing.close()


async def test_deadline_is_total_and_resets_the_connection():
    services = LocalServices()
    async with raw_server(silent) as server:
        started = time.monotonic()
        with pytest.raises(Uncertain, match="no answer within"):
            await session(server, services, write_s=0.4).write("POST", "/", body=BODY, permit=TestPermit())
        assert 0.35 < time.monotonic() - started < 2
        await asyncio.wait_for(server.connections[0].closed.wait(), 2)
        assert server.connections[0].ended == "reset"
    assert "no answer" in services.kept.calls[0].error


async def test_deadline_counts_from_the_first_byte_not_from_the_arming():
    async def slow_commit() -> None:
        await asyncio.sleep(0.6)

    async with raw_server(http("200 OK")) as server:
        response = await session(server, LocalServices(), write_s=0.4).write(
            "POST", "/", body=BODY, permit=TestPermit(on_arm=slow_commit)
        )
        assert response.status == 200


async def test_trickling_answer_does_not_move_the_deadline():
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(100)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except OSError:
            writer.close()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    raw = RawServer(b"")
    raw.port = server.sockets[0].getsockname()[1]
    with pytest.raises(Uncertain):
        await asyncio.wait_for(
            session(raw, LocalServices(), write_s=0.4).write("POST", "/", body=b"abc", permit=TestPermit()), 3
        )
    server.close()


async def test_cancelled_write_resets_the_connection():
    services = LocalServices()
    async with raw_server(silent) as server:
        task = asyncio.create_task(session(server, services).write("POST", "/", body=BODY, permit=TestPermit()))
        while not server.requests:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.connections[0].closed.wait(), 2)
        assert server.connections[0].ended == "reset"
    assert [(call.status, call.sent) for call in services.kept.calls] == [(None, True)]
    assert "cancelled" in services.kept.calls[0].error


async def test_nobody_listening_is_unreachable_and_never_armed():
    async with raw_server(http("200 OK")) as server:
        port = server.port
    dead = RawServer(b"")
    dead.port = port
    permit = TestPermit()
    with pytest.raises(Unreachable):
        await session(dead, LocalServices()).write("POST", "/", body=BODY, permit=permit)
    assert permit.arms == 0


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", b"nonsense\r\n\r\n"])
async def test_cut_or_unreadable_answer_is_uncertain(answer: bytes):
    async def once(heard: Heard) -> bytes | None:
        return answer + b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100000)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    raw = RawServer(b"")
    raw.port = server.sockets[0].getsockname()[1]
    with pytest.raises(Uncertain):
        await session(raw, LocalServices()).write("POST", "/", body=b"abc", permit=TestPermit())
    server.close()


async def test_server_errors_feed_the_breaker_and_client_errors_do_not():
    services = LocalServices()
    async with raw_server(http("503 Away"), http("400 Bad"), http("429 Slow"), http("200 OK")) as server:
        http_session = session(server, services)
        statuses = [(await http_session.write("POST", "/", body=b"x", permit=TestPermit())).status for _ in range(4)]
    assert statuses == [503, 400, 429, 200]
    assert len(services.counting_breaker.failures) == 1
    assert services.counting_breaker.successes == 2


async def test_secrets_do_not_reach_the_audit():
    services = LocalServices()
    answer = b'{"access_token":"abcdef123456","mail":"ann.lee@shop.example"}'
    async with raw_server(http("200 OK", answer)) as server:
        await session(server, services).write(
            "POST", "/", params={"key": "s3cret"}, body=b"password=hunter22&x=s3cret", permit=TestPermit()
        )
    call = services.kept.calls[0]
    kept = f"{call.url} {call.request_body} {call.response_body}"
    for secret in ("s3cret", "abcdef123456", "hunter22", "ann.lee"):
        assert secret not in kept


async def test_a_proxy_gets_the_request_after_the_permit():
    services = LocalServices()
    async with raw_server(http("200 OK", b"through")) as proxy:

        async def nothing_received() -> None:
            await asyncio.sleep(0.05)
            assert proxy.bytes_received == 0

        http_session = HttpSession(
            "http://127.0.0.1:9",
            services=services,
            sandbox=True,
            proxy=f"http://clerk:pr0xyword@127.0.0.1:{proxy.port}",
        )
        response = await http_session.write("POST", "/x", body=BODY, permit=TestPermit(on_arm=nothing_received))
        assert response.body == b"through"
        assert proxy.heads[0].startswith(b"POST http://127.0.0.1:9/x HTTP/1.1")
        assert "pr0xyword" not in str(services.kept.calls)
