"""Plans as persons saw them: kept when they are made, applied at most once.

Applying is one transaction: the plan is marked as applied, the shown digests become approvals (`wishes`), the orders
are marked. A death in between leaves all of it or nothing, and who applies a second time changes nothing. What is
posted afterwards is the run's: an order whose plan has changed is held as `plan_changed`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import crash, records, wishes
from ml_connector.engine.actor import actor
from ml_connector.engine.audit import append, entry
from ml_connector.engine.database import Database, dump_json
from ml_connector.engine.records import Lane

FLOW = "orders"
LARGEST = 200
"""Orders of one plan: what a person can look through, and what the store can be asked for at once."""

KEPT_DAYS = 30
"""A plan that nobody applied goes when the next one is made after that many days."""

Outcome = Literal["documents", "held", "excluded", "unknown"]
Act = Literal["create", "update", "reverse", "right"]
ACTS: tuple[Act, ...] = ("create", "update", "reverse", "right")


@dataclass(frozen=True, slots=True)
class Paper:
    """A document of the plan. `content`: as it would be sent; `before`: what it takes the place of; `number`: the
    target's, where it stands there; `stands`: of what it takes the place of, or reverses."""

    act: Act
    content: Mapping[str, Any]
    number: str = ""
    before: Mapping[str, Any] | None = None
    stands: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a plan. `code`, `about`, `message`: why it is held or left out. `uncertain`: references whose outcome
    was not known. `total`: of the order, as the store has it."""

    key: str
    title: str
    outcome: Outcome
    digest: str
    party: str = ""
    total: Decimal | None = None
    currency: str = ""
    code: str = ""
    about: str = ""
    message: str = ""
    uncertain: Sequence[str] = ()
    papers: Sequence[Paper] = ()

    @property
    def news(self) -> Sequence[Paper]:
        """What would be posted."""
        return [paper for paper in self.papers if paper.act != "right"]


@dataclass(frozen=True, slots=True)
class Plan:
    """`asked`: how its orders were chosen, in words. `counts`: orders, to_post (orders of which something would be
    posted), held, excluded, unknown, and documents by act. `sums`: order totals of those to post, by currency.
    `names`: account -> what the target calls it.
    `drafted`: by a draft of mapping and policy, of which no version exists; it can never be applied."""

    integration: int
    id: int
    made_at: datetime
    made_by: str
    asked: str
    backfilled: bool
    drafted: bool
    mapping_version: int
    policy_version: int
    counts: Mapping[str, int]
    sums: Mapping[str, Decimal]
    names: Mapping[str, str]
    applied_at: datetime | None = None
    applied_by: str = ""
    comment: str = ""

    @property
    def documents(self) -> int:
        """That would be posted."""
        return sum(self.counts.get(act, 0) for act in ACTS if act != "right")


@dataclass(frozen=True, slots=True)
class New:
    """A plan that is to be kept."""

    integration: int
    asked: str
    backfilled: bool
    mapping_version: int
    policy_version: int
    orders: Sequence[Order] = field(default_factory=list[Order])
    drafted: bool = False
    names: Mapping[str, str] = field(default_factory=dict[str, str])


_ADD = text("""
INSERT INTO plans (integration, made_by, asked, backfilled, drafted, mapping_version, policy_version, counts, sums,
                   names)
VALUES (:integration, :made_by, :asked, :backfilled, :drafted, :mapping_version, :policy_version,
        CAST(:counts AS jsonb), CAST(:sums AS jsonb), CAST(:names AS jsonb)) RETURNING plan
""")
_ADD_ORDERS = text("""
INSERT INTO plan_orders (integration, plan, key, place, title, party, total, currency, outcome, code, about, message,
                         digest, uncertain, documents)
SELECT :integration, :plan, o.key, o.place, o.title, o.party, o.total, nullif(o.currency, ''), o.outcome, o.code,
       o.about, o.message, o.digest, o.uncertain, o.documents
  FROM jsonb_to_recordset(CAST(:orders AS jsonb)) AS o(key text, place int, title text, party text, total numeric,
       currency text, outcome text, code text, about text, message text, digest text, uncertain jsonb, documents jsonb)
