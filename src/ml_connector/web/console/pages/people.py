"""Users and tokens: who may sign in, with which role, and which programs come in."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.domain.access import WORDS, Person, Right, Role, lowest
from ml_connector.engine.access import links, second_factor, tokens, users
from ml_connector.engine.access.users import User
from ml_connector.engine.access.values import AccessRefused
from ml_connector.engine.database import Database
from ml_connector.web.access import requires
from ml_connector.web.access.parts import access_of
from ml_connector.web.console.frame import pages_of
from ml_connector.web.console.show import plural, spelled

router = APIRouter(prefix="/settings", max_body_size=64 * 1024)
Looks = Annotated[Person, Depends(requires(Right.look))]
Administers = Annotated[Person, Depends(requires(Right.administer))]
Field = Annotated[str, Form()]
HERE = "/settings/users"

DONE = {
    "role": "The role is changed. It holds from their next request on.",
    "disabled": "They are signed out everywhere, and their tokens are revoked.",
    "enabled": "They may sign in again.",
    "revoked": "The token lets nobody in any more.",
}


@router.get("")
async def settings(request: Request, person: Looks) -> Response:
    return RedirectResponse("/settings/alerts", 303)


@router.get("/users")
async def show(request: Request, person: Looks) -> Response:
    """Everybody may see who is who: a page that refuses somebody names the role to ask for."""
    return await _page(request, said=DONE.get(request.query_params.get("done", ""), ""))


async def _page(request: Request, status: int = 200, *, said: str = "", refused: str = "") -> Response:
    access = access_of(request)
    people = await users.all_users(access.database)
    return await pages_of(request).render(
        request, "users.html", status, here="settings", people=people, tokens=await tokens.tokens(access.database),
        roles=list(Role), said=said, refused=refused, heading=heading(people), may=may(),
    )  # fmt: skip


def heading(people: Sequence[User]) -> tuple[str, str]:
    """How many may sign in, and what is worth knowing of them."""
    found = [each for each in people if each.state != "disabled"]
    active = [each for each in found if each.state == "active"]
    bare = [each for each in active if not each.second_factor and not each.single]
    invited = len(found) - len(active)
    words = [f"{plural(invited, 'is', 'are')} invited and did not come yet."] if invited else []
    if bare:
        words.append(f"{plural(len(bare), 'signs', 'sign')} in with a password alone.")
    elif active:
        words.append("Everybody has a second factor.")
    people_may = "person may" if len(active) == 1 else "people may"
    return f"{spelled(len(active))} {people_may} sign in", " ".join(words)


def may() -> list[tuple[Role, str]]:
    """What each role may beyond the one before it."""
    return [(role, ", ".join(WORDS[right] for right in Right if lowest(right) is role)) for role in Role]


@router.post("/users/add")
async def add(request: Request, person: Administers, name: Field = "", role: Field = "") -> Response:
    access = access_of(request)
    try:
        user = await users.add(access.database, name, _role(role))
        link = await links.make_link(access.database, user)
    except AccessRefused as error:
        return await _page(request, 422, refused=str(error))
    return await _link_page(request, user, link)


@router.post("/users/link")
async def link(request: Request, person: Administers, name: Field = "", without: Field = "") -> Response:
    """A new password; `without`: the second factor goes too, for the device is lost."""
    access = access_of(request)
    try:
        user = await users.known(access.database, name)
        made = await links.make_link(access.database, user)
    except AccessRefused as error:
        return await _page(request, 422, refused=str(error))
    if without and user.second_factor:
        await second_factor.switch_off(access.database, access.vault, user)
    return await _link_page(request, user, made)


async def _link_page(request: Request, user: User, link: str) -> Response:
    address = f"{access_of(request).settings.base(request)}/welcome/{link}"
    return await pages_of(request).render(request, "users_link.html", here="settings", user=user, address=address)


@router.post("/users/role")
async def role(request: Request, person: Administers, name: Field = "", role: Field = "") -> Response:
    async def change(database: Database) -> None:
        await users.set_role(database, await users.known(database, name), _role(role))

    return await _after(request, change, "role")


@router.post("/users/disable")
async def disable(request: Request, person: Administers, name: Field = "") -> Response:
    async def change(database: Database) -> None:
        await users.disable(database, await users.known(database, name))

    return await _after(request, change, "disabled")


@router.post("/users/enable")
async def enable(request: Request, person: Administers, name: Field = "") -> Response:
    async def change(database: Database) -> None:
        await users.enable(database, await users.known(database, name))

    return await _after(request, change, "enabled")


@router.post("/tokens/revoke")
async def revoke(request: Request, person: Administers, name: Field = "") -> Response:
    async def change(database: Database) -> None:
        await tokens.revoke(database, name)

    return await _after(request, change, "revoked")


async def _after(request: Request, change: Callable[[Database], Awaitable[None]], what: str) -> Response:
    """The page again: with what was done, or with why it was refused."""
    try:
        await change(access_of(request).database)
    except AccessRefused as error:
        return await _page(request, 422, refused=str(error))
    return RedirectResponse(f"{HERE}?done={what}", 303)


def _role(given: str) -> Role:
    if given not in list(Role):
        raise AccessRefused("Choose a role.")
    return Role(given)
