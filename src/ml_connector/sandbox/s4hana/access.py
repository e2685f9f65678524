"""Who may call: basic, OAuth client credentials, client certificates, CSRF tokens bound to cookies."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from ml_connector.sandbox.s4hana.settings import Settings

USER = "BCCONNECT"
SESSION_COOKIE = "SAP_SESSIONID_SBX_100"
CONTEXT_COOKIE = "sap-usercontext"
TOKEN_PATH = "/sap/bc/sec/oauth2/token"  # noqa: S105 - a path
CSRF_HEADER = "x-csrf-token"
LOGON_PAGE = (
    "<html><head><title>Logon Error Message</title></head><body><h1>Logon failed</h1>"
    "<p>Name or password is incorrect (repeat logon)</p></body></html>"
)


@dataclass
class Session:
    user: str
    token: str
    used_s: float


@dataclass
class Access:
    settings: Callable[[], Settings]
    time_s: Callable[[], float]
    draw: random.Random
    password: str = ""
    user: str = USER
    _failures: int = 0
    _locked: bool = False
    _tokens: dict[str, float] = field(default_factory=dict[str, float])
    _sessions: dict[str, Session] = field(default_factory=dict[str, Session])

    def __post_init__(self) -> None:
        self.password = f"Sbx-{self._secret(24)}"

    @property
    def locked(self) -> bool:
        return self._locked

    def sessions(self) -> int:
        return len(self._sessions)

    def reset(self) -> None:
        """Unlocks the user; tokens and sessions end."""
        self._failures, self._locked = 0, False
        self._tokens.clear()
        self._sessions.clear()

    def revoke_tokens(self) -> None:
        self._tokens.clear()

    def drop_sessions(self) -> None:
        self._sessions.clear()

    def authenticate(self, request: web.Request) -> str | None:
        """The user, or None."""
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        settings = self.settings()
        if scheme.lower() == "basic" and settings.basic_authentication:
            return self._password_user(credentials)
        if scheme.lower() == "bearer" and settings.oauth:
            expires_s = self._tokens.get(credentials.strip())
            return self.user if expires_s is not None and self.time_s() < expires_s else None
        if not scheme and settings.client_certificate and self._has_certificate(request):
            return self.user
        return None

    def token_answer(self, authorization: str, form: dict[str, str], scopes: str = "") -> web.Response:
        """The OAuth token endpoint: client id and secret are the communication user and its password."""
        settings = self.settings()
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() != "basic" or not settings.oauth or self._password_user(credentials) is None:
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        token = self._secret(48)
        self._tokens[token] = self.time_s() + settings.token_lifetime_s - settings.token_skew_s
        lifetime = settings.token_lifetime_s
        return web.json_response(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": str(lifetime) if settings.expires_in_form == "string" else lifetime,
                "scope": scopes,
            },
            headers={"Cache-Control": "no-store"},
        )

    def session_of(self, request: web.Request, user: str) -> Session | None:
        """The live session that the request's cookie names."""
        name = request.cookies.get(SESSION_COOKIE, "")
        session = self._sessions.get(name)
        if session is None or session.user != user:
            return None
        if self.time_s() - session.used_s > self.settings().session_idle_s:
            del self._sessions[name]
            return None
        session.used_s = self.time_s()
        return session

    def open_session(self, user: str) -> tuple[str, Session]:
        name = self._secret(32)
        session = self._sessions[name] = Session(user, self._secret(24) + "==", self.time_s())
        return name, session

    def csrf_holds(self, request: web.Request, user: str) -> bool:
        session = self.session_of(request, user)
        return session is not None and request.headers.get(CSRF_HEADER, "") == session.token

    def _password_user(self, credentials: str) -> str | None:
        try:
            user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if user.upper() != self.user or self._locked:
            return None
        if password != self.password:
            self._failures += 1
            self._locked = self._failures >= self.settings().lock_after
            return None
        self._failures = 0
        return self.user

    def _has_certificate(self, request: web.Request) -> bool:
        transport = request.transport
        # only certificates of the sandbox's own authority pass the handshake
        return transport is not None and bool(transport.get_extra_info("peercert"))

    def _secret(self, length: int) -> str:
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
        return "".join(self.draw.choice(letters) for _ in range(length))


def logon_refused() -> web.Response:
    return web.Response(
        status=401,
        text=LOGON_PAGE,
        content_type="text/html",
        headers={"WWW-Authenticate": 'Basic realm="SAP NetWeaver Application Server [SBX/100]"'},
    )


def csrf_refused() -> web.Response:
    return web.Response(
        status=403, body=b"CSRF token validation failed", content_type="text/plain", headers={CSRF_HEADER: "Required"}
    )
