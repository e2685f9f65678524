"""OData: envelopes, paging that never takes a cut answer for a whole one, errors, the CSRF session."""

import json
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from ml_connector.connectors.base import Permit, Priority
from ml_connector.connectors.errors import (
    Conflict,
    ConnectorError,
    NotSent,
    Rejected,
    Throttled,
    Transient,
    Unauthorized,
    Uncertain,
)
from ml_connector.connectors.http import HttpSession, Params, Response
from ml_connector.connectors.odata import ODataService
from ml_connector.connectors.odata_errors import error_of, failure_of
from ml_connector.connectors.odata_values import (
    all_of,
    any_of,
    date_of,
    day,
    decimal_of,
    entity_of,
    equals,
    etag_of,
    flag_of,
    json_date,
    key,
    page_of,
    stamp_of,
)
from tests.connectors.shared import Answer, LocalServices, RawServer, TestPermit, http, raw_server

ROOT = "/sap/opu/odata/sap/API_X"
JSON = "Content-Type: application/json"


class Direct:
    """A transport without a login."""

    def __init__(self, session: HttpSession) -> None:
        self._session = session

    async def read(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        priority: Priority = "orders",
    ) -> Response:
        return await self._session.read(method, path, params=params, headers=headers, priority=priority)

    async def write(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        permit: Permit,
        references: Sequence[str] = (),
    ) -> Response:
        return await self._session.write(method, path, headers=headers, body=body, permit=permit)


@asynccontextmanager
async def service(*answers: Answer):
    async with raw_server(*answers) as server:
        session = HttpSession(server.url, services=LocalServices(), sandbox=True)
        yield ODataService(Direct(session), ROOT, system="test", scenario="SAP_COM_0303"), server
        await session.close()


def page(*keys: str, count: int | None = None, following: str = "") -> bytes:
    inner: dict[str, object] = {"results": [{"Key": each} for each in keys]}
    inner |= {"__count": str(count)} if count is not None else {}
    inner |= {"__next": following} if following else {}
    return http("200 OK", json.dumps({"d": inner}).encode(), JSON)


def response(status: int, body: bytes = b"", **headers: str) -> Response:
    return Response(status, CIMultiDictProxy(CIMultiDict(headers)), body)


def targets(server: RawServer) -> list[str]:
    return [head.split(b" ")[1].decode() for head in server.heads]


# ------------------------------------------------------------------ values


def test_filters_and_keys():
    assert equals("Name", "O'Neil") == "Name eq 'O''Neil'"
    assert all_of("A eq 1", "", any_of(["B eq 2", "C eq 3"])) == "A eq 1 and (B eq 2 or C eq 3)"
    assert day(date(2026, 1, 31)) == "datetime'2026-01-31T00:00:00'"
    assert key(Order="10") == "('10')"
    assert key(Order="10", Item="20") == "(Order='10',Item='20')"


def test_values():
    assert stamp_of("/Date(1472796947125+0000)/") == datetime(2016, 9, 2, 6, 15, 47, 125000, UTC)
    assert date_of("/Date(253402214400000)/") == date(9999, 12, 31)
    assert date_of("2026-01-31T00:00:00") == date(2026, 1, 31)
    assert date_of(None) is None
    assert json_date(date(2016, 8, 17)) == "/Date(1471392000000)/"
    assert decimal_of({"A": "52.650"}, "A") == Decimal("52.65")
    assert [flag_of({"A": value}, "A") for value in (True, "X", False, "", None)] == [True, True, False, False, False]
    with pytest.raises(ValueError, match=r"A: .* is not a decimal"):
        decimal_of({"A": "many"}, "A")


def test_envelopes_of_both_versions():
    two = page_of(response(200, b'{"d":{"results":[{"A":1}],"__count":"12","__next":"n"}}'))
    four = page_of(response(200, b'{"value":[{"A":1}],"@odata.count":12,"@odata.nextLink":"n"}'))
    assert two == four
    row = entity_of(response(200, b'{"d":{"A":1,"__metadata":{"etag":"W/\\"1\\""}}}'))
    assert etag_of(row) == 'W/"1"'
    for wrong in (b"", b"<html>", b"[]", b'{"d":{"A":1}}', b'{"d":{"results":[1]}}'):
        with pytest.raises(ValueError, match="answer"):
            page_of(response(200, wrong))


