"""What goes on after the demo's first tie-out: the console is open, orders arrive, one waits for an account, and one
document in the ERP is not what was sent."""

import asyncio
import json
from itertools import count
from typing import Any, Protocol

from ml_connector.cli.demo_books import get, post
from ml_connector.cli.output import Output
from ml_connector.sandbox.process import Announced

UNKNOWN_METHOD = "Later&Co"
ORDER_EVERY_S = 20.0
FREE_NUMBER = 9000
CHANGED_BY = "-12.99"


class Live(Protocol):
    """What of the running demo is needed here."""

    @property
    def store(self) -> Announced: ...
    @property
    def erp(self) -> Announced: ...
    @property
    def out(self) -> Output: ...
    @property
    def console(self) -> str: ...
    async def command(self, *arguments: str) -> str: ...


async def go_on(demo: Live) -> None:
    """Until cancelled. Says where the console is and what there is to find."""
    link = json.loads(await demo.command("user", "link", "--url", demo.console, "--json"))["link"]
    await _leave_work(demo)
    demo.out.say(
        f"\nThe console is open. Become its administrator, once:\n  {link}\n"
        f"Orders go on arriving. One waits for the account of {UNKNOWN_METHOD}: choose it under Holds. One document\n"
        "was changed in the ERP by hand: the reconciliation finds it.\nCtrl-C ends it."
    )
    for seed in count(1_001):
        await post(f"{demo.store.control_url}/seed", {"orders": 1, "seed": seed, "spread_days": 0})
        await asyncio.sleep(ORDER_EVERY_S)


async def _leave_work(demo: Live) -> None:
    """An order that was paid by a method that nobody has mapped, and a document that somebody changed."""
    items: list[dict[str, Any]] = (await get(f"{demo.store.control_url}/state/orders"))["items"]
    paid = next(item for item in items if _captured(item) and not item.get("refunds"))
    made = json.loads(json.dumps(paid, default=str))
    made["order"] |= {"id": FREE_NUMBER, "payment_method": UNKNOWN_METHOD}
    for place, row in enumerate(made["transactions"]):
        row |= {"id": 100_000 + FREE_NUMBER + place, "gateway": UNKNOWN_METHOD}
    await post(f"{demo.store.control_url}/orders", {"orders": [made], "modified": "now"})
    documents = (await get(f"{demo.erp.control_url}/state/documents"))["items"]
    sales = sorted(each["reference"] for each in documents if each["live"] and "-O" in each["reference"])
    if sales:  # the oldest: the nightly comparison looks at days that are over
        await post(f"{demo.erp.control_url}/tamper", {"reference": sales[0], "amount": CHANGED_BY})
        await demo.command("replay", "us-store", "-", "--flow", "system:reconcile")


def _captured(item: dict[str, Any]) -> bool:
    return any(row.get("event") in ("purchase", "capture") for row in item.get("transactions", ()))
