"""Logging in: one session as we keep it, and the schemes that open one. Cookies are read and written by hand.

Some libraries drop `B1SESSION=...;HttpOnly;` for its missing path, and send it to one version's path only. Source: SAP,
"Working with SAP Business One Service Layer", login and logout; `docs/protocol/business-one.md`.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Protocol

from ml_connector.connectors.business_one.answers import BAD_LOGIN, SYSTEM, UNKNOWN_SET, Told, told
from ml_connector.connectors.business_one.settings import B1Settings
from ml_connector.connectors.errors import ConnectorError, Throttled, Transient, Unauthorized
from ml_connector.connectors.http import Response
from ml_connector.connectors.odata_values import as_row

ODATA_4_FROM = 1000150
"""10.0 FP 2102: from here OData 4 is complete enough to be the default."""

COOKIES = ("B1SESSION", "ROUTEID")


@dataclass(frozen=True, slots=True)
class Session:
    """A session as the pool keeps it. `api`: the version that is spoken; `version`: the server's, e.g. 1000190.
    `books`: where it leads, `books_of` the settings that opened it; a connection's address or company may change."""

    id: str
    route: str = ""
    api: str = "v2"
    version: int = 0
    idle_min: int = 30
    books: str = ""

    @property
    def headers(self) -> Mapping[str, str]:
        route = f"; ROUTEID={self.route}" if self.route else ""
        return {"Cookie": f"B1SESSION={self.id}{route}"}

    @property
    def renew_after_s(self) -> float:
        """Unused for that long, a session is renewed before it is asked."""
        return 0.8 * 60 * self.idle_min

    def text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> "Session":
        """Also one that a process of another release has kept."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})

    def moved(self, response: Response) -> "Session":
        """The balancer may name another node in any answer."""
        route = cookies(response).get("ROUTEID", "")
        return replace(self, route=route) if route and route != self.route else self


def books_of(settings: B1Settings) -> str:
    """Server, company and user: what a session of these settings writes to, and as whom."""
    return json.dumps([settings.base_url, settings.company, settings.user])


def cookies(response: Response) -> dict[str, str]:
    """Our two cookies of an answer: only the text before the first semicolon counts."""
    found: dict[str, str] = {}
    for line in response.headers.getall("Set-Cookie", []):
        name, _, value = line.split(";", 1)[0].strip().partition("=")
        if name in COOKIES:
            found[name] = value
    return found


Ask = Callable[[str, Mapping[str, str]], Coroutine[Any, Any, Response]]
"""Sends a JSON body to a path, without a session."""


class Scheme(Protocol):
    """How a session is opened: by password today; SAML or OAuth of newer releases would be others."""

    async def open(self, ask: Ask) -> Session:
        """Raises `Unauthorized` when it is refused for good, `Transient` or `Throttled` when it may be tried again."""
        ...


class PasswordLogin:
    """`Login` with company, user and password. Texts are asked for in English."""

    def __init__(self, settings: B1Settings) -> None:
        self._settings = settings

    async def open(self, ask: Ask) -> Session:
        settings = self._settings
        body = {
            "CompanyDB": settings.company,
            "UserName": settings.user,
            "Password": settings.password,
            "Language": settings.language,
        }
        versions = ("v2", "v1") if settings.api == "auto" else (settings.api,)
        for api in versions:
            response = await ask(f"/b1s/{api}/Login", body)
            if api != versions[-1] and _unknown_version(response):
                continue
            return self._session(response, api)
        raise AssertionError

    def _session(self, response: Response, api: str) -> Session:
        if response.status != 200:
            raise self._refusal(response)
        try:
            answer = as_row(response.json())
        except ValueError as error:
            words = f"the login was answered by something else: {response.text[:80]!r}"
            raise Transient(words, system=SYSTEM, status=response.status) from error
        sent = cookies(response)
        id = sent.get("B1SESSION") or str(answer.get("SessionId") or "")
        if not id or any(character in id for character in "\r\n;, "):  # it goes into a header
            raise Transient("the login answer holds no session", system=SYSTEM, status=response.status)
        version = _whole(answer.get("Version"))
        if self._settings.api == "auto" and version < ODATA_4_FROM:
            api = "v1"
        idle_min = _whole(answer.get("SessionTimeout")) or 30
        return Session(id, sent.get("ROUTEID", ""), api, version, idle_min, books_of(self._settings))

    def _refusal(self, response: Response) -> ConnectorError:
        error = told(response)
        facts: dict[str, Any] = {
            "system": SYSTEM,
            "code": "" if error.code is None else str(error.code),
            "status": error.status,
        }
        user, company = self._settings.user, self._settings.company
        if error.status == 429:
            return Throttled("login: asked to slow down", retry_after_s=response.retry_after_s(), **facts)
        if error.code in BAD_LOGIN or (error.status in (401, 403) and error.code in (None, 301)):
            words = f"the user {user} of company {company} is refused: {error.words}; check user, password and lock"
            return Unauthorized(words, **facts)
        if error.code is None and error.status == 404:
            return Unauthorized(f"there is no Service Layer at {response.url}: check base_url", **facts)
        return Transient(f"login to company {company} as {user}: {error.words}{_licence_advice(error)}", **facts)


def _unknown_version(response: Response) -> bool:
    return response.status == 404 or (response.status == 400 and told(response).code in UNKNOWN_SET)


def _licence_advice(error: Told) -> str:
    lowered = error.text.lower()
    if "licen" in lowered or "session" in lowered:
        return "; assign a licence to the user and keep `sessions` within what it allows"
    return "; check the company's name and that the licence server and landscape directory run" if error.code else ""


def _whole(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0
