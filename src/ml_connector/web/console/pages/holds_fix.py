"""What is done beside a hold: a value of the mapping, a choice of the policy, a verdict on a document, a release.

Each is an action of its own in the audit, and the page then follows the records that it has released.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.config.edit import Edit
from ml_connector.config.edit import save as save_edit
from ml_connector.config.entry import NotSaved, save_entry
from ml_connector.config.problems import ConfigError
from ml_connector.connectors.errors import ConnectorError
from ml_connector.desk import actions, decide, fixes, wording
from ml_connector.desk.decide import Undecided, Verdict
from ml_connector.desk.fixes import NoFix, Tax, fix_of
from ml_connector.domain.access import Person, Right
from ml_connector.engine.actor import actor
from ml_connector.engine.correlation import correlated, new_id
from ml_connector.engine.records import Lane
from ml_connector.engine.views import record_list
from ml_connector.engine.views.record_list import Filter
from ml_connector.web.access import requires
from ml_connector.web.console.frame import Pages, pages_of
from ml_connector.web.console.pages.holds import page, parts_of

router = APIRouter()
DECIDES = Depends(requires(Right.decide))
MAPS = Depends(requires(Right.map))
RULES = Depends(requires(Right.rule))
Group = Annotated[str, Form()]
Text = Annotated[str, Form()]
NOT_THERE = "Nothing was changed: that is none of the reasons of this page."


@router.post("/holds/decide")
async def say(
    request: Request, group: Group, reference: Text, verdict: Text = "", why: Text = "", force: Text = "",
    person: Person = DECIDES,
) -> Response:  # fmt: skip
    """What a person says is true of a document; the ERP is asked first."""
    pages = pages_of(request)
    integration, _, _ = parts_of(group, await pages.frame(request))
    try:
        chosen = Verdict(verdict)
    except ValueError:
        return await page(request, group, 422, refused=Undecided("Say which of the three it is."), look=True)
    try:
        with correlated(id=new_id()) as action:
            done = await decide.decide(pages.runtime, integration, reference, chosen, why=why, force=bool(force))
    except Undecided as error:
        return await page(request, group, 422, refused=error, look=True)
    except ConnectorError as error:
        refused = Undecided(f"The ERP could not be asked, so nothing was decided: {error}", forcible=chosen == "right")
        return await page(request, group, 422, refused=refused)
    said = f"{done.reference}: {done.said}. {wording.called(done.flow, done.record)} runs again."
    return _back(said, action.id)


@router.post("/holds/save")
async def save(request: Request, group: Group, value: Text = "", typed: Text = "", person: Person = MAPS) -> Response:
    """A new version of the mapping with that one value, and what waited for it goes."""
    pages = pages_of(request)
    integration, _, key = parts_of(group, await pages.frame(request))
    given = value or typed.split(" ")[0]
    try:
        of = await pages.registry.integration(integration)
        with correlated(id=new_id()) as action:
            saved = await save_entry(pages.database, pages.runtime.vault, of, key, given, author=actor.get())
    except (NotSaved, LookupError) as error:
        return await page(request, group, 422, str(error), {"typed": typed})
    return _back(f"Saved as mapping version {saved.version}. {_released(saved.released)}", action.id)


@router.post("/holds/tax")
async def tax(
    request: Request, group: Group, name: Text = "", rate: Text = "", code: Text = "", value: Text = "",
    typed: Text = "", person: Person = MAPS,
) -> Response:  # fmt: skip
    """A rule for a tax of the store: its code and account in the ERP."""
    rule = Tax(name, rate, code, value or typed.split(" ")[0])
    told = {"name": name, "rate": rate, "code": code, "typed": typed}
    return await _save(request, group, lambda of, _, key: fixes.tax_edit(of, key, rule), told, "Saved in the mapping.")


@router.post("/holds/account")
async def account(
    request: Request, group: Group, value: Text = "", typed: Text = "", person: Person = MAPS
) -> Response:
    """Another account in the place of one that the ERP does not have, or blocks."""
    given = value or typed.split(" ")[0]

    def edit(of: str, kind: str, key: str) -> Edit:
        what, _, old = key.partition("|")
        if kind != "master_data" or what != "gl_account":
            raise NoFix(NOT_THERE)
        return fixes.account_edit(of, old, given)

    return await _save(request, group, edit, {"typed": typed}, "Saved in the mapping. What is booked stays as it is.")


@router.post("/holds/policy")
async def policy(request: Request, group: Group, key: Text = "", value: Text = "", person: Person = RULES) -> Response:
    """A choice of the policy that ends holds of this kind, for every order from now on."""
    return await _save(
        request, group, lambda of, kind, about: fixes.policy_edit(of, fix_of(kind, about), key, value.strip()),
        {"limit": value}, "Saved in the policy.",
    )  # fmt: skip


@router.post("/holds/repost")
async def repost(request: Request, group: Group, person: Person = DECIDES) -> Response:
    """The orders of this group are reversed and posted anew as the store has them; the policy stays as it is."""
    pages = pages_of(request)
    integration, kind, key = parts_of(group, await pages.frame(request))
    if not integration or not fix_of(kind, key).repost:
        return await page(request, group, 422, NOT_THERE)
    async with pages.database.connect() as sql:
        rows = await record_list.keys(sql, Filter((integration,), actions.ORDERS, "held", kind, key), limit=1000)
    with correlated(id=new_id()) as action:
        keys = [each for _, _, each in rows]
        marked = await actions.replay(pages.database, integration, actions.ORDERS, keys, why=kind, repost=True)
    count = len(marked.done)
    return _back(f"{count:,} {wording.thing('orders', count)} reversed and posted anew.", action.id)


@router.post("/holds/release")
async def release(request: Request, group: Group, person: Person = DECIDES) -> Response:
    """The records of the group run again now, and are held again if the reason still stands."""
    pages = pages_of(request)
    integration, kind, key = parts_of(group, await pages.frame(request))
    if not integration:
        return await page(request, "", 422, NOT_THERE)
    with correlated(id=new_id()) as action:
        released = await actions.release(pages.database, integration, kind, [key] if key else None)
    count = sum(map(len, released.values()))
    return _back(f"{count:,} released. What still has its reason is held again in a moment.", action.id)


async def _save(
    request: Request,
    group: str,
    made: Callable[[str, str, str], Edit],
    typed: Mapping[str, str],
    said: str,
) -> Response:
    """An edit of the configuration, and the page that follows what it has released. `made`: from the integration's
    name, the hold's kind and its key."""
    pages = pages_of(request)
    integration, kind, key = parts_of(group, await pages.frame(request))
    try:
        of = await pages.registry.integration(integration)
        edit = made(of.name, kind, key)
        with correlated(id=new_id()) as action:
            applied = await save_edit(pages.database, pages.runtime.vault, edit, author=actor.get())
            others = await _also(pages, integration, kind, key, applied.released)
    except (NoFix, LookupError) as error:
        return await page(request, group, 422, str(error), typed)
    except ConfigError as error:
        return await page(request, group, 422, "; ".join(f"{p.path}: {p.message}" for p in error.problems), typed)
    return _back(f"{said} {_released({**applied.released, **others})}", action.id)


async def _also(
    pages: Pages, integration: int, kind: str, key: str, released: Mapping[Lane, Sequence[str]]
) -> Mapping[Lane, Sequence[str]]:
    """What the edit did not release because nothing has changed by it: the value was there already."""
    if released:
        return {}
    return await actions.release(pages.database, integration, kind, [key] if key else None)


def _released(released: Mapping[Lane, Sequence[str]]) -> str:
    count = sum(map(len, released.values()))
    flow = next(iter(released)).flow if released else actions.ORDERS
    return f"{count:,} {wording.thing(flow, count)} released."


def _back(said: str, action: str) -> Response:
    return RedirectResponse("/holds?" + urlencode({"done": said, "saved": action}), 303)
