"""`ml-connector user`: who may sign in to the console, with which role, and tokens for programs."""

import os
import sys
from typing import Annotated

import typer

from ml_connector.cli.exits import CliError
from ml_connector.cli.opened import opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.domain.access import Person, Role
from ml_connector.engine.access import links, second_factor, tokens, users
from ml_connector.engine.access.passwords import Passwords, check_password
from ml_connector.engine.access.values import AccessRefused
from ml_connector.engine.database import Database
from ml_connector.web.access.settings import PUBLIC_URL

app = typer.Typer(no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name or mail address.")]
RoleOption = Annotated[Role, typer.Option(help="What they may do; each role may what the one before it may.")]
UrlOption = Annotated[
    str, typer.Option(help=f"What the link begins with. Default: {PUBLIC_URL}, else http://127.0.0.1:8080.")
]


@app.command("list")
def list_users(json: JsonOption = False) -> None:
    """Every user: role, state, second factor, when last seen."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("user list") as home:
            found = await users.all_users(home.database)
        rows = [(u.name, u.role, u.state, _factor(u), u.seen_at) for u in found]
        out.table("Users", ("name", "role", "state", "second factor", "last seen"), rows)
        if not found:
            out.say("Nobody can sign in yet: `ml-connector user link` makes a link for the first administrator.")
        out.result(
            [
                {
                    "name": u.name, "role": str(u.role), "state": u.state, "second_factor": u.second_factor,
                    "single_sign_on": u.single, "seen_at": u.seen_at, "created_at": u.created_at,
                }
                for u in found
            ]
        )  # fmt: skip

    run(out, work)


@app.command("add")
def add_user(name: NameArgument, role: RoleOption, url: UrlOption = "", json: JsonOption = False) -> None:
    """Add a user, and print the one-time link by which they choose a password."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("user add") as home:
            user = await users.add(home.database, name, role)
            link = await links.make_link(home.database, user)
        _say_link(out, user.name, _base(url), link)

    run(out, work)


@app.command("link")
def make_link(
    name: Annotated[str, typer.Argument(help="Whose; left out: of the first administrator.")] = "",
    without_second_factor: Annotated[
        bool, typer.Option("--without-second-factor", help="Switch theirs off: the device is lost.")
    ] = False,
    url: UrlOption = "",
    json: JsonOption = False,
) -> None:
    """Print a one-time link for a new password, good for a day. The present password stays good until it is used."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("user link") as home:
            if not name:
                link = await _first(home.database)
            else:
                user = await users.known(home.database, name)
                link = await links.make_link(home.database, user)
                if without_second_factor and user.second_factor:
                    await second_factor.switch_off(home.database, home.vault, user)
        _say_link(out, name or "the first administrator", _base(url), link)

    run(out, work)


@app.command("role")
def set_role(name: NameArgument, role: Annotated[Role, typer.Argument()], json: JsonOption = False) -> None:
    """Give a user another role; it holds from their next request on."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("user role") as home:
            user = await users.known(home.database, name)
            await users.set_role(home.database, user, role)
        out.say(f"{user.name} was {user.role} and is {role} now.")
        out.result({"name": user.name, "before": str(user.role), "role": str(role)})

    run(out, work)


@app.command("disable")
def disable_user(name: NameArgument, json: JsonOption = False) -> None:
    """Let a user in no more: sessions, links and tokens end. What they did stays in the audit."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("user disable") as home:
            user = await users.known(home.database, name)
            await users.disable(home.database, user)
        out.say(f"{user.name} is disabled, signed out everywhere, and their tokens are revoked.")
        out.result({"name": user.name, "state": "disabled"})

    run(out, work)


@app.command("enable")
def enable_user(name: NameArgument, json: JsonOption = False) -> None:
    """Let a disabled user in again; their tokens stay revoked."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("user enable") as home:
            user = await users.known(home.database, name)
            await users.enable(home.database, user)
        out.say(f"{user.name} may sign in again.")
        out.result({"name": user.name, "state": "active"})

    run(out, work)


@app.command("password")
def set_password(name: NameArgument, json: JsonOption = False) -> None:
    """Set a password, asked for here or read from standard input; the user's sessions end. A link is better."""
    out = Output(json=json)
    password = _asked() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")

    async def work() -> None:
        async with opened("user password") as home:
            user = await users.known(home.database, name)
            if user.single:
                raise AccessRefused(f"{user.name} signs in by single sign-on and has no password here.")
            check_password(password, user.name)
            hashed = await Passwords().hash(password)
            async with home.database.transaction() as sql:
                await users.set_password(sql, user, hashed)
        out.say(f"The password of {user.name} is set; they are signed out everywhere.")
        out.result({"name": user.name})

    run(out, work)


@app.command("token")
def make_token(
    user: Annotated[str, typer.Argument(help="Whose it is; it may never do more than they.")],
    name: Annotated[str, typer.Argument(help="What the audit calls it: what uses it.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.viewer,
    days: Annotated[int, typer.Option(help="How long it is good for.")] = tokens.DAYS,
    json: JsonOption = False,
) -> None:
    """Make a token for a program, and print it, once."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("user token") as home:
            maker = await users.known(home.database, user)
            if maker.disabled_at is not None:
                raise AccessRefused(f"{maker.name} is disabled; their tokens let nobody in.")
            person = Person(maker.id, maker.name, maker.role, "cli")
            value = await tokens.make_token(home.database, person, name, role, days)
        out.say(value)
        out.say(f"It may what {role} may, for {days} days. It is not shown again.")
        out.result({"name": name, "token": value, "role": str(role), "days": days})

    run(out, work)


@app.command("tokens")
def list_tokens(json: JsonOption = False) -> None:
    """Every token: whose, which role, until when, when last used."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("user tokens") as home:
            found = await tokens.tokens(home.database)
        rows = [
            (t.name, t.maker, t.role, f"{t.start}…", "valid" if t.valid else "over", t.expires_at, t.used_at)
            for t in found
        ]
        out.table("Tokens", ("name", "of", "role", "token", "state", "until", "last used"), rows)
        if not found:
            out.say("There are no tokens.")
        out.result(
            [
                {
                    "name": t.name, "maker": t.maker, "role": str(t.role), "valid": t.valid,
                    "expires_at": t.expires_at, "used_at": t.used_at, "revoked_at": t.revoked_at,
                }
                for t in found
            ]
        )  # fmt: skip

    run(out, work)


@app.command("revoke")
def revoke_token(name: Annotated[str, typer.Argument(help="The token's name.")], json: JsonOption = False) -> None:
    """End a token, from its next request on."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("user revoke") as home:
            await tokens.revoke(home.database, name)
        out.say(f"The token {name} lets nobody in any more.")
        out.result({"name": name, "valid": False})

    run(out, work)


def _factor(user: users.User) -> str:
    if user.single:
        return "by single sign-on"
    return "on" if user.second_factor else "off"


async def _first(db: Database) -> str:
    link = await links.first_link(db)
    if not link:
        raise CliError("There are users already: `ml-connector user link NAME` makes a link for one of them.")
    return link


def _base(given: str) -> str:
    return (given or os.environ.get(PUBLIC_URL, "") or "http://127.0.0.1:8080").rstrip("/")


def _say_link(out: Output, who: str, base: str, link: str) -> None:
    out.say(f"A link for {who}, good once and for a day:")
    out.say(f"  {base}/welcome/{link}")
    out.result({"name": who, "link": f"{base}/welcome/{link}"})


def _asked() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
