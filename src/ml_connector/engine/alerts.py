"""Who is told, and when: each rule and subject is well, pending, firing or recovered, one row for all processes.

`step` compares what is wrong now with what the rows say, in one transaction that locks them: a change of state and the
messages that tell of it commit together, so that a restart neither forgets nor repeats one. Messages are rows too; a
channel that fails gets them again later (`alert_channels.py`).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import alert_rules
from ml_connector.engine.alert_conditions import Condition, duration, look
from ml_connector.engine.alert_rules import Rule, Setup
from ml_connector.engine.audit import append, entry
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Integration

LOCK = text("SELECT pg_advisory_xact_lock(1835823969)")
"""One step at a time, for rows that do not exist yet: it lasts some milliseconds, once a minute per integration."""

NOW = text("SELECT statement_timestamp()")

STATES = text("""
SELECT integration, rule, subject, state, since, fired_at, recovered_at, title, body FROM alert_states
 WHERE integration IN (0, :integration) ORDER BY integration, rule, subject FOR UPDATE
""")

ALL = text("""
SELECT integration, rule, subject, state, since, fired_at, recovered_at, title, body FROM alert_states
 ORDER BY state = 'firing' DESC, coalesce(recovered_at, fired_at, since) DESC LIMIT :limit
""")

PUT = text("""
INSERT INTO alert_states (integration, rule, subject, state, since, fired_at, recovered_at, title, body)
VALUES (:integration, :rule, :subject, :state, :since, :fired_at, NULL, :title, :body)
ON CONFLICT (integration, rule, subject) DO UPDATE
   SET state = excluded.state, since = excluded.since, fired_at = coalesce(excluded.fired_at, alert_states.fired_at),
       title = excluded.title, body = excluded.body
""")

RECOVER = text("""
UPDATE alert_states SET state = 'recovered', recovered_at = :now
 WHERE integration = :integration AND rule = :rule AND subject = :subject
""")

_THIS = "integration = :integration AND rule = :rule AND subject = :subject"
FORGET = text(f"DELETE FROM alert_states WHERE {_THIS} AND fired_at IS NULL")  # noqa: S608 - our own columns
CALM = text(f"UPDATE alert_states SET state = 'recovered' WHERE {_THIS}")  # noqa: S608 - our own columns
"""What was pending again after it had fired once and recovered."""
DROP = text(f"DELETE FROM alert_states WHERE {_THIS}")  # noqa: S608 - our own columns

CONNECTIONS = text("SELECT name FROM connections WHERE connection IN (:store, :erp)")

POST = text("""
INSERT INTO alert_messages (integration, channel, event, title, body, quiet, due_at)
VALUES (:integration, :channel, :event, :title, :body, :quiet, coalesce(:due_at, statement_timestamp()))
""")


@dataclass(frozen=True, slots=True)
class Alert:
    """What is or was wrong. `state`: `pending` (not long enough yet), `firing`, `recovered`."""

    integration: int
    rule: str
    subject: str
    state: str
    since: datetime
    fired_at: datetime | None
    recovered_at: datetime | None
    title: str
    body: str


async def alerts(db: Database, *, limit: int = 200) -> list[Alert]:
    """Firing ones first, then the latest."""
    async with db.connect() as sql:
        return [Alert(*row) for row in await sql.execute(ALL, {"limit": limit})]


async def step(db: Database, of: Integration) -> int:
    """Looks at everything that belongs to the integration and writes what has changed; how many messages."""
    async with db.transaction() as sql:
        await sql.execute(LOCK)
        setup = await alert_rules.read(sql)
        now: datetime = (await sql.execute(NOW)).scalar_one()
        rules = {rule.name: rule for rule in setup.rules_of(of.id)}
        wrong = [each for rule in rules.values() for each in await look(sql, of, rule)]
        kept = {
            (each.integration, each.rule, each.subject): each
            for each in [Alert(*row) for row in await sql.execute(STATES, {"integration": of.id})]
        }
        shared = {*(await sql.execute(CONNECTIONS, {"store": of.store, "erp": of.erp})).scalars(), "audit"}
        told = 0
        for each in wrong:
            told += await _wrong(
                sql, setup, each, kept.pop((each.integration, each.rule.name, each.subject), None), now
            )
        for was in kept.values():
            if was.integration == of.id or was.subject in shared:
                told += await _well(sql, setup, rules.get(was.rule), was, now)
    return told


async def _wrong(sql: AsyncConnection, setup: Setup, each: Condition, was: Alert | None, now: datetime) -> int:
    since = was.since if was is not None and was.state != "recovered" else now
    fires = (now - since).total_seconds() >= each.rule.for_s
    firing = was is not None and was.state == "firing"
    row = {
        "integration": each.integration, "rule": each.rule.name, "subject": each.subject, "since": since,
        "state": "firing" if fires else "pending", "fired_at": now if fires and not firing else None,
        "title": each.title, "body": each.body,
    }  # fmt: skip
    await sql.execute(PUT, row)
    if not fires or firing:
        return 0
    facts = {"event": "fired", "rule": each.rule.name, "subject": each.subject, "title": each.title}
    await append(sql, [entry("alert", integration=each.integration, data=facts)])
    return await _post(sql, setup, each.rule, each.integration, "fired", each.title, each.body, now)


async def _well(sql: AsyncConnection, setup: Setup, rule: Rule | None, was: Alert, now: datetime) -> int:
    """`rule` None: it is gone or off, and so is what it said, without a word."""
    key = {"integration": was.integration, "rule": was.rule, "subject": was.subject}
    if rule is None:
        await sql.execute(DROP, key)
        return 0
    if was.state == "recovered":
        return 0
    if was.state == "pending":
        await sql.execute(FORGET if was.fired_at is None else CALM, key)
        return 0
    await sql.execute(RECOVER, {**key, "now": now})
    facts = {"event": "recovered", "rule": was.rule, "subject": was.subject, "title": was.title}
    await append(sql, [entry("alert", integration=was.integration, data=facts)])
    lasted = duration((now - (was.fired_at or now)).total_seconds())
    title, body = f"Well again: {was.title}", f"It lasted {lasted}. Nothing to do."
    return await _post(sql, setup, rule, was.integration, "recovered", title, body, now)


async def _post(
    sql: AsyncConnection, setup: Setup, rule: Rule, integration: int, event: str, title: str, body: str, now: datetime
) -> int:
    if rule.muted_until is not None and rule.muted_until > now:
        return 0
    channels = setup.channels_of(rule)
    for channel in channels:
        until = channel.quiet.ends(now) if channel.quiet is not None and not rule.urgent else None
        message = {
            "integration": integration, "channel": channel.name, "event": event, "title": title, "body": body,
            "quiet": until is not None, "due_at": until,
        }  # fmt: skip
        await sql.execute(POST, message)
    return len(channels)
