"""`/users` and `/tokens`: who may sign in, and which programs come in. A token begets no token: people make them,
on their account's page."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.requests import Request

from ml_connector.domain.access import Person, Right, Role
from ml_connector.engine.access import links, tokens, users
from ml_connector.engine.access.users import User
from ml_connector.engine.access.values import AccessRefused
from ml_connector.web.access import requires
from ml_connector.web.access.parts import access_of
from ml_connector.web.api.problems import Refusal
from ml_connector.web.api.shapes import Name

router = APIRouter(tags=["users"])
Administers = Annotated[Person, Depends(requires(Right.administer))]


class UserShown(BaseModel):
    """Somebody who may sign in, or might."""

    name: str = Field(examples=["dana@example.com"])
    role: Role
    state: str = Field(examples=["active"], description="`invited`, `active` or `disabled`.")
    second_factor: bool
    single_sign_on: bool
    seen_at: datetime | None
    created_at: datetime


class UsersShown(BaseModel):
    """All, disabled ones last."""

    users: list[UserShown]


class TokenShown(BaseModel):
    """A token of the API, without what lets in."""

    name: str = Field(examples=["night export"])
    maker: str = Field(examples=["dana@example.com"], description="It ends with its maker.")
    role: Role
    start: str = Field(examples=["mlc_3fK"], description="Its first characters, to tell it by.")
    valid: bool
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class TokensShown(BaseModel):
    """All, also those that are over."""

    tokens: list[TokenShown]


class Invite(BaseModel):
    """A new user."""

    name: Name = Field(examples=["dana@example.com"])
    role: Role


class Invited(BaseModel):
    """Whoever opens the link first chooses the password: send it to nobody else."""

    user: UserShown
    link: str = Field(examples=["https://connector.example/welcome/x"])


class NewRole(BaseModel):
    """Another role."""

    name: Name = Field(examples=["dana@example.com"])
    role: Role


class Named(BaseModel):
    """A user or a token."""

    name: Name = Field(examples=["dana@example.com"])


class Revoked(BaseModel):
    """It lets nobody in any more."""

    name: str


@router.get("/users", operation_id="users")
async def show_users(request: Request, person: Administers) -> UsersShown:
    """Who may sign in, with which role."""
    return UsersShown(users=[_user(each) for each in await users.all_users(access_of(request).database)])


@router.post("/users", operation_id="invite")
async def invite(request: Request, body: Invite, person: Administers) -> Invited:
    """A user without a password, and the link to choose one. 409 where the name is taken, or is none."""
    access = access_of(request)
    try:
        user = await users.add(access.database, body.name, body.role)
        link = await links.make_link(access.database, user)
    except AccessRefused as error:
        raise Refusal(409, str(error)) from error
    return Invited(user=_user(user), link=f"{access.settings.base(request)}/welcome/{link}")


@router.post("/users/role", operation_id="set_role")
async def set_role(request: Request, body: NewRole, person: Administers) -> UserShown:
    """Holds from their next request on. 409 for the last administrator."""
    user = await _known(request, body.name)
    try:
        await users.set_role(access_of(request).database, user, body.role)
    except AccessRefused as error:
        raise Refusal(409, str(error)) from error
    return _user(await _known(request, body.name))


@router.post("/users/disable", operation_id="disable_user")
async def disable(request: Request, body: Named, person: Administers) -> UserShown:
    """They are signed out everywhere, and their tokens are revoked. 409 for the last administrator."""
    user = await _known(request, body.name)
    try:
        await users.disable(access_of(request).database, user)
    except AccessRefused as error:
        raise Refusal(409, str(error)) from error
    return _user(await _known(request, body.name))


@router.post("/users/enable", operation_id="enable_user")
async def enable(request: Request, body: Named, person: Administers) -> UserShown:
    """They may sign in again; tokens stay revoked."""
    await users.enable(access_of(request).database, await _known(request, body.name))
    return _user(await _known(request, body.name))


@router.get("/tokens", operation_id="tokens")
async def show_tokens(request: Request, person: Administers) -> TokensShown:
    """Which programs come in."""
    found = await tokens.tokens(access_of(request).database)
    return TokensShown(
        tokens=[
            TokenShown(
                name=each.name,
                maker=each.maker,
                role=each.role,
                start=each.start,
                valid=each.valid,
                created_at=each.created_at,
                expires_at=each.expires_at,
                used_at=each.used_at,
                revoked_at=each.revoked_at,
            )
            for each in found
        ]
    )


@router.post("/tokens/revoke", operation_id="revoke_token")
async def revoke(request: Request, body: Named, person: Administers) -> Revoked:
    """It lets nobody in any more, from now on."""
    try:
        await tokens.revoke(access_of(request).database, body.name)
    except AccessRefused as error:
        raise Refusal(404, str(error)) from error
    return Revoked(name=body.name)


async def _known(request: Request, name: str) -> User:
    try:
        return await users.known(access_of(request).database, name)
    except AccessRefused as error:
        raise Refusal(404, str(error)) from error


def _user(user: User) -> UserShown:
    return UserShown(
        name=user.name,
        role=user.role,
        state=user.state,
        second_factor=user.second_factor,
        single_sign_on=user.single,
        seen_at=user.seen_at,
        created_at=user.created_at,
    )