# ------------------------------------------------------------------ paging


async def test_next_links_are_followed_on_our_host_only():
    link = f"https://evil.example{ROOT}/Set?$skiptoken=5"
    async with service(page("1", count=3, following=link), page("2", "3")) as (odata, server):
        rows = await odata.rows("Set", order_by="Key", page_size=1000)
        assert [row["Key"] for row in rows] == ["1", "2", "3"]
        assert targets(server)[1] == f"{ROOT}/Set?$skiptoken=5"
        assert "$top=1000" in targets(server)[0]
        assert "$orderby=Key" in targets(server)[0]


async def test_next_link_out_of_the_service_is_refused():
    async with service(page("1", following="https://x.example/other/path")) as (odata, server):
        with pytest.raises(Transient, match="out of the service"):
            await odata.rows("Set", order_by="Key")
        assert server.requests == 1


async def test_full_page_without_next_link_goes_on_with_skip():
    async with service(page("1", "2", count=3), page("3", count=3)) as (odata, server):
        rows = await odata.rows("Set", order_by="Key", page_size=2)
        assert len(rows) == 3
        assert "$skip=2" in targets(server)[1]


async def test_fewer_rows_than_counted_are_no_answer():
    async with service(page("1", "2", count=5)) as (odata, _):
        with pytest.raises(Transient, match="counted 5"):
            await odata.rows("Set", order_by="Key")


async def test_a_row_that_comes_twice_hides_another():
    async with service(page("1", "2", count=4), page("2", "3", count=4)) as (odata, _):
        with pytest.raises(Transient, match="while being read"):
            await odata.rows("Set", order_by="Key", page_size=2)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http("404 Not Found", b'{"error":{"code":"/IWFND/MED/170","message":{"value":"No service"}}}'), Unauthorized),
        (http("404 Not Found", b"<html>nothing here</html>"), Unauthorized),
        (http("404 Not Found", b'{"error":{"code":"X/020","message":{"value":"Resource"}}}'), Rejected),
        (http("403 Forbidden", b"no"), Unauthorized),
        (http("503 Away", b"<html><body>Maintenance</body></html>"), Transient),
        (http("500 Oops", b'{"error":{"code":"A/1","message":{"value":"dump"}}}'), Transient),
        (http("429 Slow", b"", "Retry-After: 7"), Throttled),
        (http("200 OK", b'{"d":{"results":['), Transient),
        (http("200 OK", b"<html>login</html>"), Transient),
    ],
)
async def test_nothing_but_a_collection_means_absent(answer: bytes, error: type[ConnectorError]):
    async with service(answer) as (odata, _):
        with pytest.raises(error):
            await odata.rows("Set", order_by="Key")


# ------------------------------------------------------------------ errors


def test_error_bodies():
    two = error_of(
        response(
            400,
            json.dumps(
                {
                    "error": {
                        "code": "/IWBEP/CM_MGW_RT/022",
                        "message": {"lang": "en", "value": "Business rule"},
                        "innererror": {
                            "transactionid": "T1",
                            "errordetails": [
                                {"code": "V1/384", "message": "Enter a date"},
                                {"code": "/IWBEP/CX_MGW_BUSI_EXCEPTION", "message": "An exception was raised"},
                            ],
                        },
                    }
                }
            ).encode(),
        )
    )
    assert (two.code, two.words, two.request_id) == (
        "/IWBEP/CM_MGW_RT/022",
        "Business rule; Enter a date [V1/384]",
        "T1",
    )
    four = error_of(
        response(400, b'{"error":{"code":"A/1","message":"No","details":[{"code":"B/2","message":"Why"}]}}')
    )
    assert four.words == "No; Why [B/2]"
    xml = error_of(
        response(
            404,
            b'<?xml version="1.0"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
            b"<code>A/1</code><message>Nothing</message></error>",
        )
    )
    assert (xml.code, xml.message) == ("A/1", "Nothing")
    page_ = error_of(response(503, b"<html><style>x{}</style><h1>Service&nbsp;away</h1></html>"))
    assert "away" in page_.words
    assert "{" not in page_.words
    assert error_of(response(500)).words == "status 500"


