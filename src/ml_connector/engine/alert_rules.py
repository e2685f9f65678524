"""Rules and channels of alerts: what a person may set, with what comes with the product where nobody set anything."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.database import dump_json

KINDS: Final = {
    "late": "a flow's oldest change has waited longer than its latency budget (`over`: seconds instead of the budget)",
    "stalled": "records are due and nothing of the flow was done for `over` seconds",
    "breaker": "a connection's circuit breaker is open",
    "unauthorised": "a connection is refused: login, right or address",
    "dead": "more than `over` records are dead",
    "holds_age": "a record is held longer than `over` seconds",
    "holds_count": "more than `over` records are held for one reason",
    "holds_sum": "held orders add up to more than `over`, in one currency",
    "tie_out": "the last nightly reconciliation did not tie",
    "audit_broken": "the chain of the audit is broken",
    "audit_unsealed": "audit rows wait longer than `over` seconds for their seal",
    "check": "the last synthetic check failed",
}
"""What a rule can look at. One subject each: a flow, a connection, a reason, a currency."""


class RuleError(ValueError):
    """A rule or channel that cannot be meant; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`over`: the threshold, in the kind's own unit. `for_s`: how long it must be so before anybody is told.

    `flow`: of one flow alone. `channels`: by name; empty: all. `urgent`: passes quiet hours. `off`: looks at nothing.
    `integration` 0: of every integration.
    """

    name: str
    kind: str
    over: float | None = None
    for_s: float = 0.0
    flow: str = ""
    channels: tuple[str, ...] = ()
    urgent: bool = False
    off: bool = False
    integration: int = 0
    muted_until: datetime | None = None

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > 100:
            raise RuleError("a rule has a name of 1 to 100 characters")
        if self.kind not in KINDS:
            raise RuleError(f"rule {self.name!r}: {self.kind!r} is no kind of rule: one of {', '.join(KINDS)}")
        for what, value in (("over", self.over), ("for_s", self.for_s)):
            if value is not None and not 0 <= value <= 1e12:
                raise RuleError(f"rule {self.name!r}: {what} is {value}: it must be 0 or more")

    def as_json(self) -> dict[str, Any]:
        """What is stored and exported; what equals its default is left out."""
        plain = asdict(replace(self, muted_until=None))
        kept = {"name", "integration", "muted_until"}
        defaults = asdict(Rule("x", "dead"))
        told = {key: value for key, value in plain.items() if key not in kept and value != defaults[key]}
        return {"kind": self.kind, **told} | ({"channels": list(self.channels)} if self.channels else {})


DEFAULTS: Final = (
    Rule("late", "late", for_s=300),
    Rule("stalled", "stalled", over=900),
    Rule("breaker open", "breaker", for_s=120),
    Rule("signed out", "unauthorised", urgent=True),
    Rule("dead records", "dead", over=0),
    Rule("held for a day", "holds_age", over=86_400),
    Rule("many held", "holds_count", over=25),
    Rule("tie-out", "tie_out"),
    Rule("audit broken", "audit_broken", urgent=True),
    Rule("audit not sealed", "audit_unsealed", over=900),
    Rule("check failed", "check"),
)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which only urgent alerts are sent, by the clock of `zone`; `start` after `end` goes over midnight."""

    start: time
    end: time
    zone: str = "UTC"

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Quiet":
        """`{from: "22:00", to: "07:00", zone: "America/Chicago"}`. Raises `RuleError`."""
        try:
            ZoneInfo(str(given.get("zone", "UTC")))
            start, end = time.fromisoformat(str(given["from"])), time.fromisoformat(str(given["to"]))
        except (KeyError, ValueError, ZoneInfoNotFoundError) as error:
            raise RuleError(
                f"quiet hours are {{from: HH:MM, to: HH:MM, zone: Area/City}}, not {dict(given)}: {error}"
            ) from None
        if start == end:
            raise RuleError("quiet hours that begin when they end would be no hour, or all of them")
        return cls(start, end, str(given.get("zone", "UTC")))

    def ends(self, now: datetime) -> datetime | None:
        """When the quiet that `now` lies in ends; None outside of it."""
        there = now.astimezone(ZoneInfo(self.zone))
        clock = there.time().replace(tzinfo=None)
        over_midnight = self.start > self.end
        inside = (clock >= self.start or clock < self.end) if over_midnight else self.start <= clock < self.end
        if not inside:
            return None
        day = there.date() + timedelta(days=1 if over_midnight and clock >= self.start else 0)
        return datetime.combine(day, self.end, ZoneInfo(self.zone)).astimezone(UTC)

    def as_json(self) -> dict[str, str]:
        return {"from": f"{self.start:%H:%M}", "to": f"{self.end:%H:%M}", "zone": self.zone}


