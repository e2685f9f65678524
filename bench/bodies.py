"""Bodies for the bare loop, as the worker wrote them: made by the connector's pure functions, before anything is timed.

Journal entries and new partners come from the documents in the postings; notes in the store are taken from the audit.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import text

from bench.bare_loop import Bodies, Body
from bench.bodies_business_one import business_one_body, in_order
from bench.recording import Made
from bench.worker import INTEGRATION
from bench.world import ERP
from ml_connector.config.mapping import mapping_from
from ml_connector.connectors.base import Outgoing, Settings
from ml_connector.connectors.s4hana.customers import new_partner
from ml_connector.connectors.s4hana.settings import S4Settings, read_settings
from ml_connector.connectors.s4hana.wire import request_body
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import Document
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Registry
from ml_connector.flows.runtime import settings_of

POSTINGS = text("SELECT reference, number, content, record_key FROM postings WHERE integration = :integration")
SYSTEM = "SELECT system FROM connections WHERE name = %s"
READS = ("GET", "HEAD")


async def bodies_of(database: Database, calls: Sequence[Made]) -> Bodies:
    """By position in `calls`; reads have none. Raises `LookupError` for a write that has nothing to send."""
    async with database.connect() as connection:
        rows = (await connection.execute(POSTINGS, {"integration": INTEGRATION})).all()
        system = (await connection.exec_driver_sql(SYSTEM, (ERP,))).scalar_one()
    writes = {place: call for place, call in enumerate(calls) if call.kind != "token" and call.method not in READS}
    if system == "business_one":
        numbers = {row.reference: row.number for row in rows}
        bodies = {place: business_one_body(call, numbers) for place, call in writes.items()}
        return in_order(bodies, writes, {row.reference: row.record_key for row in rows})
    settings = await _settings(database)
    documents = {document.reference: document for document in (document_from_json(row.content) for row in rows)}
    now = datetime.now(UTC)
    return {place: Body(_body(call, documents, settings, now)) for place, call in writes.items()}


def _body(call: Made, documents: dict[str, Document], settings: S4Settings, now: datetime) -> bytes:
    if "journalentry" in call.target:
        return request_body([Outgoing(documents[reference]) for reference in call.references], settings, now)
    if call.method == "POST" and call.target.endswith("/A_BusinessPartner"):
        return json.dumps(new_partner(documents[call.references[0]], settings), default=str).encode()
    if not call.body:
        raise LookupError(f"the audit holds no body of {call.method} {call.target}")
    return call.body.encode()


async def _settings(database: Database) -> S4Settings:
    """The ERP connection's settings as the worker reads them; secrets are not needed to write a body."""
    registry = Registry(database)
    integration = next(iter(await registry.integrations()))
    connection = next(each for each in await registry.connections() if each.name == ERP)
    tables = mapping_from(integration.mapping, version=integration.mapping_version)
    return read_settings(
        Settings(
            name=connection.name,
            base_url=connection.base_url,
            settings=settings_of(connection, tables),
            credentials={"client_id": "bench", "client_secret": "bench"},
            sandbox=True,
        )
    )
