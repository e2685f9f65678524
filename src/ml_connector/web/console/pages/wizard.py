"""Setting up: from a store and an ERP to orders that are booked, one step a page, each to be taken up again."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.connectors.base import System
from ml_connector.connectors.errors import ConnectorError
from ml_connector.desk import connections, first_mapping, forms, set_up, wizard
from ml_connector.desk.actions import Refused
from ml_connector.desk.connections import Unusable
from ml_connector.desk.forms import Form, Typed
from ml_connector.desk.set_up import SetUp
from ml_connector.desk.sides import system_title
from ml_connector.domain.access import Person, Right
from ml_connector.web.access import requires
from ml_connector.web.access.parts import access_of
from ml_connector.web.console.frame import pages_of
from ml_connector.web.console.pages.connections import checked, written
from ml_connector.web.console.show import plural, spelled

router = APIRouter(prefix="/connections", max_body_size=256 * 1024)
LOOKS = Depends(requires(Right.look))
CONNECTS = Depends(requires(Right.connect))
NAMES = {"store": "web-store", "erp": "ledger"}

# ---------------------------------------------------------------------- store and ERP


@router.get("/new")
async def begin(request: Request, person: Person = LOOKS) -> Response:
    """The store: a new account, or one that is connected already."""
    return await _connect(request, "store")


@router.get("/new/erp")
async def begin_erp(request: Request, person: Person = LOOKS) -> Response:
    """The ERP that goes with a store."""
    if not await _known(request, "store"):
        return RedirectResponse("/connections/new", 303)
    return await _connect(request, "erp")


@router.post("/new")
async def save_store(request: Request, person: Person = CONNECTS) -> Response:
    return await _save(request, "store")


@router.post("/new/erp")
async def save_erp(request: Request, person: Person = CONNECTS) -> Response:
    """The ERP's connection, and the two joined, switched off."""
    return await _save(request, "erp")


@router.post("/new/join")
async def join(request: Request, person: Person = CONNECTS) -> Response:
    """Two connections that are there already."""
    given = await written(request)
    runtime = pages_of(request).runtime
    store, erp = given.get("store", ""), given.get("erp", "")
    name = given.get("integration", "").strip() or store
    try:
        await wizard.make(runtime, await wizard.join(runtime, store, erp, name))
    except Refused as error:
        return await _connect(request, "erp", 422, refused=str(error), store=store)
    return RedirectResponse(_at(name, "check"), 303)


@router.post("/new/{side}/test")
async def try_out(request: Request, side: str, person: Person = CONNECTS) -> Response:
    """The checks of what was typed; nothing is stored."""
    side = side if side in NAMES else "store"
    form, typed = await _typed(request, side)
    try:
        checks = await connections.check_typed(pages_of(request).runtime, form, typed, None)
    except Unusable as error:
        part = await checked(request, (), error.problems)
        return part or await _connect(request, side, 422, form=_again(form, typed, error.problems))
    return await checked(request, checks, {}) or await _connect(
        request, side, form=_again(form, typed, {}), checks=checks
    )


async def _save(request: Request, side: str) -> Response:
    form, typed = await _typed(request, side)
    runtime = pages_of(request).runtime
    store = typed.written.get("store", "")
    name = typed.written.get("integration", "").strip() or store
    try:
        more = [await wizard.join(runtime, store, typed.name, name, form.system.style)] if side == "erp" else []
        await connections.add(runtime, form, typed, *more)
    except Refused as error:
        form = _again(form, typed, {"": str(error)})
        return await _connect(request, side, 422, form=form, store=store, integration=name)
    except Unusable as error:
        form = _again(form, typed, error.problems)
        return await _connect(request, side, 422, form=form, store=store, integration=name)
    if side == "store":
        return RedirectResponse(f"/connections/new/erp?store={quote(typed.name)}", 303)
    return RedirectResponse(_at(name, "check"), 303)


async def _connect(
    request: Request,
    side: str,
    status: int = 200,
    *,
    form: Form | None = None,
    checks: Any = (),
    refused: str = "",
    store: str = "",
    integration: str = "",
) -> Response:
    pages = pages_of(request)
    store = store or request.query_params.get("store", "")
    offered = wizard.choices(side)
    form = form or await _empty(request, side, offered)
    known = [line for line in await connections.read(pages.runtime) if line.side == side]
    return await pages.render(
        request, "wizard_connect.html", status, here="connections", side=side, offered=offered, form=form, known=known,
        steps=set_up.first_steps(store), at=side, store=store, integration=integration or store, checks=checks,
        problems=[], refused=refused,
    )  # fmt: skip


async def _empty(request: Request, side: str, offered: list[System]) -> Form:
    asked = request.query_params.get("system", "")
    system = next((each for each in offered if each.name == asked), offered[0])
    return forms.empty(system, await wizard.free_name(pages_of(request).runtime, NAMES[side]))


