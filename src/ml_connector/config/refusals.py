"""What a configuration must not change once documents are posted under it.

The names and the books of what is posted would no longer be those that later runs look for: documents would count as
posted where they are not, or be posted twice (P13 of `docs/exactly-once.md`).
"""

from collections.abc import AsyncIterator, Iterator

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.config.policy import FROZEN_ONCE_POSTED
from ml_connector.config.problems import Problem
from ml_connector.config.setup import Json, Setup, Stored
from ml_connector.config.source import Source
from ml_connector.engine import registry

IDENTITY = ("store_hash", "company_code", "sap_client")
"""Settings that say which books or which shop a connection is: with postings behind it, another one is a new
connection, or documents of the old one would count as posted in the new one."""


async def refusals(
    connection: AsyncConnection, source: Source, stored: Stored, wanted: Setup
) -> AsyncIterator[Problem]:
    """Every reason why `wanted` must not replace what is stored."""
    posted = {name for name, row in stored.integrations.items() if await registry.has_posted(connection, row.id)}
    for name, entry in wanted.integrations.items():
        for path, message in _tag_taken(name, entry, stored, wanted):
            yield source.problem(("integrations", name, *path), message)
        if name in posted:
            for path, message in _frozen(entry, stored.ever.integrations.get(name)):
                yield source.problem(("integrations", name, *path), message)
    used = {
        side for name in posted if name in stored.ever.integrations for side in sides_of(stored.ever.integrations[name])
    }
    for name in sorted(used & wanted.connections.keys()):
        for path, message in _identity(stored.ever.connections.get(name, {}), wanted.connections[name]):
            yield source.problem(("connections", name, *path), message)


def sides_of(entry: Json) -> tuple[str, str]:
    """The names of the store and the ERP connection."""
    return entry["store"], entry["erp"]


def _frozen(wanted: Json, stored: Json | None) -> Iterator[tuple[tuple[str, ...], str]]:
    if stored is None:
        return
    for key in FROZEN_ONCE_POSTED:
        before, after = stored["policy"].get(key), wanted["policy"].get(key)
        if before != after:
            yield (
                ("policy", key),
                f"cannot change from {before} to {after}: documents are posted under it; make a new integration",
            )
    for side in ("store", "erp"):
        if stored[side] != wanted[side]:
            yield (
                (side,),
                f"cannot change from {stored[side]} to {wanted[side]}: documents are posted; make a new integration "
                "instead",
            )


def _identity(stored: Json, wanted: Json) -> Iterator[tuple[tuple[str, ...], str]]:
    if stored and stored["system"] != wanted["system"]:
        yield ("system",), f"cannot change from {stored['system']} to {wanted['system']}: documents are posted"
    for name in IDENTITY:
        before, after = stored.get("settings", {}).get(name), wanted.get("settings", {}).get(name)
        if stored and before != after:
            yield (
                ("settings", name),
                f"cannot change from {before} to {after}: documents are posted; make a new connection instead",
            )


def _tag_taken(name: str, entry: Json, stored: Stored, wanted: Setup) -> Iterator[tuple[tuple[str, ...], str]]:
    """The file itself has no two; an integration that was switched off keeps its tag."""
    tag = entry["policy"]["reference.tag"]
    erp = stored.connections.get(entry["erp"])
    for other in stored.integrations.values():
        if erp is not None and other.name != name and (other.erp, other.tag) == (erp.id, tag):
            elsewhere = wanted.integrations.get(other.name)
            if elsewhere is None or elsewhere["policy"]["reference.tag"] == tag:
                yield (
                    ("policy", "reference.tag"),
                    f"{tag!r} belongs to the integration {other.name!r}, whose documents carry it in {entry['erp']!r}; "
                    "choose another tag",
                )
