"""The draft of mapping and policy before it is saved, and the versions that were."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from ml_connector.config.edit import Outdated
from ml_connector.config.problems import ConfigError, Problem
from ml_connector.desk import mapping, mapping_page, mapping_preview, mapping_versions
from ml_connector.desk.mapping_versions import CannotRestore
from ml_connector.domain.access import Person, Right
from ml_connector.engine.views.mapping import What
from ml_connector.web.access import Forbidden, requires
from ml_connector.web.console.pages.mapping import HERE, address, facts, of_request

router = APIRouter(prefix=HERE)
LOOKS = Depends(requires(Right.look))
MAPS = Depends(requires(Right.map))
Field = Annotated[str, Form()]
COMMENT_AT_MOST = 500
WHATS: tuple[What, ...] = ("mapping", "policy")


@router.get("/review")
async def review(request: Request, person: Person = MAPS) -> Response:
    """What saving the draft would do."""
    return await _review(request, person)


async def _review(request: Request, person: Person, status: int = 200, **said: Any) -> Response:
    pages, frame, integration = await of_request(request)
    if integration is None:
        return RedirectResponse(HERE, 303)
    known = await mapping.opened(pages.database, integration, person.who)
    if known.draft is None and status == 200:
        return RedirectResponse(address(HERE, integration), 303)
    about = await facts(pages, frame, known)
    problems = (
        [_without_name(each, integration.name) for each in about["proposal"].problems] if about["proposal"] else []
    )
    about |= {"problems": problems, "comment": request.query_params.get("comment", "")}
    about |= {"changes_policy": known.changes_policy, "sample": mapping_preview.SAMPLE, **said}
    return await pages.render(request, "mapping_review.html", status, **about)


def _without_name(problem: Problem, name: str) -> tuple[str, str]:
    """Where and what, without what everybody on the page knows."""
    return problem.path.removeprefix(f"integrations.{name}.").removeprefix("integrations."), problem.message


@router.get("/consequences")
async def consequences(request: Request, person: Person = MAPS) -> Response:
    """Which orders the draft would make something else of: for htmx the part alone."""
    pages, frame, integration = await of_request(request)
    if integration is None:
        return RedirectResponse(HERE, 303)
    known = await mapping.opened(pages.database, integration, person.who)
    if known.draft is None or known.outdated:
        return RedirectResponse(address(HERE, integration), 303)
    about = await facts(pages, frame, known)
    chart = await mapping_page.read_chart(pages.runtime, pages.charts, integration.erp)
    found = await mapping_preview.consequences(pages.runtime, known, about["erp"], chart.names)
    part = request.headers.get("HX-Request") == "true"
    template = "mapping_consequences_part.html" if part else "mapping_consequences.html"
    return await pages.render(request, template, found=found, **about)


@router.post("/save")
async def save(request: Request, comment: Field = "", person: Person = MAPS) -> Response:
    """The draft becomes the next version, and exactly what waited for it goes."""
    pages, _, integration = await of_request(request)
    if integration is None:
        return RedirectResponse(HERE, 303)
    known = await mapping.opened(pages.database, integration, person.who)
    if known.changes_policy and not person.may(Right.rule):
        raise Forbidden(Right.rule, person)
    words = " ".join(comment.replace("\x00", "").split())[:COMMENT_AT_MOST]
    if not words:
        return await _review(request, person, 422, wrong="Say in a few words why: it stays with the version.")
    try:
        applied = await mapping.save_draft(pages.database, pages.runtime.vault, known, person.who, words)
    except Outdated as error:
        return await _review(request, person, 422, refused=str(error), comment=words)
    except ConfigError as error:
        found = "; ".join(
            f"{where}: {why}" for where, why in (_without_name(p, integration.name) for p in error.problems)
        )
        return await _review(request, person, 422, refused=found, comment=words)
    count = sum(map(len, applied.released.values()))
    made = [
        f"{what} version {versions[integration.name]}"
        for what, versions in (("mapping", applied.mapping_versions), ("policy", applied.policy_versions))
        if integration.name in versions
    ]
    goes = f" {count:,} {'record is' if count == 1 else 'records are'} released, and being worked on." if count else ""
    return RedirectResponse(address(HERE, integration, done=f"Saved as {' and '.join(made)}.{goes}"), 303)


@router.get("/versions")
async def versions(request: Request, person: Person = LOOKS) -> Response:
    """Who saved what, when and why; `mapping` or `policy` with a number: what that version changed."""
    return await _versions(request, person)


async def _versions(request: Request, person: Person, status: int = 200, **said: Any) -> Response:
    pages, frame, integration = await of_request(request)
    if integration is None:
        return await pages.render(request, "mapping_none.html", status, here="mapping")
    known = await mapping.opened(pages.database, integration, person.who)
    saves = await mapping_versions.saves(pages.database, integration.id)
    opened: dict[What, int] = {}
    for what in WHATS:
        number = request.query_params.get(what, "")
        if number.isascii() and number.isdecimal() and len(number) < 8:
            opened[what] = int(number)
    if not opened and saves:
        opened = {what: each.version for what, each in saves[0].made.items()}
    shown = {
        what: await mapping_versions.changes_of(pages.database, what, integration.id, number)
        for what, number in opened.items()
    }
    about: dict[str, Any] = {
        **await facts(pages, frame, known),
        "saves": saves,
        "opened": opened,
        "shown": shown,
        **said,
    }
    return await pages.render(request, "mapping_versions.html", status, **about)


@router.post("/restore")
async def restore(request: Request, what: Field = "", version: Field = "", person: Person = MAPS) -> Response:
    """An old version into the draft, to be looked at and saved as a new one."""
    pages, _, integration = await of_request(request)
    if integration is None:
        return RedirectResponse(HERE, 303)
    if what == "policy" and not person.may(Right.rule):
        raise Forbidden(Right.rule, person)
    of: What = "policy" if what == "policy" else "mapping"
    number = int(version) if version.isascii() and version.isdecimal() and len(version) < 8 else 0
    try:
        await mapping_versions.restore(pages.database, integration, person.who, of, number)
    except (CannotRestore, Outdated) as error:
        return await _versions(request, person, 422, refused=str(error))
    why = f"{of.capitalize()} version {number} again"
    return RedirectResponse(address("/mapping/review", integration, comment=why), 303)


@router.get("/export.yaml")
async def export(request: Request, draft: str = "", person: Person = LOOKS) -> Response:
    """The whole configuration as the file that would make it so; `draft`: as one's draft would make it."""
    pages, _, integration = await of_request(request)
    if integration is None:
        return RedirectResponse(HERE, 303)
    text = await mapping.exported(pages.database, integration, person.who if draft else "")
    name = f"{integration.name}{'-draft' if draft else ''}.yaml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return PlainTextResponse(text, media_type="application/yaml", headers=headers)
