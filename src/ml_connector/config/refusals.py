"""What a configuration must not change once documents are posted under it.

The names and the books of what is posted would no longer be those that later runs look for: documents would count as
posted where they are not, or be posted twice (P13 of `docs/exactly-once.md`).
"""

from collections.abc import AsyncIterator, Collection, Iterator
from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.config.places import Place, identity_of, place_of
from ml_connector.config.policy import FROZEN_ONCE_POSTED
from ml_connector.config.problems import Problem
from ml_connector.config.setup import Json, Setup, Stored
from ml_connector.config.source import Source
from ml_connector.engine import registry

_EAST = timedelta(hours=14)
"""So far ahead of UTC may the store's day be."""


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
    async for path, message in _brought_in(connection, posted, stored, wanted):
        yield source.problem(path, message)
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
    for name in identity_of(stored["system"]) if stored else ():
        before, after = stored.get("settings", {}).get(name), wanted.get("settings", {}).get(name)
        if before != after:
            yield (
                ("settings", name),
                f"cannot change from {before} to {after}: documents are posted; make a new connection instead",
            )


def _tag_taken(name: str, entry: Json, stored: Stored, wanted: Setup) -> Iterator[tuple[tuple[str, ...], str]]:
    """The file itself has no two; an integration that was switched off keeps its tag, in the books that it posted to,
    whatever the connection to them is called by now."""
    tag, books = entry["policy"]["reference.tag"], _places(entry["erp"], wanted, stored)
    for other, before in stored.ever.integrations.items():
        taken = stored.integrations[other].tag == tag and books & _places(before["erp"], stored.ever, stored)
        if other != name and taken:
            elsewhere = wanted.integrations.get(other)
            if elsewhere is None or elsewhere["policy"]["reference.tag"] == tag:
                yield (
                    ("policy", "reference.tag"),
                    f"{tag!r} belongs to the integration {other!r}, whose documents carry it in {entry['erp']!r}; "
                    "choose another tag",
                )


async def _brought_in(
    connection: AsyncConnection, posted: Collection[str], stored: Stored, wanted: Setup
) -> AsyncIterator[tuple[tuple[str, ...], str]]:
    """A new integration of a store begins in the same books where the one before has ended: under its own tag it would
    not find what is there, and book it twice."""
    for name, entry in wanted.integrations.items():
        if name in posted:
            continue
        sides = _sides(entry, wanted, stored)
        for other in sorted(posted):
            if sides is None or other not in stored.ever.integrations:
                continue
            theirs = _sides(stored.ever.integrations[other], stored.ever, stored)
            if theirs is not None and all(ours & those for ours, those in zip(sides, theirs, strict=True)):
                last = await registry.last_planned(connection, stored.integrations[other].id)
                ended = (last + _EAST).date()
                cut_over = entry["policy"]["posting.cut_over"]
                if not cut_over or date.fromisoformat(str(cut_over)) <= ended:
                    yield (
                        ("integrations", name, "policy", "posting.cut_over"),
                        f"must be after {ended}: until then {other!r} has posted orders of this store in the same "
                        "books, and they would be booked twice",
                    )


def _sides(entry: Json, setup: Setup, stored: Stored) -> tuple[frozenset[Place], frozenset[Place]] | None:
    """The shop and the books; None where they are of a sandbox, whose books are nobody's."""
    if setup.connections[entry["store"]].get("sandbox") and setup.connections[entry["erp"]].get("sandbox"):
        return None
    return _places(entry["store"], setup, stored), _places(entry["erp"], setup, stored)


def _places(name: str, setup: Setup, stored: Stored) -> frozenset[Place]:
    """By its address, and by what the system itself has told from there: two names of a host are one system."""
    connection = setup.connections[name]
    system, settings = connection["system"], connection.get("settings", {})
    place, row = place_of(system, connection["base_url"], settings), stored.connections.get(name)
    if row is None or not row.books or place != place_of(row.system, row.base_url, row.settings):
        return frozenset({place})
    return frozenset({place, (system, row.books)})
