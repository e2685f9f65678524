"""Versions of mapping and policy: who saved what, when and why, and what each changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ml_connector.config.diff import Change, differences
from ml_connector.config.mapping import MappingError
from ml_connector.config.policy import PolicyError
from ml_connector.config.setup import Setup
from ml_connector.desk.mapping import change_mapping, change_policy, normal_mapping, normal_policy
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Integration
from ml_connector.engine.views import mapping as views
from ml_connector.engine.views.mapping import Version, What

Json = Mapping[str, Any]
AT_ONCE = 50


class CannotRestore(Exception):
    """There is no such version, or it can no longer be used as it is. The message says why."""


@dataclass(frozen=True, slots=True)
class Saved:
    """One save: the versions that it made. A save of both makes one of each, at the same moment."""

    mapping: Version | None
    policy: Version | None

    @property
    def made(self) -> Mapping[What, Version]:
        """What it made a version of."""
        both: tuple[tuple[What, Version | None], ...] = (("mapping", self.mapping), ("policy", self.policy))
        return {what: each for what, each in both if each is not None}

    @property
    def of(self) -> Version:
        found = self.mapping or self.policy
        assert found is not None
        return found


async def saves(database: Database, integration: int) -> list[Saved]:
    """The latest, newest first."""
    async with database.connect() as sql:
        mappings = await views.versions(sql, "mapping", integration, limit=AT_ONCE)
        policies = await views.versions(sql, "policy", integration, limit=AT_ONCE)
    by_moment: dict[tuple[Any, str], Saved] = {}
    for each in mappings:
        by_moment[each.saved_at.replace(microsecond=0), each.saved_by] = Saved(each, None)
    for each in policies:
        of = each.saved_at.replace(microsecond=0), each.saved_by
        beside = by_moment.get(of)
        by_moment[of] = Saved(beside.mapping if beside else None, each)
    return sorted(by_moment.values(), key=lambda each: each.of.saved_at, reverse=True)[:AT_ONCE]


async def changes_of(database: Database, what: What, integration: int, version: int) -> Sequence[Change] | None:
    """What the version changed against the one before, row by row; None: there is no such version."""
    async with database.connect() as sql:
        now = await views.version(sql, what, integration, version)
        before = await views.version(sql, what, integration, version - 1)
    if now is None:
        return None
    return between(what, before.content if before else {}, now.content)


def between(what: What, before: Json, after: Json) -> list[Change]:
    """From one content to another; paths begin with `mapping` or `policy`."""
    found = differences(Setup(integrations={"": {what: before}}), Setup(integrations={"": {what: after}}), ())
    return [replace(each, path=each.path[2:]) for each in found]


async def restore(database: Database, integration: Integration, who: str, what: What, version: int) -> None:
    """An old version into the draft of `who`: saved, it is a new one. Raises `CannotRestore`, `Outdated`."""
    async with database.connect() as sql:
        old = await views.version(sql, what, integration.id, version)
    if old is None:
        raise CannotRestore(f"There is no {what} version {version}.")
    try:
        content = normal_mapping(old.content) if what == "mapping" else normal_policy(old.content)
    except (ValueError, MappingError, PolicyError) as error:
        raise CannotRestore(f"Version {version} cannot be used as it is any more: {error}") from error
    change = change_mapping if what == "mapping" else change_policy
    await change(database, integration, who, f"{what} version {version} again", lambda _: content)
