"""`ml-connector demo`: the whole product against stand-ins of both systems, and the proof at the end.

Starts an embedded PostgreSQL, a sandbox store and a sandbox ERP, webhook intake and a worker as processes of their own,
places orders, lets webhooks and polls bring them in, edits and cancels some, and compares both sides over HTTP.
"""

import asyncio
import json
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML

from ml_connector.cli.demo_books import get, orders_of, post
from ml_connector.cli.demo_erps import ERPS, DemoErp
from ml_connector.cli.demo_live import go_on
from ml_connector.cli.demo_processes import Stop, ended, keep, said_by
from ml_connector.cli.demo_shipments import ShipmentTie, ship_some, tie_shipments
from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.opened import DATA, data_directory
from ml_connector.cli.output import JsonOption, Output, to_json
from ml_connector.cli.run import run
from ml_connector.config.mapping import mapping_from
from ml_connector.config.policy import policy_from
from ml_connector.connectors.base import StoredDocument
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.money import round_half_up
from ml_connector.domain.policy import Policy
from ml_connector.engine.embedded import DEFAULT_DIRECTORY, EmbeddedPostgres
from ml_connector.reconcile.names import SALE, Names
from ml_connector.reconcile.tie_out import TieOut, tie_out
from ml_connector.sandbox.process import Announced, SandboxProcess

EXAMPLES = Path(__file__).parents[1] / "config"
BEFORE_HOOKS = 12  # orders that only a poll can find: they are placed before any webhook is registered
SETTLE_S = 120.0
HOLDS_NO_STOCK = (0, 5, 6)  # incomplete, cancelled, declined
COUNTED_WRONG = 3  # pieces of everything that the store believes in at first
MOVED = {"PLATE": -40, "MUG-BLUE": 25, "TENT-2": -4990}  # what happens in the warehouse meanwhile
TIMING = {"p_s": 10.0, "t_s": 10.0, "l_s": 2.0, "v_s": 0.2, "s_s": 0.0}


@dataclass(frozen=True, slots=True)
class StockTie:
    """How many SKUs were compared; SKU -> what is wrong."""

    skus: int
    wrong: Mapping[str, str]


@dataclass(slots=True)
class Demo:
    """One running demo: where things are, and who works."""

    home: Path
    store: Announced
    erp: Announced
    kind: DemoErp
    policy: Policy
    tables: Tables
    environment: Mapping[str, str]
    out: Output
    console: str

    async def compare(self) -> TieOut:
        """Both sides as they are now, read over HTTP; what is held, and why, as the product says it."""
        snapshots, documents = await asyncio.gather(orders_of(self.store.control_url), self.documents())
        return tie_out(
            snapshots,
            documents,
            policy=self.policy,
            tables=self.tables,
            held=await self.held(),
            form=self.kind.form,
            sales_document=self.policy.sales_document if self.kind.is_sales else "",
        )

    async def documents(self) -> Sequence[StoredDocument]:
        """Everything in the ERP's books, read over HTTP."""
        return await self.kind.documents(self.erp.control_url)

    async def stock(self) -> StockTie | None:
        """What the store shows against what the ERP has free, less the pieces of store orders that are not in its
        books; all read over HTTP. None where no stock flows back."""
        if self.kind.stock is None:
            return None
        shown = {
            row["sku"]: row["on_hand"]
            for row in (await get(f"{self.store.control_url}/state/inventory"))["items"]
            if row["location_id"] in self.tables.warehouses.values()
        }
        free = await self.kind.stock.available(self.erp.control_url, self.tables.warehouses)
        names = Names(self.policy.reference_tag)
        booked = {
            named.order
            for document in await self.documents()
            if (named := names.of(document.reference)) is not None and named.kind == SALE
        }
        waiting: Counter[str] = Counter()
        for snapshot in await orders_of(self.store.control_url):
            if snapshot.order.status_id not in HOLDS_NO_STOCK and str(snapshot.order.id) not in booked:
                for line in snapshot.lines:
                    waiting[line.sku] += line.quantity
        wanted = {sku: max(0, int(free[sku]) - waiting[sku]) for sku in shown if sku in free}
        wrong = {
            sku: f"the store shows {shown[sku]}, it should show {pieces}"
            for sku, pieces in sorted(wanted.items())
            if shown[sku] != pieces
        }
        return StockTie(len(wanted), wrong)

    async def held(self) -> dict[str, str]:
        """Order -> kind of the hold and why, from the command that a person would use."""
        status = json.loads(await self.command("status", "--json"))
        return {
            key: f"{group['kind']} {group['key']}".strip() + (f": {message}" if message else "")
            for group in status["held"]
            if group["flow"] == "orders"
            for key, message in zip(group["keys"], group["messages"], strict=True)
        }

    async def command(self, *arguments: str) -> str:
        return await said_by(arguments, self.environment)


