"""The API over HTTP: what is told to whom, what each may do, and what is said where something is wrong."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text
from yarl import URL

from ml_connector.domain.access import Role
from ml_connector.engine import alert_channels, alert_rules
from ml_connector.engine.audit import append, entry
from ml_connector.engine.audit_queries import Question, page
from tests.config.examples import SECRETS
from tests.web.orders import ABOUT, name_of, orders
from tests.web.serving import Served, serving
from tests.web.test_pages2 import Hook
from tests.web.visitors import token, user

BODY = '{"first_name": "Moreau"}'
WHY = "test order of the shop"


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


@dataclass(frozen=True)
class Told:
    status: int
    kind: str
    body: Any
    headers: Any

    @property
    def problem(self) -> Any:
        assert self.kind == "application/problem+json", (self.status, self.kind)
        assert self.body["status"] == self.status
        assert self.body["detail"]
        return self.body


@dataclass(frozen=True)
class Program:
    """A client with a token, or with none. `eu`: name of the integration."""

    served: Served
    eu: str
    bearer: str = ""

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> Told:
        headers = {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        if data is not None:
            headers["Content-Type"] = "application/json"
        url = URL(f"{self.served.url}/api/v1{path}", encoded=True)
        async with self.served.client.request(method, url, params=query, data=data, headers=headers) as answer:
            told = await answer.read()
            return Told(answer.status, answer.content_type, json.loads(told) if told else None, answer.headers)

    async def get(self, path: str, **query: str) -> Any:
        told = await self.ask("GET", path, **query)
        assert told.status == 200, told
        return told.body

    async def act(self, path: str, **body: Any) -> Told:
        return await self.ask("POST", path, {"integration": self.eu, **body})


async def program(served: Served, role: Role) -> Program:
    someone = await user(served, role, f"{role}.ann")
    return Program(served, await name_of(served), await token(served, someone, f"{role}-ci"))


# ------------------------------------------------------------------ looking


async def test_records_are_told_in_pages_that_follow_each_other(served: Served) -> None:
    keys = [str(number) for number in range(1000, 1025)]
    await orders(served, "synced", *keys, booked=True)
    ann = await program(served, Role.viewer)
    found: list[str] = []
    pages, after = 0, ""
    while True:
        told = await ann.get("/records", limit="10", after=after)
        found += [each["key"] for each in told["records"]]
        pages += 1
        if told["next"] is None:
            break
        after = told["next"]
    assert found == keys
    assert pages == 3
    assert told["counts"]["synced"] == 25
    one = told["records"][0]
    assert one["total"] == {"value": "118.10", "currency": "EUR"}
    assert one["integration"] == ann.eu
    assert [each["number"] for each in one["documents"]] == [f"0100{one['key']}"]


async def test_filters_of_the_list_must_all_hold(served: Served) -> None:
    await orders(served, "held", "1", "2")
    await orders(served, "synced", "3", booked=True)
    ann = await program(served, Role.viewer)

    async def keys(**query: str) -> list[str]:
        return [each["key"] for each in (await ann.get("/records", **query))["records"]]

    assert sorted(await keys(status="held", reason="unmapped", about=ABOUT)) == ["1", "2"]
    assert await keys(q="01003") == ["3"]
    assert await keys(status="held", q="3") == []
    assert await keys(since="2199-01-01T00:00:00Z") == []
    assert sorted(await keys(integration=ann.eu)) == ["1", "2", "3"]


async def test_holds_and_overview_tell_the_money_that_waits(served: Served) -> None:
    await orders(served, "held", "1", "2", "3")
    ann = await program(served, Role.viewer)
    (hold,) = (await ann.get("/holds"))["holds"]
    assert (hold["kind"], hold["key"], hold["count"]) == ("unmapped", ABOUT, 3)
    assert hold["amounts"] == [{"value": "354.30", "currency": "EUR"}]
    assert "Later&Co" in hold["title"]
    told = await ann.get("/overview", integration=ann.eu)
    assert told["held"] == 3
    assert told["held_amounts"] == hold["amounts"]
    (row,) = told["integrations"]
    assert next(each["held"] for each in row["flows"] if each["flow"] == "orders") == 3


async def test_a_record_tells_its_story(served: Served) -> None:
    await orders(served, "held", "10/2 é")
    await orders(served, "synced", "3", booked=True)
    data = {"method": "POST", "url": "https://erp.example/orders/3", "status": 201, "request_body": BODY}
    async with served.database.transaction() as sql:
        await append(sql, [entry("call", integration=1, flow="orders", key="3", refs=["S1-O3"], data=data)])
    ann, oscar = await program(served, Role.viewer), await program(served, Role.operator)
    held = await ann.get(f"/records/{ann.eu}/orders/10%2F2%20%C3%A9")
    assert held["record"]["key"] == "10/2 é"
    assert "Later&Co" in held["why"]["title"]
    assert held["why"]["answered"] == "no account"
    path = f"/records/{ann.eu}/orders/3"
    booked = await ann.get(path)
    assert [each["number"] for each in booked["documents"]] == ["01003"]
    assert [each["call"]["status"] for each in booked["steps"]] == ["201"]
    assert "Moreau" not in json.dumps(booked["steps"])
    assert (await ann.ask("GET", path, reveal="true")).problem["status"] == 403
    assert "Moreau" in json.dumps((await oscar.get(path, reveal="true"))["steps"])
    looks = (await page(served.database, Question(kinds=("personal",)))).rows
    assert [(row.who, row.key) for row in looks] == [("token:operator-ci", "3")]
    for unknown in (f"/records/{ann.eu}/orders/9", "/records/no-such/orders/3"):
        assert (await ann.ask("GET", unknown)).problem["status"] == 404


async def test_what_is_configured_is_told_without_secrets(served: Served) -> None:
    ann = await program(served, Role.viewer)
    told = {path: await ann.get(path) for path in ("/integrations", "/connections", "/me", "/openapi.json")}
    for secret in SECRETS:
        assert secret not in json.dumps(told)
    (row,) = told["/integrations"]["integrations"]
    assert {row["store"], row["erp"]} == {each["connection"] for each in told["/connections"]["connections"]}
    assert told["/me"]["who"] == "token:viewer-ci"
    assert told["/me"]["rights"] == ["look"]


async def test_the_audit_hides_what_was_sent_from_who_may_not_see_it_and_keeps_who_looked(served: Served) -> None:
    data = {"method": "POST", "url": "https://erp.example/journal", "status": 201, "request_body": BODY}
    async with served.database.transaction() as sql:
        for number in range(5):
            row = entry("call", integration=1, flow="orders", key="7", refs=[f"S1-O{number}"], data=data)
            await append(sql, [row])
    ann, oscar = await program(served, Role.viewer), await program(served, Role.operator)
    first = await ann.get("/audit", kind="call", limit="3")
    second = await ann.get("/audit", kind="call", limit="3", after=first["next"])
    assert [each["references"][0] for each in (*first["rows"], *second["rows"])] == [
        f"S1-O{n}" for n in range(4, -1, -1)
    ]
    assert second["next"] is None
    assert "Moreau" not in json.dumps([first, second])
    assert (await ann.ask("GET", "/audit", reveal="true")).problem["role"] == "operator"
    assert not (await page(served.database, Question(kinds=("personal",)))).rows
    assert "Moreau" in json.dumps(await oscar.get("/audit", kind="call", reveal="true"))
    looks = (await page(served.database, Question(kinds=("personal",)))).rows
    assert [row.who for row in looks] == ["token:operator-ci"]


# ------------------------------------------------------------------ doing


async def test_replay_runs_in_the_name_of_the_token(served: Served) -> None:
    await orders(served, "synced", "1", "2")
    cleo = await program(served, Role.clerk)
    told = await cleo.act("/records/replay", keys=["1", "9999"], why="account was opened")
    assert told.status == 200
    assert told.body == {"done": ["1"], "unknown": ["9999"], "refused": {}}
    (row,) = (await page(served.database, Question(kinds=("replayed",)))).rows
    assert (row.who, row.key, row.data["why"]) == ("token:clerk-ci", "1", "account was opened")
    (running,) = await served.rows("SELECT count(*) AS n FROM records WHERE status = 'waiting'")
    assert running.n == 1


async def test_an_order_that_is_booked_is_not_left_out(served: Served) -> None:
    await orders(served, "synced", "1", booked=True)
    await orders(served, "held", "2")
    cleo = await program(served, Role.clerk)
    refused = (await cleo.act("/records/exclude", keys=["1"], why=WHY)).problem
    assert refused["status"] == 409
    assert "in the ERP" in refused["refused"]["1"]
    (kept,) = await served.rows("SELECT status FROM records WHERE key = '1'")
    assert kept.status == "synced"
    both = await cleo.act("/records/exclude", keys=["1", "2"], why=WHY)
    assert both.status == 200
    assert both.body["done"] == ["2"]
    assert list(both.body["refused"]) == ["1"]
    again = await cleo.act("/records/include", keys=["2"])
    assert again.body["done"] == ["2"]
    assert (await cleo.act("/records/include", keys=["2"])).body["done"] == []


async def test_an_order_that_may_be_booked_is_not_left_out(served: Served) -> None:
    """Nobody knows yet whether the ERP has its document."""
    await orders(served, "waiting", "1", booked=True)
    async with served.database.connect() as sql:
        await sql.execute(text("UPDATE postings SET state = 'uncertain', number = NULL, posted_at = NULL"))
    cleo = await program(served, Role.clerk)
    refused = (await cleo.act("/records/exclude", keys=["1"], why=WHY)).problem
    assert refused["status"] == 409
    assert "not known yet" in refused["refused"]["1"]


async def test_release_ends_the_holds_that_are_named(served: Served) -> None:
    await orders(served, "held", "1", "2")
    await orders(served, "held", "3", about="payment_method|Other")
    cleo = await program(served, Role.clerk)
    told = await cleo.act("/holds/release", kind="unmapped", keys=[ABOUT])
    assert told.body == {"count": 2, "released": [{"flow": "orders", "keys": ["1", "2"]}]}
    (hold,) = (await cleo.get("/holds"))["holds"]
    assert hold["key"] == "payment_method|Other"
    (everything,) = (await cleo.act("/holds/release", kind="unmapped")).body["released"]
    assert everything["keys"] == ["3"]


async def test_an_entry_of_the_mapping_releases_what_waited_for_it(served: Served) -> None:
    await orders(served, "held", "1", "2")
    await orders(served, "held", "3", about="payment_method|Other")
    cleo = await program(served, Role.clerk)
    (before,) = [each["mapping_version"] for each in (await cleo.get("/integrations"))["integrations"]]
    told = (await cleo.act("/holds/entry", key=ABOUT, value="11001000")).body
    assert told == {"version": before + 1, "count": 2, "released": [{"flow": "orders", "keys": ["1", "2"]}]}
    (hold,) = (await cleo.get("/holds"))["holds"]
    assert (hold["key"], hold["settled_by_entry"]) == ("payment_method|Other", True)
    wrong = (await cleo.act("/holds/entry", key="no-such|x", value="1")).problem
    assert wrong["status"] == 422
    assert [each["field"] for each in wrong["errors"]] == ["value"]
    (saved,) = await served.rows("SELECT saved_by FROM mappings ORDER BY version DESC LIMIT 1")
    assert saved.saved_by == "token:clerk-ci"


async def test_what_is_held_of_some_records_is_released(served: Served) -> None:
    await orders(served, "held", "1", "2")
    await orders(served, "synced", "3", booked=True)
    cleo = await program(served, Role.clerk)
    told = (await cleo.act("/records/release", keys=["1", "3"])).body
    assert (told["done"], told["refused"]) == (["1"], {"3": "3 is not held"})
    rows = await served.rows("SELECT key, status FROM records WHERE flow = 'orders' ORDER BY key")
    assert [(row.key, row.status) for row in rows] == [("1", "waiting"), ("2", "held"), ("3", "synced")]
    assert (await cleo.act("/records/release", keys=["3"])).problem["status"] == 409
    (row,) = (await page(served.database, Question(kinds=("released",)))).rows
    assert (row.key, row.who) == ("1", "token:clerk-ci")


async def test_alerts_are_told_muted_and_tested(served: Served) -> None:
    await served.rows(
        "INSERT INTO alert_states (integration, rule, subject, state, since, fired_at, title, body) VALUES"
        " (1, 'late', 'orders', 'firing', now(), now(), 'Orders are late', 'Wanted: less') RETURNING 1"
    )
    oscar = await program(served, Role.operator)
    async with Hook() as hook:
        chat = alert_rules.Channel("chat", allow_private=True)
        address = f"json://127.0.0.1:{hook.port}/?token=very-secret"
        await alert_channels.set_address(served.database, served.vault, chat, address)
        told = await oscar.get("/alerts")
        assert [each["title"] for each in told["firing"]] == ["Orders are late"]
        late = next(each for each in told["rules"] if each["name"] == "late")
        assert (late["firing"], late["muted_until"], late["integration"]) == (1, None, "")
        assert late["sentence"].startswith("When changes of any flow are later")
        assert [each["name"] for each in told["channels"]] == ["chat"]
        assert "very-secret" not in str(told)
        sent = await oscar.ask("POST", "/alerts/test", {"channel": "chat"})
        assert sent.body["title"] in hook.bodies[0]
    assert (await oscar.ask("POST", "/alerts/test", {"channel": "chat"})).problem["status"] == 409
    assert (await oscar.ask("POST", "/alerts/test", {"channel": "nobody"})).problem["status"] == 404
    assert (await oscar.ask("POST", "/alerts/mute", {"rule": "late", "minutes": 60})).status == 200
    assert next(each for each in (await oscar.get("/alerts"))["rules"] if each["name"] == "late")["muted_until"]
    assert (await oscar.ask("POST", "/alerts/mute", {"rule": "no", "minutes": 60})).problem["status"] == 404


async def test_users_and_tokens_are_for_administrators(served: Served) -> None:
    oscar, ada = await program(served, Role.operator), await program(served, Role.administrator)
    for path in ("/users", "/tokens"):
        assert (await oscar.ask("GET", path)).problem["role"] == "administrator"
    invited = (await ada.ask("POST", "/users", {"name": "Dana", "role": "clerk"})).body
    assert (invited["user"]["name"], invited["user"]["state"]) == ("dana", "invited")
    assert "/welcome/" in invited["link"]
    assert (await ada.ask("POST", "/users", {"name": "dana", "role": "clerk"})).problem["status"] == 409
    assert (await ada.ask("POST", "/users/role", {"name": "dana", "role": "viewer"})).body["role"] == "viewer"
    assert (await ada.ask("POST", "/users/disable", {"name": "administrator.ann"})).problem["status"] == 409
    assert (await ada.ask("POST", "/users/disable", {"name": "dana"})).body["state"] == "disabled"
    assert (await ada.ask("POST", "/users/enable", {"name": "dana"})).body["state"] == "invited"
    assert (await ada.ask("POST", "/users/enable", {"name": "nobody"})).problem["status"] == 404
    told = await ada.get("/tokens")
    assert {each["name"]: each["valid"] for each in told["tokens"]} == {"operator-ci": True, "administrator-ci": True}
    assert oscar.bearer not in str(told)
    assert (await ada.ask("POST", "/tokens/revoke", {"name": "operator-ci"})).status == 200
    assert (await oscar.ask("GET", "/overview")).problem["status"] == 401
    assert (await ada.ask("POST", "/tokens/revoke", {"name": "operator-ci"})).problem["status"] == 404
    done = [row.data["action"] for row in (await page(served.database, Question(kinds=("access",)))).rows[:5]]
    assert done == ["token_revoked", "user_enabled", "user_disabled", "role_changed", "link_made"]


ACTIONS = {
    "/records/replay": {"keys": ["1"]},
    "/records/release": {"keys": ["1"]},
    "/records/exclude": {"keys": ["1"], "why": WHY},
    "/records/include": {"keys": ["1"]},
    "/holds/release": {"kind": "unmapped"},
    "/holds/entry": {"key": ABOUT, "value": "11001000"},
}


@pytest.mark.parametrize("path", ACTIONS)
async def test_a_viewer_changes_nothing(served: Served, path: str) -> None:
    await orders(served, "held", "1")
    ann = await program(served, Role.viewer)
    refused = (await ann.act(path, **ACTIONS[path])).problem
    assert (refused["status"], refused["role"]) == (403, "clerk")
    (kept,) = await served.rows("SELECT status FROM records WHERE key = '1'")
    assert kept.status == "held"
    nobody = Program(served, ann.eu)
    for body in ({"integration": ann.eu, **ACTIONS[path]}, b"{not json", None):
        told = await nobody.ask("POST", path, body)
        assert told.problem["status"] == 401
        assert told.headers["WWW-Authenticate"] == "Bearer"


# ------------------------------------------------------------------ what is wrong


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/records/exclude", {"keys": ["1"], "why": "no"}, "why"),
        ("/records/exclude", {"keys": ["1"]}, "why"),
        ("/records/replay", {"keys": []}, "keys"),
        ("/records/replay", {"keys": ["a\x00b"]}, "keys.0"),
        ("/records/replay", {"keys": ["1"], "flow": "poll:orders"}, "flow"),
        ("/holds/release", {}, "kind"),
    ],
)
async def test_what_does_not_fit_is_named(served: Served, path: str, body: dict[str, Any], field: str) -> None:
    cleo = await program(served, Role.clerk)
    wrong = (await cleo.act(path, **body)).problem
    assert wrong["status"] == 422
    assert [(each["where"], each["field"]) for each in wrong["errors"]] == [("body", field)]
    assert wrong["errors"][0]["message"] in wrong["detail"]


async def test_errors_are_problems(served: Served) -> None:
    ann = await program(served, Role.operator)
    wanted = [
        ("GET", "/records", {"after": "x"}, 400),
        ("GET", "/records", {"after": "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzIzOjU5IiwiYSIsImIiXQ"}, 400),
        ("GET", "/audit", {"after": "-1"}, 400),
        ("GET", "/records", {"integration": "no-such"}, 404),
        ("GET", "/records", {"status": "no-such"}, 422),
        ("GET", "/records", {"limit": "0"}, 422),
        ("GET", "/records", {"since": "0001-01-01T00:00:00+23:00"}, 422),
        ("GET", "/records", {"q": "a\x00b"}, 422),
        ("GET", "/audit", {"since": "yesterday"}, 422),
        ("GET", "/no-such", {}, 404),
        ("DELETE", "/records", {}, 405),
        ("POST", "/holds/release", {}, 422),
    ]
    for method, path, query, status in wanted:
        told = await ann.ask(method, path, **query)
        assert told.problem["status"] == status, (path, query)
    broken = (await ann.ask("POST", "/records/replay", b"{not json")).problem
    assert broken["status"] == 422
    unknown = (await ann.ask("POST", "/records/replay", {"integration": "no-such", "keys": ["1"]})).problem
    assert ann.eu in unknown["detail"]
    repost = (await ann.act("/records/replay", keys=["1"], flow="customers", repost=True)).problem
    assert repost["status"] == 409
