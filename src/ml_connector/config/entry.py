"""One entry of an integration's mapping, as a person chooses it beside a hold: a new version, and what waited goes.

The whole file is applied by `config apply`; here one missing key gets its value. Both make a version of the mapping,
raise the epoch before they release (R5 of `docs/exactly-once.md`), and release exactly what is mapped now.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.config.mapped import is_mapped
from ml_connector.config.mapping import MappingError, mapping_from
from ml_connector.engine import audit, crash, records, registry
from ml_connector.engine.database import Database
from ml_connector.engine.records import Lane
from ml_connector.engine.status import held_keys

_LOCKED = text("""
SELECT m.version, m.content FROM integrations g
  LEFT JOIN LATERAL (SELECT version, content FROM mappings WHERE integration = g.integration
                      ORDER BY version DESC LIMIT 1) m ON true
 WHERE g.integration = :integration FOR UPDATE OF g
""")

Content = dict[str, Any]


class NotSaved(Exception):
    """The entry cannot be used; the message says why. Nothing has changed."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The new version, and the records that go now, by lane."""

    version: int
    released: Mapping[Lane, Sequence[str]]

    @property
    def count(self) -> int:
        return sum(map(len, self.released.values()))


def _account(content: Content, key: str, value: str) -> None:
    content.setdefault("accounts", {})[key] = value


def _payment_method(content: Content, key: str, value: str) -> None:
    gateway, divided, method = key.partition("|")
    entry = {"gateway": gateway, "method": method, "account": value} if divided else {"offline": key, "account": value}
    content["payment_methods"] = [*content.get("payment_methods", []), entry]


def _item(content: Content, key: str, value: str) -> None:
    content.setdefault("items", {})[key] = value


def _revenue(content: Content, key: str, value: str) -> None:
    entry = {"match": {"sku": key}, "account": value}
    content["revenue_rules"] = [entry, *content.get("revenue_rules", [])]


def _company(content: Content, key: str, value: str) -> None:
    content.setdefault("customers", {}).setdefault("companies", {})[key] = value


def _customer(content: Content, key: str, value: str) -> None:
    customers = content.setdefault("customers", {})
    if key in ("one_time", "collective"):
        customers[key] = value
    else:
        customers.setdefault("individual", {})[key] = value


def _fee_tax(content: Content, key: str, value: str) -> None:
    content.setdefault("fee_tax_codes", {})[key] = value


SETTERS: Final[Mapping[str, Callable[[Content, str, str], None]]] = MappingProxyType(
    {
        "account": _account, "payment_method": _payment_method, "item": _item, "revenue": _revenue,
        "company": _company, "customer": _customer, "fee_tax": _fee_tax,
    }
)  # fmt: skip
"""Kind of what is missing -> how its one value is written. Tax codes need more than one value: they are in the file."""


async def save_entry(database: Database, integration: int, hold_key: str, value: str, *, author: str) -> Saved:
    """Gives `hold_key` (`<kind>|<key>`) its `value` in a new version of the mapping and releases what waits for it.
    Raises `NotSaved`."""
    kind, _, key = hold_key.partition("|")
    setter = SETTERS.get(kind)
    if setter is None:
        raise NotSaved(
            f"{kind.replace('_', ' ')} needs more than one value: write it into the configuration and apply it."
        )
    if not value.strip():
        raise NotSaved("Choose a value first.")
    async with database.transaction() as connection:
        await registry.lock(connection)
        row = (await connection.execute(_LOCKED, {"integration": integration})).one()
        content: Content = deepcopy(row.content or {})
        setter(content, key, value.strip())
        try:
            mapping = mapping_from(content)
        except MappingError as error:
            raise NotSaved(f"{error.path}: {error.message}") from error
        if not is_mapped(mapping, hold_key):
            raise NotSaved("With that the key would still be missing: look at the mapping as a whole.")
        version = await registry.save_mapping(connection, integration, content, author=author)
        await records.raise_epoch(connection, integration)
        released = await _release(connection, integration, mapping, author)
        told = {"by": author, "changes": [f"{kind} {key}: {value.strip()}"], "version": version}
        await audit.append(connection, [audit.entry("config", integration=integration, data=told)])
        await crash.point("release.commit.b", "mapping")
    await crash.point("release.commit.a", "mapping")
    async with database.connect() as connection:
        await records.notify(connection, list(released))
    return Saved(version, released)


async def _release(
    connection: AsyncConnection, integration: int, mapping: Any, author: str
) -> Mapping[Lane, Sequence[str]]:
    held = await held_keys(connection, integration, "unmapped")
    keys = [key for key in held if is_mapped(mapping, key)]
    released = await records.release(connection, integration, "unmapped", keys)
    told = {"kind": "unmapped", "by": author}
    await audit.append(
        connection,
        [
            audit.entry("released", integration=integration, flow=lane.flow, key=key, data=told)
            for lane, found in released.items()
            for key in found
        ],
    )
    return released
