"""The transport against a server that says what it is told: sessions, cookies, renewals, pages, change sets, errors."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ml_connector.connectors.base import FreePermit, Settings
from ml_connector.connectors.business_one.answers import told_by
from ml_connector.connectors.business_one.batch import Operation
from ml_connector.connectors.business_one.client import B1Client, chunks
from ml_connector.connectors.business_one.settings import read_settings
from ml_connector.connectors.errors import (
    NotSent,
    Rejected,
    Throttled,
    Transient,
    Unauthorized,
    Uncertain,
)
from tests.connectors.shared import LocalServices, RawServer, TestPermit, http, raw_server

JSON = "Content-Type: application/json"
HTML = b"<html><body><h1>502 Proxy Error</h1></body></html>"


def login(session: str = "one", version: str = "1000190", *headers: str) -> bytes:
    body = json.dumps({"SessionId": session, "Version": version, "SessionTimeout": 30}).encode()
    cookies = (f"Set-Cookie: B1SESSION={session};HttpOnly;", "Set-Cookie: ROUTEID=.node2; path=/b1s")
    return http("200 OK", body, JSON, *(headers or cookies))


def error(status: str, code: object, text: str, *, v2: bool = True) -> bytes:
    message: object = text if v2 else {"lang": "en-us", "value": text}
    return http(status, json.dumps({"error": {"code": str(code) if v2 else code, "message": message}}).encode(), JSON)


def found(*rows: dict[str, object], link: str = "") -> bytes:
    body: dict[str, object] = {"value": list(rows)} | ({"@odata.nextLink": link} if link else {})
    return http("200 OK", json.dumps(body).encode(), JSON)


CREATED = http("201 Created", b'{"DocEntry": 7, "DocTotal": 63.77}', JSON)
OVER = error("401 Unauthorized", 301, "Invalid session or session already timeout.")


@asynccontextmanager
async def client(*answers: bytes, **settings: object) -> AsyncIterator[tuple[B1Client, RawServer, LocalServices]]:
    async with raw_server(*answers) as server:
        services = LocalServices()
        given = {"company": "SBO", "timing": {"t_s": 5, "l_s": 1, "p_s": 2}} | settings
        credentials = {"user": "mlc", "password": "s3cret"}
        made = B1Client(read_settings(Settings("erp", server.url, given, credentials, sandbox=True)), services)
        made_close: Callable[[], object] = made.close
        try:
            yield made, server, services
        finally:
            services.memory_sessions.free.clear()  # nothing answers a logout here
            await made_close()  # type: ignore[misc]


def paths(server: RawServer) -> list[str]:
    return [head.split(b" ")[1].decode() for head in server.heads]


def header(server: RawServer, place: int, name: str) -> str:
    for line in server.heads[place].decode().split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return ""


# ------------------------------------------------------------------ sessions


async def test_both_cookies_are_read_and_sent_by_hand_to_either_version() -> None:
    async with client(login(), found(), found()) as (b1, server, _):
        await b1.rows("Orders")
        assert header(server, 1, "Cookie") == "B1SESSION=one; ROUTEID=.node2"
        assert header(server, 1, "Expect") == ""
        assert json.loads(server.bodies[0]) == {
            "CompanyDB": "SBO", "UserName": "mlc", "Password": "s3cret", "Language": "3",
        }  # fmt: skip


async def test_one_login_serves_many_calls() -> None:
    async with client(login(), found()) as (b1, server, services):
        for _ in range(3):
            await b1.rows("Orders")
        assert services.memory_sessions.logins == 1
        assert paths(server)[0] == "/b1s/v2/Login"


@pytest.mark.parametrize(("version", "api"), [("1000190", "v2"), ("1000141", "v1"), ("920110", "v1")])
async def test_the_version_of_the_server_decides_which_one_is_spoken(version: str, api: str) -> None:
    async with client(login("one", version), found()) as (b1, server, _):
        await b1.rows("Orders")
        assert paths(server)[1].startswith(f"/b1s/{api}/Orders?")


async def test_a_server_without_v2_is_asked_in_v1() -> None:
    async with client(http("404 Not Found", HTML), login("one", "930130"), found()) as (b1, server, _):
        await b1.rows("Orders")
        assert [path.partition("?")[0] for path in paths(server)] == [
            "/b1s/v2/Login", "/b1s/v1/Login", "/b1s/v1/Orders",
        ]  # fmt: skip


async def test_another_node_is_remembered() -> None:
    moved = http("200 OK", b'{"value": []}', JSON, "Set-Cookie: ROUTEID=.node1; path=/b1s; Secure")
    async with client(login(), moved, found()) as (b1, server, _):
        await b1.rows("Orders")
        await b1.rows("Orders")
        assert header(server, 2, "Cookie") == "B1SESSION=one; ROUTEID=.node1"


@pytest.mark.parametrize(
    "over",
    [
        OVER,
        error("401 Unauthorized", 301, "Invalid session.", v2=False),
        http("401 Unauthorized", b'{"error":{"code":"301","message":"Invalid session"}}', JSON),
        http("401 Unauthorized", b""),
    ],
)
async def test_a_lost_session_is_renewed_once_and_a_write_replayed_once(over: bytes) -> None:
    permit = TestPermit()
    async with client(login(), over, login("two"), CREATED) as (b1, server, _):
        part = await b1.write("POST", "Invoices", body={"CardCode": "C1"}, permit=permit)
        assert (part.status, part.row["DocEntry"]) == (201, 7)
        assert header(server, 3, "Cookie").startswith("B1SESSION=two")
        assert permit.arms == 1
        assert paths(server).count("/b1s/v2/Invoices") == 2


async def test_the_second_refusal_is_final() -> None:
    async with client(login(), OVER, login("two"), OVER) as (b1, server, _):
        with pytest.raises(Unauthorized, match="fresh session"):
            await b1.write("POST", "Invoices", body={}, permit=TestPermit())
        assert server.requests == 4


async def test_a_refused_business_operation_is_no_lost_session() -> None:
    refused = error("400 Bad Request", -5002, "Internal error (-5002) occurred")
    async with client(login(), refused) as (b1, server, services):
        part = await b1.write("POST", "Invoices", body={}, permit=TestPermit())
        assert (part.status, part.told.code) == (400, -5002)
        assert (services.memory_sessions.logins, server.requests) == (1, 2)


async def test_a_session_that_was_long_unused_is_renewed_before_it_is_asked() -> None:
    async with client(login(), found(), login("two"), found()) as (b1, server, services):
        await b1.rows("Orders")
        services.memory_sessions.unused_s = 25 * 60.0
        await b1.rows("Orders")
        assert header(server, 3, "Cookie").startswith("B1SESSION=two")


async def test_nothing_leaves_in_a_session_that_may_be_anothers() -> None:
    permit = TestPermit()
    async with client(login(), found(), CREATED) as (b1, server, services):
        await b1.rows("Orders")
        services.memory_sessions.lapsed = True
        with pytest.raises(NotSent, match="lapsed"):
            await b1.write("POST", "Invoices", body={}, permit=permit)
        assert (server.requests, permit.arms) == (2, 0)


async def test_nothing_leaves_when_the_lease_lapses_while_the_permit_is_asked() -> None:
    async with client(login(), found(), CREATED) as (b1, server, services):
        await b1.rows("Orders")

        async def lapse() -> None:
            services.memory_sessions.lapsed = True

        with pytest.raises(NotSent, match="lapsed"):
            await b1.write("POST", "Invoices", body={"CardCode": "C1"}, permit=TestPermit(on_arm=lapse))
        assert server.requests == 2


async def test_leaving_logs_out() -> None:
    async with raw_server(login(), found(), http("204 No Content")) as server:
        given = {"company": "SBO", "timing": {"t_s": 5, "l_s": 1, "p_s": 2}}
        credentials = {"user": "mlc", "password": "s3cret"}
        b1 = B1Client(read_settings(Settings("erp", server.url, given, credentials, sandbox=True)), LocalServices())
        await b1.rows("Orders")
        await b1.close()
        assert paths(server)[-1] == "/b1s/v2/Logout"
        assert header(server, 2, "Cookie") == "B1SESSION=one; ROUTEID=.node2"


@pytest.mark.parametrize("code", [100000027, 100000055])
async def test_a_wrong_password_is_tried_once(code: int) -> None:
    async with client(error("401 Unauthorized", code, "Fail")) as (b1, server, _):
        for _ in range(3):
            with pytest.raises(Unauthorized, match="mlc"):
                await b1.rows("Orders")
        assert server.requests == 1
        await b1.forgive()
        with pytest.raises(Unauthorized):
            await b1.rows("Orders")
        assert server.requests == 2


@pytest.mark.parametrize(
    "answer",
    [
        error("401 Unauthorized", -304, "Fail to get DB Credentials from SLD"),
        error("500 Internal Server Error", -1102, "Switch company error"),
        http("502 Bad Gateway", HTML),
        http("500 Internal Server Error", b""),
    ],
)
async def test_a_login_that_may_work_later_is_tried_again(answer: bytes) -> None:
    async with client(answer, login(), found()) as (b1, _, _s):
        with pytest.raises(Transient):
            await b1.rows("Orders")
        assert await b1.rows("Orders") == []


async def test_secrets_are_masked_in_what_is_kept() -> None:
    async with client(login(), found()) as (b1, _, services):
        await b1.rows("Orders")
        kept = repr(services.kept.calls)
        assert "s3cret" not in kept
        assert '"SessionId": "one"' not in kept


# ------------------------------------------------------------------ writes


@pytest.mark.parametrize(
    "answer",
    [http("504 Gateway Timeout", HTML), http("500 Internal Server Error", b""), b"HTTP/1.1 201 Created\r\n"],
)
async def test_no_definite_answer_is_sent_once(answer: bytes) -> None:
    async with client(login(), answer + (b"" if b"\r\n\r\n" in answer else b"Connection: close\r\n\r\n")) as (
        b1,
        server,
        _,
    ):
        part = await b1.write("POST", "Invoices", body={}, permit=TestPermit())
        assert part.told.code is None
        assert server.requests == 2


async def test_throttled_says_when() -> None:
    async with client(login(), http("429 Too Many Requests", b"", "Retry-After: 7")) as (b1, _, services):
        with pytest.raises(Throttled) as caught:
            await b1.write("POST", "Invoices", body={}, permit=TestPermit())
        assert caught.value.retry_after_s == 7
        assert services.open_limiter.throttled == [7]


# ------------------------------------------------------------------ reads


async def test_pages_begin_behind_the_last_key() -> None:
    first = found({"DocEntry": 1}, {"DocEntry": 5}, link="Orders?$skip=2")
    async with client(login(), first, found({"DocEntry": 6})) as (b1, server, _):
        rows = await b1.rows("Orders", where="CardCode eq 'O''Neil'")
        assert [row["DocEntry"] for row in rows] == [1, 5, 6]
        assert header(server, 1, "Prefer") == "odata.maxpagesize=100"
        assert "$skip" not in paths(server)[2]
        assert "DocEntry%20gt%205" in paths(server)[2]


async def test_rows_out_of_order_are_no_answer() -> None:
    async with client(login(), found({"DocEntry": 5}, {"DocEntry": 5})) as (b1, _, _s):
        with pytest.raises(Transient, match="out of its order"):
            await b1.rows("Orders")


async def test_a_key_that_is_not_there_is_none() -> None:
    missing = error("404 Not Found", -2028, "No matching records found (ODBC -2028)")
    async with client(login(), missing) as (b1, _, _s):
        assert await b1.entity("Orders(1)") is None


async def test_an_unknown_set_is_never_empty() -> None:
    async with client(login(), error("404 Not Found", -1002, "Unrecognized resource path.")) as (b1, _, _s):
        with pytest.raises(Rejected):
            await b1.rows("U_MLC_CLAIM", key="Code")


@pytest.mark.parametrize("answer", [http("200 OK", HTML), http("200 OK", b'{"value": 1}', JSON), http("200 OK", b"")])
async def test_what_is_no_collection_is_never_empty(answer: bytes) -> None:
    async with client(login(), answer) as (b1, _, _s):
        with pytest.raises(Transient):
            await b1.rows("Orders")


def test_chunks_stay_below_forty_keys_and_8_kb() -> None:
    joined = chunks([f"U_MLC_REF eq 'BC-S1-{number}-I'" for number in range(100)])
    assert [each.count(" eq ") for each in joined] == [40, 40, 20]
    assert all(len(each) < 8000 for each in chunks([f"A eq '{'x' * 500}'" for _ in range(100)]))
    assert chunks([]) == []


# ------------------------------------------------------------------ change sets


def batch(*parts: str, outer: str = "200 OK", alone: bool = False) -> bytes:
    """Answers of a change set; `alone`: the one plain part of a refused one."""
    if alone:
        inner = f"--b1\r\nContent-Type: application/http\r\n\r\n{parts[0]}\r\n--b1--\r\n"
    else:
        set_ = "".join(f"--c1\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n{part}\r\n" for part in parts)
        inner = f"--b1\r\nContent-Type: multipart/mixed;boundary=c1\r\n\r\n{set_}--c1--\r\n--b1--\r\n"
    return http(outer, inner.encode(), "Content-Type: multipart/mixed;boundary=b1")


V1_CREATED = (
    "HTTP/1.1 201 Created\r\nContent-ID: 1\r\nDataServiceVersion: 3.0\r\nContent-Type: application/json\r\n\r\n"
    '{"DocEntry": 7}'
)
V2_CREATED = 'HTTP/1.1 201 Created\r\nOData-Version: 4.0\r\n\r\n{"DocEntry": 7}'
CLAIMED = (
    'HTTP/1.1 400 Bad Request\r\n\r\n{"error":{"code":"-2035","message":"This entry already exists (ODBC -2035)"}}'
)
LOST = 'HTTP/1.1 401 Unauthorized\r\n\r\n{"error":{"code":301,"message":{"lang":"en-us","value":"Invalid session"}}}'
SET = [Operation("POST", "U_MLC_CLAIM", {"Code": "x"}), Operation("POST", "Invoices", {"CardCode": "C1"})]


@pytest.mark.parametrize(
    ("answer", "version"),
    [(batch(V2_CREATED, V2_CREATED), "1000190"), (batch(V1_CREATED, V1_CREATED, outer="202 Accepted"), "930130")],
)
async def test_a_change_set_is_read_in_either_version(answer: bytes, version: str) -> None:
    async with client(login("one", version), answer) as (b1, server, _):
        parts = await b1.change_set(SET, permit=TestPermit())
        assert [part.row["DocEntry"] for part in parts] == [7, 7]
        api = "v2" if version == "1000190" else "v1"
        sent = server.bodies[1].decode()
        assert f"POST /b1s/{api}/U_MLC_CLAIM\r\nContent-Type: application/json\r\n\r\n" in sent
        assert sent.count("Content-ID: ") == 2


async def test_a_refused_change_set_is_one_part() -> None:
    async with client(login(), batch(CLAIMED, alone=True)) as (b1, _, _s):
        (part,) = await b1.change_set(SET, permit=TestPermit())
        assert part.told.already_there


async def test_a_session_lost_inside_a_change_set_is_renewed_and_the_set_replayed() -> None:
    permit = TestPermit()
    async with client(login(), batch(LOST, alone=True), login("two"), batch(V2_CREATED, V2_CREATED)) as (b1, server, _):
        assert len(await b1.change_set(SET, permit=permit)) == 2
        assert paths(server).count("/b1s/v2/$batch") == 2
        assert permit.arms == 1


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", batch(V2_CREATED).partition(b"\r\n\r\n")[2][:60], "Content-Type: multipart/mixed;boundary=b1"),
        http("200 OK", HTML),
        http("502 Bad Gateway", HTML),
        http("200 OK", b"", "Content-Type: multipart/mixed;boundary=b1"),
    ],
)
async def test_an_answer_that_is_cut_leaves_a_change_set_unknown(answer: bytes) -> None:
    async with client(login(), answer) as (b1, server, _):
        with pytest.raises(Uncertain):
            await b1.change_set(SET, permit=FreePermit())
        assert server.requests == 2


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("body", "code", "number"),
    [
        ({"code": -10, "message": {"lang": "en-us", "value": "1320000140 - Business partner code"}}, -10, "1320000140"),
        ({"code": "-2028", "details": [], "message": "No matching records found (ODBC -2028)"}, -2028, ""),
        ({"code": "301", "message": "Invalid session"}, 301, ""),
        ({"code": "-10", "message": "Invoice is already closed or blocked  [Message 3524-20]"}, -10, "3524-20"),
        ({"code": "", "message": None}, None, ""),
    ],
)
def test_every_shape_of_an_error_is_read(body: dict[str, object], code: int | None, number: str) -> None:
    told = told_by(400, {"error": body})
    assert (told.code, told.number) == (code, number)