""")
_FORGET = text("""
WITH old AS (DELETE FROM plans WHERE integration = :integration AND applied_at IS NULL
                AND made_at < statement_timestamp() - :days * interval '1 day' RETURNING plan)
DELETE FROM plan_orders o USING old WHERE o.integration = :integration AND o.plan = old.plan
""")
_COLUMNS = """
integration, plan, made_at, made_by, asked, backfilled, drafted, mapping_version, policy_version, counts, sums,
names, applied_at, coalesce(applied_by, '') AS applied_by, coalesce(comment, '') AS comment
"""
_ONE = text(f"SELECT {_COLUMNS} FROM plans WHERE integration = :integration AND plan = :plan")  # noqa: S608
_LIST = text(f"""
SELECT s.* FROM unnest(CAST(:integrations AS int[])) AS i(id), LATERAL (
  SELECT {_COLUMNS} FROM plans WHERE integration = i.id AND (:after = 0 OR plan < :after)
   ORDER BY plan DESC LIMIT :limit) s
 ORDER BY s.plan DESC LIMIT :limit
""")  # noqa: S608 - our own columns
_ORDERS = text("""
SELECT key, title, party, total, coalesce(currency, '') AS currency, outcome, code, about, message, digest, uncertain,
       documents
  FROM plan_orders WHERE integration = :integration AND plan = :plan ORDER BY place
""")
_APPLY = text("""
UPDATE plans SET applied_at = statement_timestamp(), applied_by = :by, comment = :comment
 WHERE integration = :integration AND plan = :plan AND applied_at IS NULL AND NOT drafted RETURNING backfilled
""")
_TO_POST = text("""
SELECT key, digest FROM plan_orders WHERE integration = :integration AND plan = :plan AND outcome = 'documents'
   AND EXISTS (SELECT FROM jsonb_array_elements(documents) d WHERE d ->> 'act' <> 'right') ORDER BY key
