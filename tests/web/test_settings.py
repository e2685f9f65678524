"""Rules and channels changed in the console: sentences with blanks, addresses that nobody sees again."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ml_connector.desk.actions import Refused
from ml_connector.desk.alert_edit import SHAPES, seconds_of, written_time
from ml_connector.domain.access import Role
from ml_connector.engine import alert_rules
from ml_connector.engine.alert_rules import KINDS, Rule
from ml_connector.engine.audit_queries import Question, page
from ml_connector.engine.registry import Registry
from tests.web.serving import Served, serving
from tests.web.test_pages2 import Hook
from tests.web.visitors import COOKIE, Visitor, session, user


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def visitor(served: Served, role: Role) -> Visitor:
    someone = await user(served, role, f"{role}.ann")
    return Visitor(served, {COOKIE: await session(served, someone)})


async def rules(served: Served) -> dict[tuple[str, int], Rule]:
    async with served.database.connect() as sql:
        return {(each.name, each.integration): each for each in (await alert_rules.read(sql)).rules}


async def name_of(served: Served) -> str:
    return str((await served.rows("SELECT name FROM integrations"))[0].name)


async def told(served: Served) -> list[dict[str, Any]]:
    """What the audit says of alerts, the oldest first."""
    rows = (await page(served.database, Question(kinds=("alert",)))).rows
    assert {row.who for row in rows} <= {"user:operator.ann"}
    return [dict(row.data) for row in reversed(rows)]


@pytest.mark.parametrize(
    ("written", "seconds"), [("90 s", 90), ("5 min", 300), ("1 h 30 min", 5_400), ("2d", 172_800), ("", None)]
)
def test_times_are_read_as_people_write_them(written: str, seconds: float | None) -> None:
    assert seconds_of(written) == seconds
    assert seconds_of(written_time(seconds)) == seconds


@pytest.mark.parametrize("written", ["soon", "5", "5 parsecs", "min", "5 min or so", "-5 min"])
def test_what_is_no_time_is_named(written: str) -> None:
    with pytest.raises(Refused, match="is no time"):
        seconds_of(written)


def test_every_kind_of_rule_is_a_sentence() -> None:
    assert set(SHAPES) == set(KINDS)
    assert all("{of}" in each.sentence for each in SHAPES.values())
    assert all(("{over}" in each.sentence) is bool(each.unit) for each in SHAPES.values())


async def test_a_rule_is_written_changed_switched_off_and_deleted(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    eu = await name_of(served)
    assert "lets us in no more" in (await oscar.get("/settings/alerts/rule")).text
    form = (await oscar.get("/settings/alerts/rule?kind=late")).text
    assert "their latency budget" in form
    blanks = {"kind": "late", "name": "slow orders", "of": eu, "flow": "orders", "over": "2 min", "lasting": "5 min"}
    assert (await oscar.send("/settings/alerts/rule", blanks)).status == 303
    rule = (await rules(served))["slow orders", 1]
    assert (rule.over, rule.for_s, rule.flow, rule.channels) == (120, 300, "orders", ())
    text = (await oscar.get("/settings/alerts")).text
    assert "When orders are later than 120 s for 5 min" in text or "When orders are later than 2 min for 5 min" in text

    change = {**blanks, "was": "slow orders", "was_of": "1", "name": "late orders", "of": "", "over": "1 h"}
    assert (await oscar.send("/settings/alerts/rule", change)).status == 303
    found = await rules(served)
    assert ("slow orders", 1) not in found
    assert found["late orders", 0].over == 3_600

    assert (await oscar.post("/settings/alerts/rule/off", name="late orders", of="0", off="1")).status == 303
    assert (await rules(served))["late orders", 0].off
    assert "Switch it on" in (await oscar.get("/settings/alerts/rule?name=late+orders&of=0")).text
    assert (await oscar.post("/settings/alerts/rule/off", name="late orders", of="0")).status == 303
    assert not (await rules(served))["late orders", 0].off
    assert (await oscar.post("/settings/alerts/rule/delete", name="late orders", of="0")).status == 303
    assert ("late orders", 0) not in await rules(served)
    gone = await oscar.get((await oscar.get("/settings/alerts/rule?name=late+orders&of=0")).headers["Location"])
    assert "is not there any more" in gone.text
    assert [each["event"] for each in await told(served)] == ["set", "set", "set", "set", "deleted"]


async def test_a_rule_of_the_product_goes_back_to_what_it_was(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    change = {"kind": "stalled", "was": "stalled", "was_of": "0", "name": "stalled", "over": "2 h"}
    assert (await oscar.send("/settings/alerts/rule", change)).status == 303
    assert (await rules(served))["stalled", 0].over == 7_200
    assert "Put it back as it came" in (await oscar.get("/settings/alerts/rule?name=stalled&of=0")).text
    assert (await oscar.post("/settings/alerts/rule/delete", name="stalled", of="0")).status == 303
    assert (await rules(served))["stalled", 0].over == 900


WRONG_RULES: list[tuple[dict[str, str], str]] = [
    ({"name": ""}, "name of 1 to 100 characters"),
    ({"over": "soon"}, "is no time"),
    ({"lasting": "7"}, "is no time"),
    ({"of": "nowhere"}, "There is no such integration"),
    ({"flow": "lies"}, "There is no such flow"),
    ({"channels": "nobody"}, "a channel that is gone"),
    ({"name": "tie-out"}, "There is a rule tie-out of that already"),
    ({"kind": "holds_sum", "over": ""}, "Give the sum"),
    ({"kind": "dead", "over": "many"}, "is no number"),
]


async def test_a_rule_that_cannot_be_meant_is_asked_for_again(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    before = await rules(served)
    for wrong, words in WRONG_RULES:
        answer = await oscar.send("/settings/alerts/rule", {"kind": "late", "name": "mine", **wrong})
        assert answer.status == 422, wrong
        assert words in answer.text, wrong
    assert await rules(served) == before
    assert await told(served) == []


async def test_a_channel_keeps_its_address_to_itself(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    async with Hook() as hook:
        address = f"json://127.0.0.1:{hook.port}/?token=very-secret-1234"
        given = {"new": "1", "name": "Finance chat", "address": address, "start": "22:00", "end": "07:00"}
        refused = await oscar.send("/settings/alerts/channel", given)
        assert refused.status == 422  # our own network, and nobody said that it is meant
        assert "very-secret" not in refused.text
        zone = "America/Chicago"
        assert (await oscar.send("/settings/alerts/channel", {**given, "zone": zone, "private": "1"})).status == 303
        for path in ("/settings/alerts", "/settings/alerts/channel?name=Finance+chat"):
            text = (await oscar.get(path)).text
            assert "very-secret" not in text
            assert "…1234" in text
        assert "22:00 to 07:00, America/Chicago" in (await oscar.get("/settings/alerts")).text
        # Without an address the one that is known stays, and works.
        kept = {"name": "Finance chat", "private": "1", "start": "", "end": ""}
        assert (await oscar.send("/settings/alerts/channel", kept)).status == 303
        sent = await oscar.post("/settings/alerts/test", channel="Finance chat")
        assert sent.status == 200
        assert len(hook.bodies) == 1
    rule = {"kind": "late", "name": "mine", "channels": "Finance chat"}
    assert (await oscar.send("/settings/alerts/rule", rule)).status == 303
    silent = await oscar.post("/settings/alerts/channel/delete", name="Finance chat")
    assert silent.status == 422
    assert "mine tells Finance chat" in silent.text
    assert (await oscar.post("/settings/alerts/rule/delete", name="mine", of="0")).status == 303
    assert (await oscar.post("/settings/alerts/channel/delete", name="Finance chat")).status == 303
    assert await served.rows("SELECT name FROM alert_channels") == []
    assert await served.rows("SELECT name FROM secrets WHERE connection = 0 AND name LIKE 'alert%'") == []
    assert "very-secret" not in str(await told(served))


WRONG_CHANNELS: list[tuple[dict[str, str], str]] = [
    ({"name": ""}, "Give the channel a name"),
    ({"address": ""}, "Give the address"),
    ({"address": "hello"}, "none that Apprise knows"),
    ({"address": "syslog://"}, "reaches into this machine"),
    ({"start": "22:00"}, "Write quiet hours"),
    ({"start": "22:00", "end": "22:00"}, "Write quiet hours"),
    ({"start": "22:00", "end": "07:00", "zone": "Nowhere/Town"}, "Write quiet hours"),
]


async def test_a_channel_that_cannot_be_meant_is_asked_for_again(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    for wrong, words in WRONG_CHANNELS:
        given = {"new": "1", "name": "chat", "address": "jsons://example.invalid/x", "private": "1", **wrong}
        answer = await oscar.send("/settings/alerts/channel", given)
        assert answer.status == 422, wrong
        assert words in answer.text, wrong
    assert await served.rows("SELECT name FROM alert_channels") == []


async def test_who_may_not_is_told_who_may(served: Served) -> None:
    clerk = await visitor(served, Role.clerk)
    text = (await clerk.get("/settings/alerts")).text
    assert "operator may change them" in text
    assert "/settings/alerts/rule" not in text
    for path in ("/settings/alerts/rule?kind=late", "/settings/alerts/channel"):
        answer = await clerk.get(path)
        assert answer.status == 403
        assert "you need the role operator" in answer.text


# ------------------------------------------------------------------ retention and the nightly hour


async def test_an_administrator_changes_how_long_things_are_kept_and_when_the_night_runs(served: Served) -> None:
    eu = await name_of(served)
    oscar, ada = await visitor(served, Role.operator), await visitor(served, Role.administrator)
    assert "administrator may change it" in (await oscar.get("/settings/alerts")).text
    given = {"of": eu, "audit_days": "730", "webhook_days": "14", "hour": "5"}
    assert (await oscar.send("/settings/kept", given)).status == 403
    assert 'name="audit_days"' in (await ada.get(f"/settings/alerts?change={eu}")).text
    answer = await ada.send("/settings/kept", given)
    assert answer.headers["Location"] == f"/settings/alerts?kept={eu}"
    text = (await ada.get("/settings/alerts")).text
    assert "730 days" in text
    assert "14 days" in text
    assert "05:00" in text
    stored = await Registry(served.database).integrations()
    assert stored[0].reconcile.hour == 5
    assert stored[0].retention_days == {"audit_days": 730, "webhook_days": 14}
    changed = (await page(served.database, Question(kinds=("config",)))).rows
    assert changed[0].who == "user:administrator.ann"
    assert (await ada.send("/settings/kept", given)).headers["Location"] == f"/settings/alerts?same={eu}"
    for wrong in ({"audit_days": "6"}, {"webhook_days": "x"}, {"hour": "24"}, {"audit_days": "99999999"}):
        refused = await ada.send("/settings/kept", {**given, **wrong})
        assert refused.status == 422, wrong
        assert "write a whole number" in refused.text
    assert stored == await Registry(served.database).integrations()