@pytest.mark.parametrize(
    ("status", "body", "write", "error"),
    [
        (400, b'{"error":{"code":"A/1","message":"bad"}}', True, Rejected),
        (400, b'{"error":{"code":"A/1","message":"Object is locked by user X"}}', True, Transient),
        (409, b"", True, Conflict),
        (412, b"", True, Conflict),
        (428, b"", True, Conflict),
        (423, b"", True, Transient),
        (500, b"", True, Uncertain),
        (502, b"", True, Uncertain),
        (504, b"", False, Transient),
        (401, b"", True, Unauthorized),
    ],
)
def test_statuses(status: int, body: bytes, write: bool, error: type[ConnectorError]):
    failure = failure_of(response(status, body), system="S", service="API", scenario="SAP_COM_1", write=write)
    assert type(failure) is error
    assert failure.status == status


# ------------------------------------------------------------------ CSRF

TOKEN = ("X-CSRF-Token: abc", "Set-Cookie: SAP_SESSIONID=1; path=/; HttpOnly", "Set-Cookie: sap-usercontext=x")
REQUIRED = http("403 Forbidden", b"CSRF token validation failed", "x-csrf-token: Required")


async def test_token_and_cookies_go_with_every_write():
    async with service(http("200 OK", b"", *TOKEN), http("201 Created", b"{}"), http("204 No Content")) as (
        odata,
        server,
    ):
        await odata.write("POST", "Set", body={"A": "1"}, permit=TestPermit())
        await odata.write("PATCH", "Set('1')", body={"A": "2"}, etag='W/"1"', permit=TestPermit())
        assert server.heads[0].startswith(f"HEAD {ROOT}/ ".encode())
        assert len(server.heads) == 3  # one session for both
        for head in server.heads[1:]:
            assert b"X-CSRF-Token: abc" in head
            assert b"Cookie: SAP_SESSIONID=1; sap-usercontext=x" in head
        assert b'If-Match: W/"1"' in server.heads[2]


async def test_a_lost_session_is_opened_again_and_the_write_replayed_once():
    answers = (http("200 OK", b"", *TOKEN), REQUIRED, http("200 OK", b"", *TOKEN), http("201 Created"))
    async with service(*answers) as (odata, server):
        permit = TestPermit()
        assert (await odata.write("POST", "Set", body={}, permit=permit)).status == 201
        assert permit.arms == 1
        assert [head.split(b" ")[0] for head in server.heads] == [b"HEAD", b"POST", b"HEAD", b"POST"]


async def test_the_second_refusal_is_final():
    answers = (http("200 OK", b"", *TOKEN), REQUIRED, http("200 OK", b"", *TOKEN), REQUIRED)
    async with service(*answers) as (odata, server):
        with pytest.raises(Unauthorized):
            await odata.write("POST", "Set", body={}, permit=TestPermit())
        assert len(server.heads) == 4


async def test_replay_asks_the_clock_of_the_permit():
    answers = (http("200 OK", b"", *TOKEN), REQUIRED, http("200 OK", b"", *TOKEN), http("201 Created"))
    async with service(*answers) as (odata, server):
        with pytest.raises(NotSent):
            await odata.write("POST", "Set", body={}, permit=TestPermit(refuse_check_at=3))
        assert [head.split(b" ")[0] for head in server.heads] == [b"HEAD", b"POST", b"HEAD"]


async def test_403_without_the_header_names_the_scenario_and_is_not_replayed():
    async with service(http("200 OK", b"", *TOKEN), http("403 Forbidden", b"no")) as (odata, server):
        with pytest.raises(Unauthorized, match="SAP_COM_0303"):
            await odata.write("POST", "Set", body={}, permit=TestPermit())
        assert len(server.heads) == 2


async def test_front_ends_without_head_are_asked_by_get():
    async with service(http("405 No"), http("200 OK", b"", *TOKEN), http("201 Created")) as (odata, server):
        await odata.write("POST", "Set", body={}, permit=TestPermit())
        assert [head.split(b" ")[0] for head in server.heads] == [b"HEAD", b"GET", b"POST"]
