"""What is wrong just now, as rules ask for it. One question to the database per kind, answered by an index each.

A condition has the texts that a person gets: what was wanted, what the answer is, what to do. No personal data: names
of flows, connections and reasons, counts, sums, times; never what an order or an ERP's message says.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import checks
from ml_connector.engine.alert_rules import Rule
from ml_connector.engine.registry import Integration

QUIET_HOLDS = ("awaiting_capture", "status_held")
"""Holds that are the normal course of business: no alert counts them."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`integration` 0: the subject belongs to several (a connection), and is told of once."""

    rule: Rule
    integration: int
    subject: str
    title: str
    wanted: str
    answer: str
    do: str

    @property
    def body(self) -> str:
        return f"Wanted: {self.wanted}\nAnswer: {self.answer}\nDo: {self.do}"


LAGS = text("""
SELECT flow, extract(epoch FROM statement_timestamp() - min(heard_at))::float8 AS lag_s, count(*) AS n
  FROM (SELECT flow, heard_at, done_seq, seq FROM records
         WHERE integration = :integration AND run_at IS NOT NULL AND status = 'waiting'
        UNION ALL
        SELECT r.flow, r.heard_at, r.done_seq, r.seq FROM runs u, unnest(u.keys) k, records r
         WHERE u.integration = :integration AND r.integration = u.integration AND r.flow = u.flow AND r.key = k) open
 WHERE done_seq < seq AND flow NOT LIKE '%:%' GROUP BY flow
""")

# A deep queue that moves has a run; one that stands still has none.
STALLS = text("""
SELECT d.flow, d.due, extract(epoch FROM statement_timestamp() - d.since)::float8 AS still_s
  FROM (SELECT flow, count(*) AS due, min(run_at) AS since FROM records
         WHERE integration = :integration AND run_at <= statement_timestamp() AND status = 'waiting' GROUP BY flow) d
 WHERE NOT EXISTS (SELECT 1 FROM runs u WHERE u.integration = :integration AND u.flow = d.flow)
 ORDER BY d.flow
""")

HOLDS = text("""
SELECT hold_kind AS kind, count(*) AS n,
       extract(epoch FROM statement_timestamp() - min(heard_at))::float8 AS oldest_s
  FROM records WHERE integration = :integration AND hold_kind IS NOT NULL AND status = 'held'
   AND (:flow = '' OR flow = :flow) GROUP BY hold_kind ORDER BY hold_kind
""")

# Of every integration that uses the connection: each of them must come to the same answer.
REFUSED = text("""
SELECT c.name, count(*) AS n
  FROM connections c
  JOIN integrations g ON c.connection IN (g.store, g.erp)
  JOIN records r ON r.integration = g.integration AND r.hold_kind = 'connection' AND r.status = 'held'
                AND r.hold_key = c.connection::text
 WHERE c.connection IN (:store, :erp) GROUP BY c.name ORDER BY c.name
""")

DEAD = text("""
SELECT flow, count(*) AS n, (array_agg(key ORDER BY key))[1:5] AS keys FROM records
 WHERE integration = :integration AND status = 'dead' AND status NOT IN ('synced', 'excluded')
   AND (:flow = '' OR flow = :flow) GROUP BY flow ORDER BY flow
""")

BREAKERS = text("""
SELECT c.name, b.failures,
       extract(epoch FROM statement_timestamp() - coalesce(b.opened_at, b.changed_at))::float8 AS open_s
  FROM breakers b JOIN connections c USING (connection)
 WHERE b.connection IN (:store, :erp) AND b.state <> 'closed' ORDER BY c.name
""")

NIGHT = text("""
SELECT value -> 'last' AS last FROM watermarks WHERE integration = :integration AND flow = 'system:reconcile'
""")

CHAIN = text("""
SELECT w.integration, w.value #> '{seen,found}' AS found FROM watermarks w
 WHERE w.integration IN (0, :integration) AND w.flow = 'system:seal' ORDER BY w.integration
""")