def command(
    once: Annotated[
        bool, typer.Option("--once", help="End after the first tie-out; status 0 only if it is clean.")
    ] = False,
    orders: Annotated[int, typer.Option(min=0, help="More random orders, beside the story's own.")] = 0,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal stores.")] = 1,
    tamper: Annotated[bool, typer.Option("--tamper", help="Delete one ERP document before the tie-out.")] = False,
    erp: Annotated[str, typer.Option(help=f"The ERP: {', '.join(ERPS)}.")] = next(iter(ERPS)),
    json: JsonOption = False,
) -> None:
    """See it work: a sandbox store and ERP, orders, postings and the tie-out."""
    out = Output(json=json)
    if erp not in ERPS:
        raise typer.BadParameter(f"there is no demo of {erp!r}; there is one of {', '.join(ERPS)}")

    async def work() -> int:
        return await play(out, ERPS[erp], once=once, orders=orders, seed=seed, tamper=tamper)

    run(out, work)


async def play(out: Output, kind: DemoErp, *, once: bool, orders: int, seed: int, tamper: bool) -> int:
    """The exit status. Whatever ends it, nothing that it started is left."""
    stop = Stop()
    async with AsyncExitStack() as stack:
        stack.enter_context(stop.on_signals())
        told = await stop.or_done(_story(stack, stop, out, kind, orders=orders, seed=seed, tamper=tamper))
        if told is None:
            return stop.status
        demo, status = told
        if not once:
            await stop.or_done(go_on(demo))
        return status


async def _story(
    stack: AsyncExitStack, stop: Stop, out: Output, kind: DemoErp, *, orders: int, seed: int, tamper: bool
) -> tuple[Demo, Exit]:
    """From nothing to the tie-out."""
    started = time.monotonic()
    demo = await _set_up(stack, stop, out, kind)
    await _place_orders(demo, seed=seed, orders=orders)
    out.say("Orders are placed; webhooks and polls bring them in ...")
    await _settled(demo)
    out.say("Some orders are edited and cancelled after they were posted ...")
    await post(f"{demo.store.control_url}/story", {"step": "edits"})
    if kind.stock is not None:
        out.say("Pieces come into the warehouse and go ...")
        for sku, pieces in MOVED.items():
            await kind.stock.move(demo.erp.control_url, sku, pieces)
    result = await _settled(demo)
    if tamper:
        victim = next(d for d in await demo.documents() if not d.reversed_by and not d.reverses)
        await kind.delete(demo.erp.control_url, victim)
        out.say(f"Somebody deletes {victim.number} ({victim.reference}) in the ERP.")
        result = await demo.compare()
    shipped: ShipmentTie | None = None
    if kind.shipping is not None:
        out.say("The warehouse ships some orders ...")
        names = Names(demo.policy.reference_tag)
        sent = await ship_some(demo.erp.control_url, demo.store.control_url, kind.shipping, names)
        shipped = await tie_shipments(demo.store.control_url, sent, SETTLE_S)
        if not tamper:
            result = await _settled(demo)
            shipped = await tie_shipments(demo.store.control_url, sent, 0)
    stock = await demo.stock()
    seconds = time.monotonic() - started
    _show_documents(out, await demo.documents(), Names(demo.policy.reference_tag))
    _show(out, result, stock, shipped, seconds)
    return demo, Exit.FINE if _is_clean(result, stock, shipped) else Exit.FOUND


# ------------------------------------------------------------------ set-up


