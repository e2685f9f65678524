"""People at the served application: made in the database, with a session or a token as the sign-in gives it."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from sqlalchemy import text

from ml_connector.domain.access import Person, Role
from ml_connector.engine.access import sign_in, tokens, users
from ml_connector.engine.access.passwords import Passwords
from ml_connector.engine.access.sign_in import Browser
from tests.web.serving import Served

PASSWORD = "seven green lanterns"
COOKIE = "mlc"


async def user(served: Served, role: Role, name: str = "", *, password: str = "") -> users.User:
    """A user; hashing takes its time, so only where a test signs in by password."""
    name = name or str(role)
    await users.add(served.database, name, role)
    if password:
        hashed = await Passwords().hash(password)
        async with served.database.connect() as sql:
            await sql.execute(text("UPDATE users SET password = :p WHERE name = :n"), {"p": hashed, "n": name})
    return await users.known(served.database, name)


async def session(served: Served, of: users.User) -> str:
    return await sign_in.let_in(served.database, of, "password", Browser("127.0.0.1"))


async def token(served: Served, of: users.User, name: str = "ci") -> str:
    return await tokens.make_token(served.database, Person(of.id, of.name, of.role), name, of.role, 1)


def csrf_of(session: str) -> str:
    """As the page carries it."""
    made = hmac.new(session.encode(), b"ml-connector csrf", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str
    cookies: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.text)
        assert found, self.text
        return found[1]


@dataclass
class Visitor:
    """A browser: keeps cookies, follows no redirect. `cookies`: what it holds."""

    served: Served
    cookies: dict[str, str] = field(default_factory=dict[str, str])

    async def ask(
        self,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        read: bool = True,
    ) -> Answer:
        sent = dict(headers or {})
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
            client.request(method, self.served.url + path, data=form, headers=sent, allow_redirects=False) as answer,
        ):
            for name, morsel in answer.cookies.items():
                if morsel.value and morsel["max-age"] != "0":
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)
            given = {name: morsel.OutputString() for name, morsel in answer.cookies.items()}
            return Answer(answer.status, answer.headers, await answer.text() if read else "", given)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, headers=headers)

    async def post(
        self, path: str, *, csrf: bool = True, headers: Mapping[str, str] | None = None, **form: str
    ) -> Answer:
        if csrf and COOKIE in self.cookies:
            form["csrf"] = csrf_of(self.cookies[COOKIE])
        return await self.ask("POST", path, form=form, headers=headers)

    async def send(self, path: str, form: Mapping[str, str]) -> Answer:
        """A form of a page of ours."""
        return await self.ask("POST", path, form={**form, "csrf": csrf_of(self.cookies[COOKIE])})

    async def sign_in(self, name: str, password: str = PASSWORD, code: str = "", next: str = "/") -> Answer:
        return await self.post("/sign-in", csrf=False, name=name, password=password, code=code, next=next)
