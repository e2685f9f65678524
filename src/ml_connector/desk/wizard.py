"""From nothing to a live integration in eight steps: what each does. Where somebody stands is what is stored: an
integration that is switched off until it goes live, with notes of what was looked at (`set_up`)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from ml_connector.config.apply import Applied
from ml_connector.config.edit import Edit, save
from ml_connector.config.file import NAME
from ml_connector.config.policy import TAG_PATTERN
from ml_connector.config.problems import ConfigError
from ml_connector.connectors.base import (
    Connector,
    Hook,
    KnowsItself,
    LedgerAccount,
    ReadsChart,
    ReadsCustomers,
    ReadsDeliveries,
    ReadsOrders,
    ReadsStock,
    ReceivesWebhooks,
    SetsUp,
    SetupStep,
    System,
    TellsHooks,
    WritesShipments,
    WritesStock,
)
from ml_connector.connectors.errors import ConnectorError
from ml_connector.connectors.systems import systems
from ml_connector.desk import first_mapping
from ml_connector.desk.actions import Refused
from ml_connector.desk.set_up import NOTES, SetUp
from ml_connector.domain.documents import Kind
from ml_connector.engine import watermarks
from ml_connector.engine.actor import actor
from ml_connector.engine.audit import append, entry
from ml_connector.engine.registry import Connection
from ml_connector.engine.views import connections as views
from ml_connector.flows.pinging import ping
from ml_connector.flows.runtime import Runtime
from ml_connector.flows.trying import Tried, try_last

COUNTED: Final = 1000
FLOWS: Final[Mapping[str, str]] = {
    "orders": "Each order becomes a document in the ERP, with its payments and refunds.",
    "customers": "New and changed customers of the store become customers of the ERP, also those who never ordered.",
    "stock": "What the warehouse has free is shown in the store.",
    "shipments": "Deliveries of the ERP become shipments in the store, with their tracking numbers.",
}


def choices(side: str) -> list[System]:
    """Installed systems of that side, by title."""
    return sorted((each for each in systems().values() if each.side == side), key=lambda each: each.title)


async def free_name(runtime: Runtime, wanted: str) -> str:
    """`wanted`, or with a number behind it."""
    taken = {each.name for each in await runtime.registry.connections()}
    return next(name for n in range(1, 1000) if (name := wanted if n == 1 else f"{wanted}-{n}") not in taken)


# ---------------------------------------------------------------------- store and ERP


async def join(runtime: Runtime, store: str, erp: str, name: str, style: str = "") -> Edit:
    """The change that makes an integration of two connections, switched off. `style`: of the ERP's documents, where it
    is not connected yet. Raises `Refused`."""
    known = await runtime.registry.integrations(active=False)
    if not re.fullmatch(NAME, name):
        raise Refused("The name of the two together has lower-case letters, digits and hyphens, e.g. us-store.")
    if any(each.name == name for each in known):
        raise Refused(f"There is an integration {name} already, or was: choose another name.")
    tag = _free_tag({each.tag for each in known})
    known_erp = next((each for each in await runtime.registry.connections() if each.name == erp), None)
    if known_erp is not None and known_erp.system in systems():
        style = systems()[known_erp.system].style

    def edit(data: dict[str, Any]) -> None:
        data["integrations"][name] = {
            "store": store,
            "erp": erp,
            "active": False,
            "flows": {"orders": {}},
            # So that nothing of the past is taken up; going live asks for the day.
            "policy": {"reference.tag": tag, "posting.cut_over": _tomorrow().isoformat()},
            "mapping": {"items_match": "sku"} if style == "sales" else {},
        }

    return edit


async def make(runtime: Runtime, edit: Edit) -> Applied:
    """Raises `Refused` with what is wrong."""
    try:
        return await save(runtime.database, runtime.vault, edit, author=actor.get())
    except ConfigError as error:
        raise Refused(in_words(error)) from None


def in_words(error: ConfigError) -> str:
    """What is wrong, without the names of places in a file that nobody wrote."""
    return " ".join(f"{_last(problem.path)}: {problem.message}." for problem in error.problems)


# ---------------------------------------------------------------------- check


async def check(runtime: Runtime, found: SetUp) -> None:
    """Asks both systems everything, and keeps what they said."""
    checks = {
        each.name: [asdict(one) for one in (await ping(runtime, each, active=False)).checks]
        for each in (found.store, found.erp)
    }
    steps = {each.name: [asdict(one) for one in await _steps(runtime, each)] for each in (found.store, found.erp)}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    await _note(runtime, found, checked={"at": at, "checks": checks, "steps": steps})


async def make_steps(runtime: Runtime, found: SetUp) -> Sequence[str]:
    """Makes in the systems what documents need there; what was made. Raises `Refused`."""
    done: list[str] = []
    for connection in (found.store, found.erp):
        connector = await _connector(runtime, connection)
        if not isinstance(connector, SetsUp):
            continue
        try:
            wanted = [step for step in await connector.plan_setup() if step.needed and not step.done]
            done += [step.description for step in await connector.set_up(wanted) if step.done]
        except ConnectorError as error:
            raise Refused(str(error)) from None
        finally:
            told = {"by": actor.get(), "changes": [f"{connection.name}: made {words}" for words in done]}
            async with runtime.database.transaction() as sql:
                await append(sql, [entry("config", integration=0, connection=connection.id, data=told)])
    return done


async def _steps(runtime: Runtime, connection: Connection) -> Sequence[SetupStep]:
    connector = await _connector(runtime, connection)
    if not isinstance(connector, SetsUp):
        return ()
    try:
        return await connector.plan_setup()
    except ConnectorError:  # the checks say so
        return ()


async def _connector(runtime: Runtime, connection: Connection) -> Connector | None:
    try:
        return await runtime.connector(connection)
    except ValueError:
        return None


# ---------------------------------------------------------------------- webhooks


@dataclass(frozen=True, slots=True)
class Hooks:
    """`offered`: the store delivers webhooks at all. `known`: those that point at our address. `why`: they could not be
    read."""

    offered: bool
    address: str
    known: Sequence[Hook]
    last: datetime | None
    why: str = ""


async def hooks(runtime: Runtime, found: SetUp) -> Hooks:
    """What is registered at our address, and when the last delivery came."""
    connector = await _connector(runtime, found.store)
    known: Sequence[Hook] = ()
    why = ""
    if isinstance(connector, TellsHooks):
        try:
            known = [each for each in await connector.hooks() if each.destination == found.integration.webhook_url]
        except ConnectorError as error:
            why = str(error)
    async with runtime.database.connect() as sql:
        last = (await views.last_deliveries(sql)).get(found.store.id)
    offered = isinstance(connector, ReceivesWebhooks)
    return Hooks(offered, found.integration.webhook_url, known, last, why)


async def set_address(runtime: Runtime, found: SetUp, address: str) -> None:
    """Where the store delivers; empty: polls find everything. Raises `Refused`."""

    def edit(data: dict[str, Any]) -> None:
        mine = data["integrations"][found.name]
        mine.pop("webhook_url", None)
        if address.strip():
            mine["webhook_url"] = address.strip()

    await make(runtime, edit)
    await _note(runtime, found, webhooks=True)


async def register(runtime: Runtime, found: SetUp) -> Sequence[str]:
    """Makes the hooks of a live integration exist now, rather than within minutes; what was changed. Raises
    `Refused`."""
    connector = await _connector(runtime, found.store)
    address = found.integration.webhook_url
    if not address or not isinstance(connector, ReceivesWebhooks):
        return ()
    try:
        changed = await connector.ensure_hooks(address)
    except ConnectorError as error:
        raise Refused(f"The webhooks could not be registered: {error}. Polls find everything meanwhile.") from None
    if changed:
        async with runtime.database.transaction() as sql:
            told = {"webhooks": list(changed), "by": actor.get()}
            await append(sql, [entry("config", integration=found.integration.id, data=told)])
    return changed


# ---------------------------------------------------------------------- flows


@dataclass(frozen=True, slots=True)
class FlowChoice:
    """`why_not`: in words, where the two systems cannot do it."""

    name: str
    words: str
    on: bool
    why_not: str = ""


async def flow_choices(runtime: Runtime, found: SetUp) -> list[FlowChoice]:
    """All flows that there are."""
    store, erp = await _connector(runtime, found.store), await _connector(runtime, found.erp)
    kinds = systems()[found.erp.system].kinds(found.erp.settings)
    able = {
        "orders": isinstance(store, ReadsOrders),
        "customers": isinstance(store, ReadsCustomers) and Kind.CUSTOMER in kinds,
        "stock": isinstance(store, WritesStock) and isinstance(erp, ReadsStock),
        "shipments": isinstance(store, WritesShipments) and isinstance(erp, ReadsDeliveries),
    }
    told = found.integration.flows
    return [
        FlowChoice(name, words, name in told and told[name].enabled, "" if able[name] else "These two cannot do it.")
        for name, words in FLOWS.items()
    ]  # fmt: skip


async def choose_flows(runtime: Runtime, found: SetUp, wanted: Sequence[str]) -> None:
    """Raises `Refused`."""
    possible = {each.name for each in await flow_choices(runtime, found) if not each.why_not}
    chosen = [name for name in FLOWS if name in wanted and name in possible]
    if not chosen:
        raise Refused("Choose at least one flow.")

    def edit(data: dict[str, Any]) -> None:
        before = data["integrations"][found.name].get("flows", {})
        data["integrations"][found.name]["flows"] = {name: {**before.get(name, {}), "enabled": True} for name in chosen}

    await make(runtime, edit)
    await _note(runtime, found, flows=True)


# ---------------------------------------------------------------------- first accounts and dry run


async def chart(runtime: Runtime, found: SetUp) -> Sequence[LedgerAccount]:
    """The ERP's accounts; empty where it tells none. Raises `ConnectorError`."""
    connector = await _connector(runtime, found.erp)
    return await connector.accounts() if isinstance(connector, ReadsChart) else ()


