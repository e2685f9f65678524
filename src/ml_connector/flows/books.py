"""Which books an ERP connection opens, by the system's own word: an address may be one of several names of one host.

Asked at `ping` and before the first document goes. Two integrations under one tag in the same books would take each
other's documents for their own; two of one store would book each order twice.
"""

import time

from ml_connector.connectors.base import Connector, TellsBooks
from ml_connector.connectors.errors import Rejected, Unauthorized
from ml_connector.engine import registry
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Connection, Integration
from ml_connector.flows.context import Context
from ml_connector.flows.runtime import Runtime

FIX = "use one connection for both, and another tag; or switch one of the two off"
ASK_AGAIN_S = 600.0
"""A system that has told nothing (some tell with their first document) is asked again after that."""


async def recognise(runtime: Runtime, context: Context) -> None:
    """Asks once for each connection. Raises `Unauthorized` where the books are another integration's already."""
    erp = context.erp
    asked_at = runtime.asked_books.get(erp.id)
    if erp.books or (asked_at is not None and time.monotonic() - asked_at < ASK_AGAIN_S):
        return
    told = await told_by(context.erp_connector)
    if not told:
        runtime.asked_books[erp.id] = time.monotonic()
    elif clash := await keep(runtime.database, context.integration, erp, told):
        raise Unauthorized(f"{clash}; {FIX}", system=erp.system)


async def told_by(connector: Connector) -> str:
    """Empty where the system tells none, or not to this user: then the address alone says which books they are."""
    if not isinstance(connector, TellsBooks):
        return ""
    try:
        return await connector.books()
    except (Rejected, Unauthorized):
        return ""


async def keep(database: Database, integration: Integration, erp: Connection, told: str) -> str:
    """Why the integration must not post there; empty where it may, and what was told is kept then."""
    async with database.transaction() as connection:
        return await registry.keep_books(connection, integration, erp, told)