async def _set_up(stack: AsyncExitStack, stop: Stop, out: Output, kind: DemoErp) -> Demo:
    home = Path(tempfile.mkdtemp(prefix="demo-", dir=_ready(data_directory())))
    postgres = EmbeddedPostgres(home / DEFAULT_DIRECTORY.name)
    for place in (home, postgres.directory):  # the server of root lies elsewhere
        stack.callback(shutil.rmtree, place, ignore_errors=True)
    stack.callback(postgres.stop)
    postgres.start()  # in this thread, which nothing cancels half-way: what has begun can be stopped
    sandbox = SandboxProcess(["bigcommerce", kind.system], log=home / "sandbox.log")
    stack.callback(sandbox.stop)
    store, erp = sandbox.systems["bigcommerce"], sandbox.systems[kind.system]
    port = _free_port()
    content = _configuration(store, erp, kind, port)
    file = home / "configuration.yaml"
    with file.open("w") as stream:
        YAML().dump(content, stream)  # pyright: ignore[reportUnknownMemberType]
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        DATA: str(home),
        "BC_ACCESS_TOKEN": str(store.credentials["access_token"]),
        "BC_CLIENT_ID": str(store.credentials["client_id"]),
        "BC_CLIENT_SECRET": str(store.credentials["client_secret"]),
        "BC_WEBHOOK_SECRET": secrets.token_urlsafe(24),
        **{name: str(erp.credentials[credential]) for name, credential in kind.environment.items()},
    }
    integration = content["integrations"]["us-store"]
    policy, tables = policy_from(integration["policy"]), mapping_from(integration["mapping"])
    demo = Demo(home, store, erp, kind, policy, tables, environment, out, f"http://127.0.0.1:{port}")
    await post(f"{erp.control_url}/seed", kind.seed(integration["mapping"]))
    if kind.stock is not None:
        skus = await kind.stock.available(erp.control_url, tables.warehouses)
        items = [{"sku": sku, "quantity": COUNTED_WRONG, "location_id": 1, "tracked_by": "product"} for sku in skus]
        await post(f"{store.control_url}/inventory", {"items": items})
    out.say(f"Sandbox store at {store.base_url}, sandbox ERP at {erp.base_url}; all data under {home}")
    await demo.command("config", "apply", str(file))
    for name, arguments in (("web server", ("serve", "--port", str(port))), ("worker", ("worker",))):
        log = home / f"{arguments[0]}.log"
        keeping = asyncio.create_task(keep(out, name, arguments, environment, log), name=name)
        stop.watched.append(keeping)
        stack.push_async_callback(ended, keeping)
    return demo