async def save_accounts(runtime: Runtime, found: SetUp, answers: Mapping[str, str]) -> None:
    """A new version of the mapping with the answers in it. Raises `Refused`."""
    missing = found.tried.missing if found.tried else ()

    def edit(data: dict[str, Any]) -> None:
        mine = data["integrations"][found.name]
        mine["mapping"] = dict(mine.get("mapping") or {})
        mine["policy"] = dict(mine["policy"])
        problems = first_mapping.write(mine["mapping"], mine["policy"], answers, missing)
        if problems:
            raise Refused(" ".join(problems))

    await make(runtime, edit)


async def dry_run(runtime: Runtime, found: SetUp) -> Tried:
    """Plans the youngest orders, and keeps what came out. Nothing is written anywhere else. Raises `Refused`."""
    try:
        context = await runtime.context(found.integration.id, None)
        tried = await try_last(context)
    except (ConnectorError, ValueError) as error:
        raise Refused(f"The youngest orders could not be planned: {error}") from None
    await _note(runtime, found, tried=tried.as_json())
    return tried


# ---------------------------------------------------------------------- go live


@dataclass(frozen=True, slots=True)
class Launch:
    """What going live means. `orders`: placed since the first day began, they are booked at once; up to `COUNTED`.
    `before`: what still speaks against it, in words."""

    zone: str
    today: date
    cut_over: date
    tag: str
    orders: int
    before: Sequence[str]


