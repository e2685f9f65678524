"""Two sides only: the store's facts against the ERP's documents, read by whoever asks, without our own tables.

What the demo and the crash suite count with. Counts live documents only: a reversed document and its reversal net to
nothing and are not compared.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from ml_connector.connectors.base import StoredDocument
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import Policy
from ml_connector.engine.records import Status
from ml_connector.reconcile.compare import Comparison
from ml_connector.reconcile.expected import expected_of
from ml_connector.reconcile.totals import Row, Totals
from ml_connector.reconcile.values import Case, Difference, Known, Rules

__all__ = ["Difference", "Row", "TieOut", "tie_out"]


@dataclass(slots=True)
class TieOut:
    """`held`: order ID -> reason."""

    totals: Totals
    held: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def orders(self) -> int:
        return self.totals.orders

    @property
    def documents(self) -> int:
        return self.totals.documents

    @property
    def duplicates(self) -> int:
        return self.totals.duplicates

    @property
    def missing(self) -> int:
        return self.totals.missing

    @property
    def found(self) -> list[Difference]:
        return self.totals.found

    @property
    def rows(self) -> list[Row]:
        return self.totals.rows

    @property
    def differences(self) -> dict[str, Decimal]:
        """Sums of absolute differences by currency."""
        return self.totals.by_currency

    @property
    def difference(self) -> Decimal:
        """The largest absolute difference of any currency."""
        return self.totals.largest

    @property
    def clean(self) -> bool:
        return self.totals.ties


def tie_out(
    snapshots: Iterable[OrderSnapshot],
    stored: Iterable[StoredDocument],
    *,
    policy: Policy,
    tables: Tables,
    held: Mapping[str, str],
    form: str = "short",
    sales_document: str = "",
) -> TieOut:
    """Compares both sides. `held`: order ID -> reason, the kind of the hold first; what a held order lacks is waiting
    for a person, not missing, unless it is held because its documents were touched in the ERP. `form` and
    `sales_document` as in `Rules`."""
    rules = Rules(policy, tables, datetime.now(UTC), ours=False, form=form, sales_document=sales_document)
    comparison = Comparison(rules)
    by_thing: dict[tuple[str, str], list[StoredDocument]] = defaultdict(list)
    for document in stored:
        named = comparison.names.of(document.reference)
        if named is not None and not document.reversed_by and not document.reverses:
            by_thing[named.thing].append(document)
    totals = Totals(three_sided=False)
    for snapshot in snapshots:
        order = snapshot.order.id
        things = [(each.kind, each.id) for each in expected_of(snapshot, policy, sales=rules.is_sales)]
        if ("O", str(order)) in things:
            things.append(("D", str(order)))
        documents = tuple(document for thing in things for document in by_thing.pop(thing, ()))
        totals.add(comparison.order(Case(order, snapshot, _held(held.get(str(order))), stored=documents)))
    for documents in by_thing.values():
        for document in documents:
            totals.add(comparison.stray(document), counts=False)
    return TieOut(totals, dict(held))


def _held(reason: str | None) -> Known | None:
    if reason is None:
        return None
    kind = reason.replace(":", " ").split(" ", maxsplit=1)[0]
    return Known(Status.HELD, hold=kind, message=reason)
