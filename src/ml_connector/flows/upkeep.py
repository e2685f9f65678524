"""Housekeeping as periodic records: webhooks that the store switched off, old rows, samples of what waits."""

from collections.abc import Mapping

from ml_connector.connectors.base import ReceivesWebhooks
from ml_connector.connectors.errors import ConnectorError
from ml_connector.engine import connection_pulse, pulse
from ml_connector.engine.audit_chain import known_key
from ml_connector.engine.retention import Retention, sweep
from ml_connector.engine.runs import Done, Outcome, Run
from ml_connector.flows.answers import outcome_of_error
from ml_connector.flows.runtime import Runtime

HOOKS = "system:hooks"
HOOKS_EVERY_S = 300.0
RETENTION = "system:retention"
RETENTION_EVERY_S = 3600.0
PULSE = "system:pulse"
PULSE_EVERY_S = 60.0


class HooksFlow:
    """Compares the hooks that should exist with those that do, and registers or re-activates what is missing."""

    name = HOOKS
    batch = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        store = context.store_connector
        if context.integration.webhook_url and isinstance(store, ReceivesWebhooks):
            try:
                changed = await store.ensure_hooks(context.integration.webhook_url)
            except ConnectorError as error:
                outcome = outcome_of_error(error, connection=context.store.id, epoch=context.store.epoch)
                return dict.fromkeys(run.keys, outcome)
            if changed:
                context.story("config", run.keys[0], "", {"webhooks": list(changed)})
        return dict.fromkeys(run.keys, Done(next_in_s=HOOKS_EVERY_S))


class RetentionFlow:
    """Deletes what is older than the configured days, in small batches; never a posting."""

    name = RETENTION
    batch = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        integration = await self._runtime.registry.integration(run.integration, epoch=run.epoch)
        days = Retention(**integration.retention_days)
        key = await known_key(self._runtime.vault)
        await sweep(self._runtime.database, days, integration=run.integration, key=key)
        # What belongs to no integration in particular is kept as long as nobody says otherwise.
        await sweep(self._runtime.database, Retention(), integration=0, key=key)
        return dict.fromkeys(run.keys, Done(next_in_s=RETENTION_EVERY_S))


class PulseFlow:
    """Samples how much waits in each flow and for how long, and how the calls of both connections went."""

    name = PULSE
    batch = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        integration = await self._runtime.registry.integration(run.integration, epoch=run.epoch)
        flows = [name for name, settings in integration.flows.items() if settings.enabled]
        async with self._runtime.database.connect() as connection:
            await pulse.sample(connection, run.integration, flows)
            await connection_pulse.sample(connection, run.integration, (integration.store, integration.erp))
        return dict.fromkeys(run.keys, Done(next_in_s=PULSE_EVERY_S))
