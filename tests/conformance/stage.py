"""One listed system with its stand-in, its connector and the engine's own desk: documents go the way that they go."""

import json
import os
import re
import ssl
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, cast

from ml_connector.connectors.base import Ledger, Services, Settings
from ml_connector.connectors.errors import ConnectorError
from ml_connector.connectors.systems import find_system
from ml_connector.domain.documents import ITEMISED, Document, Kind
from ml_connector.engine import crash
from ml_connector.engine.apply import Work
from ml_connector.engine.database import Database
from ml_connector.engine.ending import write_outcomes
from ml_connector.engine.outcomes import Applied, Failed, Result
from ml_connector.engine.records import sweep
from ml_connector.engine.runs import Done, Outcome
from ml_connector.flows.answers import outcome_of_stop
from ml_connector.planning import Facts, plan_order
from ml_connector.sandbox.process import Announced
from tests.conformance.systems import Listed
from tests.connectors.shared import LocalServices
from tests.exactly_once.desk import ERP, Books, Desk
from tests.planning.store import StoreOrder, a_mapping, a_policy, a_refund, an_item, captured, documents

TIMING = {"p_s": 2, "t_s": 3, "l_s": 1}
KEY = "10250"
TRIES = 12


class Erp:
    """The stand-in seen from outside, by what every ERP's stand-in offers (`sandbox.core.system`)."""

    def __init__(self, listed: Listed, announced: Announced) -> None:
        self.listed, self.announced = listed, announced
        self._context = ssl.create_default_context(cafile=announced.ca_file) if announced.ca_file else None

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.announced.control_url}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=30, context=self._context) as answer:
            return json.loads(answer.read() or b"null")

    def reset(self) -> None:
        self.call("DELETE", "/faults")
        self.call("POST", "/reset", {})
        self.call("POST", "/seed", self.listed.seed)

    def state(self, kind: str) -> list[dict[str, Any]]:
        return self.call("GET", f"/state/{kind}")["items"]

    def fault(self, name: str, path: str, *, method: str | None = None, times: int = 1, **args: Any) -> None:
        """The next `times` requests to `path` meet the fault."""
        match: dict[str, Any] = {"path": path, "times": times}
        if method is not None:
            match["method"] = method
        self.call("POST", "/faults", {"match": match, "fault": name, "args": args})

    def fault_writes(self, name: str, *, times: int = 1, **args: Any) -> None:
        """The next `times` requests that post a document meet the fault; more than one request may make one."""
        for method, path in self.listed.writes:
            self.fault(name, path, method=method, times=times, **args)

    def hits(self) -> int:
        return sum(rule["hits"] for rule in self.call("GET", "/faults")["faults"])

    def clear_faults(self) -> None:
        self.call("DELETE", "/faults")

    def written(self) -> int:
        """How many requests came that post documents: a system may read at the same path."""
        return sum(
            any(request["method"] == method and re.search(path, request["path"]) for method, path in self.listed.writes)
            for request in self.state("requests")
        )

    def live(self) -> dict[str, list[dict[str, Any]]]:
        """By reference, the live documents."""
        found: dict[str, list[dict[str, Any]]] = {}
        for document in self.state("documents"):
            if document["live"]:
                found.setdefault(document["reference"], []).append(document)
        return found


def settings_of(listed: Listed, announced: Announced, **settings: object) -> Settings:
    given: dict[str, object] = {**listed.settings, "timing": TIMING, "allow_private": True}
    if announced.token_url:
        given["token_url"] = announced.token_url
    return Settings("erp", announced.base_url, given | settings, dict(announced.credentials), sandbox=True)


@asynccontextmanager
async def connector_of(
    listed: Listed, announced: Announced, services: Services | None = None, **settings: object
) -> AsyncIterator[Any]:
    """A live connector, closed at the end."""
    system = find_system(listed.system)
    opened = system.connect(settings_of(listed, announced, **settings), services or LocalServices(crash.point))
    try:
        yield opened
    finally:
        await opened.close()


