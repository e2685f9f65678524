"""`/integrations/{integration}/mapping` and `.../policy`: current and old versions, what a change would do, and saving.

A change is made against a version: `If-Match` names it, as `ETag` told it. What is saved is an edit of the stored
configuration as at the console: the same checks, versions and releases.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Header, Path, Response
from pydantic import AfterValidator, BaseModel, Field
from starlette.requests import Request

from ml_connector.config.diff import Change
from ml_connector.config.edit import Edit, Outdated, propose, save
from ml_connector.config.problems import ConfigError, Problem
from ml_connector.desk.mapping import edit_of, own_changes
from ml_connector.domain.access import Right
from ml_connector.engine.actor import actor
from ml_connector.engine.registry import Integration
from ml_connector.engine.views import mapping as views
from ml_connector.engine.views.mapping import Version
from ml_connector.web.access import requires
from ml_connector.web.api.holds import LaneReleased
from ml_connector.web.api.parts import Api, Looks, api_of
from ml_connector.web.api.problems import Refusal
from ml_connector.web.api.shapes import PAGE, Limit, Words

router = APIRouter(prefix="/integrations/{integration}", tags=["mapping and policy"])
What = Literal["mapping", "policy"]
Named = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]+$", description="Name of the integration.")]
Number = Annotated[int, Path(ge=1, le=2_000_000_000)]
IfMatch = Annotated[
    str, Header(alias="If-Match", max_length=40, description='The version that you have looked at, as in `"7"`.')
]


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError) as error:
        raise ValueError("it holds a number or a character that cannot be stored") from error
    if "\\u0000" in text:
        raise ValueError("it holds a character that cannot be stored")
    return value


Sent = Annotated[dict[str, Any], AfterValidator(_storable)]
Content = Annotated[Sent, Field(description="As in the configuration file: every table, or every key.")]
ANY = "*"
Turn = Callable[[Mapping[str, Any]], Any]
"""From what is stored to what is to be stored."""


class VersionHead(BaseModel):
    """A save."""

    version: int = Field(examples=[7])
    saved_at: datetime
    saved_by: str = Field(examples=["user:dana"])
    comment: str = Field(examples=["Later&Co pays out weekly"])


class VersionShown(VersionHead):
    """A version with all that it says."""

    content: Content


class Versions(BaseModel):
    """Newest first. `next`: send it as `after`."""

    versions: list[VersionHead]
    next: int | None = Field(default=None, examples=[4])


class ChangeShown(BaseModel):
    """One difference, row by row."""

    action: Literal["add", "remove", "change"]
    path: list[str] = Field(examples=[["mapping", "items", "TEE-RED-M"]])
    before: Any = None
    after: Any = None


class ProblemShown(BaseModel):
    """Why it could not be saved."""

    path: str = Field(examples=["policy.reference.tag"])
    message: str


class Proposed(BaseModel):
    """What saving would do; with `problems` it would be refused."""

    changes: list[ChangeShown]
    problems: list[ProblemShown]
    releases: int = Field(description="Records that wait for it, and would go at once.", examples=[14])


class Saving(BaseModel):
    """A whole mapping or policy in the place of the one that is stored."""

    content: Content
    comment: Words = Field(default="", description="Why; it stays with the version.")


class Patching(BaseModel):
    """A part of it (RFC 7396): what is given takes the place of what is stored, null takes it out; lists are whole."""

    changes: Annotated[Sent, Field(examples=[{"items": {"TEE-RED-M": "731"}}])]
    comment: Words = Field(default="", description="Why; it stays with the version.")


class Saved(BaseModel):
    """The version that is stored now, and the records that go with it."""

    version: int = Field(examples=[8])
    changes: list[ChangeShown]
    count: int = Field(description="Records that were released.")
    released: list[LaneReleased]


def _routes(what: What, may: Any) -> None:
    """The same calls for each of the two; `may`: who changes it."""

    @router.get(f"/{what}", operation_id=f"{what}_current")
    async def current(request: Request, response: Response, person: Looks, integration: Named) -> VersionShown:
        """What is stored now; `ETag` is its version."""
        api = api_of(request)
        one = await api.one(integration)
        found = await _version(api, what, one, _stored(what, one))
        response.headers["ETag"] = f'"{found.version}"'
        return found

    @router.get(f"/{what}/versions", operation_id=f"{what}_versions")
    async def versions(
        request: Request, person: Looks, integration: Named, after: int | None = None, limit: Limit = PAGE
    ) -> Versions:
        """Who saved what, when and why."""
        api = api_of(request)
        one = await api.one(integration)
        before = min(max(after, 0), 2_000_000_000) if after is not None else None
        async with api.database.connect() as sql:
            found = await views.versions(sql, what, one.id, before=before, limit=limit + 1)
        shown = [VersionHead(**_head(each)) for each in found[:limit]]
        return Versions(versions=shown, next=shown[-1].version if len(found) > limit else None)

    @router.get(f"/{what}/versions/{{version}}", operation_id=f"{what}_version")
    async def version_of(request: Request, person: Looks, integration: Named, version: Number) -> VersionShown:
        """One version, as it was saved."""
        api = api_of(request)
        return await _version(api, what, await api.one(integration), version)

    @router.post(f"/{what}/propose", operation_id=f"{what}_propose")
    async def proposed(request: Request, body: Saving, person: Looks, integration: Named) -> Proposed:
        """What saving this would change and release, and what stands against it. Nothing is saved."""
        api = api_of(request)
        one = await api.one(integration)
        found = await propose(api.database, api.runtime.vault, _edit(what, one, lambda _: body.content))
        return Proposed(
            changes=_changes(one, found.changes),
            problems=[ProblemShown(path=_path(one, each), message=each.message) for each in found.problems],
            releases=(found.releases or {}).get(one.name, 0),
        )

    @router.put(f"/{what}", operation_id=f"{what}_replace", dependencies=[may])
    async def put(request: Request, body: Saving, integration: Named, if_match: IfMatch = "") -> Saved:
        """It becomes the next version, and what waited for it goes."""
        return await _save(request, what, integration, if_match, lambda _: body.content, body.comment)

    @router.patch(f"/{what}", operation_id=f"{what}_patch", dependencies=[may])
    async def patch(request: Request, body: Patching, integration: Named, if_match: IfMatch = "") -> Saved:
        """The stored one with these changes becomes the next version, and what waited for it goes."""
        return await _save(request, what, integration, if_match, lambda now: _merged(now, body.changes), body.comment)


_routes("mapping", Depends(requires(Right.map)))
_routes("policy", Depends(requires(Right.rule)))


async def _save(request: Request, what: What, integration: str, if_match: str, change: Turn, comment: str) -> Saved:
    api = api_of(request)
    one = await api.one(integration)
    stored = one.mapping_version, one.policy_version
    if not if_match:
        raise Refusal(428, f"Send `If-Match` with the {what} version that you have looked at.")
    if if_match.strip() != ANY and if_match.strip().removeprefix("W/").strip('"') != str(_stored(what, one)):
        raise Refusal(412, f"The {what} is at version {_stored(what, one)} by now: look at it, then send it again.")
    seen = {one.name: stored} if if_match.strip() != ANY else None
    edit = _edit(what, one, change)
    try:
        applied = await save(api.database, api.runtime.vault, edit, author=actor.get(), comment=comment, seen=seen)
    except Outdated as error:
        raise Refusal(412, str(error)) from error
    except ConfigError as error:
        wrong = [{"where": "body", "field": _path(one, each), "message": each.message} for each in error.problems]
        raise Refusal(422, f"{wrong[0]['field']}: {wrong[0]['message']}", errors=wrong) from error
    versions = applied.mapping_versions if what == "mapping" else applied.policy_versions
    return Saved(
        version=versions.get(one.name, _stored(what, one)),
        changes=_changes(one, applied.changes),
        count=sum(map(len, applied.released.values())),
        released=[LaneReleased(flow=lane.flow, keys=sorted(keys)) for lane, keys in applied.released.items()],
    )


def _edit(what: What, one: Integration, change: Turn) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        own: dict[str, Any] = data["integrations"].get(one.name, {})
        edit_of(one.name, **{what: change(own.get(what, {}))})(data)

    return edit


def _merged(now: Any, changes: Any) -> Any:
    """RFC 7396."""
    if not isinstance(changes, dict):
        return changes
    new: dict[str, Any] = dict(cast("Mapping[str, Any]", now)) if isinstance(now, Mapping) else {}
    for name, value in cast("dict[str, Any]", changes).items():
        if value is None:
            new.pop(name, None)
        else:
            new[name] = _merged(new.get(name), value)
    return new


def _stored(what: What, one: Integration) -> int:
    return one.mapping_version if what == "mapping" else one.policy_version


async def _version(api: Api, what: What, one: Integration, number: int) -> VersionShown:
    async with api.database.connect() as sql:
        found = await views.version(sql, what, one.id, number)
    if found is None:
        raise Refusal(404, f"There is no {what} version {number} of {one.name}.")
    return VersionShown(**_head(found), content=found.content)


def _head(found: Version) -> dict[str, Any]:
    return {
        "version": found.version, "saved_at": found.saved_at, "saved_by": found.saved_by, "comment": found.comment,
    }  # fmt: skip


def _changes(one: Integration, changes: Any) -> list[ChangeShown]:
    found: list[Change] = own_changes(one.name, changes)
    return [ChangeShown(action=c.action, path=list(c.path), before=c.before, after=c.after) for c in found]


def _path(one: Integration, problem: Problem) -> str:
    return problem.path.removeprefix(f"integrations.{one.name}.")
