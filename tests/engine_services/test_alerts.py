"""Alerts: told once, told again when well, held back in quiet hours, sent again where a channel failed."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text

from ml_connector.engine import alert_rules, alerts, checks
from ml_connector.engine.alert_channels import ChannelError, check_address, deliver, send_test, set_address
from ml_connector.engine.alert_rules import Channel, Quiet, Rule, RuleError
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Integration, Registry
from ml_connector.engine.vault import Vault
from tests.engine_services.conftest import scalar
from tests.engine_services.test_dump import dump

TOKEN = "hook-token-that-nobody-may-see"


@dataclass
class Receiver:
    """A service that takes messages as JSON; `status` is what it answers."""

    url: str = ""
    status: int = 200
    followed: bool = False
    got: list[dict[str, Any]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        if self.status == 200:
            self.got.append(await request.json())
        location = {"Location": "/elsewhere"} if self.status == 307 else {}
        if request.path == "/elsewhere":
            self.followed = True
        return web.Response(status=self.status, headers=location)

    @property
    def titles(self) -> list[str]:
        return [each["title"] for each in self.got]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    given = Receiver()
    app = web.Application()
    app.router.add_post(f"/{TOKEN}", given.take)
    app.router.add_post("/elsewhere", given.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    given.url = f"json://127.0.0.1:{port}/{TOKEN}"
    yield given
    await runner.cleanup()


async def run(database: Database, *statements: str) -> None:
    async with database.transaction() as sql:
        for statement in statements:
            await sql.execute(text(statement))


@pytest.fixture
async def of(database: Database) -> Integration:
    """The integration 1 between the connections 1 and 2, with nothing wrong and no rules but those of each test."""
    await run(
        database,
        "INSERT INTO connections (connection, name, system) OVERRIDING SYSTEM VALUE"
        " VALUES (1, 'shop', 'bigcommerce'), (2, 'erp', 's4hana')",
        "UPDATE integrations SET store = 1, erp = 2 WHERE integration = 1",
    )
    return await Registry(database).integration(1)


async def dead(database: Database, key: str = "10") -> None:
    await run(database, f"INSERT INTO records (integration, flow, key, status) VALUES (1, 'orders', '{key}', 'dead')")


async def only(database: Database, *rules: Rule) -> None:
    off = [Rule(each.name, each.kind, off=True) for each in alert_rules.DEFAULTS]
    names = {rule.name for rule in rules}
    async with database.transaction() as sql:
        await alert_rules.save_rules(sql, [*rules, *(each for each in off if each.name not in names)])


async def states(database: Database) -> list[tuple[str, str, str]]:
    return sorted((each.rule, each.subject, each.state) for each in await alerts.alerts(database))


async def channel(database: Database, vault: Vault, receiver: Receiver, **settings: Any) -> None:
    await set_address(database, vault, Channel("chat", allow_private=True, **settings), receiver.url)


# ---------------------------------------------------------------------- told once, and when it is well


async def test_an_alert_is_told_once_and_again_when_it_is_well(
    database: Database, vault: Vault, receiver: Receiver, of: Integration
) -> None:
    await only(database, Rule("dead records", "dead", over=0))
    await channel(database, vault, receiver)
    await dead(database)
    async with database.transaction() as sql:  # until all of them stand at the door
        await sql.execute(alerts.LOCK)
        steps = [asyncio.create_task(alerts.step(database, of)) for _ in range(4)]
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with asyncio.timeout(60):
            while await scalar(database, waiting) < len(steps):
                await asyncio.sleep(0.02)
    assert sum(await asyncio.gather(*steps)) == 1
    await asyncio.gather(*(deliver(database, vault, [0, 1]) for _ in range(4)))
    await alerts.step(database, of)
    await deliver(database, vault, [0, 1])
    (told,) = receiver.got
    assert told["title"] == "test: 1 of orders stopped their worker or our program"
    assert told["message"].startswith("Wanted: ")
    assert "\nAnswer: 1 given up: 10\nDo: " in told["message"]

    await run(database, "DELETE FROM records")
    await alerts.step(database, of)
    await alerts.step(database, of)
    await deliver(database, vault, [0, 1])
    assert receiver.titles[1:] == [f"Well again: {told['title']}"]
    assert await states(database) == [("dead records", "orders", "recovered")]

    await dead(database)
    await alerts.step(database, of)
    await deliver(database, vault, [0, 1])
    assert len(receiver.got) == 3
    assert await scalar(database, "SELECT count(*) FROM audit WHERE kind = 'alert'") == 3


async def test_what_does_not_last_is_not_told(database: Database, of: Integration) -> None:
    await only(database, Rule("dead records", "dead", over=0, for_s=300))
    await dead(database)
    await alerts.step(database, of)
    assert await states(database) == [("dead records", "orders", "pending")]
    await run(database, "UPDATE alert_states SET since = since - interval '299 s'")
    await alerts.step(database, of)
    assert await states(database) == [("dead records", "orders", "pending")]
    await run(database, "UPDATE alert_states SET since = since - interval '2 s'")
    await alerts.step(database, of)
    assert await states(database) == [("dead records", "orders", "firing")]
    await run(database, "DELETE FROM records", "DELETE FROM alert_states")
    await dead(database)
    await alerts.step(database, of)
    await run(database, "DELETE FROM records")
    await alerts.step(database, of)
    assert await states(database) == []


async def test_a_rule_of_one_integration_goes_although_another_of_its_name_stays(database: Database) -> None:
    for integrations in ((0, 1), (0,)):
        async with database.transaction() as sql:
            await alert_rules.save_rules(sql, [Rule("late", "late", integration=each) for each in integrations])
            kept = {each.integration for each in (await alert_rules.read(sql)).rules if each.name == "late"}
        assert kept == set(integrations)


async def test_a_muted_rule_looks_and_says_nothing(
    database: Database, vault: Vault, receiver: Receiver, of: Integration
) -> None:
    rule = Rule("dead records", "dead", over=0)
    await only(database, rule)
    await channel(database, vault, receiver)
    async with database.transaction() as sql:
        await alert_rules.mute(sql, rule, 60)
    await dead(database)
    assert await alerts.step(database, of) == 0
    assert await states(database) == [("dead records", "orders", "firing")]


async def test_a_rule_tells_its_channels_alone(
    database: Database, vault: Vault, receiver: Receiver, of: Integration
) -> None:
    await only(database, Rule("dead records", "dead", channels=("pager",)))
    await channel(database, vault, receiver)
    await dead(database)
    assert await alerts.step(database, of) == 0


# ---------------------------------------------------------------------- what is looked at


HELD = (
    "INSERT INTO records (integration, flow, key, status, hold_kind, hold_key, heard_at)"
    " VALUES (1, 'orders', '{key}', 'held', '{kind}', '{of}', now() - interval '{age}')"
)
LATE = (
    "INSERT INTO records (integration, flow, key, status, run_at, heard_at)"
    " VALUES (1, 'orders', '1', 'waiting', now() - interval '1 h', now() - interval '1 h')"
)
SUM = (
    "WITH held AS (INSERT INTO records (integration, flow, key, status, hold_kind)"
    " VALUES (1, 'orders', '1', 'held', 'unmapped'), (1, 'orders', '2', 'held', 'unmapped'),"
    " (1, 'orders', '3', 'held', 'awaiting_capture'))"
    " INSERT INTO labels (integration, flow, key, title, total, currency, terms)"
    " VALUES (1, 'orders', '1', '1', 1200.00, 'USD', ''), (1, 'orders', '2', '2', 4.50, 'USD', ''),"
    " (1, 'orders', '3', '3', 9999, 'USD', '')"
)
RECONCILED = (
    'INSERT INTO watermarks (integration, flow, value) VALUES (1, \'system:reconcile\', \'{"last": {"ties": false,'
    ' "at": "2026-11-20T03:00:00+00:00", "by_currency": {"EUR": "0.00", "USD": "12.99"}}}\')'
)
BROKEN = (
    'INSERT INTO watermarks (integration, flow, value) VALUES (0, \'system:seal\', \'{"seen": {"found":'
    ' {"message": "row 7 was altered"}}}\')'
)


@pytest.mark.parametrize(
    ("rule", "wrong", "subject", "words"),
    [
        (Rule("r", "late"), LATE, "orders", "60 min late, the budget is 2 min"),
        (Rule("r", "stalled"), LATE, "orders", "stand still for 60 min"),
        (Rule("r", "breaker"), "INSERT INTO breakers (connection, state) VALUES (2, 'open')", "erp", "does not answer"),
        (Rule("r", "unauthorised"), HELD.format(key=1, kind="connection", of=2, age="1 s"), "erp", "refuses us"),
        (Rule("r", "holds_age"), HELD.format(key=1, kind="unmapped", of="", age="3 days"), "unmapped", "for 3 d"),
        (Rule("r", "holds_count", over=0), HELD.format(key=1, kind="rejected", of="", age="1 s"), "rejected", "1 are"),
        (Rule("r", "holds_sum", over=1_000), SUM, "USD", "1,204.50 USD are held"),
        (Rule("r", "tie_out"), RECONCILED, "tie-out", "do not tie"),
        (Rule("r", "audit_broken"), BROKEN, "audit", "changed behind our back"),
        (
            Rule("r", "audit_unsealed"),
            "INSERT INTO audit (integration, at, correlation, kind) VALUES (1, now() - interval '1 h', '', 'read')",
            "audit",
            "not being sealed",
        ),
    ],
)
async def test_every_kind_of_rule_sees_what_it_is_for(
    database: Database, of: Integration, rule: Rule, wrong: str, subject: str, words: str
) -> None:
    await only(database, rule)
    await alerts.step(database, of)
    assert await states(database) == []
    await run(database, wrong)
    await alerts.step(database, of)
    (found,) = await alerts.alerts(database)
    assert (found.subject, found.state) == (subject, "firing")
    assert words in found.title


async def test_a_difference_is_told_without_the_currencies_that_tie(database: Database, of: Integration) -> None:
    await only(database, Rule("r", "tie_out"))
    await run(database, RECONCILED)
    await alerts.step(database, of)
    (found,) = await alerts.alerts(database)
    assert "found a difference 12.99 USD" in found.body


async def test_a_failed_check_fires_and_a_good_one_ends_it(database: Database, of: Integration) -> None:
    await only(database, Rule("r", "check"))
    at = datetime.now(UTC)
    for steps, state in (((checks.Step("document", 1.0, "not there after 60 s"),), "firing"), ((), "recovered")):
        async with database.transaction() as sql:
            await checks.save(sql, 1, checks.Result(at, steps, "118"))
        await alerts.step(database, of)
        assert await states(database) == [("r", "check", state)]


async def test_holds_that_are_the_course_of_business_alert_nobody(database: Database, of: Integration) -> None:
    await only(database, Rule("r", "holds_age", over=60), Rule("s", "holds_count", over=0))
    await run(database, HELD.format(key=1, kind="awaiting_capture", of="", age="9 days"))
    await alerts.step(database, of)
    assert await states(database) == []


async def test_a_connection_of_two_integrations_is_told_of_once(database: Database, of: Integration) -> None:
    await only(database, Rule("r", "unauthorised"))
    await run(
        database,
        "INSERT INTO integrations (integration, name, store, erp, store_tag) OVERRIDING SYSTEM VALUE"
        " VALUES (2, 'other', 9, 2, 'S2')",
        HELD.format(key=1, kind="connection", of=2, age="1 s"),
    )
    other = await Registry(database).integration(2)
    for each in (of, other, of, other):
        await alerts.step(database, each)
        assert await states(database) == [("r", "erp", "firing")]
    assert await scalar(database, "SELECT count(*) FROM audit WHERE kind = 'alert'") == 1


async def test_the_budget_is_of_the_flow(database: Database, of: Integration) -> None:
    assert (of.latency_budget_s("orders"), of.latency_budget_s("stock")) == (120, 900)
    given = Integration(1, "x", 1, 2, "S1", True, 0, content={"flows": {"orders": {"latency_budget_s": 30}}})
    assert given.latency_budget_s("orders") == 30


# ---------------------------------------------------------------------- quiet hours


def at(hour: int, day: int = 21) -> datetime:
    """In Chicago, in winter."""
    return datetime(2026, 11, day, hour, 30, tzinfo=UTC) + timedelta(hours=6)


def test_quiet_hours_go_over_midnight_by_the_clock_of_their_zone() -> None:
    quiet = Quiet.read({"from": "22:00", "to": "07:00", "zone": "America/Chicago"})
    morning = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
    assert [quiet.ends(at(hour)) for hour in (7, 12, 21)] == [None] * 3
    assert [quiet.ends(each) for each in (at(22), at(23), at(3, 22))] == [morning] * 3
    assert Quiet(time(12), time(13), "UTC").ends(datetime(2026, 1, 1, 12, tzinfo=UTC)) is not None


@pytest.mark.parametrize("given", [{}, {"from": "7", "to": "x"}, {"from": "07:00", "to": "07:00"},
                                   {"from": "07:00", "to": "08:00", "zone": "Mars/Base"}])  # fmt: skip
def test_quiet_hours_that_cannot_be_meant_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(RuleError, match="quiet hours"):
        Quiet.read(given)


async def test_quiet_hours_hold_back_and_sum_up_and_urgent_ones_pass(
    database: Database, vault: Vault, receiver: Receiver, of: Integration
) -> None:
    now = datetime.now(UTC)
    hours = Quiet((now - timedelta(hours=2)).time(), (now + timedelta(hours=2)).time())
    await only(database, Rule("dead records", "dead"), Rule("r", "breaker", urgent=True), Rule("s", "holds_age"))
    await channel(database, vault, receiver, quiet=hours)
    await dead(database)
    await run(
        database,
        HELD.format(key=1, kind="unmapped", of="", age="3 days"),
        "INSERT INTO breakers (connection, state) VALUES (2, 'open')",
    )
    await alerts.step(database, of)
    await deliver(database, vault, [0, 1])
    assert receiver.titles == ["erp does not answer"]
    await run(database, "DELETE FROM records WHERE status = 'dead'")
    await alerts.step(database, of)
    await deliver(database, vault, [0, 1])
    assert len(receiver.got) == 1
    await run(database, "UPDATE alert_messages SET due_at = now() WHERE sent_at IS NULL")  # the morning
    await deliver(database, vault, [0, 1])
    assert receiver.titles[1:] == ["While it was quiet: 2 alerts, 1 well again"]
    assert "Well again: test: 1 of orders" in receiver.got[1]["message"]


# ---------------------------------------------------------------------- channels


async def test_a_channel_that_fails_is_shown_and_gets_the_message_later(
    database: Database, vault: Vault, receiver: Receiver, of: Integration
) -> None:
    await only(database, Rule("dead records", "dead"))
    await channel(database, vault, receiver)
    receiver.status = 503
    await dead(database)
    await alerts.step(database, of)
    assert await deliver(database, vault, [0, 1]) == 0
    assert await deliver(database, vault, [0, 1]) == 0  # not before its time
    async with database.connect() as sql:
        shown = (await alert_rules.read(sql)).channels["chat"]
    assert (shown.failures, shown.sent_at) == (1, None)
    assert "did not take the message" in shown.error
    receiver.status = 200
    await run(database, "UPDATE alert_messages SET due_at = now()")
    assert await deliver(database, vault, [0, 1]) == 1
    assert len(receiver.got) == 1
    async with database.connect() as sql:
        shown = (await alert_rules.read(sql)).channels["chat"]
    assert (shown.failures, shown.error) == (0, "")


async def test_a_message_that_nobody_takes_is_given_up_after_a_day(
    database: Database, vault: Vault, receiver: Receiver, of: Integration
) -> None:
    await only(database, Rule("dead records", "dead"))
    await channel(database, vault, receiver)
    receiver.status = 503
    await dead(database)
    await alerts.step(database, of)
    await run(database, "UPDATE alert_messages SET made_at = made_at - interval '25 hours'")
    await deliver(database, vault, [0, 1])
    assert await scalar(database, "SELECT due_at = 'infinity' FROM alert_messages")


async def test_the_test_sends_exactly_what_it_returns(database: Database, vault: Vault, receiver: Receiver) -> None:
    await channel(database, vault, receiver)
    async with database.connect() as sql:
        known = (await alert_rules.read(sql)).channels["chat"]
    sent = await send_test(vault, known)
    assert [(each["title"], each["message"]) for each in receiver.got] == [(sent.title, sent.body)]
    receiver.status = 404
    with pytest.raises(ChannelError, match="did not take") as failure:
        await send_test(vault, known)
    assert TOKEN not in str(failure.value)


async def test_an_address_is_nowhere_but_in_the_vault(
    database: Database, database_url: str, vault: Vault, receiver: Receiver, of: Integration,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level("DEBUG")
    await only(database, Rule("dead records", "dead"))
    await channel(database, vault, receiver)
    receiver.status = 500
    await dead(database)
    await alerts.step(database, of)
    await deliver(database, vault, [0, 1])
    everything = dump(database_url)
    assert "chat" in everything
    said = capfd.readouterr()
    for place in (everything, caplog.text, said.out, said.err):
        assert TOKEN not in place
        assert TOKEN.encode().hex() not in place


async def test_a_redirect_of_a_channel_is_not_followed(database: Database, vault: Vault, receiver: Receiver) -> None:
    await channel(database, vault, receiver)
    receiver.status = 307
    with pytest.raises(ChannelError):
        await send_test(vault, Channel("chat", allow_private=True))
    assert not receiver.followed


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("json://127.0.0.1/x", "private or local"),
        ("jsons://10.1.2.3/x", "private or local"),
        ("xml://localhost/x", "private or local"),
        ("mailto://u:p@example.com?smtp=127.0.0.1&to=a@example.com", "private or local"),
        ("ntfys://169.254.169.254/topic", "link-local"),
        ("syslog://", "reaches into this machine"),
        ("nonsense://x", "none that Apprise knows"),
        ("", "none that Apprise knows"),
    ],
)
async def test_addresses_that_may_not_be_called_are_refused(address: str, words: str) -> None:
    with pytest.raises(RuleError, match=words):
        await check_address(address)


async def test_metadata_is_refused_even_in_ones_own_network() -> None:
    await check_address("json://10.1.2.3/x", allow_private=True)
    with pytest.raises(RuleError, match="link-local"):
        await check_address("json://169.254.169.254/x", allow_private=True)


async def test_mail_goes_to_a_server(database: Database, vault: Vault) -> None:
    mails: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        while line := await reader.readline():
            command = line[:4].upper()
            if command == b"DATA":
                writer.write(b"354 go on\r\n")
                lines: list[bytes] = []
                while (part := await reader.readline()) not in (b".\r\n", b""):
                    lines.append(part)
                mails.append(b"".join(lines).decode())
            writer.write(b"221 bye\r\n" if command == b"QUIT" else b"250 mail.example\r\n")
            await writer.drain()
            if command == b"QUIT":
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = f"mailto://127.0.0.1:{port}?from=ml-connector@example.com&to=finance@example.com&mode=insecure"
    await set_address(database, vault, Channel("mail", allow_private=True), address)
    sent = await send_test(vault, Channel("mail", allow_private=True))
    server.close()
    (mail,) = mails
    assert f"Subject: {sent.title}" in mail


def test_rules_that_cannot_be_meant_are_refused() -> None:
    wrong: list[dict[str, Any]] = [
        {"kind": "nix"}, {"kind": "dead", "over": -1}, {"kind": "dead", "over": "y"}, {"kind": "dead", "more": 1}, {},
    ]  # fmt: skip
    for content in wrong:
        with pytest.raises(RuleError):
            alert_rules.rule_from("x", content)
    kept = alert_rules.rule_from("x", json.loads(json.dumps(Rule("x", "late", over=60, channels=("a",)).as_json())))
    assert kept == Rule("x", "late", over=60.0, channels=("a",))