@dataclass(frozen=True, slots=True)
class Channel:
    """Where alerts go. `allow_private`: an address in one's own network is meant. What became of the last messages:
    `failures` in a row, `error`, `failed_at`, `sent_at`."""

    name: str
    quiet: Quiet | None = None
    allow_private: bool = False
    failures: int = 0
    error: str = ""
    failed_at: datetime | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that is set: rules by their name and integration, and channels by name."""

    rules: tuple[Rule, ...] = ()
    channels: Mapping[str, Channel] = field(default_factory=dict[str, Channel])

    def rules_of(self, integration: int) -> list[Rule]:
        """Those that look at an integration: its own stand before those of all with the same name."""
        found = {rule.name: rule for rule in self.rules if rule.integration == 0}
        found |= {rule.name: rule for rule in self.rules if rule.integration == integration}
        return [rule for rule in found.values() if not rule.off]

    def channels_of(self, rule: Rule) -> list[Channel]:
        """Where a rule tells; channels that are gone are left out."""
        if not rule.channels:
            return list(self.channels.values())
        return [self.channels[name] for name in rule.channels if name in self.channels]


RULES = text("SELECT integration, name, content, muted_until FROM alert_rules ORDER BY integration, name")
CHANNELS = text(
    "SELECT name, content, failures, error, failed_at, sent_at FROM alert_channels WHERE integration = 0 ORDER BY name"
)
SAVE_RULE = text("""
INSERT INTO alert_rules (integration, name, content) VALUES (:integration, :name, CAST(:content AS jsonb))
ON CONFLICT (integration, name) DO UPDATE SET content = excluded.content
""")
DELETE_OTHERS = text("""
DELETE FROM alert_rules WHERE NOT EXISTS (
  SELECT FROM unnest(CAST(:integrations AS int[]), CAST(:names AS text[])) AS kept(integration, name)
   WHERE kept.integration = alert_rules.integration AND kept.name = alert_rules.name)