UNSEALED = text("""
SELECT extract(epoch FROM statement_timestamp() - at)::float8 AS age_s FROM audit
 WHERE integration = :integration
   AND id > coalesce((SELECT max(upto_id) FROM audit_seals WHERE integration = :integration), -9223372036854775808)
 ORDER BY id LIMIT 1
""")

SUMS = text("""
SELECT l.currency, sum(l.total) AS total, count(*) AS n
  FROM records r JOIN labels l USING (integration, flow, key)
 WHERE r.integration = :integration AND r.hold_kind IS NOT NULL AND r.status = 'held' AND l.currency IS NOT NULL
   AND NOT (r.hold_kind = ANY(CAST(:quiet AS text[])))
 GROUP BY l.currency ORDER BY l.currency
""")

Look = Callable[[AsyncConnection, Integration, Rule], Awaitable[list[Condition]]]


def duration(seconds: float) -> str:
    """As a person says it: `21 s`, `4 min`, `3 h`, `2 d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


async def late(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    found: list[Condition] = []
    for row in await sql.execute(LAGS, {"integration": of.id}):
        budget = rule.over if rule.over is not None else float(of.latency_budget_s(row.flow))
        if row.lag_s > budget and rule.flow in ("", row.flow):
            found.append(
                Condition(
                    rule, of.id, row.flow,
                    f"{of.name}: {row.flow} are {duration(row.lag_s)} late, the budget is {duration(budget)}",
                    f"every change of {row.flow} in the other system within {duration(budget)}",
                    f"the oldest of {row.n} that are not done was heard of {duration(row.lag_s)} ago",
                    "look at the overview: an open breaker or a paced connection says why; else, does a worker run?",
                )
            )  # fmt: skip
    return found


async def stalled(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    over = rule.over if rule.over is not None else 900.0
    return [
        Condition(
            rule, of.id, row.flow, f"{of.name}: {row.flow} stand still for {duration(row.still_s)}",
            f"records of {row.flow} that are due are worked on",
            f"{row.due} are due, the oldest for {duration(row.still_s)}, and nobody works on them",
            "see that a worker runs and what its log says",
        )
        for row in await sql.execute(STALLS, {"integration": of.id})
        if row.still_s > over and rule.flow in ("", row.flow)
    ]  # fmt: skip


async def breaker(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    return [
        Condition(
            rule, 0, row.name, f"{row.name} does not answer",
            f"calls to {row.name}",
            f"{row.failures} failures in a row; calls rest since {duration(row.open_s)}",
            "look whether the system is up. Records wait as one and go by themselves; nothing is lost or sent twice",
        )
        for row in await sql.execute(BREAKERS, {"store": of.store, "erp": of.erp})
    ]  # fmt: skip


async def unauthorised(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    return [
        Condition(
            rule, 0, row.name, f"{row.name} refuses us",
            f"calls to {row.name} with its credentials",
            f"login, right or address refused; {row.n} records wait",
            f"`ml-connector ping {row.name}` says what is missing; renew the credentials. The records go afterwards",
        )
        for row in await sql.execute(REFUSED, {"store": of.store, "erp": of.erp})
    ]  # fmt: skip


async def dead(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    return [
        Condition(
            rule, of.id, row.flow, f"{of.name}: {row.n} of {row.flow} stopped their worker or our program",
            f"{row.flow} done, waiting or held for a reason",
            f"{row.n} given up: {', '.join(row.keys)}{' and more' if row.n > len(row.keys) else ''}",
            "`ml-connector status` has the errors; replay them when the cause is mended. Others are not delayed",
        )
        for row in await sql.execute(DEAD, {"integration": of.id, "flow": rule.flow})
        if row.n > (rule.over or 0)
    ]  # fmt: skip


async def holds_age(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    over = rule.over if rule.over is not None else 86_400.0
    return [
        _held(rule, of, row, f"{of.name}: held for {row.kind} for {duration(row.oldest_s)}")
        for row in await sql.execute(HOLDS, {"integration": of.id, "flow": rule.flow})
        if row.oldest_s > over and row.kind not in QUIET_HOLDS
    ]


async def holds_count(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    over = rule.over if rule.over is not None else 25.0
    return [
        _held(rule, of, row, f"{of.name}: {row.n} are held for {row.kind}")
        for row in await sql.execute(HOLDS, {"integration": of.id, "flow": rule.flow})
        if row.n > over and row.kind not in QUIET_HOLDS
    ]


def _held(rule: Rule, of: Integration, row: Any, title: str) -> Condition:
    return Condition(
        rule, of.id, row.kind, title, "every record done or decided on",
        f"{row.n} wait for {row.kind}, the oldest for {duration(row.oldest_s)}",
        f"decide on the page of holds, or see `ml-connector status` and what the operations guide says of {row.kind}",
    )  # fmt: skip


async def holds_sum(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    rows = await sql.execute(SUMS, {"integration": of.id, "quiet": list(QUIET_HOLDS)})
    return [
        Condition(
            rule, of.id, row.currency, f"{of.name}: {row.total:,.2f} {row.currency} are held",
            f"less than {rule.over or 0:,.0f} {row.currency} waiting for a decision",
            f"{row.n} held records add up to {row.total:,.2f} {row.currency}",
            "decide on the page of holds, largest sum first",
        )
        for row in rows
        if row.total > (rule.over or 0)
    ]  # fmt: skip


async def tie_out(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    night = (await sql.execute(NIGHT, {"integration": of.id})).scalar()
    if not night or night["ties"]:
        return []
    differ = {currency: amount for currency, amount in sorted(night["by_currency"].items()) if Decimal(amount)}
    sums = ", ".join(f"{amount} {currency}" for currency, amount in differ.items())
    return [
        Condition(
            rule, of.id, "tie-out", f"{of.name}: the books do not tie",
            "store, our postings and the ERP with the same documents and sums",
            f"the reconciliation of {night['at'][:16].replace('T', ' ')} UTC found a difference {sums}".rstrip(),
            f"Reconciliation in the console names the documents, and so does `ml-connector reconcile {of.name}`",
        )
    ]  # fmt: skip


async def audit_broken(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    return [
        Condition(
            rule, row.integration, "audit", "The audit was changed behind our back",
            "every row of the audit as it was sealed", str(row.found["message"]),
            "`ml-connector audit verify` names the rows; find out who can write to the database, and keep a copy of it",
        )
        for row in await sql.execute(CHAIN, {"integration": of.id})
        if row.found
    ]  # fmt: skip


async def audit_unsealed(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    age_s = (await sql.execute(UNSEALED, {"integration": of.id})).scalar()
    if age_s is None or age_s <= (rule.over if rule.over is not None else 900.0):
        return []
    return [
        Condition(
            rule, of.id, "audit", f"{of.name}: the audit is not being sealed",
            "every row of the audit sealed within minutes", f"the oldest that is not was written {duration(age_s)} ago",
            "see what the worker's log says of system:seal",
        )
    ]  # fmt: skip


async def check(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    last = await checks.last(sql, of.id)
    if last is None or last.ok:
        return []
    return [
        Condition(
            rule, of.id, "check", f"{of.name}: the synthetic check failed at {last.failed_step}",
            "a test order as a document in the ERP, and its number back in the store", last.error,
            f"`ml-connector check {of.name}` does it again and shows each step",
        )
    ]  # fmt: skip


LOOKS: Mapping[str, Look] = {
    "late": late, "stalled": stalled, "breaker": breaker, "unauthorised": unauthorised, "dead": dead,
    "holds_age": holds_age, "holds_count": holds_count, "holds_sum": holds_sum, "tie_out": tie_out,
    "audit_broken": audit_broken, "audit_unsealed": audit_unsealed, "check": check,
}  # fmt: skip


async def look(sql: AsyncConnection, of: Integration, rule: Rule) -> list[Condition]:
    """Everything that the rule finds wrong with the integration now."""
    return await LOOKS[rule.kind](sql, of, rule)
