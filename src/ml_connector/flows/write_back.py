"""The numbers of the ERP's documents, noted beside the order in the store. Absolute, so safe to repeat; switchable."""

import asyncio
from collections.abc import Mapping

from ml_connector.connectors.base import WritesBack
from ml_connector.connectors.errors import ConnectorError, Transient
from ml_connector.engine import postings
from ml_connector.engine.runs import Done, Fail, Outcome, Run
from ml_connector.flows.answers import outcome_of_error
from ml_connector.flows.facts import standing_by_record
from ml_connector.flows.runtime import Runtime

NAME = "write_back"
LATE_S = 60.0
"""The store may still carry out a write whose answer was lost for this long; a request takes it seconds."""


class WriteBackFlow:
    """ERP to store. A record's key is the store's order ID; the orders flow marks it when documents were posted."""

    name = NAME
    batch = 20

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        store = context.store_connector
        if not context.writes_back or not isinstance(store, WritesBack):
            return dict.fromkeys(run.keys, Done())
        known = await standing_by_record(context.database, run.integration, "orders", run.keys)
        outcomes: dict[str, Outcome] = {}

        async def note(key: str) -> None:
            if not run.alive or run.stopping:
                return
            live = [p for p in known.get(key, ()) if p.state in postings.LIVE and p.number]
            try:
                await store.note_documents(key, {p.name.written: p.shown for p in live})
                outcomes[key] = Done()
            except Transient as error:
                outcomes[key] = _last_word(error)
            except ConnectorError as error:
                outcomes[key] = outcome_of_error(error, connection=context.store.id, epoch=context.store.epoch)

        async with asyncio.TaskGroup() as group:  # side by side; the limiter bounds the pace
            for key in run.keys:
                group.create_task(note(key))
        return outcomes


def _last_word(error: Transient) -> Fail:
    """Written once more when a write whose answer was lost can no longer arrive: it must not be the last (P9).

    No mark cuts that wait, and jitter takes off half of its floor at most.
    """
    return Fail(str(error), wakes=False, floor_s=2 * LATE_S)
