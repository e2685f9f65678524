"""Shipments of the store as documents: found by the reference that begins their comment, made by one POST each.

The store has no field for somebody else's number and takes the same shipment twice, as long as pieces are left. It sets
the order's status by itself, Shipped or Partially Shipped, and mails the shopper where the merchant has switched that
on. Source: Orders v2 reference, "Shipments".
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from ml_connector.connectors.base import (
    Lookup,
    Outgoing,
    Permit,
    Posted,
    PostResult,
    Problem,
    Refused,
    StoredDocument,
    Timing,
    Unknown,
)
from ml_connector.connectors.bigcommerce import consignments
from ml_connector.connectors.bigcommerce.answers import failure, words_of
from ml_connector.connectors.bigcommerce.client import Client, Json, object_of, whole_of
from ml_connector.connectors.errors import Conflict, Rejected, Throttled, Unauthorized
from ml_connector.connectors.gathering import together
from ml_connector.connectors.http import Response
from ml_connector.domain.documents import Document
from ml_connector.domain.shipments import OrderItem, OrderShipping, Shipment, StoreShipment, is_same_by_hand

LONGEST_TRACKING = 50
LOOK_UPS_AT_ONCE = 20
PROVIDERS = frozenset(
    {
        *("auspost", "canadapost", "endicia", "usps", "fedex", "royalmail"),
        *("ups", "upsready", "upsonline", "shipperhq"),
    }
)
"""Those that the store knows by itself, besides its own `carrier_...`; every other carrier is named to its tracking."""
_CLOSED: Mapping[int, str] = {0: "incomplete", 4: "refunded", 5: "cancelled", 6: "declined"}
_WITH_LINES = {"include": consignments.INCLUDE, "consignment_structure": "object"}
_BY_HAND = "made by hand"
_ADVICE = "the policy holds it; delete it there and replay the delivery, or say `right`"


class ShipmentLedger:
    """The store's shipments, as the engine finds and posts documents. A number is `<order>/<shipment>`."""

    def __init__(self, client: Client, timing: Timing) -> None:
        self._client = client
        self._timing = timing

    @property
    def timing(self) -> Timing:
        return self._timing

    @property
    def batch_size(self) -> int:
        return 1

    @property
    def lookup_size(self) -> int:
        return LOOK_UPS_AT_ONCE

    # -------------------------------------------------------------- reads

    async def order_shipping(self, orders: Collection[str]) -> dict[str, OrderShipping]:
        """One call for an order, two where something of it was shipped."""
        wanted = sorted({order for order in orders if order.isascii() and order.isdigit()}, key=int)
        told = await together(self._order(order) for order in wanted)
        return {each.order: each for each in told if each is not None}

    async def _order(self, order: str) -> OrderShipping | None:
        path = f"/v2/orders/{order}"
        head = await self._client.find(path, _WITH_LINES)
        if head is None:
            return None
        told = object_of(head)
        lines = consignments.lines_of(told)
        if lines is None:
            lines = await self._client.v2_list(f"{path}/products")
        items = tuple(_item(line) for line in lines)
        made = await self._made(order) if any(item.shipped for item in items) else ()
        closed = "archived" if told.get("is_deleted") is True else _CLOSED.get(whole_of(told, "status_id"), "")
        return OrderShipping(order, items, tuple(made), closed)

    async def _made(self, order: str) -> list[StoreShipment]:
        """Every shipment of the order; none where the store does not know it."""
        rows = await self._client.v2_list(f"/v2/orders/{order}/shipments", missing_ok=True)
        return [_shipment(order, row) for row in rows]

    async def check(self, documents: Sequence[Document]) -> Mapping[str, Sequence[Problem]]:
        """What the store would refuse for its form."""
        return {
            document.reference: (Problem("tracking_number", number, f"the tracking number {number} is too long"),)
            for document in documents
            if len(number := _of(document).tracking_number) > LONGEST_TRACKING
        }

    async def find(self, lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
        """By our reference; besides, one that a person has made for the same pieces with the same tracking number. An
        update is looked for as the shipment that it changes. One call for an order."""
        orders = sorted({_of(lookup.document).order for lookup in lookups})
        made = dict(zip(orders, await together(self._made(order) for order in orders), strict=True))
        found: dict[str, Sequence[StoredDocument]] = {}
        for document in (lookup.document for lookup in lookups):
            shipment = _of(document)
            hits = [
                _stored(document, each)
                for each in made[shipment.order]
                if each.reference == document.base_reference or is_same_by_hand(shipment, each)
            ]
            if hits:
                found[document.reference] = hits
        return found

    def differences(self, sent: Document, stored: StoredDocument) -> Sequence[str]:
        """Where to and what; of an update also tracking number and carrier."""
        shipment, fields = _of(sent), stored.fields
        wanted = {"address": str(shipment.address_id), "pieces": _words(shipment.pieces)}
        if sent.is_update:
            wanted |= {"tracking_number": shipment.tracking_number}
            wanted |= {"carrier": shipment.carrier} if shipment.carrier else {}
        return [
            f"{name.replace('_', ' ')}: sent {value}, stored {fields.get(name, '')}"
            for name, value in wanted.items()
            if fields.get(name, "") != value
        ]

    # -------------------------------------------------------------- writes

    async def post(self, outgoing: Sequence[Outgoing], permit: Permit) -> Sequence[PostResult]:
        """One shipment in one call; of several, the first (`batch_size` is 1)."""
        first, *others = outgoing
        result = await (self._update if first.document.is_update else self._create)(first, permit)
        return [result, *(Refused("one shipment goes in one call", transient=True) for _ in others)]

    async def _create(self, item: Outgoing, permit: Permit) -> PostResult:
        order = int(_of(item.document).order)
        path = f"/v2/orders/{order}/shipments"
        return await self._sent("POST", path, new_shipment(item.document), item.document, permit)

    async def _update(self, item: Outgoing, permit: Permit) -> PostResult:
        number = item.number_of(item.document.applies_to)
        order, _, shipment = number.partition("/")
        if not (order.isdigit() and shipment.isdigit()):
            return Refused(f"{item.document.applies_to} stands under {number!r}, which is no shipment of the store")
        path = f"/v2/orders/{int(order)}/shipments/{int(shipment)}"
        return await self._sent("PUT", path, travels(_of(item.document)), item.document, permit)

    async def _sent(self, method: str, path: str, body: Json, document: Document, permit: Permit) -> PostResult:
        answer = await self._client.send(method, path, body, permit=permit, references=(document.reference,))
        return _result(answer, f"{method} {path}", _of(document).order)


# ------------------------------------------------------------------ payloads


def new_shipment(document: Document) -> dict[str, Any]:
    """The comment begins with our reference: by it the shipment is found again."""
    shipment = _of(document)
    return {
        "order_address_id": shipment.address_id,
        "items": [{"order_product_id": each.line_id, "quantity": each.quantity} for each in shipment.items],
        "comments": f"{document.reference} {shipment.comment}".strip(),
        **({"shipping_method": shipment.method} if shipment.method else {}),
        **travels(shipment),
    }


def travels(shipment: Shipment) -> dict[str, Any]:
    """How it travels: what an update changes. A carrier that is not told leaves the store's as it is."""
    told = {"tracking_number": shipment.tracking_number} if shipment.tracking_number else {}
    if not shipment.carrier:
        return told
    known = shipment.carrier in PROVIDERS or shipment.carrier.startswith("carrier_")
    return {**told, "shipping_provider" if known else "tracking_carrier": shipment.carrier}


def _of(document: Document) -> Shipment:
    if document.shipment is None:
        raise ValueError(f"{document.reference} is no shipment")
    return document.shipment


# ------------------------------------------------------------------ answers


def _result(answer: Response, what: str, order: str) -> PostResult:
    """A definite yes or no; everything else, a 5xx above all, says nothing of whether it was written."""
    if 200 <= answer.status < 300:
        try:
            return Posted(f"{order}/{whole_of(object_of(answer.json()), 'id')}")
        except Exception as error:  # noqa: BLE001 - whatever the answer is, it is none that can be read
            return Unknown(f"{what}: the answer cannot be read: {error}")
    error = failure(answer.status, answer.headers, answer.body, what=what, request_id=answer.request_id)
    if isinstance(error, Throttled | Unauthorized | Conflict):
        raise error
    if isinstance(error, Rejected):
        return Refused(str(error))
    return Unknown(f"{what}: status {answer.status} {words_of(answer.body)}".strip())


def _item(line: Json) -> OrderItem:
    address = whole_of(line, "order_address_id", 0)
    return OrderItem(
        line_id=whole_of(line, "id"),
        address_id=address,
        quantity=whole_of(line, "quantity"),
        shipped=whole_of(line, "quantity_shipped", 0),
        refunded=whole_of(line, "quantity_refunded", 0),
        physical=line.get("type") == "physical" and address > 0,
    )


def _shipment(order: str, row: Json) -> StoreShipment:
    told: Any = row.get("items")
    items = [object_of(each) for each in cast(list[Any], told)] if isinstance(told, list) else []
    pieces: dict[int, int] = {}
    for item in items:
        line = whole_of(item, "order_product_id")
        pieces[line] = pieces.get(line, 0) + whole_of(item, "quantity")
    return StoreShipment(
        number=f"{order}/{whole_of(row, 'id')}",
        address_id=whole_of(row, "order_address_id", 0),
        pieces=pieces,
        tracking_number=str(row.get("tracking_number") or ""),
        carrier=str(row.get("shipping_provider") or row.get("tracking_carrier") or ""),
        reference=_reference(str(row.get("comments") or "")),
    )


def _reference(comment: str) -> str:
    """Ours, at the beginning of the comment; empty where it begins otherwise."""
    first = comment.split(maxsplit=1)[:1]
    return first[0] if first and first[0].startswith("BC-") and "-V" in first[0] else ""


def _stored(document: Document, made: StoreShipment) -> StoredDocument:
    by_hand = not made.reference
    waits = by_hand and not _of(document).adopts
    fields = {
        "address": str(made.address_id),
        "pieces": _words(made.pieces),
        "tracking_number": made.tracking_number,
        "carrier": made.carrier,
    }
    return StoredDocument(
        reference=document.reference,
        number=made.number,
        created_by=_BY_HAND if by_hand else "",
        state="made_by_hand" if waits else "posted",
        fields=fields | ({"advice": _ADVICE} if waits else {}),
    )


def _words(pieces: Mapping[int, int]) -> str:
    return ", ".join(f"{count} of line {line}" for line, count in sorted(pieces.items()))
