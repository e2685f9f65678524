"""What exactly would be booked? Choosing orders, planning them without posting, and applying what was shown."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from ml_connector.connectors.base import ChangePage, ReadsChart
from ml_connector.connectors.errors import ConnectorError, Throttled, Unauthorized
from ml_connector.desk import mapping
from ml_connector.desk.actions import Refused
from ml_connector.domain.access import Person
from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import Document, Documents, Excluded, Held, Kind
from ml_connector.engine import plans
from ml_connector.engine.access.tokens import tokens
from ml_connector.engine.actor import actor
from ml_connector.engine.database import Database
from ml_connector.engine.plans import FLOW, LARGEST, Act, New, Order, Paper
from ml_connector.engine.postings import LIVE, Posting
from ml_connector.engine.registry import Integration
from ml_connector.engine.standings import standings
from ml_connector.engine.views import record_list
from ml_connector.engine.views.record_list import Filter
from ml_connector.flows.context import Context
from ml_connector.flows.labels import order_label
from ml_connector.flows.preview import Preview, preview
from ml_connector.flows.runtime import Runtime
from ml_connector.reconcile.sources import zone_of

AT_ONCE = 50
"""Orders that the store is asked for in one go, as a run does."""

_NAMES_WITHIN_S = 10.0

LOOKED_THROUGH = 5_000
"""Orders of a window that are looked through for those of one status."""

STATUSES: Final = ("waiting", "held", "dead", "excluded", "synced")
By = Literal["ordered", "changed"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which orders. `orders`: numbers; or a window of the store's days, both included; or a status; or both of these.
    `backfill`: those from before the cut-over too. `drafted`: by the asker's own draft of mapping and policy."""

    orders: Sequence[str] = ()
    by: By = "ordered"
    first: date | None = None
    last: date | None = None
    status: str = ""
    backfill: bool = False
    drafted: bool = False


def numbers_in(typed: str) -> list[str]:
    """Order numbers as a person writes them: by blanks, commas or lines, with `#` or without. Raises `Refused`."""
    found = [part.removeprefix("#") for part in re.split(r"[\s,;]+", typed) if part]
    wrong = [part for part in found if not (part.isascii() and part.isdecimal() and len(part) <= 18)]
    if wrong:
        raise Refused(f"“{wrong[0]}” is no order number: digits only, by blanks or commas.")
    return list(dict.fromkeys(found))


async def make(runtime: Runtime, integration: int, asked: Asked) -> int:
    """Reads the orders from the store, plans them against the books and keeps the plan; its number. Nothing is sent.
    In the name of the actor. Raises `Refused`, also where the store or the ERP does not answer."""
    context = await runtime.context(integration, None)
    if asked.drafted:
        context = await _by_draft(context)
    try:
        keys, more = await _chosen(context, asked)
        previews = await previewed(context, keys, backfill=asked.backfill)
    except ConnectorError as error:
        raise Refused(_unread(context, error)) from error
    said = words(asked, len(keys), more=more)
    return await keep(context, previews, said, backfill=asked.backfill, drafted=asked.drafted)


async def _by_draft(context: Context) -> Context:
    """With mapping and policy as the actor has drafted them."""
    opened = await mapping.opened(context.database, context.integration, actor.get())
    if opened.draft is None:
        raise Refused("You have no draft. Change something in Mapping and policy first, then plan by it.")
    if opened.outdated:
        raise Refused("Somebody has saved another version since your draft began. Look at your draft first.")
    tables, policy = await mapping.drafted(context.database, context.integration, actor.get())
    return replace(context, mapping=tables, policy=policy)


async def previewed(context: Context, keys: Sequence[str], *, backfill: bool) -> list[Preview]:
    """In parts that the store is asked for together. Raises `ConnectorError`."""
    found: list[Preview] = []
    for start in range(0, len(keys), AT_ONCE):
        found += await preview(context, keys[start : start + AT_ONCE], assume_backfilled=backfill)
    return found


