"""What a draft would do: which waiting orders would be booked, and which booked ones would look otherwise today.

A bounded sample of real orders, planned twice: by what is stored and by the draft. Nothing is written. Booked orders
are planned as if nothing of them stood yet, because what stands is not changed by a mapping.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ml_connector.config.mapping import mapping_from
from ml_connector.config.policy import policy_from
from ml_connector.connectors.base import in_background
from ml_connector.connectors.errors import ConnectorError
from ml_connector.desk import wording
from ml_connector.desk.mapping import Opened
from ml_connector.desk.plan_papers import Shown, shown
from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import Document, Documents, Held, Kind, Plan
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine.plans import Paper
from ml_connector.engine.views import mapping as views
from ml_connector.engine.wishes import Wishes
from ml_connector.flows.context import Context
from ml_connector.flows.labels import order_label
from ml_connector.flows.order_plans import OrderPlans
from ml_connector.flows.runtime import Runtime

SAMPLE = 50
"""Booked orders, and waiting ones, that are looked at."""
AT_ONCE = 50
SHOWN = 10
"""Orders whose documents are shown."""


@dataclass(frozen=True, slots=True)
class Differs:
    """An order of which the draft makes something else. `before`, `after`: in words. `papers`: its documents that
    differ, the old lines beside the new."""

    key: str
    title: str
    party: str
    before: str
    after: str
    papers: Sequence[Shown] = ()
    would_go: bool = False


@dataclass(frozen=True, slots=True)
class Consequences:
    """`booked`, `waiting`: how many were looked at; `why`: in words where the orders could not be read."""

    booked: int = 0
    waiting: int = 0
    booked_differing: Sequence[Differs] = ()
    waiting_differing: Sequence[Differs] = ()
    amendment: str = ""
    why: str = ""

    @property
    def going(self) -> int:
        """Waiting orders that would be booked now."""
        return sum(1 for each in self.waiting_differing if each.would_go)


async def consequences(runtime: Runtime, known: Opened, erp: str, names: Mapping[str, str]) -> Consequences:
    """Reads the orders from the store with the lowest priority, and plans them. `erp`: what it is called; `names`: of
    its accounts."""
    integration = known.integration
    stored = await runtime.context(integration.id, None)
    drafted = replace(
        stored,
        mapping=mapping_from(known.drafted_mapping, version=integration.mapping_version),
        policy=replace(policy_from(known.drafted_policy), version=integration.policy_version),
    )
    async with runtime.database.connect() as sql:
        booked = await views.latest_orders(sql, integration.id, SAMPLE)
        waiting = await views.waiting_orders(sql, integration.id, SAMPLE)
    try:
        with in_background():
            snapshots = await _read(stored, [*booked, *(key for key in waiting if key not in set(booked))])
            first, second = _only(snapshots, booked), _only(snapshots, waiting)
            past = await _twice(_afresh(stored, first), _afresh(drafted, first), erp, names)
            plans = await OrderPlans.read(stored, second), await OrderPlans.read(drafted, second)
            now = await _twice(*plans, erp, names)
    except ConnectorError as error:
        side = stored.store if stored.failed_connection(error) == stored.store.id else stored.erp
        return Consequences(why=f"The orders could not be read and planned. {side.name} said: “{error}”.")
    return Consequences(len(first), len(second), past, now, drafted.policy.amendment)


def _afresh(context: Context, snapshots: Mapping[str, OrderSnapshot]) -> OrderPlans:
    """As if nothing were booked, every period open, and every order within the cut-over."""
    return OrderPlans(context, snapshots, {}, Wishes(), assume_backfilled=True)


async def _read(context: Context, keys: Sequence[str]) -> dict[str, OrderSnapshot]:
    found: dict[str, OrderSnapshot] = {}
    for start in range(0, len(keys), AT_ONCE):
        found.update(await context.orders.orders(keys[start : start + AT_ONCE]))
    return found


def _only(snapshots: Mapping[str, OrderSnapshot], keys: Sequence[str]) -> dict[str, OrderSnapshot]:
    return {key: snapshots[key] for key in keys if key in snapshots}


async def _twice(stored: OrderPlans, drafted: OrderPlans, erp: str, names: Mapping[str, str]) -> list[Differs]:
    before, after = await stored.all(), await drafted.all()
    found: list[Differs] = []
    for key, plan in after.items():
        old = before[key]
        if _content(old) == _content(plan):
            continue
        label = order_label(key, stored.snapshots[key])
        papers = tuple(_papers(old, plan, names)) if len(found) < SHOWN else ()
        goes = isinstance(plan, Documents) and not isinstance(old, Documents)
        found.append(Differs(key, label.title, label.party, _words(old, erp), _words(plan, erp), papers, goes))
    return found


def _content(plan: Plan) -> object:
    """What makes two plans the same before a person: documents with their texts and dates, or the same reason."""
    if isinstance(plan, Documents):
        return [(each.reference, each.fingerprint, each.posting_date, _texts(each)) for each in plan.documents]
    return (plan.code, plan.key if isinstance(plan, Held) else "")


def _texts(document: Document) -> list[str]:
    return sorted(line.text for line in document.lines)


def _words(plan: Plan, erp: str) -> str:
    if isinstance(plan, Documents):
        count = sum(1 for each in plan.documents if each.kind is not Kind.CUSTOMER)
        return f"{count} {'document' if count == 1 else 'documents'}"
    if isinstance(plan, Held):
        return f"Held: {wording.title(plan.code.value, plan.key, erp)}"
    return f"Left out: {plan.message}"


def _papers(before: Plan, after: Plan, names: Mapping[str, str]) -> Iterator[Shown]:
    """Documents that differ, by what they are of: the reference without its generation."""
    old = {each.base_reference: each for each in before.documents} if isinstance(before, Documents) else {}
    new = {each.base_reference: each for each in after.documents} if isinstance(after, Documents) else {}
    for reference in {**new, **old}:
        paper = _paper(old.get(reference), new.get(reference))
        made = shown(paper, names) if paper is not None else None
        if made is not None:
            yield made


def _paper(before: Document | None, after: Document | None) -> Paper | None:
    if before is None:
        return Paper("create", document_to_json(after)) if after is not None else None
    if after is None:
        return Paper("reverse", document_to_json(before))
    if _content(Documents((before,))) == _content(Documents((after,))):
        return None
    return Paper("update", document_to_json(after), before=document_to_json(before))