def _ready(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _configuration(store: Announced, erp: Announced, kind: DemoErp, port: int) -> Any:
    """The example configuration, pointed at the sandbox."""
    content: Any = YAML().load((EXAMPLES / kind.example).read_text())  # pyright: ignore[reportUnknownMemberType]
    web_store, ledger = content["connections"]["web-store"], content["connections"]["ledger"]
    web_store |= {"base_url": store.base_url, "sandbox": True}
    web_store["settings"]["store_hash"] = store.credentials["store_hash"]
    ledger |= {"base_url": erp.base_url, "sandbox": True, "timing": TIMING}
    ledger["settings"] |= kind.settings(erp)
    for name in ("open_from", "open_to"):
        ledger["settings"].pop(name, None)
    integration = content["integrations"]["us-store"]
    integration["webhook_url"] = f"http://127.0.0.1:{port}/hooks/web-store"
    integration["flows"] = {
        "orders": {"enabled": True, "poll_s": 5, "overlap_s": 600},
        "customers": {"enabled": True, "poll_s": 30, "overlap_s": 600},
    }
    if kind.stock is not None:
        integration["flows"]["stock"] = {"enabled": True, "poll_s": 5}
    if kind.shipping is not None:
        integration["flows"]["shipments"] = {"enabled": True, "poll_s": 5}
    integration["policy"]["posting.cut_over"] = "2020-01-01"
    return content


async def _place_orders(demo: Demo, *, seed: int, orders: int) -> None:
    await post(f"{demo.store.control_url}/seed", {"orders": BEFORE_HOOKS, "seed": seed, "spread_days": 3})
    demo.out.say(f"{BEFORE_HOOKS} orders were there before any webhook: a poll must find them.")
    await _until(lambda: _hooks_exist(demo), "the worker did not register webhooks")
    await post(f"{demo.store.control_url}/seed", {"profile": "demo", "seed": seed})
    if orders:
        await post(f"{demo.store.control_url}/seed", {"orders": orders, "seed": seed + 1, "spread_days": 10})


async def _hooks_exist(demo: Demo) -> bool:
    return bool((await get(f"{demo.store.control_url}/state/hooks"))["count"])


async def _settled(demo: Demo) -> TieOut:
    """Waits until both sides agree, or until it is plain that they do not."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        result = await demo.compare()
        done = result.clean and result.documents and await _idle(demo)
        if done and (stock := await demo.stock()) is not None:
            done = not stock.wrong
        if done or time.monotonic() > deadline:
            return await demo.compare()
        await asyncio.sleep(1)


async def _idle(demo: Demo) -> bool:
    status = json.loads(await demo.command("status", "--json"))
    return not any(flow["due"] or flow["by_status"].get("running") for flow in status["flows"])


async def _until(condition: Any, otherwise: str) -> None:
    deadline = time.monotonic() + SETTLE_S
    while not await condition():
        if time.monotonic() > deadline:
            raise CliError(f"{otherwise} within {SETTLE_S:g} s; see the logs of the demo", Exit.FOUND)
        await asyncio.sleep(0.3)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ------------------------------------------------------------------ what it says


DOCUMENTS = {
    "O": "orders",
    "P": "captured payments",
    "S": "payments known by status",
    "T": "store credit spent",
    "G": "gift certificates redeemed",
    "R": "refunds",
    "M": "money paid back",
    "A": "deposits applied",
    "D": "adjustments",
}


def _show_documents(out: Output, documents: Sequence[StoredDocument], names: Names) -> None:
    """What stands in the ERP's books under our references, reversed documents included."""
    by_kind: dict[str, list[str]] = {}
    for document in documents:
        named = names.of(document.reference)
        title = DOCUMENTS[named.kind] if named is not None else "reversals" if document.reverses else ""
        if title:
            by_kind.setdefault(title, []).append(document.reference)
    rows = [
        (title, len(by_kind[title]), by_kind[title][0])
        for title in (*DOCUMENTS.values(), "reversals")
        if title in by_kind
    ]
    out.table("Posted in the ERP", ("documents for", "number", "for example"), rows)


def _is_clean(result: TieOut, stock: StockTie | None, shipped: ShipmentTie | None) -> bool:
    return result.clean and (stock is None or not stock.wrong) and (shipped is None or not shipped.wrong)


def _show(out: Output, result: TieOut, stock: StockTie | None, shipped: ShipmentTie | None, seconds: float) -> None:
    out.table(
        "Tie-out: what the store says against what the ERP holds",
        ("day", "currency", "what", "store", "ERP", "documents", "difference"),
        [
            (
                *(r.day, r.currency, r.kind, round_half_up(r.store, r.currency), round_half_up(r.erp, r.currency)),
                *(r.documents, r.difference),
            )
            for r in result.rows
        ],
    )
    out.table("Held, waiting for a person or an event", ("order", "why"), sorted(result.held.items()))
    out.table("Does not tie", ("cause", "order", "reference", "store", "ERP", "what"), [
        (d.cause, d.order_id, d.reference, d.store, d.erp, d.text) for d in result.found
    ])  # fmt: skip
    if stock is not None:
        title = f"Stock that the store shows wrongly, of {stock.skus} SKUs"
        out.table(title, ("SKU", "what"), list(stock.wrong.items()))
    if shipped is not None:
        title = f"Deliveries that the store shows wrongly, of {len(shipped.deliveries)}"
        out.table(title, ("order", "what"), list(shipped.wrong.items()))
    clean = _is_clean(result, stock, shipped)
    verdict = "Nothing is missing, nothing is doubled, every cent ties." if clean else "It does NOT tie: see above."
    out.say(
        f"{result.orders} orders, {result.documents} live documents, {result.duplicates} duplicates, "
        f"{result.missing} missing, {len(result.held)} held, largest difference {result.difference}, "
        f"{seconds:.0f} s. {verdict}",
        style="green" if clean else "red",
    )
    if out.json:
        figures = {
            "orders": result.orders,
            "documents": result.documents,
            "duplicates": result.duplicates,
            "missing": result.missing,
            "held": len(result.held),
            "difference": format(result.difference, "f"),
            "differences": {currency: format(value, "f") for currency, value in sorted(result.differences.items())},
            "found": [d.text for d in result.found],
            "seconds": round(seconds, 1),
        }
        if stock is not None:
            figures |= {"stock_skus": stock.skus, "stock_mismatches": len(stock.wrong), "stock": dict(stock.wrong)}
        if shipped is not None:
            counts = {"deliveries": len(shipped.deliveries), "shipments": shipped.shipments}
            figures |= {"shipments": {**counts, "wrong": dict(shipped.wrong)}}
        out.line(to_json(figures))
