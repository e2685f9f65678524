"""The sandbox core: faults around a commit, the request log, control API, clock, TLS, the command."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ml_connector.sandbox.core.app import build_application
from ml_connector.sandbox.core.clock import Clock
from ml_connector.sandbox.core.faults import Rule, fault_args, parse_header
from ml_connector.sandbox.core.requestlog import RequestLog
from ml_connector.sandbox.core.runner import SandboxError, read_faults
from ml_connector.sandbox.core.system import Environment, System
from ml_connector.sandbox.core.tls import make_tls


class Till:
    """The smallest stand-in: it stores what is posted."""

    def __init__(self) -> None:
        self.stored: list[str] = []

    async def post(self, request: web.Request) -> web.Response:
        if fault_args(request, "closed") is not None:
            return web.json_response({"closed": True}, status=409)
        self.stored.append((await request.read()).decode())
        return web.json_response({"stored": len(self.stored), "padding": "x" * 4000})

    async def seed(self, body: dict[str, object]) -> dict[str, object]:
        if "bad" in body:
            raise ValueError("bad is not known")
        return {"made": body}

    async def reset(self) -> None:
        self.stored.clear()

    def system(self) -> System:
        return System(
            name="till",
            routes=[web.post("/items", self.post)],
            credentials={},
            states={"items": lambda query: self.stored},
            seed=self.seed,
            reset=self.reset,
            handler_faults=frozenset({"closed"}),
        )


class Sandbox:
    def __init__(self, till: Till, server: TestServer, http: aiohttp.ClientSession) -> None:
        self.till, self.server, self.http = till, server, http

    async def post(self, fault: str = "", body: str = "one", timeout_s: float = 5) -> aiohttp.ClientResponse:
        headers = {"X-Sandbox-Fault": fault} if fault else {}
        answer = await self.http.post(
            self.server.make_url("/items"),
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(timeout_s),
        )
        await answer.read()
        return answer

    async def control(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, object]]:
        async with self.http.request(method, self.server.make_url("/_control" + path), json=body) as answer:
            return answer.status, await answer.json()

    async def until_stored(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.till.stored) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    till = Till()
    environment = Environment(clock=Clock(), requests=RequestLog(), seed=7, base_url="", tls=None)
    application, _ = build_application(till.system(), environment)
    server = TestServer(application)
    await server.start_server()
    async with aiohttp.ClientSession() as http:
        yield Sandbox(till, server, http)
    await environment.cancel_tasks()
    await server.close()


LOST = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionResetError)


@pytest.mark.parametrize("fault", ["reset_after_commit", "half_body"])
async def test_answer_lost_after_the_commit(sandbox: Sandbox, fault: str) -> None:
    with pytest.raises(LOST):
        await sandbox.post(fault)
    assert sandbox.till.stored == ["one"]


async def test_reset_before_the_handler_commits_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(LOST):
        await sandbox.post("reset_before")
    assert sandbox.till.stored == []


async def test_error_after_commit_answers_the_error_and_keeps_the_commit(sandbox: Sandbox) -> None:
    answer = await sandbox.post("error_after_commit;status=502")
    assert (answer.status, sandbox.till.stored) == (502, ["one"])


@pytest.mark.parametrize("how", ["reset", "close", "504"])
async def test_late_commit_appears_after_the_client_was_told_nothing(sandbox: Sandbox, how: str) -> None:
    wanted = f"late_commit;answer_after_s=0.05;commit_after_s=0.4;answer={how}"
    if how == "504":
        assert (await sandbox.post(wanted)).status == 504
    else:
        with pytest.raises(LOST):
            await sandbox.post(wanted)
    assert sandbox.till.stored == []
    await sandbox.until_stored(1)


async def test_late_commit_can_wait_until_the_rules_are_cleared(sandbox: Sandbox) -> None:
    for last in ("reset", "faults"):
        with pytest.raises(LOST):
            await sandbox.post("late_commit;commit_after_s=cleared", last)
        if last == "reset":
            await sandbox.control("POST", "/reset")
    assert sandbox.till.stored == []
    await sandbox.control("DELETE", "/faults")
    await sandbox.until_stored(1)
    assert sandbox.till.stored == ["faults"], "a reset is the end of what still waited"


async def test_a_client_that_goes_away_does_not_stop_the_commit(sandbox: Sandbox) -> None:
    with pytest.raises(TimeoutError):
        await sandbox.post("slow;delay_s=0.4", timeout_s=0.1)
    assert sandbox.till.stored == []
    await sandbox.until_stored(1)


async def test_truncated_json_is_a_complete_http_message(sandbox: Sandbox) -> None:
    answer = await sandbox.post("truncated_json")
    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(await answer.read())


@pytest.mark.parametrize(
    ("fault", "status"), [("throttle", 429), ("unauthorized", 401), ("html_503", 503), ("status;status=418", 418)]
)
async def test_refusals_before_the_handler(sandbox: Sandbox, fault: str, status: int) -> None:
    answer = await sandbox.post(fault)
    assert (answer.status, sandbox.till.stored) == (status, [])


async def test_throttle_says_when_in_each_form(sandbox: Sandbox) -> None:
    seconds = await sandbox.post("throttle;retry_after=7")
    date = await sandbox.post("throttle;retry_after=http-date;seconds=60")
    silent = await sandbox.post("throttle;retry_after=none")
    assert seconds.headers["Retry-After"] == "7"
    assert re.match(r"\w{3}, \d\d \w{3} \d{4} .* GMT", date.headers["Retry-After"])
    assert "Retry-After" not in silent.headers


async def test_redirect_names_another_path(sandbox: Sandbox) -> None:
    answer = await sandbox.post("redirect;status=308;location=/elsewhere")
    assert (answer.status, answer.headers["Location"]) == (308, "/elsewhere")


async def test_rules_count_the_requests_that_match(sandbox: Sandbox) -> None:
    rule = {"fault": "status", "match": {"method": "post", "path": "^/items$", "body": "two", "nth": [2]}}
    assert (await sandbox.control("POST", "/faults", rule))[0] == 201
    statuses = [(await sandbox.post(body=body)).status for body in ("two", "one", "two", "two")]
    assert statuses == [200, 200, 500, 200]
    _, shown = await sandbox.control("GET", "/faults")
    assert [(each["seen"], each["hits"]) for each in shown["faults"]] == [(3, 1)]  # type: ignore[attr-defined,index]


async def test_rate_is_drawn_from_the_seed_and_times_bounds_it(sandbox: Sandbox) -> None:
    await sandbox.control("POST", "/faults", [{"fault": "status", "match": {"rate": 0.5, "times": 3}}])
    statuses = [(await sandbox.post()).status for _ in range(30)]
    assert statuses.count(500) == 3
    await sandbox.control("DELETE", "/faults")
    assert (await sandbox.post()).status == 200


async def test_faults_combine_and_reach_the_handler(sandbox: Sandbox) -> None:
    answer = await sandbox.post("slow;delay_s=0.05, closed")
    assert (answer.status, sandbox.till.stored) == (409, [])


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "nonsense"},
        {"fault": "slow", "match": {"path": "("}},
        {"fault": "slow", "system": "other"},
        {"fault": "slow", "match": {"rate": 2}},
        {"fault": "slow", "unknown": 1},
    ],
)
async def test_wrong_rules_are_refused(sandbox: Sandbox, rule: dict[str, object]) -> None:
    status, body = await sandbox.control("POST", "/faults", rule)
    assert status == 400
    assert body["error"]
    assert (await sandbox.post("nonsense")).status == 400


async def test_requests_show_what_was_sent_twice_and_on_which_connection(sandbox: Sandbox) -> None:
    await sandbox.post(body="one")
    await sandbox.post(body="one")
    with pytest.raises(LOST):
        await sandbox.post("reset_after_commit", body="one")
    await sandbox.post(body="two")
    _, shown = await sandbox.control("GET", "/state/requests?path=items&method=POST")
    items: list[dict[str, object]] = shown["items"]  # type: ignore[assignment]
    assert [each["status"] for each in items] == [200, 200, None, 200]
    assert len({each["body_sha256"] for each in items}) == 2
    assert [each["connection"] for each in items] == [1, 1, 1, 2]
    assert all(each["ended"] >= each["started"] for each in items)  # type: ignore[operator]


async def test_control_is_not_subject_to_faults(sandbox: Sandbox) -> None:
    await sandbox.control("POST", "/faults", {"fault": "html_503"})
    assert (await sandbox.post()).status == 503
    assert await sandbox.control("GET", "/state/items") == (200, {"kind": "items", "count": 0, "items": []})


async def test_seed_state_reset_and_their_refusals(sandbox: Sandbox) -> None:
    assert await sandbox.control("POST", "/seed", {"n": 3}) == (201, {"made": {"n": 3}})
    assert (await sandbox.control("POST", "/seed", {"bad": 1}))[0] == 400
    assert (await sandbox.control("GET", "/state/nothing"))[0] == 404
    await sandbox.post()
    await sandbox.control("POST", "/reset")
    assert (await sandbox.control("GET", "/state/items"))[1]["count"] == 0
    assert (await sandbox.control("GET", "/state/requests"))[1]["count"] == 0


async def test_clock_jumps_wake_sleepers() -> None:
    clock = Clock()
    sleeper = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    clock.advance(1800)
    await asyncio.sleep(0.01)
    assert not sleeper.done()
    clock.set_scale(100_000)
    await asyncio.wait_for(sleeper, 2)


async def test_clock_over_control(sandbox: Sandbox) -> None:
    status, shown = await sandbox.control("POST", "/clock", {"now": "2026-03-01T00:00:00Z", "advance_s": 86400})
    assert status == 200
    assert str(shown["now"]).startswith("2026-03-02T00:00")
    assert (await sandbox.control("POST", "/clock", {"speed": 1}))[0] == 400
    assert (await sandbox.control("POST", "/clock", {"scale": 0}))[0] == 400


def test_header_values_have_types() -> None:
    assert parse_header("slow;delay_s=0.5;n=2;x=true;name=abc, closed") == [
        ("slow", {"delay_s": 0.5, "n": 2, "x": True, "name": "abc"}),
        ("closed", {}),
    ]


def test_faults_file_is_json_or_yaml(tmp_path: Path) -> None:
    file = tmp_path / "faults"
    file.write_text(json.dumps([{"system": "till", "match": {"nth": 2}, "fault": "slow", "args": {"delay_s": 1}}]))
    assert read_faults(file)[0] == Rule.model_validate(
        {"system": "till", "match": {"nth": 2}, "fault": "slow", "args": {"delay_s": 1}}
    )
    file.write_text("- fault: slow\n  match: {rate: 0.1}\n")
    assert read_faults(file)[0].match.rate == 0.1
    for bad in ("{}", "[{}]", "[: ]"):
        file.write_text(bad)
        with pytest.raises(SandboxError):
            read_faults(file)


async def test_tls_material_serves_and_accepts_client_certificates(tmp_path: Path) -> None:
    material = make_tls(tmp_path / "tls", "127.0.0.1")
    assert (material.server_key.stat().st_mode & 0o777) == 0o600
    seen: list[object] = []

    async def show(request: web.Request) -> web.Response:
        assert request.transport is not None
        seen.append(request.transport.get_extra_info("peercert"))
        return web.Response(text="ok")

    application = web.Application()
    application.router.add_get("/", show)
    server = TestServer(application, scheme="https", host="127.0.0.1")
    await server.start_server(ssl=material.server_context())
    trusting = ssl.create_default_context(cafile=str(material.ca_file))
    async with aiohttp.ClientSession() as http:
        async with http.get(server.make_url("/"), ssl=trusting) as answer:
            assert answer.status == 200
        trusting.load_cert_chain(material.client_cert, material.client_key)
        async with http.get(server.make_url("/?again"), ssl=trusting, headers={"Connection": "close"}) as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.get(server.make_url("/"), ssl=ssl.create_default_context())
    await server.close()


async def test_the_command_refuses_what_it_cannot_serve(tmp_path: Path) -> None:
    async def run(*arguments: str) -> tuple[int | None, str]:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ml_connector.sandbox", *arguments, stderr=asyncio.subprocess.PIPE
        )
        _, told = await child.communicate()
        return child.returncode, told.decode()

    assert (await run("mainframe"))[0] == 2
    code, told = await run("s4hana", "--faults", str(tmp_path / "missing.json"))
    assert code == 2
    assert "cannot be read" in told
