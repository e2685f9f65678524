"""A run of the engine on the real database, against a target whose answers a story decides."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from ml_connector.connectors.base import (
    Lookup,
    Outgoing,
    Permit,
    Posted,
    PostResult,
    Problem,
    StoredDocument,
    Timing,
)
from ml_connector.connectors.errors import Uncertain
from ml_connector.domain.documents import Document
from ml_connector.engine import records
from ml_connector.engine.apply import Applier, Target, Work
from ml_connector.engine.database import Database
from ml_connector.engine.ending import write_outcomes
from ml_connector.engine.outcomes import Applied, Result
from ml_connector.engine.records import Lane
from ml_connector.engine.runs import Done, Outcome, Run
from ml_connector.engine.send import Sender
from ml_connector.engine.watchdog import Watchdog
from ml_connector.flows.answers import outcome_of_stop

ERP = 2
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Books:
    """An ERP: keeps every document that it is sent, and counts what it is asked. `loses_answers`: it books, and the
    answer does not arrive."""

    def __init__(self, timing: Timing | None = None) -> None:
        self.timing = timing or Timing(p_s=2, t_s=10, l_s=10, v_s=0, s_s=0)
        self.batch_size = 50
        self.lookup_size = 100
        self.stored: list[tuple[StoredDocument, str]] = []
        self.told: dict[str, dict[str, str]] = {}  # by reference, the numbers of the documents that it names
        self.look_ups = 0
        self.loses_answers = False
        self.takes_nothing = False
        self.sees_nothing = False
        self.shown = ""

    async def check(self, documents: Sequence[Document]) -> Mapping[str, Sequence[Problem]]:
        return {}

    async def find(self, lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
        self.look_ups += 1
        if self.sees_nothing:
            return {}
        return {
            wanted: hits
            for wanted in (lookup.document.reference for lookup in lookups)
            if (hits := [stored for stored, _ in self.stored if stored.reference == wanted])
        }

    async def post(self, outgoing: Sequence[Outgoing], permit: Permit) -> Sequence[PostResult]:
        await permit.arm()
        permit.check()
        if self.takes_nothing:
            raise Uncertain("the line broke")
        for item in outgoing:
            self.told[item.document.reference] = {name: each.number for name, each in item.earlier.items()}
        numbers = [self.book(item.document) for item in outgoing]
        if self.loses_answers:
            raise Uncertain("the line broke")
        return [Posted(number, shown=self.shown) for number in numbers]

    def book(self, document: Document) -> str:
        number = f"{100 + len(self.stored)}"
        self.stored.append((StoredDocument(document.reference, number, shown=self.shown), document.fingerprint))
        return number

    def differences(self, sent: Document, stored: StoredDocument) -> Sequence[str]:
        [kept] = [fingerprint for each, fingerprint in self.stored if each.number == stored.number]
        return () if kept == sent.fingerprint else ("amounts",)

    def references(self) -> list[str]:
        return [stored.reference for stored, _ in self.stored]


class Desk:
    """Claims records, applies documents, writes what became of them; every step is the engine's own."""

    def __init__(self, database: Database, books: Books, watchdog: Watchdog | None = None) -> None:
        self.database, self.books = database, books
        self.watchdog = watchdog or Watchdog(enabled=False)
        self.stories: list[tuple[str, str]] = []

    async def claim(self, *keys: str, flow: str = "orders") -> Run:
        """The records are marked, made due and taken by one run."""
        lane = Lane(1, flow)
        async with self.database.transaction() as connection:
            await records.mark(connection, 1, flow, keys)
            await connection.execute(
                text("UPDATE records SET run_at = statement_timestamp() WHERE flow = :flow AND key = ANY(:keys)"),
                {"flow": flow, "keys": list(keys)},
            )
        async with self.database.connect() as connection:
            claim = await records.claim(connection, lane, worker="w", batch=50, lease_s=30)
        assert claim is not None
        assert {record.key for record in claim.records} == set(keys)
        return Run.of(claim, 30)

    def applier(self, run: Run) -> Applier:
        def story(kind: str, key: str, reference: str, facts: Mapping[str, object]) -> None:
            self.stories.append((kind, reference))

        sender = Sender(self.database, run.fence, self.books, self.watchdog, story)
        return Applier(self.database, run, Target(ERP, self.books), sender)

    async def apply(self, run: Run, *documents: Document, key: str = "") -> Result:
        """One record's plan, after its open postings were resolved as every run does."""
        key = key or run.keys[0]
        applier = self.applier(run)
        stopped = await applier.resolve([key])
        if key in stopped:
            return stopped[key]
        return (await applier.apply([Work(key, documents)]))[key]

    async def end(self, run: Run, result: Result) -> None:
        """Writes what became of each record of the run."""
        outcome: Outcome = Done() if isinstance(result, Applied) else outcome_of_stop(result, connection=ERP, epoch=0)
        await write_outcomes(self.database, run, dict.fromkeys(run.keys, outcome))

    async def run(self, key: str, *documents: Document, flow: str = "orders") -> Result:
        run = await self.claim(key, flow=flow)
        result = await self.apply(run, *documents)
        await self.end(run, result)
        return result

    async def record(self, key: str, flow: str = "orders") -> Any:
        """The record, with `in_s`: seconds until it runs, by the database's clock."""
        return await self.one(
            "SELECT *, extract(epoch FROM run_at - statement_timestamp())::float8 AS in_s FROM records"
            f" WHERE flow = '{flow}' AND key = '{key}'"
        )

    async def states(self) -> dict[str, str]:
        rows = await self.all("SELECT reference || '/' || generation AS name, state FROM postings ORDER BY 1")
        return {row.name: row.state for row in rows}

    async def one(self, statement: str) -> Any:
        [row] = await self.all(statement)
        return row

    async def all(self, statement: str) -> Sequence[Any]:
        async with self.database.connect() as connection:
            return (await connection.execute(text(statement))).all()

    async def do(self, statement: str) -> None:
        async with self.database.connect() as connection:
            await connection.execute(text(statement))

    async def horizon_passes(self) -> None:
        """H has gone for everything that is open."""
        await self.do(
            "UPDATE postings SET sent_at = sent_at - interval '1 hour', resolve_at = resolve_at - interval '1 hour'"
            " WHERE state IN ('sending', 'uncertain')"
        )
