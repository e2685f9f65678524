"""Changing who is told of what: rules as sentences with blanks, channels with their quiet hours.

Written by the functions that `ml-connector alerts apply` uses, each change with a row of the audit.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ml_connector.desk.actions import Refused
from ml_connector.engine import alert_channels, alert_rules
from ml_connector.engine.alert_rules import DEFAULTS, Channel, Quiet, Rule, RuleError, Setup, rule_from
from ml_connector.engine.audit import append, entry
from ml_connector.engine.database import Database
from ml_connector.engine.vault import UnknownSecret, Vault

SHOWN_CHARACTERS: Final = 4
SHOWN_FROM: Final = 24
"""Addresses shorter than that show none of their characters."""

_UNITS: Final[Mapping[str, int]] = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)(?=[\s\d,]|$)")


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of rule as a sentence with blanks, after "When". `about`: when somebody wants it. `unit` of its threshold:
    `time`, `count`, `sum`, or empty without one. `usual`: what an empty threshold stands for, in words; empty: it must
    be given."""

    sentence: str
    about: str
    unit: str = ""
    usual: str = ""

    @property
    def pieces(self) -> Sequence[str]:
        """Words and blanks (`{flow}`, `{of}`, `{over}`) in their order."""
        return [piece.strip() for piece in re.split(r"(\{\w+\})", self.sentence) if piece.strip()]


