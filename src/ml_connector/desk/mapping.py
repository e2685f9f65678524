"""A person's draft of mapping and policy: begun from what is stored, changed row by row, saved as the next versions.

Nothing runs by a draft. Saving is `config.edit.save`: the checks, versions and releases of `config apply`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.config.apply import Applied
from ml_connector.config.diff import Change
from ml_connector.config.edit import Edit, Outdated, Proposal, propose, save
from ml_connector.config.export import as_yaml
from ml_connector.config.mapping import MappingFile, mapping_from
from ml_connector.config.policy import policy_from, policy_to_dict
from ml_connector.config.problems import ConfigError, Problem
from ml_connector.config.setup import Setup, read_stored
from ml_connector.desk.mapping_merge import merge_keys, merge_mapping
from ml_connector.desk.mapping_tables import Content
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.policy import Policy
from ml_connector.engine import drafts
from ml_connector.engine.audit import append, entry
from ml_connector.engine.database import Database
from ml_connector.engine.drafts import Draft
from ml_connector.engine.registry import Integration
from ml_connector.engine.vault import Vault
from ml_connector.engine.views import mapping as views

Json = Mapping[str, Any]


class CannotMerge(Exception):
    """A draft and a version that was saved meanwhile changed the same. `both`: what, in words."""

    def __init__(self, both: tuple[str, ...]) -> None:
        self.both = both
        super().__init__(f"You and somebody else have changed the same: {'; '.join(both)}.")


@dataclass(frozen=True, slots=True)
class Opened:
    """What is stored, and what a person makes of it. `draft` None: they have changed nothing."""

    integration: Integration
    mapping: Content
    policy: Content
    draft: Draft | None

    @property
    def outdated(self) -> bool:
        """Somebody has saved another version since the draft was begun."""
        stored = (self.integration.mapping_version, self.integration.policy_version)
        return self.draft is not None and (self.draft.mapping_version, self.draft.policy_version) != stored

    @property
    def drafted_mapping(self) -> Json:
        """With the draft's changes, unless it is outdated: then as it is stored."""
        return self.draft.mapping if self.draft is not None and not self.outdated else self.mapping

    @property
    def drafted_policy(self) -> Json:
        return self.draft.policy if self.draft is not None and not self.outdated else self.policy

    @property
    def changes_policy(self) -> bool:
        return self.draft is not None and dict(self.draft.policy) != self.policy


def normal_mapping(content: Json) -> Content:
    """Without what equals its default, as every save writes it."""
    return MappingFile.model_validate(content).model_dump(mode="json", by_alias=True, exclude_defaults=True)


def normal_policy(content: Json) -> Content:
    """Every key with its value."""
    return policy_to_dict(policy_from(content))


async def opened(database: Database, integration: Integration, who: str) -> Opened:
    """With the draft of `who` (`user:NAME`)."""
    async with database.connect() as sql:
        return await _opened(sql, integration, who)


async def drafted(database: Database, integration: Integration, who: str) -> tuple[Tables, Policy]:
    """Mapping and policy as `who` (`user:NAME`) has drafted them; as they are stored where they have no draft, or an
    outdated one. For plans by a draft: `dataclasses.replace(context, mapping=..., policy=...)`. Such a plan must
    never be applied: no version of that content exists."""
    known = await opened(database, integration, who)
    mapping = mapping_from(known.drafted_mapping, version=integration.mapping_version)
    return mapping, replace(policy_from(known.drafted_policy), version=integration.policy_version)


async def change_mapping(
    database: Database, integration: Integration, who: str, what: str, change: Callable[[Json], Json]
) -> None:
    """`what`: for the audit. Raises what `change` raises, and `Outdated`."""
    async with database.transaction() as sql:
        known = await _current(sql, integration, who)
        await _keep(sql, known, who, change(known.drafted_mapping), known.drafted_policy)
        await _tell(sql, integration, who, what)


async def change_policy(
    database: Database, integration: Integration, who: str, what: str, change: Callable[[Json], Json]
) -> None:
    """`what`: for the audit. Raises what `change` raises, `PolicyError` and `Outdated`."""
    async with database.transaction() as sql:
        known = await _current(sql, integration, who)
        await _keep(sql, known, who, known.drafted_mapping, normal_policy(change(known.drafted_policy)))
        await _tell(sql, integration, who, what)


async def discard(database: Database, integration: Integration, who: str) -> None:
    """The draft of `who` is gone."""
    async with database.transaction() as sql:
        await drafts.discard(sql, integration.id, who)
        await _tell(sql, integration, who, "discarded")