""")


async def keep(database: Database, made: New) -> int:
    """The number of the plan. In the name of the actor. Raises `ValueError` above `LARGEST` orders."""
    if len(made.orders) > LARGEST:
        raise ValueError(f"{len(made.orders)} orders in one plan; at most {LARGEST}")
    async with database.transaction() as connection:
        await connection.execute(_FORGET, {"integration": made.integration, "days": KEPT_DAYS})
        counts, sums = counts_of(made.orders), sums_of(made.orders)
        parameters = {
            "integration": made.integration, "made_by": actor.get(), "asked": made.asked,
            "backfilled": made.backfilled, "drafted": made.drafted, "mapping_version": made.mapping_version,
            "policy_version": made.policy_version, "counts": dump_json(counts), "sums": dump_json(sums),
            "names": dump_json(dict(made.names)),
        }  # fmt: skip
        plan = int((await connection.execute(_ADD, parameters)).scalar_one())
        rows = dump_json([_row(place, order) for place, order in enumerate(made.orders)])
        stored = rows.replace("\\u0000", "\\ufffd")  # jsonb cannot hold NUL
        await connection.execute(_ADD_ORDERS, {"integration": made.integration, "plan": plan, "orders": stored})
        told = {"plan": plan, "event": "made", "by": actor.get(), "asked": made.asked, **counts}
        await append(connection, [entry("plan", integration=made.integration, flow=FLOW, data=told)])
    return plan


async def read(connection: AsyncConnection, integration: int, plan: int) -> Plan | None:
    """None: there is none of that number."""
    row = (await connection.execute(_ONE, {"integration": integration, "plan": plan})).mappings().one_or_none()
    return _plan(row) if row is not None else None


async def orders_of(connection: AsyncConnection, integration: int, plan: int) -> list[Order]:
    """In the order in which they were chosen."""
    rows = await connection.execute(_ORDERS, {"integration": integration, "plan": plan})
    return [_order(row) for row in rows.mappings()]


async def latest(
    connection: AsyncConnection, integrations: Collection[int], *, after: int = 0, limit: int = 20
) -> list[Plan]:
    """Newest first. `after`: the last number of the page before."""
    parameters = {"integrations": sorted(integrations), "after": after, "limit": limit}
    return [_plan(row) for row in (await connection.execute(_LIST, parameters)).mappings()]


async def apply(database: Database, integration: int, plan: int, *, comment: str = "") -> list[str] | None:
    """Approves what the plan shows and marks its orders; their keys. None: it is not there, or was applied before, and
    nothing has changed. In the name of the actor."""
    async with database.transaction() as connection:
        parameters = {"integration": integration, "plan": plan, "by": actor.get(), "comment": comment or None}
        row = (await connection.execute(_APPLY, parameters)).one_or_none()
        if row is None:
            return None
        digests = {
            each.key: each.digest
            for each in await connection.execute(_TO_POST, {"integration": integration, "plan": plan})
        }
        await _approve(connection, integration, digests, backfill=bool(row.backfilled))
        told = {"plan": plan, "event": "applied", "by": actor.get(), "comment": comment, "orders": len(digests)}
        await append(
            connection,
            [
                entry("plan", integration=integration, flow=FLOW, data=told),
                *(entry("replayed", integration=integration, flow=FLOW, key=key,
                        data={"by": actor.get(), "why": f"plan {plan} was applied"}) for key in sorted(digests)),
            ],
        )  # fmt: skip
        await crash.point("approve.commit.b", str(plan))
    await crash.point("approve.commit.a", str(plan))
    async with database.connect() as connection:
        await records.notify(connection, [Lane(integration, FLOW)])
    return sorted(digests)


async def _approve(
    connection: AsyncConnection, integration: int, digests: Mapping[str, str], *, backfill: bool
) -> None:
    """What was shown is what is wanted, also of orders that nobody has heard of yet, or that were given up."""
    author = actor.get()
    if backfill:  # or the worker would plan them as older than the cut-over, which is not what was approved
        await wishes.wish(connection, integration, FLOW, "backfill", digests, author=author)
    await wishes.wish(connection, integration, FLOW, "approve", digests, digests=digests, author=author)
    await records.mark(connection, integration, FLOW, sorted(digests))
    await records.replay(connection, integration, FLOW, digests)


# ------------------------------------------------------------------ figures and rows


def counts_of(orders: Sequence[Order]) -> dict[str, int]:
    """See `Plan.counts`. A customer that several orders need is one document."""
    counts: dict[str, int] = dict.fromkeys(("orders", "to_post", "held", "excluded", "unknown", *ACTS), 0)
    seen: set[str] = set()
    for order in orders:
        counts["orders"] += 1
        counts["to_post"] += bool(order.news)
        if order.outcome != "documents":
            counts[order.outcome] += 1
        for paper in order.papers:
            counts[paper.act] += paper.content["reference"] not in seen
            seen.add(paper.content["reference"])
    return counts


def sums_of(orders: Sequence[Order]) -> dict[str, Decimal]:
    """See `Plan.sums`."""
    sums: dict[str, Decimal] = {}
    for order in orders:
        if order.news and order.total is not None:
            sums[order.currency] = sums.get(order.currency, Decimal(0)) + order.total
    return sums


def _row(place: int, order: Order) -> dict[str, Any]:
    return {
        "key": order.key, "place": place, "title": order.title, "party": order.party,
        "total": order.total, "currency": order.currency, "outcome": order.outcome, "code": order.code,
        "about": order.about, "message": order.message, "digest": order.digest, "uncertain": list(order.uncertain),
        "documents": [
            {"act": paper.act, "content": paper.content, "number": paper.number, "before": paper.before,
             "stands": paper.stands}
            for paper in order.papers
        ],
    }  # fmt: skip


def _plan(row: Mapping[Any, Any]) -> Plan:
    facts = dict(row)
    sums = {currency: Decimal(value) for currency, value in facts.pop("sums").items()}
    return Plan(id=facts.pop("plan"), sums=sums, **facts)


def _order(row: Mapping[Any, Any]) -> Order:
    facts = dict(row)
    return Order(papers=[Paper(**each) for each in facts.pop("documents")], **facts)
