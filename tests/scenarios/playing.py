"""How a scenario is told: alone in a world of its own, or together with others that do not disturb it.

A scenario is named after an item of the list in `docs/scenarios.md`. It arranges a small store, acts, and asserts the
ledger. Those told together are generators: each `yield` lets the one worker of all of them bring everything to rest.
"""

import inspect
import json
import urllib.request
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ml_connector.connectors.base import StoredDocument
from tests.crash import books
from tests.crash.stage import _FEATURES
from tests.e2e.scene import Scene, World, no_polls

Acts = Generator[None, None, None]
PATIENCE_S = 150.0
ENDED = {"synced", "held", "excluded", "dead"}


class Town(World):
    """A store and an ERP as they are in production: with a shorter P a worker that a busy machine lets stand for two
    seconds would be ended by its watchdog."""

    def _configuration(self, webhook_url: str) -> Any:
        content = super()._configuration(webhook_url)
        content["connections"]["ledger"]["timing"]["p_s"] = 10.0
        return content


class Play(Scene):
    """A scene, with a shopper and an accountant."""

    def __init__(self, world: World, home: Any) -> None:
        super().__init__(world, home)
        self.together = False

    # -------------------------------------------------------------- the shopper

    def sell(self, kind: str, *features: str, market: str = "us_tx") -> int:
        """One order of this kind; `features` as the generator of the sandbox names them."""
        unknown = set(features) - set(_FEATURES)
        assert not unknown, f"no features {unknown}"
        chances = {name: int(name in features) for name in _FEATURES}
        profile = {"kinds": {kind: 1}, "markets": {market: 1}, "features": chances}
        customers = 0 if self._placed else 1
        self._placed += 1
        seed = {"orders": 1, "profile": profile, "customers": customers, "seed": self._placed}
        return int(books.call(f"{self.store}/seed", seed)["first_id"])

    def put(self, snapshot: Mapping[str, Any], **options: object) -> int:
        """Puts an order into the store as it is here; one of the same number is replaced."""
        given = {"orders": [snapshot], "modified": "now", **options}
        return int(books.call(f"{self.store}/orders", given)["ids"][0])

    def snapshot(self, order: int) -> dict[str, Any]:
        """An order of the store with all that belongs to it; amounts as texts."""
        [found] = books.call(f"{self.store}/state/orders?after={order - 1}&limit=1")["items"]
        return json.loads(json.dumps(found, default=str))

    def one_line(self, sku: str, *, product_id: int) -> tuple[dict[str, Any], int]:
        """An order of one line, of this product, without a brand; as it was put into the store, and its number."""
        order = self.sell("paid", "guest", "digital")
        whole = self.snapshot(order)
        [line] = whole["products"]
        line |= {"sku": sku, "product_id": product_id, "brand": "", "categories": []}
        return whole, self.put(whole)

    def settings(self, **given: object) -> None:
        """How the store behaves."""
        books.call(f"{self.store}/settings", given)

    # -------------------------------------------------------------- the accountant

    def entries(self, order: int) -> dict[str, StoredDocument]:
        """Live documents of an order, its payments and refunds, by reference; reversed pairs are left out."""
        whole = self.snapshot(order)
        names = [f"O{order}", f"S{order}", f"D{order}"]
        names += [f"P{row['id']}" for row in whole["transactions"]]
        names += [f"R{refund['id']}" for refund in whole["refunds"]]
        names += [f"M{payment['id']}" for refund in whole["refunds"] for payment in refund["payments"]]
        mine = {f"S1-{name}" for name in names}
        found = {d.reference: d for d in books.documents_in(self.erp) if not d.reversed_by and not d.reverses}
        return {
            name: document
            for name, document in sorted(found.items())
            if name in mine or name.rpartition("-")[0] in mine
        }

    def entry(self, order: int, letter: str) -> StoredDocument:
        """The one live document of this kind (the letter of its reference)."""
        found = [d for name, d in self.entries(order).items() if name.startswith(f"S1-{letter}")]
        assert len(found) == 1, f"{letter} of order {order}: {self.entries(order)}"
        return found[0]

    def sums(self, document: StoredDocument) -> dict[str, Decimal]:
        """Debits minus credits of a document by account role, `tax`, or the name of a clearing account's method."""
        names = {str(number).lstrip("0"): role for role, number in self.stage.mapping.accounts.items()}
        names |= {method.account.lstrip("0"): method.text for method in self.stage.mapping.payment_methods}
        names |= {rule.account.lstrip("0"): "revenue" for rule in self.stage.mapping.revenue_rules}
        found: dict[str, Decimal] = {}
        for line in document.lines:
            role = "receivable" if line.customer else names[line.account.lstrip("0")] if line.account else "tax"
            found[role] = found.get(role, Decimal(0)) + line.amount
        return {role: amount for role, amount in found.items() if amount}

    def head(self, order: int) -> dict[str, Decimal]:
        """The amounts that the store shows for an order."""
        shown = self.snapshot(order)["order"]
        names = ("total_inc_tax", "total_ex_tax", "total_tax", "store_credit_amount", "gift_certificate_amount")
        return {name: Decimal(shown[name]) for name in names}

    def owed(self, order: int) -> Decimal:
        """What the buyer still owes by the books."""
        return sum((self.sums(d).get("receivable", Decimal(0)) for d in self.entries(order).values()), Decimal(0))

    # -------------------------------------------------------------- in the end

    def until(
        self, condition: Callable[[], object], otherwise: Callable[[], str] = lambda: "", s: float = PATIENCE_S
    ) -> None:
        def met() -> bool:
            assert any(process.running for process in self._processes), f"nobody is left: {self._processes[-1].said()}"
            return bool(condition())

        super().until(met, otherwise, s)

    def accounted(self) -> None:
        """Nothing was skipped: every order of the store has a record, with a reason where nothing was posted."""
        known = {row["key"]: row for row in self.query("SELECT * FROM records WHERE flow = 'orders'")}
        for number in books.call(f"{self.store}/state/order_ids")["items"]:
            record = known.get(str(number))
            assert record is not None, f"nobody has heard of order {number}"
            assert record["status"] in ENDED, record
            reason = record["hold_kind"] or record["reason"] or record["last_error"]
            assert record["status"] == "synced" or reason, f"order {number} is {record['status']} for no reason"

    def ties(self) -> None:
        """Settled: one document per reference, both sides equal to the cent, everything accounted for."""
        self.until(lambda: not self.unsettled() and not self.complaints(), self._why_not)
        self.check()
        self.accounted()

    def rest(self) -> None:
        """Waits until two polls have looked at the store and nothing runs, is due or is unknown."""
        polls = "SELECT done_at FROM records WHERE flow = 'poll:orders'"
        for _ in range(2):
            before = self.query(polls)
            self.until(lambda seen=before: self.query(polls) != seen, self.busy)
        self.until(lambda: not self.busy(), self.busy)

    def quiet(self) -> None:
        """The same where no poll is wanted: what was marked is done."""
        self.until(lambda: not self.busy(), self.busy)

    def reconnect(self) -> None:
        """The server was restarted under our own connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def busy(self) -> str:
        records = self.query(
            "SELECT flow, key, status, last_error FROM records WHERE flow IN ('orders', 'customers', 'write_back')"
            " AND (token IS NOT NULL OR run_at IS NOT NULL)"
        )
        postings = self.query("SELECT reference, state FROM postings WHERE state IN ('sending', 'uncertain')")
        return "\n".join(map(str, [*records, *postings]))


@dataclass(frozen=True, slots=True)
class Scenario:
    """`group`: who shares its world; empty: nobody."""

    name: str
    item: str
    told: Callable[[Play], Any]
    group: str = ""


SCENARIOS: list[Scenario] = []


def alone(item: str) -> Callable[[Callable[[Play], None]], Callable[[Play], None]]:
    """A scenario with a store, an ERP and a database of its own."""

    def register(told: Callable[[Play], None]) -> Callable[[Play], None]:
        assert not inspect.isgeneratorfunction(told)
        SCENARIOS.append(Scenario(told.__name__, item, told))
        return told

    return register


def together(item: str, group: str) -> Callable[[Callable[[Play], Acts]], Callable[[Play], Acts]]:
    """A scenario that shares a world with the others of its group."""

    def register(told: Callable[[Play], Acts]) -> Callable[[Play], Acts]:
        assert inspect.isgeneratorfunction(told)
        assert group in GROUPS
        SCENARIOS.append(Scenario(told.__name__, item, told, group))
        return told

    return register


def polled(play: Play) -> Callable[[], None]:
    """Polls every second bring everything in."""
    return play.rest


def heard(play: Play) -> Callable[[], None]:
    """Nothing but deliveries to the intake brings anything in."""
    play.configure(no_polls)
    play.serve()
    return play.quiet


GROUPS: Mapping[str, Callable[[Play], Callable[[], None]]] = {"polled": polled, "heard": heard}
"""How the world of a group is opened; returns how it is brought to rest."""


def play_together(play: Play, group: str, told: list[Scenario]) -> dict[str, Exception | None]:
    """All scenarios of a group, act by act. What went wrong, by scenario; under the group's own name: the tie-out."""
    rest = GROUPS[group](play)
    acts = {scenario.name: scenario.told(play) for scenario in told}
    ended: dict[str, Exception | None] = {}
    first = True
    while acts:
        for name, act in list(acts.items()):
            try:
                next(act)
            except StopIteration:
                ended[name] = None
            except Exception as error:  # noqa: BLE001 - told where its test asks
                ended[name] = error
            if name in ended:
                del acts[name]
        if first:
            play.worker()
            first = False
        rest()
    try:
        play.ties()
        ended[group] = None
    except Exception as error:  # noqa: BLE001
        ended[group] = error
    return ended


def delete(url: str) -> None:
    """A DELETE on a control API."""
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=30).close()
