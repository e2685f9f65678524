"""Connections: how each account is, its settings and credentials, trying it out, taking it away."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.connectors.base import Check
from ml_connector.desk import connections, forms
from ml_connector.desk.actions import Refused
from ml_connector.desk.connections import Line, Unusable
from ml_connector.desk.forms import Form, Typed
from ml_connector.domain.access import Person, Right
from ml_connector.engine.views.connections import WINDOW_S
from ml_connector.web.access import requires
from ml_connector.web.console.frame import pages_of
from ml_connector.web.console.show import plural, spelled

router = APIRouter(prefix="/connections", max_body_size=256 * 1024)
LOOKS = Depends(requires(Right.look))
CONNECTS = Depends(requires(Right.connect))
HERE = "/connections"

DONE = {"saved": "Saved. It holds from the next call on.", "same": "Nothing was changed."}


@router.get("")
async def show(request: Request, person: Person = LOOKS) -> Response:
    """All connections, and set-ups that were begun."""
    pages = pages_of(request)
    lines = await connections.read(pages.runtime, secrets=person.may(Right.connect))
    begun = [
        each
        for each in await pages.registry.integrations(active=False)
        if not each.active and not connections.removed(each)
    ]
    gone = request.query_params.get("deleted", "")
    said = f"{gone} is deleted. What was booked through it stays booked." if gone else ""
    return await pages.render(
        request, "connections.html", here="connections", lines=lines, begun=begun, heading=heading(lines), said=said,
        minutes=int(WINDOW_S // 60),
    )  # fmt: skip


def heading(lines: Sequence[Line]) -> tuple[str, str]:
    """The answer, and what to know beside it."""
    if not lines:
        return (
            "Nothing is connected yet",
            "Begin with the store. Its orders are read, and nothing is booked before you say so.",
        )
    bad = [line for line in lines if line.state in ("open", "failing")]
    if bad:
        does = "does" if len(bad) == 1 else "do"
        return f"{spelled(len(bad))} of {plural(len(lines), 'connection')} {does} not answer as it should", (
            "What needs it waits as one, and goes by itself when it answers again."
        )
    unused = [line for line in lines if not line.active]
    words = f"{plural(len(unused), 'is', 'are')} not used by anything live." if unused else "Each is in use."
    return f"{spelled(len(lines))} {'connection' if len(lines) == 1 else 'connections'}, no trouble", words


@router.get("/of/{name}")
async def one(request: Request, name: str, person: Person = LOOKS) -> Response:
    line = await _line(request, name, person)
    if line is None:
        return await _unknown(request, name)
    return await _page(request, line, said=DONE.get(request.query_params.get("done", ""), ""))


@router.post("/of/{name}")
async def change(request: Request, name: str, person: Person = CONNECTS) -> Response:
    """Another setting or credential."""
    line, form, typed = await _typed(request, name, person)
    if line is None or form is None or typed is None:
        return await _unknown(request, name)
    try:
        applied = await connections.change(pages_of(request).runtime, line, form, typed)
    except Unusable as error:
        return await _page(request, line, 422, form=_again(form, typed, error.problems))
    return RedirectResponse(f"{HERE}/of/{name}?done={'saved' if applied.changes else 'same'}", 303)


@router.post("/of/{name}/test")
async def try_out(request: Request, name: str, person: Person = CONNECTS) -> Response:
    """The checks of the form as it is, saved or not; nothing is stored."""
    pages = pages_of(request)
    line, form, typed = await _typed(request, name, person)
    if line is None or form is None or typed is None:
        return await _unknown(request, name)
    try:
        checks = await connections.check_typed(pages.runtime, form, typed, line)
    except Unusable as error:
        return await checked(request, (), error.problems) or await _page(
            request, line, 422, form=_again(form, typed, error.problems)
        )
    part = await checked(request, checks, {})
    return part or await _page(request, line, form=_again(form, typed, {}), checks=checks)


async def checked(request: Request, checks: Sequence[Check], problems: Mapping[str, str]) -> Response | None:
    """The list alone, for who asked from within the page: what was typed stays in the browser. None: the whole page is
    wanted."""
    if request.headers.get("HX-Request") != "true":
        return None
    return await pages_of(request).render(
        request, "connection_checks.html", 422 if problems else 200, checks=checks, problems=list(problems.values())
    )


@router.post("/of/{name}/delete")
async def delete(request: Request, name: str, person: Person = CONNECTS) -> Response:
    line, _, typed = await _typed(request, name, person)
    if line is None or typed is None:
        return await _unknown(request, name)
    try:
        await connections.delete(pages_of(request).runtime, line, typed.written.get("sure", ""))
    except Refused as error:
        return await _page(request, line, 422, refused=str(error))
    return RedirectResponse(f"{HERE}?deleted={name}", 303)


# ---------------------------------------------------------------------- parts


async def written(request: Request) -> dict[str, str]:
    """The form as it came; files are none of ours."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


async def _line(request: Request, name: str, person: Person) -> Line | None:
    return await connections.one(pages_of(request).runtime, name, secrets=person.may(Right.connect))


async def _typed(request: Request, name: str, person: Person) -> tuple[Line | None, Form | None, Typed | None]:
    line = await _line(request, name, person)
    form = connections.form_of(line) if line is not None else None
    if line is None or form is None:
        return line, form, None
    kept = [each.name for each in line.credentials if each.set_at is not None]
    given = {**await written(request), "name": name}
    return line, form, forms.read(form, given, before=connections.entry_of(line.connection), kept=kept)


def _again(form: Form, typed: Typed, problems: Mapping[str, str]) -> Form:
    return forms.again(form, Typed(typed.name, typed.entry, typed.secrets, typed.written, problems))


async def _page(
    request: Request,
    line: Line,
    status: int = 200,
    *,
    form: Form | None = None,
    checks: Sequence[Check] = (),
    said: str = "",
    refused: str = "",
) -> Response:
    pages = pages_of(request)
    return await pages.render(
        request, "connection.html", status, here="connections", line=line, form=form or connections.form_of(line),
        checks=checks, problems=[], said=said, refused=refused, stops=connections.stops(line),
        minutes=int(WINDOW_S // 60), history=await connections.history(pages.runtime, line.connection.id),
    )  # fmt: skip


async def _unknown(request: Request, name: str) -> Response:
    lines = await connections.read(pages_of(request).runtime)
    return await pages_of(request).render(
        request, "connection_unknown.html", 404, here="connections", name=name, lines=lines
    )
