"""A served application whose ERP is a stand-in of S/4HANA, with documents of ours in it and rows about them."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from ml_connector.connectors.base import FreePermit, Outgoing, Posted
from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import Document
from ml_connector.engine import labels
from ml_connector.engine.database import dump_json
from ml_connector.engine.labels import Label
from ml_connector.flows.runtime import Runtime
from ml_connector.sandbox.process import Announced, SandboxProcess
from tests.config.examples import ENVIRONMENT
from tests.connectors.s4hana.erp import Erp
from tests.web.serving import Served, serving

RECORD = text("""
INSERT INTO records (integration, flow, key, status, hold_kind, hold_key, last_error, heard_at, seq, done_seq)
VALUES (1, :flow, :key, :status, :kind, :hold_key, :message, :heard, 1, 0)
""")
POSTING = text("""
INSERT INTO postings (integration, reference, generation, connection, flow, record_key, kind, state, fingerprint,
                      sent_fingerprints, content, number, error, posted_at, mapping_version, policy_version)
VALUES (1, :reference, :generation, :connection, 'orders', :key, :kind, :state, :fingerprint, ARRAY[:fingerprint],
        CAST(:content AS jsonb), :number, :error, :posted_at, 1, 1)
""")
LONG_AGO = datetime.now(UTC) - timedelta(hours=3)


@contextmanager
def erp_process() -> Iterator[SandboxProcess]:
    with SandboxProcess(["s4hana"]) as process:
        yield process


def pointed_at(announced: Announced, visible_s: float = 0.0) -> Any:
    """The example's ledger, at the stand-in. `visible_s`: V."""

    def change(content: Any) -> None:
        ledger = content["connections"]["ledger"]
        ledger |= {"base_url": announced.base_url, "sandbox": True}
        ledger["timing"] = {"p_s": 2.0, "t_s": 10.0, "l_s": 1.0, "v_s": visible_s, "s_s": 0.0}
        ledger["settings"]["token_url"] = announced.token_url

    return change


@dataclass
class Books:
    """The application and its ERP."""

    served: Served
    erp: Erp

    @property
    def runtime(self) -> Runtime:
        runtime: Runtime = self.served.app.state.pages.runtime
        return runtime

    async def post(self, document: Document) -> str:
        """Books it in the ERP as the connector does; its number there."""
        context = await self.runtime.context(1, None)
        [posted] = await context.ledger.post([Outgoing(document)], FreePermit())
        assert isinstance(posted, Posted), posted
        return posted.number

    async def row(self, document: Document, *, key: str, state: str = "held", **facts: Any) -> None:
        """Our row of it. `facts`: number, error, posted_at."""
        told = {"number": None, "error": None, "posted_at": None, **facts}
        context = await self.runtime.context(1, None)
        async with self.served.database.connect() as sql:
            await sql.execute(
                POSTING,
                {
                    "reference": document.base_reference, "generation": document.generation, "key": key,
                    "connection": context.erp.id, "kind": document.kind.value, "state": state,
                    "fingerprint": document.fingerprint, "content": dump_json(document_to_json(document)), **told,
                },
            )  # fmt: skip

    async def record(
        self, key: str, kind: str | None = None, about: str | None = None, message: str | None = None,
        *, status: str = "held", flow: str = "orders", total: str = "72.55",
    ) -> None:  # fmt: skip
        """A record with its label; held where a `kind` is given."""
        label = Label(key, key, "Simone Moreau", "", Decimal(total), "USD", LONG_AGO, LONG_AGO)
        async with self.served.database.connect() as sql:
            await labels.note(sql, 1, flow, [label])
            await sql.execute(
                RECORD,
                {"flow": flow, "key": key, "status": status, "kind": kind, "hold_key": about, "message": message,
                 "heard": LONG_AGO},
            )  # fmt: skip


def dearer(document: Document, by: str) -> Document:
    """The same with both its first lines larger."""
    first, second, *rest = document.lines
    more = Decimal(by)
    return replace(
        document,
        lines=(replace(first, amount=first.amount + more), replace(second, amount=second.amount + more), *rest),
    )


@asynccontextmanager
async def books(database_url: str, process: SandboxProcess, *, visible_s: float = 0.0) -> AsyncGenerator[Books]:
    """An empty ERP with the master data that documents of `tests.connectors.s4hana.documents` need."""
    announced = process.systems["s4hana"]
    erp = Erp(announced)
    erp.reset()
    environment = {
        **ENVIRONMENT,
        "S4_CLIENT_ID": str(announced.credentials["client_id"]),
        "S4_CLIENT_SECRET": str(announced.credentials["client_secret"]),
    }
    async with serving(database_url, pointed_at(announced, visible_s), environment=environment) as served:
        yield Books(served, erp)