async def keep(
    context: Context, previews: Sequence[Preview], asked: str, *, backfill: bool, drafted: bool = False
) -> int:
    """The number of the plan that says what `previews` do. Raises `Refused` for too many orders."""
    if len(previews) > LARGEST:
        raise Refused(f"A plan takes {LARGEST} orders at most; choose fewer of the {len(previews):,}.")
    versions = (context.mapping.version, context.policy.version)
    orders = [_order(each) for each in previews]
    names = await _names(context, orders)
    made = New(context.integration.id, asked, backfill, *versions, orders, drafted=drafted, names=names)
    return await plans.keep(context.database, made)


async def apply(database: Database, integration: Integration, plan: int, person: Person, *, comment: str = "") -> bool:
    """Approves what the plan shows; workers post exactly that. False: it was applied before, and nothing has changed.
    Raises `Refused`."""
    async with database.connect() as sql:
        found = await plans.read(sql, integration.id, plan)
    if found is None:
        raise Refused(f"There is no plan {plan}: it was made more than {plans.KEPT_DAYS} days ago, or never.")
    if found.applied_at is not None:
        return False
    if found.drafted:
        raise Refused("This plan is by a draft. Save the draft in Mapping and policy, then make the plan again.")
    if not found.counts["to_post"]:
        raise Refused("Nothing of this plan would be posted: everything is right already, held or left out.")
    if integration.second_person and await _human(database, found.made_by) == await _human(database, person.who):
        raise Refused("You made this plan, and here a second person applies it: ask somebody who may apply plans.")
    return await plans.apply(database, integration.id, plan, comment=comment) is not None


async def _human(database: Database, who: str) -> str:
    """Whoever stands behind an actor: of a token, the user who made it."""
    kind, _, name = who.partition(":")
    if kind == "token":
        return next((f"user:{each.maker}" for each in await tokens(database) if each.name == name), who)
    return who


# ------------------------------------------------------------------ choosing


async def _chosen(context: Context, asked: Asked) -> tuple[list[str], bool]:
    """Keys of the orders, `LARGEST` at most, and whether there are more. Raises `Refused`, `ConnectorError`."""
    if asked.orders:
        keys = list(dict.fromkeys(asked.orders))
        if len(keys) > LARGEST:
            raise Refused(f"A plan takes {LARGEST} orders at most; these are {len(keys):,}.")
        return keys, False
    cut = False
    if asked.first is None and asked.last is None:
        if not asked.status:
            raise Refused("Say which orders: their numbers, days, or a status.")
        filter = Filter((context.integration.id,), flow=FLOW, status=asked.status)
        async with context.database.connect() as sql:
            named = await record_list.keys(sql, filter, limit=LARGEST + 1)
        keys = [key for _, _, key in named]
    else:
        keys, cut = await _of_days(context, asked)
    if not keys:
        raise Refused("No order is like that. Choose other days, or another status.")
    return keys[:LARGEST], cut or len(keys) > LARGEST


async def _of_days(context: Context, asked: Asked) -> tuple[list[str], bool]:
    """What the store itself has of those days, whether we have heard of it or not; and whether there are more than were
    looked through."""
    first, last = asked.first or asked.last, asked.last or asked.first
    assert first is not None
    assert last is not None
    if last < first:
        raise Refused("The last day is before the first.")
    zone = await zone_of(context)
    begin = datetime.combine(first, time(), zone)
    end = datetime.combine(last + timedelta(days=1), time(), zone) - timedelta(seconds=1)
    pages: AsyncIterator[ChangePage]
    if asked.by == "changed":
        pages = context.orders.changed_orders(begin)
    else:
        pages = context.orders.orders_created(begin, end)
    found: dict[str, None] = {}
    enough = LOOKED_THROUGH if asked.status else LARGEST
    async for page in pages:
        inside = [each.key for each in page.changes if each.stamp is None or each.stamp <= end]
        found |= dict.fromkeys(inside)
        late = asked.by == "changed" and any(each.stamp is not None and each.stamp > end for each in page.changes)
        if late or len(found) > enough:
            break
    keys = list(found)
    if not asked.status:
        return keys, False
    async with context.database.connect() as sql:
        rows = await standings(sql, context.integration.id, FLOW, keys)
    mine = {row.key for row in rows if row.status == asked.status}
    return [key for key in keys if key in mine], len(found) > enough