async def _typed(request: Request, side: str) -> tuple[Form, Typed]:
    given = await written(request)
    offered = wizard.choices(side)
    system = next((each for each in offered if each.name == given.get("system", "")), offered[0])
    form = forms.empty(system, "")
    return form, forms.read(form, given)


def _again(form: Form, typed: Typed, problems: Any) -> Form:
    return forms.again(form, Typed(typed.name, typed.entry, typed.secrets, typed.written, problems))


async def _known(request: Request, side: str) -> bool:
    name = request.query_params.get(side, "")
    return any(each.name == name for each in await pages_of(request).registry.connections())


# ---------------------------------------------------------------------- the steps after


@router.get("/set-up/{name}")
async def go_on(request: Request, name: str, person: Person = LOOKS) -> Response:
    """Where it was left."""
    found = await set_up.read(pages_of(request).runtime, name)
    return RedirectResponse(_at(name, found.next()) if found else "/connections", 303)


@router.get("/set-up/{name}/{step}")
async def show(request: Request, name: str, step: str, person: Person = LOOKS) -> Response:
    found = await set_up.read(pages_of(request).runtime, name)
    if found is None or step not in PAGES:
        return RedirectResponse("/connections", 303)
    return await PAGES[step](request, found)


@router.post("/set-up/{name}/{step}")
async def act(request: Request, name: str, step: str, person: Person = CONNECTS) -> Response:
    """What the page of the step asks for, then the next step; the page again with what is wrong."""
    found = await set_up.read(pages_of(request).runtime, name)
    if found is None or step not in ACTS:
        return RedirectResponse("/connections", 303)
    given = await written(request)
    try:
        return RedirectResponse(await ACTS[step](request, found, given), 303)
    except Refused as error:
        return await PAGES[step](request, found, status=422, refused=str(error), given=given)


async def _page(request: Request, found: SetUp, step: str, status: int, **more: Any) -> Response:
    facts: dict[str, Any] = {"refused": "", "given": {}, "said": request.query_params.get("done", ""), **more}
    return await pages_of(request).render(
        request, f"wizard_{step.replace('-', '_')}.html", status, here="connections", found=found, at=step,
        steps=found.steps(), erp_title=system_title(found.erp.system), store_title=system_title(found.store.system),
        headers=None, **facts,
    )  # fmt: skip


async def _check(request: Request, found: SetUp, status: int = 200, **facts: Any) -> Response:
    return await _page(request, found, "check", status, **facts)


async def _do_check(request: Request, found: SetUp, given: dict[str, str]) -> str:
    runtime = pages_of(request).runtime
    said = {}
    if "make" in given:
        done = await wizard.make_steps(runtime, found)
        said = {"done": f"{plural(len(done), 'thing is', 'things are')} made in {system_title(found.erp.system)}."}
    await wizard.check(runtime, found)
    return _at(found.name, "check", **said)


async def _webhooks(request: Request, found: SetUp, status: int = 200, **facts: Any) -> Response:
    base = access_of(request).settings.base(request)
    public = base.startswith("https://") or found.store.sandbox
    offered = f"{base}/hooks/{found.store.name}" if public else ""
    hooks = await wizard.hooks(pages_of(request).runtime, found)
    return await _page(request, found, "webhooks", status, hooks=hooks, offered=offered, **facts)


async def _do_webhooks(request: Request, found: SetUp, given: dict[str, str]) -> str:
    runtime = pages_of(request).runtime
    if "register" in given and found.integration.active:
        changed = await wizard.register(runtime, found)
        return _at(found.name, "webhooks", done=f"{len(changed)} changed." if changed else "They are all there.")
    await wizard.set_address(runtime, found, "" if "without" in given else given.get("address", ""))
    return _at(found.name, "flows")


async def _flows(request: Request, found: SetUp, status: int = 200, **facts: Any) -> Response:
    choices = await wizard.flow_choices(pages_of(request).runtime, found)
    return await _page(request, found, "flows", status, choices=choices, **facts)


async def _do_flows(request: Request, found: SetUp, given: dict[str, str]) -> str:
    await wizard.choose_flows(
        pages_of(request).runtime, found, [name for name in wizard.FLOWS if f"flow-{name}" in given]
    )
    return _at(found.name, "accounts")


async def _accounts(request: Request, found: SetUp, status: int = 200, **facts: Any) -> Response:
    pages = pages_of(request)
    why = ""
    chart: Any = ()
    try:
        chart = await wizard.chart(pages.runtime, found)
    except ConnectorError as error:
        why = str(error)
    tried = found.tried
    missing = tried.missing if tried else ()
    style = (await pages.runtime.context(found.integration.id, None)).style
    asked = first_mapping.questions(found.integration.mapping, style, chart, missing)
    return await _page(request, found, "accounts", status, asked=asked, style=style, why=why, tried=tried, **facts)


