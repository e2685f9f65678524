"""The store's stand-in, its ledger of shipments and the engine's own desk: shipments go the way that they go."""

import json
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, cast

from ml_connector.connectors.base import Ledger, Settings, WritesShipments
from ml_connector.connectors.errors import ConnectorError
from ml_connector.connectors.systems import find_system
from ml_connector.domain.documents import Document, Kind
from ml_connector.domain.shipments import OrderShipping, Shipment, ShipmentItem
from ml_connector.engine import crash
from ml_connector.engine.database import Database
from ml_connector.engine.outcomes import Applied, Failed, Result
from ml_connector.engine.records import sweep
from ml_connector.sandbox.process import Announced
from tests.connectors.shared import LocalServices
from tests.exactly_once.desk import Books, Desk

TIMING = {"p_s": 2, "t_s": 3, "l_s": 1, "v_s": 0, "s_s": 0}
FLOW, KEY = "shipments", "DeliveryNotes/918"
TRIES = 12


@asynccontextmanager
async def store_of(announced: Announced) -> AsyncIterator[WritesShipments]:
    """A live connector, closed at the end."""
    given = {"store_hash": announced.credentials["store_hash"], "timing": TIMING}
    credentials = {name: str(value) for name, value in announced.credentials.items()} | {"webhook_secret": "x" * 32}
    settings = Settings("store", announced.base_url, given, credentials, sandbox=True)
    opened = find_system("bigcommerce").connect(settings, LocalServices(crash.point))
    try:
        assert isinstance(opened, WritesShipments)
        yield opened
    finally:
        await opened.close()


@dataclass
class Counter:
    """Where parcels are taken in: one paid order of two lines or more."""

    announced: Announced
    store: WritesShipments
    desk: Desk
    order: str = ""
    shipping: OrderShipping | None = None

    @property
    def ledger(self) -> Ledger:
        return self.store.shipment_ledger

    # -------------------------------------------------------------- the store

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.announced.control_url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    async def open(self) -> None:
        self.call("DELETE", "/faults")
        self.call("POST", "/reset", {})
        profile = {"kinds": {"paid": 1}, "markets": {"us_tx": 1}, "features": {"several": 1, "digital": 0}}
        self.order = str(self.call("POST", "/seed", {"orders": 1, "profile": profile, "seed": 1})["first_id"])
        self.shipping = (await self.store.order_shipping([self.order]))[self.order]

    def fault(self, name: str, method: str = "POST", times: int = 1, **args: object) -> None:
        """The next `times` calls at shipments by this method meet the fault."""
        match = {"path": "/shipments(/[0-9]+)?$", "method": method, "times": times}
        self.call("POST", "/faults", {"match": match, "fault": name, "args": args})

    def hits(self) -> int:
        return sum(rule["hits"] for rule in self.call("GET", "/faults")["faults"])

    def clear_faults(self) -> None:
        self.call("DELETE", "/faults")

    def made(self) -> list[dict[str, Any]]:
        """The order's shipments, in the stand-in's own books."""
        items = self.call("GET", "/state/orders")["items"]
        return next(each["shipments"] for each in items if str(each["order"]["id"]) == self.order)

    def by_hand(self, document: Document, **changes: object) -> None:
        """Somebody makes this very shipment in the control panel."""
        shipment = document.shipment
        assert shipment is not None
        body = {
            "order_address_id": shipment.address_id,
            "tracking_number": shipment.tracking_number,
            "items": [{"order_product_id": each.line_id, "quantity": each.quantity} for each in shipment.items],
        }
        self.call("POST", f"/orders/{self.order}/ship", body | changes)

    # -------------------------------------------------------------- what is wanted

    def parcel(self, name: str = "D918", tracking: str = "T-1", pieces: int = 1, line: int = 0) -> Document:
        assert self.shipping is not None
        item = self.shipping.items[line]
        day = date(2026, 3, 7)
        shipment = Shipment(
            self.order, item.address_id, (ShipmentItem(item.line_id, pieces),), tracking, "ups", comment="Delivery 1018"
        )
        reference = f"BC-S1-{self.order}-V{name}A{item.address_id}"
        return Document(Kind.SHIPMENT, reference, 1, day, day, "", "", "Delivery 1018", (), shipment=shipment)

    def tracked(self, document: Document, tracking: str, generation: int = 2) -> Document:
        """An update of the parcel's tracking number."""
        assert document.shipment is not None
        base = document.base_reference
        return replace(
            document,
            generation=generation,
            reference=f"{base}-{generation}",
            applies_to=base,
            shipment=replace(document.shipment, tracking_number=tracking),
        )

    # -------------------------------------------------------------- the way of every run

    async def run(self, *wanted: Document, key: str = KEY) -> Result:
        run = await self.desk.claim(key, flow=FLOW)
        try:
            result = await self.desk.apply(run, *wanted)
        except ConnectorError as error:
            result = Failed(error)
        await self.desk.end(run, result)
        return result

    async def settled(self, *wanted: Document, key: str = KEY) -> None:
        """Runs until everything stands; the time that an unknown outcome has to wait passes in between."""
        results: list[Result] = []
        for _ in range(TRIES):
            result = await self.run(*wanted, key=key)
            if isinstance(result, Applied):
                return
            results.append(result)
            await self.desk.horizon_passes()
        raise AssertionError(f"not settled after {TRIES} runs: {results}")

    async def take_over(self) -> None:
        """The lease of a dead run ends, and its records are swept."""
        await self.desk.do("UPDATE runs SET lease_until = statement_timestamp() - interval '1 second'")
        async with self.desk.database.transaction() as connection:
            await sweep(connection)

    # -------------------------------------------------------------- the proof

    def stands_once(self, *parcels: Document, tracking: Sequence[str] = ()) -> None:
        """In the stand-in's own books: each parcel once, nothing else, with these tracking numbers."""
        made = self.made()
        begins = sorted(each["comments"].partition(" ")[0] for each in made)
        assert begins == sorted(parcel.base_reference for parcel in parcels), made
        if tracking:
            assert sorted(each["tracking_number"] for each in made) == sorted(tracking)


@asynccontextmanager
async def counter_of(announced: Announced, database: Database) -> AsyncIterator[Counter]:
    async with store_of(announced) as store:
        counter = Counter(announced, store, Desk(database, cast("Books", store.shipment_ledger)))
        await counter.open()
        yield counter
