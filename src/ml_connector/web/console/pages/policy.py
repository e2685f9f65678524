"""Policy: which choices are made, and what follows from them? Changes go into the draft, as those of the mapping."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.config.edit import Outdated
from ml_connector.config.policy import PolicyError
from ml_connector.desk import mapping, policy
from ml_connector.domain.access import Person, Right
from ml_connector.web.access import requires
from ml_connector.web.console.pages.mapping import HERE, address, facts, of_request

router = APIRouter(prefix=f"{HERE}/policy")
LOOKS = Depends(requires(Right.look))
RULES = Depends(requires(Right.rule))


@router.get("")
async def show(request: Request, person: Person = LOOKS) -> Response:
    """Every key; `key`: the one whose form is open."""
    return await _page(request, person, request.query_params.get("key", ""))


async def _page(request: Request, person: Person, opened: str, status: int = 200, **said: Any) -> Response:
    pages, frame, integration = await of_request(request)
    if integration is None:
        return await pages.render(request, "mapping_none.html", status, here="mapping")
    known = await mapping.opened(pages.database, integration, person.who)
    about: dict[str, Any] = await facts(pages, frame, known)
    problems = _problems(integration.name, about["proposal"])
    groups = await policy.read(pages.database, known, problems)
    about |= {"groups": groups, "opened": opened, "ways": policy.WAYS, "typed": {}, "wrong": ""}
    about |= {"said": request.query_params.get("done", ""), **said}
    return await pages.render(request, "mapping_policy.html", status, **about)


def _problems(name: str, proposal: Any) -> dict[str, str]:
    """Key -> why the draft cannot be saved with it."""
    start = f"integrations.{name}.policy."
    found = proposal.problems if proposal is not None else ()
    return {each.path.removeprefix(start): each.message for each in found if each.path.startswith(start)}


@router.post("")
async def keep(request: Request, key: Annotated[str, Form()] = "", person: Person = RULES) -> Response:
    """A choice into the draft."""
    pages, _, integration = await of_request(request)
    if integration is None:
        return RedirectResponse(HERE, 303)
    form = await request.form()
    typed = {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        value = policy.parsed(key, typed)
        what = f"policy {key}: {value}"
        await mapping.change_policy(
            pages.database, integration, person.who, what, lambda content: {**content, key: value}
        )  # fmt: skip
    except PolicyError as error:
        words = error.message[:1].upper() + error.message[1:]
        return await _page(request, person, key, 422, typed=typed, wrong=f"{words}.")
    except Outdated as error:
        return await _page(request, person, key, 422, refused=str(error))
    return RedirectResponse(f"{address(f'{HERE}/policy', integration)}#k-{key.replace('.', '-')}", 303)
