"""How long things are kept, and when the night's reconciliation runs: an edit of the configuration as any other."""

from dataclasses import dataclass
from typing import Any

from ml_connector.config.edit import save as save_configuration
from ml_connector.config.problems import ConfigError, Problem
from ml_connector.desk.actions import Refused
from ml_connector.engine.actor import actor
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Integration
from ml_connector.engine.retention import DAYS_MIN, Retention
from ml_connector.engine.vault import Vault

DAYS_MAX = 36_500


@dataclass(frozen=True, slots=True)
class Kept:
    """How long rows of one integration are kept, and at which hour of the store's day (`zone`) its books are compared
    with the ERP's; None where that is switched off."""

    name: str
    retention: Retention
    hour: int | None
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form holds, as it was written. `hour` empty: as it is."""

    audit_days: str
    webhook_days: str
    hour: str = ""


def kept(of: Integration, zone: str) -> Kept:
    """As it is configured."""
    nightly = of.reconcile
    return Kept(of.name, Retention(**of.retention_days), nightly.hour if nightly.enabled else None, zone)


async def save(database: Database, vault: Vault, name: str, asked: Asked) -> bool:
    """Whether anything is different now. Raises `Refused` with what cannot be meant."""
    days = {
        "audit_days": _whole(asked.audit_days, "the audit", DAYS_MIN, DAYS_MAX),
        "webhook_days": _whole(asked.webhook_days, "webhooks", DAYS_MIN, DAYS_MAX),
    }
    hour = _whole(asked.hour, "the hour", 0, 23) if asked.hour.strip() else None

    def edit(data: dict[str, Any]) -> None:
        entry = data["integrations"].get(name)
        if entry is None:
            raise ConfigError([Problem("console", 1, 1, "", f"there is no integration {name} any more")])
        entry["retention"] = days
        if hour is not None:
            entry["reconcile"] = {**entry.get("reconcile", {}), "hour": hour}

    try:
        applied = await save_configuration(database, vault, edit, author=actor.get())
    except ConfigError as error:
        first = error.problems[0]
        where = f"{first.path}: " if first.path else ""
        raise Refused(f"The configuration cannot be so: {where}{first.message}.") from None
    return bool(applied.changes)


def _whole(written: str, what: str, least: int, most: int) -> int:
    text = written.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 7 and least <= int(text) <= most):
        unit = "" if most == 23 else " days"
        raise Refused(f"“{written[:20]}” does not go for {what}: write a whole number from {least} to {most:,}{unit}.")
    return int(text)
