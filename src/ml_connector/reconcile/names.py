"""The names of documents, read back: which thing of which order a reference stands for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ml_connector.domain.documents import Kind
from ml_connector.planning.references import serial

SALE = "O"
_SALES = {"invoice": "I", "order": "O", "delivery": "L"}
"""Letter of what an order becomes in sales style, by policy `sales.document`."""
_OF_ORDER = "OILSTGD"
"""Letters whose ID is the order's own."""
_LEDGER = {
    "O": Kind.ORDER,
    "P": Kind.PAYMENT,
    "S": Kind.PAYMENT,
    "A": Kind.DEPOSIT_APPLICATION,
    "R": Kind.REFUND,
    "M": Kind.REFUND_PAYMENT,
    "D": Kind.ADJUSTMENT,
}
_ITEMISED = {
    **_LEDGER,
    "O": Kind.SALES_ORDER,
    "I": Kind.SALES_INVOICE,
    "L": Kind.DELIVERY,
    "T": Kind.PAYMENT,
    "G": Kind.PAYMENT,
    "R": Kind.CREDIT_MEMO,
}
_KINDS = "".join(_ITEMISED)


@dataclass(frozen=True, slots=True)
class Named:
    """What a reference says: the kind's letter, the store's ID of the thing, and the generation.

    An order's entry, sales order, invoice and delivery are one kind, the sale (`O`): it becomes one of them. `order`:
    the order's ID; empty where a short reference of a payment or refund does not tell it.
    """

    kind: str
    id: str
    order: str = ""
    generation: int = 1

    @property
    def thing(self) -> tuple[str, str]:
        return self.kind, self.id


class Names:
    """Reads references of one store's tag, in the short and in the long form; reversals and customers are no names.

    `form`: how this ERP's references are written. `sales_document`: policy `sales.document` where it takes
    itemised documents, empty where an order is a journal entry.
    """

    def __init__(self, tag: str, form: str = "short", sales_document: str = "") -> None:
        self.tag, self.form = tag, form
        first = _SALES.get(sales_document, SALE)
        self._sale = (first, *(letter for letter in _SALES.values() if letter != first)) if sales_document else (SALE,)
        tag = re.escape(tag)
        self._short = re.compile(rf"{tag}-([{_KINDS}])(\d+|Z[0-9A-Z]+)(?:-(\d+))?")
        self._long = re.compile(rf"BC-{tag}-(\d+)-([{_KINDS}])(\d+|Z[0-9A-Z]+)?(?:-(\d+))?")

    def of(self, reference: str) -> Named | None:
        if match := self._short.fullmatch(reference):
            kind, thing, generation = match.groups()
            order = _plain_id(thing) if kind in _OF_ORDER else ""
        elif match := self._long.fullmatch(reference):
            order, kind, thing, generation = match.groups()
            thing = thing or order
        else:
            return None
        return Named(SALE if kind in _SALES.values() else kind, _plain_id(thing), order, int(generation or 1))

    def all_written(self, kind: str, id: str, order: int) -> Sequence[str]:
        """Every first generation under which the thing may stand, the likeliest first."""
        letters = self._sale if kind == SALE else (kind,)
        if self.form == "short":
            return [f"{self.tag}-{letter}{serial(id, 'short')}" for letter in letters]
        own = "" if kind in _OF_ORDER else serial(id, "long")
        return [f"BC-{self.tag}-{order}-{letter}{own}" for letter in letters]

    def written(self, kind: str, id: str, order: int) -> str:
        """The first generation, for people."""
        return self.all_written(kind, id, order)[0]


def kind_of(tag: str, reference: str, *, sales: bool) -> Kind:
    """Which kind of document bears this name, as far as a name tells. Where it is none, the kind of a sale."""
    kinds = _ITEMISED if sales else _LEDGER
    match = re.match(rf"(?:BC-{re.escape(tag)}-\d+|{re.escape(tag)})-([{_KINDS}])", reference)
    return kinds.get(match.group(1) if match else SALE, kinds[SALE])


def _plain_id(thing: str) -> str:
    return str(int(thing[1:], 36)) if thing.startswith("Z") else thing
