"""What flows need to run: connectors opened once per process and epoch, the mapping and policy of a claim's epoch."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from ml_connector.config.mapping import mapping_from
from ml_connector.config.policy import policy_from
from ml_connector.connectors.base import Connector, Services, Settings
from ml_connector.connectors.systems import find_system
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.policy import OpenPeriods, Policy
from ml_connector.engine.apply import Applier, Target
from ml_connector.engine.audit import Audit
from ml_connector.engine.breaker import Breakers
from ml_connector.engine.database import Database
from ml_connector.engine.metrics import Metrics
from ml_connector.engine.metrics import metrics as process_metrics
from ml_connector.engine.registry import Connection, Integration, Registry
from ml_connector.engine.runs import LEASE_S, Run
from ml_connector.engine.send import Sender
from ml_connector.engine.vault import Vault
from ml_connector.engine.watchdog import Watchdog
from ml_connector.flows.context import Context

ServicesFor = Callable[[Connection], Services]
"""What a connection shares with other processes (`engine.services`)."""

COUNT_EVERY_S = 60.0
_RETIRED_S = 960.0
"""A connector of an older epoch is closed when no run can use it any more: after the longest run."""


@dataclass(slots=True)
class Runtime:
    """One per process. `lease_s` and `count_every_s` are shorter in tests and in the demo."""

    database: Database
    registry: Registry
    vault: Vault
    audit: Audit
    services_for: ServicesFor
    metrics: Metrics = process_metrics
    breakers: Breakers | None = None
    watchdog: Watchdog = field(default_factory=Watchdog)
    lease_s: float = LEASE_S
    count_every_s: float = COUNT_EVERY_S
    asked_books: dict[int, float] = field(default_factory=dict[int, float])
    _connectors: dict[int, tuple[object, Connector]] = field(default_factory=dict[int, tuple[object, Connector]])
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    _parsed: dict[int, tuple[tuple[int, int], Tables, Policy]] = field(
        default_factory=dict[int, tuple[tuple[int, int], Tables, Policy]]
    )

    async def context(self, integration_id: int, epoch: int | None) -> Context:
        """Everything for a run that was claimed at `epoch`; None: as it is now."""
        integration = await self.registry.integration(integration_id, epoch=epoch)
        store = await self.registry.connection(integration.store)
        erp = await self.registry.connection(integration.erp)
        mapping, policy = self._tables(integration)
        system = find_system(erp.system)
        return Context(
            database=self.database,
            integration=integration,
            store=store,
            erp=erp,
            store_connector=await self.connector(store),
            erp_connector=await self.connector(erp, mapping),
            mapping=mapping,
            policy=policy,
            periods=_periods(erp),
            story=self._story(integration.id),
            reference_form=system.reference_form or "short",
            style=system.style or "journal",
            family=system.name,
            kinds=system.kinds(erp.settings),
        )

    def applier(self, context: Context, run: Run, target: Target | None = None) -> Applier:
        """What makes this run's documents true, in the ERP or in another `target`."""
        target = target or context.target
        probing = self.breakers is not None and self.breakers.probing(target.connection)
        sender = Sender(self.database, run.fence, target.ledger, self.watchdog, context.story, probing=probing)
        return Applier(self.database, run, target, sender)

    async def connector(self, connection: Connection, mapping: Tables | None = None) -> Connector:
        """The open connector of a connection as it is configured now."""
        content = settings_of(connection, mapping)
        version = (connection.epoch, repr(content))
        async with self._opening:
            known = self._connectors.get(connection.id)
            if known is not None and known[0] == version:
                return known[1]
            system = find_system(connection.system)
            settings = Settings(
                name=connection.name,
                base_url=connection.base_url,
                settings=content,
                credentials=await self.vault.all(connection.id),
                sandbox=connection.sandbox,
            )
            opened = system.connect(settings, self.services_for(connection))
            self._connectors[connection.id] = (version, opened)
            if known is not None:
                asyncio.get_running_loop().call_later(_RETIRED_S, lambda: asyncio.ensure_future(known[1].close()))
            return opened

    async def close(self) -> None:
        for _, connector in self._connectors.values():
            await connector.close()
        self._connectors.clear()

    def _tables(self, integration: Integration) -> tuple[Tables, Policy]:
        versions = (integration.mapping_version, integration.policy_version)
        known = self._parsed.get(integration.id)
        if known is None or known[0] != versions:
            mapping = mapping_from(integration.mapping, version=integration.mapping_version)
            policy = replace(policy_from(integration.policy), version=integration.policy_version)
            known = (versions, mapping, policy)
            self._parsed[integration.id] = known
        return known[1], known[2]

    def _story(self, integration: int) -> Callable[[str, str, str, Mapping[str, object]], None]:
        def tell(kind: str, key: str, reference: str, facts: Mapping[str, object]) -> None:
            said = {name: value for name, value in facts.items() if value not in (None, "")}
            self.audit.record(kind, integration=integration, key=key, refs=[reference] if reference else (), data=said)

        return tell


def settings_of(connection: Connection, mapping: Tables | None) -> dict[str, Any]:
    """A connection's settings as its connector takes them, transport settings and jurisdiction groups included."""
    content: dict[str, Any] = dict(connection.settings)
    for name in ("tls", "proxy", "allow_private", "timing", "concurrency"):
        if connection.content.get(name) is not None:
            content[name] = connection.content[name]
    if mapping is not None and mapping.tax_groups:
        content["tax_groups"] = [*mapping.tax_groups, *content.get("tax_groups", ())]
    return content


def _periods(erp: Connection) -> OpenPeriods:
    """The ERP's open posting period as configured; see `flows.periods` for what an ERP says by itself."""
    return OpenPeriods(open_from=_day(erp.settings.get("open_from")), open_to=_day(erp.settings.get("open_to")))


def _day(value: object) -> date | None:
    if value in (None, ""):
        return None
    return value if isinstance(value, date) else date.fromisoformat(str(value))
