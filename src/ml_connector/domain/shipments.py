"""Goods that leave: what a delivery note of the ERP says, what a store's order has left to ship, what a shipment is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ShipmentItem:
    """Pieces of one line of a store's order."""

    line_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Shipment:
    """Goods of one order on their way to one address. `carrier`: as the store names it; empty: none is said.

    `adopts`: one that a person made in the store with the same tracking number and pieces counts as this one.
    """

    order: str
    address_id: int
    items: tuple[ShipmentItem, ...]
    tracking_number: str = ""
    carrier: str = ""
    method: str = ""
    comment: str = ""
    adopts: bool = True

    @property
    def pieces(self) -> dict[int, int]:
        """By line of the order."""
        return {item.line_id: item.quantity for item in self.items}

    def facts(self, *, with_tracking: bool) -> list[Any]:
        """What counts: where to and what; of an update how it travels too."""
        counted: list[Any] = [self.order, self.address_id, sorted(self.pieces.items())]
        return [*counted, self.tracking_number, self.carrier] if with_tracking else counted


@dataclass(frozen=True, slots=True)
class NoteLine:
    """One line of a delivery note, in the item's own unit.

    `number` and `reference`: the document that it delivers from (the note itself where it stands alone), the ERP's key
    of it and the reference that it carries there; empty where it delivers from nothing. `place`: of the line in there.
    """

    item: str
    quantity: Decimal
    number: str = ""
    reference: str = ""
    place: int = -1


@dataclass(frozen=True, slots=True)
class DeliveryNote:
    """Goods that have left, or leave, a warehouse of the ERP.

    `key`: the ERP's canonical key, e.g. `DeliveryNotes/918`; `name`: the same in `A-Z 0-9` alone, unique in the ERP and
    at most 14 characters; `number`: as people know it. `carrier`: the ERP's code of the way of shipping, empty for
    none, with its `carrier_name`. `state`: `cancellation` is a document that only cancels another one.
    """

    key: str
    name: str
    number: str
    day: date
    lines: tuple[NoteLine, ...]
    tracking_number: str = ""
    carrier: str = ""
    carrier_name: str = ""
    state: Literal["posted", "cancelled", "cancellation"] = "posted"

    @property
    def digest(self) -> str:
        """Equal as long as the note says the same."""
        facts = [
            [self.key, self.state, self.tracking_number, self.carrier],
            *([line.item, format(line.quantity.normalize(), "f"), line.number, line.place] for line in self.lines),
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class OrderItem:
    """A line of a store's order. `address_id`: where it goes; 0: nowhere. `physical`: it can be shipped."""

    line_id: int
    address_id: int
    quantity: int
    shipped: int = 0
    refunded: int = 0
    physical: bool = True

    @property
    def left(self) -> int:
        """Pieces that can still be shipped."""
        return self.quantity - self.shipped - self.refunded


@dataclass(frozen=True, slots=True)
class StoreShipment:
    """A shipment as the store has it. `reference`: ours, empty for one that somebody else has made."""

    number: str
    address_id: int
    pieces: Mapping[int, int] = field(default_factory=dict[int, int])
    tracking_number: str = ""
    carrier: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class OrderShipping:
    """What a store's order has to ship and has shipped. `closed`: in words, why nothing of it may be shipped."""

    order: str
    items: tuple[OrderItem, ...]
    shipments: tuple[StoreShipment, ...] = ()
    closed: str = ""


def is_same_by_hand(shipment: Shipment, made: StoreShipment) -> bool:
    """Whether what somebody else has made in the store is this very shipment: tracking number, address and pieces."""
    return (
        not made.reference
        and bool(shipment.tracking_number)
        and made.tracking_number == shipment.tracking_number
        and made.address_id == shipment.address_id
        and dict(made.pieces) == shipment.pieces
    )