async def bring_over(database: Database, integration: Integration, who: str, *, leave_both: bool = False) -> None:
    """An outdated draft goes on from what is stored now. Raises `CannotMerge` where both changed the same; with
    `leave_both` that stays as it is stored."""
    async with database.transaction() as sql:
        known = await _opened(sql, integration, who, locked=True)
        draft = known.draft
        if draft is None or not known.outdated:
            return
        old_mapping = await views.version(sql, "mapping", integration.id, draft.mapping_version)
        old_policy = await views.version(sql, "policy", integration.id, draft.policy_version)
        base_mapping = normal_mapping(old_mapping.content) if old_mapping else {}
        base_policy = normal_policy(old_policy.content) if old_policy else known.policy
        mapping = merge_mapping(base_mapping, draft.mapping, known.mapping)
        policy = merge_keys(base_policy, draft.policy, known.policy)
        both = (*mapping.both, *(f"Policy: {key}" for key in policy.both))
        if both and not leave_both:
            raise CannotMerge(both)
        await _keep(sql, known, who, normal_mapping(mapping.content), normal_policy(policy.content))
        await _tell(sql, integration, who, f"brought onto mapping version {integration.mapping_version}")


def edit_of(name: str, *, mapping: Json | None = None, policy: Json | None = None) -> Edit:
    """Puts a whole mapping or policy in the place of an integration's own."""

    def edit(data: dict[str, Any]) -> None:
        own = data["integrations"].get(name)
        if own is None:
            raise ConfigError([Problem("console", 1, 1, f"integrations.{name}", "it is not configured any more")])
        if mapping is not None:
            own["mapping"] = dict(mapping)
        if policy is not None:
            own["policy"] = dict(policy)

    return edit


def _edit(known: Opened) -> Edit:
    assert known.draft is not None
    mapping = known.draft.mapping if dict(known.draft.mapping) != known.mapping else None
    policy = known.draft.policy if known.changes_policy else None
    return edit_of(known.integration.name, mapping=mapping, policy=policy)


async def proposal(database: Database, vault: Vault, known: Opened) -> Proposal | None:
    """What saving the draft would do; None without a draft, or with one that is outdated."""
    if known.draft is None or known.outdated:
        return None
    return await propose(database, vault, _edit(known))


def own_changes(name: str, changes: tuple[Change, ...]) -> list[Change]:
    """Those of an integration's mapping and policy, their paths without its name: `mapping › items › A`."""
    wanted = ("integrations", name)
    return [replace(each, path=each.path[2:]) for each in changes if each.path[:2] == wanted]


async def save_draft(database: Database, vault: Vault, known: Opened, who: str, comment: str) -> Applied:
    """The draft becomes the next versions, and what waited for it goes. Raises `ConfigError`, `Outdated`."""
    draft = known.draft
    if draft is None:
        raise Outdated("There is nothing to save: the draft was saved or discarded elsewhere.")
    name = known.integration.name
    seen = {name: (draft.mapping_version, draft.policy_version)}
    applied = await save(database, vault, _edit(known), author=who, comment=comment, seen=seen)
    async with database.transaction() as sql:
        left = await drafts.read(sql, known.integration.id, who, locked=True)
        if left is not None and left.changed_at == draft.changed_at:
            await drafts.discard(sql, known.integration.id, who)
    return applied


async def exported(database: Database, integration: Integration, who: str = "") -> str:
    """The whole configuration as a file; with `who`, as their draft would make it."""
    async with database.connect() as sql:
        stored = await read_stored(sql)
        known = await _opened(sql, integration, who) if who else None
    setup = stored.setup
    if known is not None and integration.name in setup.integrations:
        own = {**setup.integrations[integration.name], "mapping": dict(known.drafted_mapping)}
        own["policy"] = dict(known.drafted_policy)
        setup = Setup(setup.connections, {**setup.integrations, integration.name: own})
    return as_yaml(setup)


async def _opened(sql: AsyncConnection, integration: Integration, who: str, *, locked: bool = False) -> Opened:
    mapping, policy = normal_mapping(integration.mapping), normal_policy(integration.policy)
    draft = await drafts.read(sql, integration.id, who, locked=locked)
    if draft is not None and (dict(draft.mapping), dict(draft.policy)) == (mapping, policy):
        draft = None  # it says what is stored: saved, and not cleared away
    return Opened(integration, mapping, policy, draft)


async def _current(sql: AsyncConnection, integration: Integration, who: str) -> Opened:
    known = await _opened(sql, integration, who, locked=True)
    if known.outdated:
        raise Outdated("Somebody has saved another version meanwhile: bring your draft onto it first.")
    return known


async def _keep(sql: AsyncConnection, known: Opened, who: str, mapping: Json, policy: Json) -> None:
    integration = known.integration
    if (dict(mapping), dict(policy)) == (known.mapping, known.policy):
        await drafts.discard(sql, integration.id, who)
        return
    made = Draft(mapping, integration.mapping_version, policy, integration.policy_version)
    await drafts.keep(sql, integration.id, who, made)


async def _tell(sql: AsyncConnection, integration: Integration, who: str, what: str) -> None:
    told = {"by": who, "changes": [f"draft: {what}"]}
    await append(sql, [entry("config", integration=integration.id, data=told)])
