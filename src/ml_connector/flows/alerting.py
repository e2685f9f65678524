"""Alerts as a periodic record: look at everything that rules name, then send what is due."""

from collections.abc import Mapping

from ml_connector.engine import alert_channels, alerts
from ml_connector.engine.runs import Done, Outcome, Run
from ml_connector.flows.runtime import Runtime

NAME = "system:alerts"
EVERY_S = 30.0


class AlertsFlow:
    """One record per integration; what connections share (integration 0) is sent by whoever comes first."""

    name = NAME
    batch = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        db = self._runtime.database
        integration = await self._runtime.registry.integration(run.integration, epoch=run.epoch)
        if integration.active:
            await alerts.step(db, integration)
        await alert_channels.deliver(db, self._runtime.vault, [0, run.integration])
        return dict.fromkeys(run.keys, Done(next_in_s=EVERY_S))
