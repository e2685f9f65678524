"""How far a set-up is: what is stored of it, and the eight steps of the rail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ml_connector.connectors.base import Check, SetupStep
from ml_connector.desk.connections import removed
from ml_connector.engine import watermarks
from ml_connector.engine.registry import Connection, Integration
from ml_connector.flows.runtime import Runtime
from ml_connector.flows.trying import Tried

NOTES: Final = "system:setup"

STEPS: Final[Mapping[str, str]] = {
    "store": "Store",
    "erp": "ERP",
    "check": "Check both",
    "webhooks": "Webhooks",
    "flows": "Flows",
    "accounts": "First accounts",
    "dry-run": "Dry run",
    "live": "Go live",
}


@dataclass(frozen=True, slots=True)
class Step:
    """As the rail shows it. `href` empty: not to be reached yet."""

    name: str
    title: str
    done: bool
    words: str
    href: str


@dataclass(frozen=True, slots=True)
class SetUp:
    """An integration on its way. `checks`: by connection, as they came out last; `made`: what has to be made there."""

    integration: Integration
    store: Connection
    erp: Connection
    notes: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.integration.name

    @property
    def checks(self) -> Mapping[str, Sequence[Check]]:
        found: Mapping[str, Sequence[Any]] = self._checked.get("checks", {})
        return {
            side.name: [Check(**each) for each in found.get(side.name, ())] for side in (self.store, self.erp) if found
        }

    @property
    def to_make(self) -> Mapping[str, Sequence[SetupStep]]:
        found: Mapping[str, Sequence[Any]] = self._checked.get("steps", {})
        return {name: [SetupStep(**each) for each in steps] for name, steps in found.items()}

    @property
    def checked_at(self) -> datetime | None:
        at = self._checked.get("at")
        return datetime.fromisoformat(at) if at else None

    @property
    def _checked(self) -> Mapping[str, Any]:
        return self.notes.get("checked") or dict[str, Any]()

    @property
    def wrong(self) -> int:
        """Needed checks that failed, and steps that are not made."""
        failed = [check for checks in self.checks.values() for check in checks if check.needed and not check.ok]
        unmade = [step for steps in self.to_make.values() for step in steps if step.needed and not step.done]
        return len(failed) + len(unmade)

    @property
    def tried(self) -> Tried | None:
        return Tried.of(self.notes.get("tried"))

    @property
    def sandbox(self) -> bool:
        return self.store.sandbox and self.erp.sandbox

    def steps(self) -> list[Step]:
        """All eight."""
        tried = self.tried
        done = {
            "store": (True, self.store.name),
            "erp": (True, self.erp.name),
            "check": (self.checked_at is not None and not self.wrong, f"{self.wrong} missing" if self.wrong else ""),
            "webhooks": (bool(self.notes.get("webhooks")), ""),
            "flows": (bool(self.notes.get("flows")), ""),
            "accounts": (
                bool(self.integration.mapping.get("accounts")) and not (tried and tried.missing),
                f"{len(tried.missing)} missing" if tried and tried.missing else "",
            ),
            "dry-run": (
                tried is not None and not tried.missing,
                f"{tried.booked} of {tried.orders} would be booked" if tried else "",
            ),
            "live": (self.integration.active, ""),
        }  # fmt: skip
        sides = {"store": f"/connections/of/{self.store.name}", "erp": f"/connections/of/{self.erp.name}"}
        return [
            Step(name, title, *done[name], sides.get(name, f"/connections/set-up/{self.name}/{name}"))
            for name, title in STEPS.items()
        ]

    def next(self) -> str:
        """The first step that is not done."""
        return next((step.name for step in self.steps() if not step.done), "live")


def first_steps(store: str = "") -> list[Step]:
    """The rail while there is no integration yet."""
    return [
        Step(
            name, title, name == "store" and bool(store), store if name == "store" else "",
            f"/connections/of/{store}" if name == "store" and store else "",
        )
        for name, title in STEPS.items()
    ]  # fmt: skip


async def read(runtime: Runtime, name: str) -> SetUp | None:
    """The integration of that name as far as it is; None: there is none."""
    registry = runtime.registry
    found = next(
        (each for each in await registry.integrations(active=False) if each.name == name and not removed(each)), None
    )
    if found is None:
        return None
    async with runtime.database.connect() as sql:
        notes = {
            each: await watermarks.noted(sql, found.id, NOTES, each)
            for each in ("checked", "webhooks", "flows", "tried")
        }
    return SetUp(found, await registry.connection(found.store), await registry.connection(found.erp), notes)
