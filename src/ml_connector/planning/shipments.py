"""Which shipments of the store a delivery note of the ERP asks for. Pure.

A note may deliver from several orders, and an order may go to several addresses: one shipment for each. Its reference
follows from order, note and address alone, so the second note of an order is a second shipment, and the same note
never two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ml_connector.domain.documents import Document, Documents, Excluded, ExcludedCode, Held, HoldCode, Kind, Note, Plan
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.mapping import Unmapped
from ml_connector.domain.policy import Policy
from ml_connector.domain.shipments import DeliveryNote, NoteLine, OrderItem, OrderShipping, Shipment, ShipmentItem
from ml_connector.domain.shipments import is_same_by_hand as same


@dataclass(frozen=True, slots=True)
class Sold:
    """A line of a note, and the line of the store's order that it ships."""

    line: NoteLine
    order: str
    line_id: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What we know of a shipment: its latest document, and whether that stands in the store (`live`), may still be
    sent (`pending`) or was declared gone. `adopted`: somebody else has made it."""

    document: Document
    live: bool
    pending: bool = False
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """`sold`: lines that ship something of ours. `unclear`: lines of which that cannot be told, in words. `orders`: as
    the store has them. `standing`: by reference without generation."""

    sold: tuple[Sold, ...]
    unclear: tuple[str, ...] = ()
    orders: Mapping[str, OrderShipping] | None = None
    standing: Mapping[str, Standing] | None = None


def plan_shipments(note: DeliveryNote, facts: Facts, mapping: Tables, policy: Policy) -> Plan:
    """One document per order and address, those that stand already marked so."""
    standing = facts.standing or {}
    if note.state != "posted":
        return _cancelled(note, standing)
    if facts.unclear:
        return _held(HoldCode.DELIVERY_UNCLEAR, note, "; ".join(facts.unclear))
    if not facts.sold and not standing:
        return Excluded(ExcludedCode.NOT_OURS, f"{note.key} delivers nothing of a document of ours")
    try:
        carrier = carrier_of(note, mapping)
    except Unmapped as missing:
        words = f"the mapping has no carrier for the way of shipping {note.carrier} ({note.carrier_name})"
        return Held(
            HoldCode.UNMAPPED, words, key=f"{missing.kind}|{missing.key}", missing=((missing.kind, missing.key),)
        )
    grouped = _grouped(note, facts)
    if isinstance(grouped, Held):
        return grouped
    documents: list[Document] = []
    for (order, address), pieces in sorted(grouped.items()):
        document = _document(note, order, address, pieces, carrier, policy)
        known = standing.get(document.reference)
        made = _continued(note, document, known) if known is not None else document
        if isinstance(made, Held):
            return made
        if known is None or not known.live:
            problem = _problem(note, document, (facts.orders or {})[order], policy)
            if problem is not None:
                return problem
        documents.append(made)
    gone = sorted(standing.keys() - {document.base_reference for document in documents})
    if gone:
        return _changed(note, f"{', '.join(gone)} was made of it, and it does not deliver that any more")
    if not documents:
        return Excluded(ExcludedCode.NOTHING_TO_SHIP, f"{note.key} delivers nothing that is shipped")
    left = len(note.lines) - len(facts.sold)
    notes = (Note("not_shipped", note.key, f"{left} lines are no goods of an order of the store"),) if left else ()
    return Documents(tuple(documents), notes)


def reference_of(tag: str, order: str, note: DeliveryNote, address: int) -> str:
    """The first generation's; at most 50 characters, `A-Z 0-9 -`."""
    return f"BC-{tag}-{order}-V{note.name}A{address}"


def carrier_of(note: DeliveryNote, mapping: Tables) -> str:
    """As the store names it; none where no carrier is mapped at all. Raises `Unmapped`."""
    if not note.carrier or not mapping.carriers:
        return ""
    found = mapping.carriers.get(note.carrier, mapping.carriers.get(note.carrier_name))
    if found is None:
        raise Unmapped("carrier", note.carrier)
    return found


def _grouped(note: DeliveryNote, facts: Facts) -> dict[tuple[str, int], dict[int, int]] | Held:
    """Pieces by line of the order, for each order and address. What is not shipped (digital) is left out."""
    grouped: dict[tuple[str, int], dict[int, int]] = {}
    for sold in facts.sold:
        order = (facts.orders or {}).get(sold.order)
        if order is None:
            return _held(HoldCode.ORDER_CLOSED, note, f"the store has no order {sold.order}")
        item = next((item for item in order.items if item.line_id == sold.line_id), None)
        if item is None:
            return _held(HoldCode.DELIVERY_UNCLEAR, note, f"order {sold.order} has no line {sold.line_id} any more")
        if not item.physical:
            continue
        whole = int(sold.line.quantity)
        if whole != sold.line.quantity or whole < 0:
            words = f"{sold.line.quantity} of {sold.line.item} is no number of pieces, and the store ships whole ones"
            return _held(HoldCode.DELIVERY_UNCLEAR, note, words)
        pieces = grouped.setdefault((sold.order, item.address_id), {})
        pieces[item.line_id] = pieces.get(item.line_id, 0) + whole
    counted = {place: {line: n for line, n in pieces.items() if n} for place, pieces in grouped.items()}
    return {place: pieces for place, pieces in counted.items() if pieces}