_CHANGES, _RECORDS = "{flow} of {of} are", "records of {flow} of {of} are"
SHAPES: Final[Mapping[str, Shape]] = {
    "late": Shape(f"{_CHANGES} later than {{over}}", "Something takes longer than it should.", "time",
                  "their latency budget"),
    "stalled": Shape(f"{_CHANGES} due and nothing is done for {{over}}", "Everything stands still: no worker runs.",
                     "time", "15 min"),
    "breaker": Shape("a connection of {of} does not answer", "A system is down, or cannot be reached."),
    "unauthorised": Shape("a connection of {of} lets us in no more", "A password, key or right has ended."),
    "dead": Shape(f"more than {{over}} {_RECORDS} dead", "Records were given up; a person must look.", "count", "0"),
    "holds_age": Shape("a record of {flow} of {of} is held longer than {over}", "A decision is overdue.", "time",
                       "1 d"),
    "holds_count": Shape(f"more than {{over}} {_RECORDS} held for one reason", "One decision stops many orders.",
                         "count", "25"),
    "holds_sum": Shape("held orders of {of} add up to more than {over} in one currency", "Much money waits.", "sum"),
    "tie_out": Shape("a night’s reconciliation of {of} does not tie", "Store and ERP differ."),
    "audit_broken": Shape("the chain of the audit of {of} is broken", "Somebody changed the audit itself."),
    "audit_unsealed": Shape("rows of the audit of {of} wait longer than {over} for their seal",
                            "The audit is written, and not sealed.", "time", "15 min"),
    "check": Shape("the synthetic check of {of} fails", "The test order did not come through."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form holds. `of`: the integration's name, empty for every one; times as people write them."""

    name: str
    kind: str
    of: str = ""
    flow: str = ""
    over: str = ""
    lasting: str = ""
    channels: tuple[str, ...] = ()
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class ChannelAsked:
    """What a form holds. `address` empty: it stays as it is. `start`, `end`: of the quiet hours, both or neither."""

    name: str
    address: str = ""
    allow_private: bool = False
    start: str = ""
    end: str = ""
    zone: str = ""


def seconds_of(written: str) -> float | None:
    """`2 min`, `1 h 30 min`, `90 s` in seconds; None where nothing is written. Raises `Refused`."""
    text = written.strip().lower()
    if not text:
        return None
    rest = _PART.sub("", text).strip(" ,")
    parts: list[tuple[str, str]] = _PART.findall(text)
    if rest or not parts:
        raise Refused(f"“{written[:40]}” is no time: write 90 s, 5 min, 2 h or 1 d.")
    return sum(float(number) * _UNITS["min" if unit.startswith("m") else unit[0]] for number, unit in parts)


def written_time(seconds: float | None) -> str:
    """As `seconds_of` reads it: `5 min`, exact."""
    if seconds is None:
        return ""
    unit = next((name for name in ("d", "h", "min") if seconds and seconds % _UNITS[name] == 0), "s")
    return f"{seconds / _UNITS[unit]:g} {unit}"


def asked_of(rule: Rule, of: str) -> Asked:
    """The rule as its form shows it."""
    over = written_time(rule.over) if SHAPES[rule.kind].unit == "time" else f"{rule.over:g}" if rule.over else ""
    lasting = written_time(rule.for_s or None)
    return Asked(rule.name, rule.kind, of, rule.flow, over, lasting, rule.channels, rule.urgent)


async def setup(database: Database) -> Setup:
    """Rules and channels as they are set."""
    async with database.connect() as sql:
        return await alert_rules.read(sql)


async def rule_named(database: Database, name: str, of: int) -> Rule:
    """Raises `Refused` where there is none."""
    known = (await setup(database)).rules
    found = next((each for each in known if (each.name, each.integration) == (name, of)), None)
    if found is None:
        raise Refused(f"There is no rule {name}. Somebody may have deleted it meanwhile.")
    return found


async def save_rule(
    database: Database, asked: Asked, integrations: Mapping[str, int], flows: Sequence[str], was: Rule | None = None
) -> Rule:
    """A new rule, or `was` changed. Raises `Refused` with what cannot be meant."""
    rule = _rule(asked, integrations, flows, was)
    async with database.transaction() as sql:
        found = await alert_rules.read(sql)
        place = (rule.name, rule.integration)
        if (was is None or place != (was.name, was.integration)) and place in _places(found):
            raise Refused(f"There is a rule {rule.name} of that already: change it, or choose another name.")
        try:
            alert_rules.check_told([rule], found.channels)
        except RuleError:
            raise Refused("The rule tells a channel that is gone: choose another one.") from None
        if was is not None and place != (was.name, was.integration):
            await alert_rules.delete_rule(sql, was.name, was.integration)
        await alert_rules.save_rule(sql, rule)
        facts = {"event": "set", "rule": rule.name, "now": rule.as_json(), "was": was.as_json() if was else None}
        title = f"rule {rule.name} is {'changed' if was else 'new'}"
        await append(sql, [entry("alert", integration=rule.integration, data={**facts, "title": title})])
    return rule


async def switch_rule(database: Database, rule: Rule, *, off: bool) -> None:
    """A rule that is off looks at nothing, and what it said is forgotten."""
    async with database.transaction() as sql:
        await alert_rules.save_rule(sql, replace(rule, off=off))
        facts = {
            "event": "set",
            "rule": rule.name,
            "off": off,
            "title": f"rule {rule.name} is {'off' if off else 'on'}",
        }
        await append(sql, [entry("alert", integration=rule.integration, data=facts)])


async def delete_rule(database: Database, rule: Rule) -> None:
    """One that comes with the product is afterwards as it came."""
    async with database.transaction() as sql:
        await alert_rules.delete_rule(sql, rule.name, rule.integration)
        what = "as it came" if comes_with_the_product(rule) else "deleted"
        facts = {"event": "deleted", "rule": rule.name, "was": rule.as_json(), "title": f"rule {rule.name} is {what}"}
        await append(sql, [entry("alert", integration=rule.integration, data=facts)])


def comes_with_the_product(rule: Rule) -> bool:
    """Whether there is one of that name without anybody setting it."""
    return rule.integration == 0 and any(each.name == rule.name for each in DEFAULTS)


def is_as_it_came(rule: Rule) -> bool:
    """Whether nobody has changed it."""
    return replace(rule, muted_until=None) in DEFAULTS


async def save_channel(database: Database, vault: Vault, asked: ChannelAsked, *, new: bool) -> Channel:
    """A new channel, or one of that name changed. Its address goes to the vault and comes back to nobody. Raises
    `Refused`."""
    name, address = asked.name.strip(), asked.address.strip()
    known = (await setup(database)).channels
    if not 0 < len(name) <= 60:
        raise Refused("Give the channel a name of 1 to 60 characters.")
    if new and name in known:
        raise Refused(f"There is a channel {name} already: change it, or choose another name.")
    if not new and name not in known:
        raise Refused(f"There is no channel {name}. Somebody may have deleted it meanwhile.")
    if new and not address:
        raise Refused("Give the address that messages go to.")
    channel = Channel(name, _quiet(asked), asked.allow_private)
    try:
        if address:
            await alert_channels.set_address(database, vault, channel, address)
        else:
            async with database.transaction() as sql:
                await alert_rules.save_channel(sql, channel)
    except RuleError as error:
        raise Refused(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    facts = {
        "event": "set", "channel": name, "address": "new" if address else "as it was",
        "quiet": channel.quiet.as_json() if channel.quiet else None, "allow_private": channel.allow_private,
        "title": f"channel {name} is {'new' if new else 'changed'}",
    }  # fmt: skip
    await _tell(database, facts)
    return channel


async def delete_channel(database: Database, vault: Vault, name: str) -> None:
    """The channel and its address are gone. Raises `Refused` where a rule tells nobody else: it would be silent."""
    found = await setup(database)
    if name not in found.channels:
        raise Refused(f"There is no channel {name}.")
    tells = [rule.name for rule in found.rules if name in rule.channels]
    if tells:
        raise Refused(f"{', '.join(tells)} {'tells' if len(tells) == 1 else 'tell'} {name}: change that first.")
    await alert_channels.remove(database, vault, name)
    await _tell(database, {"event": "deleted", "channel": name, "title": f"channel {name} is deleted"})


async def endings(vault: Vault, channels: Sequence[str]) -> Mapping[str, str]:
    """Channel -> the last characters of its address, to tell it by; empty where it is too short to show any."""
    found: dict[str, str] = {}
    for name in channels:
        try:
            address = await alert_channels.address(vault, name)
        except UnknownSecret:
            continue
        found[name] = address[-SHOWN_CHARACTERS:] if len(address) >= SHOWN_FROM else ""
    return found


async def _tell(database: Database, facts: Mapping[str, object]) -> None:
    async with database.transaction() as sql:
        await append(sql, [entry("alert", integration=alert_channels.INSTALLATION, data=dict(facts))])


def _places(found: Setup) -> set[tuple[str, int]]:
    return {(each.name, each.integration) for each in found.rules}


def _rule(asked: Asked, integrations: Mapping[str, int], flows: Sequence[str], was: Rule | None) -> Rule:
    shape = SHAPES.get(asked.kind)
    if shape is None:
        raise Refused("Choose what the rule looks at.")
    if asked.of and asked.of not in integrations:
        raise Refused("There is no such integration.")
    if asked.flow and asked.flow not in flows:
        raise Refused("There is no such flow.")
    over = seconds_of(asked.over) if shape.unit == "time" else _number(asked.over) if shape.unit else None
    if shape.unit and over is None and not shape.usual:
        raise Refused("Give the sum above which somebody is told.")
    content = {
        "kind": asked.kind, "over": over, "for_s": seconds_of(asked.lasting) or 0, "channels": asked.channels,
        "flow": asked.flow if "{flow}" in shape.sentence else "", "urgent": asked.urgent,
        "off": was.off if was is not None else False,
    }  # fmt: skip
    try:
        return rule_from(asked.name.strip(), content, integrations[asked.of] if asked.of else 0)
    except RuleError as error:
        raise Refused(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


def _number(written: str) -> float | None:
    text = written.strip().replace(",", "").replace(" ", "")
    if not text:
        return None
    if not re.fullmatch(r"\d{1,12}(\.\d+)?", text):
        raise Refused(f"“{written[:40]}” is no number.")
    return float(text)


def _quiet(asked: ChannelAsked) -> Quiet | None:
    if not asked.start and not asked.end:
        return None
    try:
        return Quiet.read({"from": asked.start, "to": asked.end, "zone": asked.zone.strip() or "UTC"})
    except RuleError:
        words = "from 22:00 to 07:00, with a zone as Europe/Berlin; leave both hours empty for none"
        raise Refused(f"Write quiet hours as two different times of the day: {words}.") from None
