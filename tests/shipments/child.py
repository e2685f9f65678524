"""One run of the engine in a process of its own, for the deaths: `python -m tests.shipments.child`.

On standard input: `announced`, `database`, `documents`. On standard output: what became of it.
"""

import asyncio
import json
import sys
from typing import Any, cast

from ml_connector.domain.codec import document_from_json
from ml_connector.engine.database import Database
from ml_connector.sandbox.process import Announced
from tests.exactly_once.desk import Books, Desk
from tests.shipments.counter import FLOW, KEY, store_of


async def main(told: dict[str, Any]) -> str:
    database = Database(told["database"], application="shipments")
    try:
        async with store_of(Announced(**told["announced"])) as store:
            desk = Desk(database, cast("Books", store.shipment_ledger))
            result = await desk.run(KEY, *map(document_from_json, told["documents"]), flow=FLOW)
    finally:
        await database.close()
    return repr(result)


if __name__ == "__main__":
    print(asyncio.run(main(json.load(sys.stdin))))
