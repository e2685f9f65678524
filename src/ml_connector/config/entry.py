"""One entry of an integration's mapping, as a person chooses it beside a hold: a new version, and what waited goes.

An edit as any other (`config.edit`); here is only how each kind of missing key is written into the mapping.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from ml_connector.config.edit import save
from ml_connector.config.mapped import is_mapped
from ml_connector.config.mapping import MappingError, mapping_from
from ml_connector.config.problems import ConfigError
from ml_connector.engine.database import Database
from ml_connector.engine.records import Lane
from ml_connector.engine.registry import Integration
from ml_connector.engine.vault import Vault

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


async def save_entry(
    database: Database, vault: Vault, integration: Integration, hold_key: str, value: str, *, author: str
) -> Saved:
    """Gives `hold_key` (`<kind>|<key>`) its `value` in a new version of the mapping and releases what waits for it.
    Raises `NotSaved`."""
    kind, _, key = hold_key.partition("|")
    setter, given = SETTERS.get(kind), value.strip()
    if setter is None:
        raise NotSaved(
            f"{kind.replace('_', ' ')} needs more than one value: write it into the configuration and apply it."
        )
    if not given:
        raise NotSaved("Choose a value first.")

    def change(data: Content) -> None:
        entry = data["integrations"].get(integration.name)
        if entry is None:
            raise NotSaved(f"{integration.name} is not configured any more.")
        content: Content = entry["mapping"]
        setter(content, key, given)
        try:
            mapping = mapping_from(content)
        except MappingError as error:
            raise NotSaved(f"{error.path}: {error.message}") from error
        if not is_mapped(mapping, hold_key):
            raise NotSaved("With that the key would still be missing: look at the mapping as a whole.")

    try:
        applied = await save(database, vault, change, author=author, comment=f"{kind} {key}: {given}")
    except ConfigError as error:
        raise NotSaved("; ".join(f"{each.path}: {each.message}" for each in error.problems)) from error
    version = applied.mapping_versions.get(integration.name)
    if version is None:
        raise NotSaved("It has that value already: what waited for it was released with it.")
    return Saved(version, applied.released)