def words(asked: Asked, count: int, *, more: bool = False) -> str:
    """How the orders were chosen, for the heading."""
    if asked.orders:
        shown = ", ".join(asked.orders[:3])
        said = f"Order {shown}" if count == 1 else f"Orders {shown}{f' and {count - 3} more' if count > 3 else ''}"
    else:
        status = f"{asked.status} " if asked.status else ""
        said = f"{status}orders".capitalize()
        first, last = asked.first or asked.last, asked.last or asked.first
        if first is not None and last is not None:
            days = _day(first) if first == last else f"{_day(first)} to {_day(last)}"
            said += f" {asked.by} {'on' if first == last else 'from'} {days}"
    said += f", the first {count} of more" if more else ""
    said += ", also from before the cut-over" if asked.backfill else ""
    return said + (", by the draft of the mapping" if asked.drafted else "")


def _day(day: date) -> str:
    return f"{day:%b} {day.day}, {day.year}"


def _unread(context: Context, error: ConnectorError) -> str:
    """What was wanted, what was answered, what to do."""
    side = context.store if context.failed_connection(error) == context.store.id else context.erp
    if isinstance(error, Unauthorized):
        todo = f"Renew the credentials of {side.name}, then make the plan again."
    elif isinstance(error, Throttled):
        todo = "It asks for a pause: make the plan again in a minute, or with fewer orders."
    else:
        todo = f"Make the plan again when {side.name} answers."
    return f"The orders could not be read and planned. {side.name} said: “{error}”. {todo} Nothing was kept or sent."


# ------------------------------------------------------------------ what a preview says


async def _names(context: Context, orders: Sequence[Order]) -> dict[str, str]:
    """What the ERP calls the accounts of these documents. A plan says the same without them, so none where it does not
    answer."""
    reader = context.erp_connector
    if not isinstance(reader, ReadsChart):
        return {}
    try:
        async with asyncio.timeout(_NAMES_WITHIN_S):
            names = {each.number: each.name for each in await reader.accounts()}
    except (ConnectorError, TimeoutError):
        return {}
    papers = [paper for order in orders for paper in order.papers]
    used = {str(line["account"]) for paper in papers for line in paper.content["lines"]}
    return {account: names[account] for account in sorted(used) if account in names}


def _order(each: Preview) -> Order:
    bare = Order(each.key, each.key, "unknown", each.digest, message=f"The store does not know order {each.key}.")
    if each.snapshot is not None:
        label = order_label(each.key, each.snapshot)
        bare = replace(
            bare, title=label.title, party=label.party, total=label.total, currency=label.currency or "",
            uncertain=each.uncertain, message="",
        )  # fmt: skip
    match each.plan:
        case Documents(documents=documents):
            return replace(bare, outcome="documents", papers=[_paper(document, each.known) for document in documents])
        case Held() as held:
            return replace(bare, outcome="held", code=held.code.value, about=held.key, message=held.message)
        case Excluded() as excluded:
            return replace(bare, outcome="excluded", code=excluded.code.value, message=excluded.message)
        case None:
            return bare


def _paper(document: Document, known: Sequence[Posting]) -> Paper:
    rows: Mapping[str, Posting] = {row.name.written: row for row in known if row.state in LIVE}
    content = document_to_json(document)
    if document.already:
        row = rows.get(document.reference)
        return Paper("right", content, row.shown if row else "")
    if document.kind is Kind.REVERSAL:
        undone = rows.get(document.reverses)
        return Paper("reverse", content, stands=undone.shown if undone else document.reverses)
    act: Act = "update" if document.updates or document.is_update else "create"
    earlier = [row for row in rows.values() if row.name.reference == document.base_reference and row.is_entry]
    last = rows.get(document.updates) or max(earlier, key=lambda row: row.name.generation, default=None)
    if last is None:
        return Paper(act, content)
    return Paper(act, content, before=last.content, stands=last.shown)
