"""One run of the engine in a process of its own, for the deaths of the suite: `python -m tests.conformance.child`.

On standard input: `system`, `announced`, `database`, `key`, `documents`. On standard output: what became of it.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any, cast

from ml_connector.domain.codec import document_from_json
from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKey, MasterKeys
from ml_connector.engine.services import Shared
from ml_connector.engine.vault import Vault
from ml_connector.sandbox.process import Announced
from tests.conformance.stage import connector_of
from tests.conformance.systems import LISTED
from tests.exactly_once.desk import Books, Desk


@dataclass(frozen=True)
class Known:
    """The connection, as far as its services go: tokens, sessions, limits and breaker are those of the database."""

    system: str
    id: int = 1
    name: str = "erp"
    concurrency: int | None = None


async def main(told: dict[str, Any]) -> str:
    [listed] = [each for each in LISTED if each.system == told["system"]]
    database = Database(told["database"], application="conformance")
    shared = Shared(database, Vault(database, MasterKeys([MasterKey.of(bytes(32))])))
    services = shared.services_for(Known(system=listed.system))
    try:
        async with connector_of(listed, Announced(**told["announced"]), services) as connector:
            desk = Desk(database, cast("Books", connector))
            result = await desk.run(told["key"], *map(document_from_json, told["documents"]))
    finally:
        await shared.close()
        await database.close()
    return repr(result)


if __name__ == "__main__":
    print(asyncio.run(main(json.load(sys.stdin))))