def _document(
    note: DeliveryNote, order: str, address: int, pieces: Mapping[int, int], carrier: str, policy: Policy
) -> Document:
    return Document(
        kind=Kind.SHIPMENT,
        reference=reference_of(policy.reference_tag, order, note, address),
        generation=1,
        posting_date=note.day,
        document_date=note.day,
        currency="",
        customer="",
        text=f"Delivery {note.number}",
        lines=(),
        source_digest=note.digest,
        shipment=Shipment(
            order=order,
            address_id=address,
            items=tuple(ShipmentItem(line, count) for line, count in sorted(pieces.items())),
            tracking_number=note.tracking_number,
            carrier=carrier,
            method=note.carrier_name,
            comment=f"Delivery {note.number}",
            adopts=policy.shipments_made_by_hand == "adopt",
        ),
    )


def _continued(note: DeliveryNote, wanted: Document, known: Standing) -> Document | Held:
    """What is still to be done for a shipment that we know: the same generation again, nothing, or an update."""
    before, now = known.document.shipment, wanted.shipment
    assert before is not None
    assert now is not None
    if known.pending:
        return _at(wanted, known.document.generation)
    if known.live and (before.address_id, before.pieces) != (now.address_id, now.pieces):
        return _changed(note, f"{wanted.reference} was made with other pieces than it delivers now")
    travels = (now.tracking_number or before.tracking_number, now.carrier or before.carrier)
    if known.live and travels == (before.tracking_number, before.carrier):
        return replace(_at(wanted, known.document.generation), shipment=before, already=True)
    if known.live and known.adopted:
        words = f"the tracking number is {now.tracking_number} now; the shipment was made by hand: change it there too"
        return _changed(note, words)
    updated = replace(wanted, shipment=replace(now, tracking_number=travels[0], carrier=travels[1]))
    return _at(updated, known.document.generation + 1)


def _problem(note: DeliveryNote, document: Document, order: OrderShipping, policy: Policy) -> Held | None:
    """Why it must not be made now. What the store has already under the reference, or by hand, is for the look-up."""
    shipment = document.shipment
    assert shipment is not None
    if any(made.reference == document.reference or same(shipment, made) for made in order.shipments):
        return None
    if order.closed:
        return _held(HoldCode.ORDER_CLOSED, note, f"order {order.order} is {order.closed}", order.order)
    items = {item.line_id: item for item in order.items}
    over = [_over(items[line], count) for line, count in shipment.pieces.items() if count > items[line].left]
    if over:
        return _held(HoldCode.SHIPMENT_EXCEEDS, note, f"order {order.order}: {'; '.join(over)}", order.order)
    if not note.tracking_number and policy.shipments_without_tracking == "wait":
        return _held(HoldCode.AWAITING_TRACKING, note, "it has no tracking number yet")
    return None


def _over(item: OrderItem, count: int) -> str:
    return (
        f"{count} pieces of line {item.line_id} are delivered, and {item.left} of {item.quantity} are left "
        f"({item.shipped} shipped, {item.refunded} refunded)"
    )


def _cancelled(note: DeliveryNote, standing: Mapping[str, Standing]) -> Plan:
    shipped = sorted(reference for reference, known in standing.items() if known.live)
    if shipped:
        return _changed(note, f"it was cancelled in the ERP, and {', '.join(shipped)} stands in the store")
    words = f"{note.key} was cancelled" if note.state == "cancelled" else f"{note.key} only cancels another document"
    return Excluded(ExcludedCode.DELIVERY_CANCELLED, words)


def _changed(note: DeliveryNote, words: str) -> Held:
    return _held(HoldCode.DELIVERY_CHANGED, note, words)


def _held(code: HoldCode, note: DeliveryNote, words: str, order: str = "") -> Held:
    facts = {"delivery": note.number} | ({"order": order} if order else {})
    return Held(code, f"delivery {note.number}: {words}", key=note.key, facts=facts)


def _at(document: Document, generation: int) -> Document:
    """An update names the shipment that it changes."""
    if generation == 1:
        return document
    base = document.reference
    return replace(document, generation=generation, reference=f"{base}-{generation}", applies_to=base)


def orders_of(sold: Sequence[Sold]) -> list[str]:
    return sorted({each.order for each in sold})