async def _do_accounts(request: Request, found: SetUp, given: dict[str, str]) -> str:
    """Saves, then looks what the youngest orders still lack."""
    runtime = pages_of(request).runtime
    if "look" not in given:
        await wizard.save_accounts(runtime, found, given)
    tried = await wizard.dry_run(runtime, found)
    if tried.missing:
        return _at(
            found.name,
            "accounts",
            done=f"Saved. The last {tried.orders} orders still lack {plural(len(tried.missing), 'thing')}.",
        )
    return _at(found.name, "dry-run")


async def _dry_run(request: Request, found: SetUp, status: int = 200, **facts: Any) -> Response:
    return await _page(request, found, "dry-run", status, tried=found.tried, heading=heading(found), **facts)


async def _do_dry_run(request: Request, found: SetUp, given: dict[str, str]) -> str:
    await wizard.dry_run(pages_of(request).runtime, found)
    return _at(found.name, "dry-run")


async def _live(request: Request, found: SetUp, status: int = 200, **facts: Any) -> Response:
    given: dict[str, str] = facts.get("given") or dict[str, str]()
    first_day = given.get("cut_over") or request.query_params.get("cut_over", "")
    try:
        launch = await wizard.launch(pages_of(request).runtime, found, first_day)
    except Refused as error:
        return await _page(request, found, "live", 422, launch=None, refused=str(error))
    return await _page(request, found, "live", status, launch=launch, counted=wizard.COUNTED, **facts)


async def _do_live(request: Request, found: SetUp, given: dict[str, str]) -> str:
    runtime = pages_of(request).runtime
    if "off" in given:
        await wizard.switch_off(runtime, found)
        return _at(found.name, "live", done="Switched off. Nothing is booked from now on; what was booked stays.")
    if given.get("meant", "") != given.get("cut_over", ""):
        raise Refused("The first day was changed. Read again what it means, then go live.")
    await wizard.go_live(runtime, found, given.get("cut_over", ""), given.get("tag", ""))
    found = await set_up.read(runtime, found.name) or found
    try:
        await wizard.register(runtime, found)
    except Refused as error:  # it is live; hooks are tried again every few minutes
        return _at(found.name, "live", done=str(error))
    return _at(found.name, "live")


PAGES: dict[str, Callable[..., Awaitable[Response]]] = {
    "check": _check, "webhooks": _webhooks, "flows": _flows, "accounts": _accounts, "dry-run": _dry_run, "live": _live,
}  # fmt: skip
ACTS: dict[str, Callable[[Request, SetUp, dict[str, str]], Awaitable[str]]] = {
    "check": _do_check, "webhooks": _do_webhooks, "flows": _do_flows, "accounts": _do_accounts,
    "dry-run": _do_dry_run, "live": _do_live,
}  # fmt: skip


@router.get("/accounts/{name}")
async def options(request: Request, name: str, person: Person = LOOKS) -> Response:
    """Accounts of the ERP that fit what was typed: the list of a combobox."""
    pages = pages_of(request)
    found = await set_up.read(pages.runtime, name)
    typed = next((value for key, value in request.query_params.items() if key != "of"), "")
    listed: Any = ()
    total, seconds, why = 0, 0.0, ""
    try:
        if found is not None:
            connector = await pages.runtime.connector(found.erp)
            listed, total, seconds = await pages.charts.options(found.erp.id, connector, typed)
    except (ConnectorError, ValueError) as error:
        why = str(error)
    return await pages.render(request, "options.html", options=listed, total=total, seconds=seconds, why=why)


def heading(found: SetUp) -> tuple[str, str]:
    """What the dry run has come to."""
    tried = found.tried
    if tried is None:
        return (
            "What would the last 50 orders become?",
            "They are read and planned as if they were to be booked. Nothing is written.",
        )
    if not tried.orders:
        return "The store has no orders yet", "There is nothing to try. The first order shows how it goes."
    if tried.booked == tried.orders:
        return f"All {tried.orders} would be booked", "Nothing was written, neither in the store nor in the ERP."
    words = [f"{spelled(tried.held_count)} would be held" if tried.held_count else ""]
    words.append(
        f"{spelled(tried.excluded_count).lower() if words[0] else spelled(tried.excluded_count)} left out by a rule"
        if tried.excluded_count
        else ""
    )
    return (
        f"{tried.booked} of {plural(tried.orders, 'order')} would be booked",
        f"{', '.join(filter(None, words))}. Nothing was written.",
    )


def _at(name: str, step: str, **query: str) -> str:
    return f"/connections/set-up/{quote(name)}/{step}{'?' + urlencode(query) if query else ''}"