@dataclass
class Stage:
    listed: Listed
    erp: Erp
    desk: Desk
    ledger: Ledger
    services: LocalServices

    # -------------------------------------------------------------- what is wanted

    def plan(
        self, *, status: int = 11, accounts: Mapping[str, str] | None = None, number: int = int(KEY)
    ) -> tuple[Document, ...]:
        """An order of a registered customer, its payment, a refund of one unit and the money that went back."""
        system = find_system(self.listed.system)
        paid = captured(StoreOrder(id=number).snapshot(), id=f"1{number}")
        billing = replace(paid.order.billing, street_1="Main Street 1", city="Austin", zip="78701", phone="5125550100")
        paid = replace(paid, order=replace(paid.order, status_id=status, billing=billing))
        if status != 5:
            paid = replace(paid, refunds=(a_refund("21.65", "1.65", an_item("PRODUCT", 501, 1), number=number),))
        tables = {"customers": {"one_time": "199999", "individual": {}}, **self.listed.mapping}
        facts = Facts(
            reference_form=system.reference_form or "short",
            style="sales" if system.style == "sales" else "journal",
            family=system.name,
            customer_accounts=dict(accounts or {}),
            kinds=system.kinds(self.listed.settings),
        )
        return documents(plan_order(paid, a_mapping(**tables), a_policy(), facts))

    async def with_customer(self, *, number: int = int(KEY)) -> tuple[Document, ...]:
        """The plan once its customer stands, as the orders flow makes it."""
        customer = self.plan()[0]
        assert customer.kind is Kind.CUSTOMER
        assert customer.party is not None
        numbers = await self.settled([customer], key="customer")
        return self.plan(accounts={customer.party.key: numbers[customer.reference]}, number=number)

    # -------------------------------------------------------------- the way of every run

    async def run(self, wanted: Sequence[Document], key: str = KEY) -> Result:
        """One run; what its look-ups raise ends it as it ends a flow's."""
        run = await self.desk.claim(key)
        try:
            result = await self.desk.apply(run, *wanted)
        except ConnectorError as error:
            result = Failed(error)
        await self.desk.end(run, result)
        return result

    async def run_together(self, wanted: Mapping[str, Sequence[Document]]) -> dict[str, Result]:
        """One run of several orders, by key."""
        run = await self.desk.claim(*wanted)
        applier = self.desk.applier(run)
        stopped: dict[str, Result] = {**await applier.resolve(list(wanted))}
        work = [Work(key, tuple(documents)) for key, documents in wanted.items() if key not in stopped]
        results = stopped | dict(await applier.apply(work))
        await write_outcomes(self.desk.database, run, {key: _outcome(result) for key, result in results.items()})
        return results

    async def settled(self, wanted: Sequence[Document], key: str = KEY) -> dict[str, str]:
        """Runs until everything stands; time that an unknown outcome has to wait passes in between."""
        results: list[Result] = []
        for _ in range(TRIES):
            result = await self.run(wanted, key)
            if isinstance(result, Applied):
                return {**await self.numbers(), **result.numbers}
            results.append(result)
            await self.desk.horizon_passes()
        raise AssertionError(f"{self.listed}: not settled after {TRIES} runs: {results}")

    async def numbers(self) -> dict[str, str]:
        rows = await self.desk.all("SELECT reference, number FROM postings WHERE generation = 1 AND number IS NOT NULL")
        return {row.reference: row.number for row in rows}

    async def take_over(self) -> None:
        """The lease of a dead run ends, and its records are swept."""
        await self.desk.do("UPDATE runs SET lease_until = statement_timestamp() - interval '1 second'")
        async with self.desk.database.transaction() as connection:
            await sweep(connection)

    # -------------------------------------------------------------- the proof

    def stands_once(self, wanted: Sequence[Document]) -> None:
        """In the stand-in's own books: each document once, to the cent, and nothing else under our tag."""
        live = self.erp.live()
        assert sorted(live) == sorted(document.reference for document in wanted)
        for document in wanted:
            stored = live[document.reference]
            assert len(stored) == 1, f"{document.reference} stands {len(stored)} times: {stored}"
            if document.kind is not Kind.CUSTOMER:
                assert Decimal(stored[0]["total"]) == worth(document), document.reference
                assert stored[0]["currency"] == document.currency


def _outcome(result: Result) -> Outcome:
    return Done() if isinstance(result, Applied) else outcome_of_stop(result, connection=ERP, epoch=0)


def worth(document: Document) -> Decimal:
    """Of a sales document what the customer owes or gets, of an entry the sum of its debits."""
    if document.kind in ITEMISED:
        return document.total
    return sum((line.signed for line in document.lines if line.signed > 0), Decimal(0))


@asynccontextmanager
async def staged(listed: Listed, announced: Announced, database: Database, **settings: object) -> AsyncIterator[Stage]:
    """A fresh stand-in and a fresh desk."""
    erp = Erp(listed, announced)
    erp.reset()
    services = LocalServices(crash.point)
    async with connector_of(listed, announced, services, **settings) as connector:
        assert isinstance(connector, Ledger), f"{listed} finds and posts no documents"
        yield Stage(listed, erp, Desk(database, cast("Books", connector)), connector, services)


def child_environment(**given: str) -> dict[str, str]:
    return {**os.environ, **given}