async def launch(runtime: Runtime, found: SetUp, first_day: str = "") -> Launch:
    """As it would be now, from `first_day` on; from today on where it is none."""
    zone = await _zone(runtime, found)
    today = datetime.now(ZoneInfo(zone)).date()
    before: list[str] = []
    if found.checked_at is None:
        before.append("Both systems were not checked yet.")
    elif found.wrong:
        before.append(f"{found.wrong} of what both systems need is missing.")
    tried = found.tried
    if tried is None:
        before.append("No dry run was made.")
    elif tried.held_count:
        before.append(
            f"{tried.held_count} of the last {tried.orders} orders would be held. They wait until that is settled."
        )
    if tried is not None and tried.mapping_version != found.integration.mapping_version:
        before.append("The mapping has changed since the dry run.")
    stored = str(found.integration.policy.get("posting.cut_over") or "")
    cut_over = date.fromisoformat(stored) if found.integration.active and stored else _day(first_day) or today
    orders = 0 if found.integration.active else await _placed_since(runtime, found, cut_over, zone)
    return Launch(zone, today, cut_over, found.integration.tag, orders, before)


async def go_live(runtime: Runtime, found: SetUp, cut_over: str, tag: str) -> None:
    """From the next poll on orders are booked. Raises `Refused`."""
    day = _day(cut_over)
    if day is None:
        raise Refused("The day is written as 2026-11-22.")
    if not re.fullmatch(TAG_PATTERN, tag):
        raise Refused("The tag is a capital letter and one or two capital letters or digits, e.g. S1.")

    def edit(data: dict[str, Any]) -> None:
        mine = data["integrations"][found.name]
        mine["active"] = True
        mine["policy"] = {**mine["policy"], "posting.cut_over": day.isoformat(), "reference.tag": tag}

    await make(runtime, edit)


async def switch_off(runtime: Runtime, found: SetUp) -> None:
    """Nothing is read or booked any more; what was booked stays. Raises `Refused`."""

    def edit(data: dict[str, Any]) -> None:
        data["integrations"][found.name]["active"] = False

    await make(runtime, edit)


async def _placed_since(runtime: Runtime, found: SetUp, day: date, zone: str) -> int:
    connector = await _connector(runtime, found.store)
    began, now = datetime.combine(day, time.min, ZoneInfo(zone)), datetime.now(UTC)
    count = 0
    if isinstance(connector, ReadsOrders) and began <= now:
        try:
            async for page in connector.orders_created(began, now):
                count += len(page.changes)
                if count >= COUNTED:
                    return COUNTED
        except ConnectorError as error:
            raise Refused(f"The orders since {day} could not be counted: {error}") from None
    return count


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written)
    except ValueError:
        return None


async def _zone(runtime: Runtime, found: SetUp) -> str:
    told = str(found.integration.policy.get("dates.time_zone") or "store")
    if told != "store":
        return told
    connector = await _connector(runtime, found.store)
    try:
        return await connector.time_zone() if isinstance(connector, KnowsItself) else "UTC"
    except ConnectorError:
        return "UTC"


# ---------------------------------------------------------------------- parts


async def _note(runtime: Runtime, found: SetUp, **notes: Any) -> None:
    async with runtime.database.transaction() as sql:
        await watermarks.note(sql, found.integration.id, NOTES, notes)


def _free_tag(taken: set[str]) -> str:
    names = (f"{letter}{digit}" for letter in "SWTABCDEFGH" for digit in range(1, 10))
    return next(name for name in names if name not in taken)


def _tomorrow() -> date:
    return (datetime.now(UTC) + timedelta(days=2)).date()


def _last(path: str) -> str:
    return path.rpartition(".")[2] if path else "configuration"
