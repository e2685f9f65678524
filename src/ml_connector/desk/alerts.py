"""Who is told of what, and when: what fires, the rules as sentences, the channels without their addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from ml_connector.desk import wording
from ml_connector.desk.actions import Refused
from ml_connector.desk.keeping import Kept, kept
from ml_connector.engine import alert_channels, alert_rules, alerts
from ml_connector.engine.alert_channels import ChannelError, Message
from ml_connector.engine.alert_conditions import duration
from ml_connector.engine.alert_rules import Channel, Rule
from ml_connector.engine.alerts import Alert
from ml_connector.engine.audit import append, entry
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Integration
from ml_connector.engine.vault import Vault
from ml_connector.engine.views import notes

_SENTENCES: Final[Mapping[str, str]] = {
    "late": "{flow} are later than {over}",
    "stalled": "{flow} are due and nothing is done for {over}",
    "breaker": "a connection does not answer",
    "unauthorised": "a connection lets us in no more",
    "dead": "more than {over} records are dead",
    "holds_age": "a record is held longer than {over}",
    "holds_count": "more than {over} records are held for one reason",
    "holds_sum": "held orders add up to more than {over}, in one currency",
    "tie_out": "a night’s reconciliation does not tie",
    "audit_broken": "the chain of the audit is broken",
    "audit_unsealed": "rows of the audit wait longer than {over} for their seal",
    "check": "the synthetic check fails",
}
"""Kind of a rule -> what comes after "When"."""

_SECONDS: Final = frozenset(("late", "stalled", "holds_age", "audit_unsealed"))
"""Kinds whose threshold is a time."""


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule as a sentence. `of`: the integration's name, empty for all. `muted`: until when nobody is told."""

    rule: Rule
    of: str
    when: str
    tells: str
    fired_at: datetime | None
    recovered_at: datetime | None
    firing: int
    muted: datetime | None


@dataclass(frozen=True, slots=True)
class Settings:
    """`firing`: what is wrong now; `recent`: what is well again."""

    firing: Sequence[Alert]
    recent: Sequence[Alert]
    rules: Sequence[RuleLine]
    channels: Sequence[Channel]
    kept: Sequence[Kept]


async def read(database: Database, integrations: Sequence[Integration]) -> Settings:
    """Everything that is set, for these integrations and for all."""
    names = {each.id: each.name for each in integrations}
    found = [each for each in await alerts.alerts(database) if each.integration in (0, *names)]
    async with database.connect() as sql:
        setup = await alert_rules.read(sql)
        zones = await notes.zones(sql)
    lines = [_line(rule, names, found) for rule in setup.rules if rule.integration in (0, *names)]
    lines.sort(key=lambda line: (-line.firing, line.rule.off, line.rule.name))
    return Settings(
        [each for each in found if each.state == "firing"],
        [each for each in found if each.state == "recovered"][:10],
        lines,
        list(setup.channels.values()),
        [kept(each, zones.get(each.id, "UTC")) for each in integrations],
    )


async def send_test(database: Database, vault: Vault, name: str) -> tuple[Message, str]:
    """Sends a test to a channel: what was sent, word for word. The second is why it did not arrive, or empty. Raises
    `Refused` where there is no such channel."""
    async with database.connect() as sql:
        channel = (await alert_rules.read(sql)).channels.get(name)
    if channel is None:
        raise Refused(f"There is no channel {name}.")
    problem = ""
    try:
        message = await alert_channels.send_test(vault, channel)
    except ChannelError as error:
        message, problem = Message("", ""), str(error)
    async with database.transaction() as sql:
        told = {"event": "tested", "channel": name, "title": f"test of {name}", "error": problem}
        await append(sql, [entry("alert", integration=0, data=told)])
    return message, problem


async def mute(database: Database, name: str, of: int, minutes: float) -> datetime:
    """Nobody is told of a rule until then; 0 minutes: it speaks again at once. Raises `Refused`."""
    async with database.transaction() as sql:
        known = [rule for rule in (await alert_rules.read(sql)).rules if rule.name == name]
        if not known:
            raise Refused(f"There is no rule {name}.")
        rule = next((each for each in known if each.integration == of), known[0])
        until = await alert_rules.mute(sql, replace(rule, integration=of), minutes * 60)
        facts = {"event": "muted", "rule": name, "until": until.isoformat(), "title": f"{name} is muted"}
        await append(sql, [entry("alert", integration=of, data=facts)])
    return until


def sentence(rule: Rule) -> str:
    """What comes after "When": `orders are later than 2 min for 5 min`."""
    over = "their latency budget" if rule.over is None else f"{rule.over:g}"
    if rule.over is not None and rule.kind in _SECONDS:
        over = duration(rule.over)
    flow = wording.flow_name(rule.flow).lower() if rule.flow else "changes of any flow"
    words = _SENTENCES[rule.kind].format(flow=flow, over=over)
    if rule.kind == "dead" and not rule.over:
        words = "a record is dead"
    return f"{words} for {duration(rule.for_s)}" if rule.for_s else words


def _line(rule: Rule, names: Mapping[int, str], found: Sequence[Alert]) -> RuleLine:
    mine = [each for each in found if each.rule == rule.name and rule.integration in (0, each.integration)]
    ahead = rule.muted_until if rule.muted_until and rule.muted_until > datetime.now(UTC) else None
    return RuleLine(
        rule,
        names.get(rule.integration, ""),
        sentence(rule),
        ", ".join(rule.channels) or "every channel",
        max((each.fired_at for each in mine if each.fired_at), default=None),
        max((each.recovered_at for each in mine if each.recovered_at), default=None),
        sum(each.state == "firing" for each in mine),
        ahead,
    )