""")
DELETE_RULE = text("DELETE FROM alert_rules WHERE integration = :integration AND name = :name")
MUTE = text("""
INSERT INTO alert_rules (integration, name, content, muted_until)
VALUES (:integration, :name, CAST(:content AS jsonb), statement_timestamp() + :for_s * interval '1 second')
ON CONFLICT (integration, name) DO UPDATE SET muted_until = excluded.muted_until
RETURNING muted_until
""")
SAVE_CHANNEL = text("""
INSERT INTO alert_channels (integration, name, content) VALUES (0, :name, CAST(:content AS jsonb))
ON CONFLICT (integration, name) DO UPDATE SET content = excluded.content
""")
DELETE_CHANNEL = text("DELETE FROM alert_channels WHERE integration = 0 AND name = :name")


def rule_from(name: str, content: Mapping[str, Any], integration: int = 0, muted: datetime | None = None) -> Rule:
    """Raises `RuleError`."""
    given = dict(content)
    known = set(Rule.__dataclass_fields__) - {"name", "integration", "muted_until"}
    unknown = sorted(given.keys() - known)
    if unknown or "kind" not in given:
        raise RuleError(f"rule {name!r}: {'kind is missing' if 'kind' not in given else f'unknown: {unknown[0]}'}")
    over = given.get("over")
    try:
        given |= {"over": None if over is None else float(over), "for_s": float(given.get("for_s", 0))}
    except (TypeError, ValueError):
        raise RuleError(f"rule {name!r}: over and for_s are numbers") from None
    given["channels"] = tuple(str(each) for each in given.get("channels", ()))
    return Rule(name=name, integration=integration, muted_until=muted, **given)


def channel_from(name: str, content: Mapping[str, Any], **state: Any) -> Channel:
    """Raises `RuleError`."""
    quiet = content.get("quiet")
    unknown = sorted(content.keys() - {"quiet", "allow_private"})
    if unknown:
        raise RuleError(f"channel {name!r}: unknown: {unknown[0]}")
    return Channel(name, Quiet.read(quiet) if quiet else None, bool(content.get("allow_private", False)), **state)


async def read(sql: AsyncConnection) -> Setup:
    """What is set, over what comes with the product."""
    rules = {(0, rule.name): rule for rule in DEFAULTS}
    for row in await sql.execute(RULES):
        rules[row.integration, row.name] = rule_from(row.name, row.content, row.integration, row.muted_until)
    channels = {
        row.name: channel_from(
            row.name, row.content, failures=row.failures, error=row.error or "", failed_at=row.failed_at,
            sent_at=row.sent_at,
        )
        for row in await sql.execute(CHANNELS)
    }  # fmt: skip
    return Setup(tuple(rules.values()), channels)


async def save_rules(sql: AsyncConnection, rules: Sequence[Rule]) -> None:
    """These rules, and of those that come with the product the ones that are not among them; no others."""
    kept = {"integrations": [rule.integration for rule in rules], "names": [rule.name for rule in rules]}
    await sql.execute(DELETE_OTHERS, kept)
    for rule in rules:
        await save_rule(sql, rule)


async def save_rule(sql: AsyncConnection, rule: Rule) -> None:
    """One rule, new or in the place of the one of its name; until when it is muted stays."""
    content = dump_json(_floatless(rule.as_json()))
    await sql.execute(SAVE_RULE, {"integration": rule.integration, "name": rule.name, "content": content})


async def delete_rule(sql: AsyncConnection, name: str, integration: int) -> None:
    """The rule is gone. One that comes with the product is as it came."""
    await sql.execute(DELETE_RULE, {"integration": integration, "name": name})


def check_told(rules: Sequence[Rule], channels: Collection[str]) -> None:
    """Raises `RuleError` where a rule tells a channel that is not there: it would tell nobody."""
    missing = {name for rule in rules for name in rule.channels} - set(channels)
    if missing:
        raise RuleError(f"a rule tells {sorted(missing)[0]!r}, and there is no such channel")


async def mute(sql: AsyncConnection, rule: Rule, for_s: float) -> datetime:
    """Nobody is told of the rule until then (0: it speaks again at once); it goes on looking."""
    parameters = {
        "integration": rule.integration, "name": rule.name, "content": dump_json(_floatless(rule.as_json())),
        "for_s": for_s,
    }  # fmt: skip
    return (await sql.execute(MUTE, parameters)).scalar_one()


async def save_channel(sql: AsyncConnection, channel: Channel) -> None:
    """The channel without its address, which goes to the vault (`alert_channels.set_address`)."""
    content: dict[str, Any] = {"allow_private": True} if channel.allow_private else {}
    if channel.quiet is not None:
        content["quiet"] = channel.quiet.as_json()
    await sql.execute(SAVE_CHANNEL, {"name": channel.name, "content": dump_json(content)})


def _floatless(content: Mapping[str, Any]) -> dict[str, Any]:
    """Whole numbers as such: 900.0 is 900."""
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value for key, value in content.items()
    }
