"""Transport to one S/4HANA system: authentication, OData services, the SOAP journal service, failures in words.

Sources: SAP Help, "Communication Management" and "Configuring OAuth 2.0 clients"; `docs/protocol/s4hana.md`.
"""

import base64
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from ml_connector.connectors.base import Permit, Priority, Services, Token
from ml_connector.connectors.errors import Throttled, Transient, Unauthorized
from ml_connector.connectors.http import HttpSession, Params, Response
from ml_connector.connectors.odata import AgainPermit, ODataService
from ml_connector.connectors.odata_errors import error_of
from ml_connector.connectors.odata_values import as_row
from ml_connector.connectors.s4hana.settings import S4Settings
from ml_connector.domain.money import amount_from

SYSTEM = "S/4HANA"
LONGEST_TOKEN_S = 86_400
PASSWORD_PAUSE_S = 300.0  # a user is locked after a few wrong passwords: no call at all for that long


class S4Client:
    """Authenticated calls. OAuth: a 401 renews the token once and replays once, since nothing was executed; basic
    and certificate: a 401 ends the traffic of this process for a while, or the user gets locked."""

    def __init__(self, settings: S4Settings, services: Services) -> None:
        self.settings = settings
        self._services = services
        self._session = self._http(settings.base_url)
        self._login: HttpSession | None = None
        self._token_name = f"s4hana:{settings.name}"
        self._refused_at: float | None = None
        self._services_by_name: dict[str, ODataService] = {}

    async def close(self) -> None:
        await self._session.close()
        if self._login is not None:
            await self._login.close()

    def service(self, name: str, scenario: str) -> ODataService:
        """The OData service `name`; one security session each."""
        if name not in self._services_by_name:
            self._services_by_name[name] = ODataService(
                self, f"{self.settings.odata_root}/{name}", system=SYSTEM, scenario=scenario
            )
        return self._services_by_name[name]

    def allow_password(self) -> None:
        """Forgets that the password was refused: a person asks again."""
        self._refused_at = None

    # -------------------------------------------------------------- calls

    async def read(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        priority: Priority = "orders",
    ) -> Response:
        for last in (False, True):
            authorization, token = await self._authorization()
            response = await self._session.read(
                method,
                path,
                params=self._with_client(params),
                headers={**self._headers(), **authorization, **(headers or {})},
                priority=priority,
            )
            if response.status != 401 or not await self._renew(token, response, last=last):
                break
        await self._observe(response)
        return response

    async def write(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        permit: Permit,
        references: Sequence[str] = (),
    ) -> Response:
        granted = permit
        for last in (False, True):
            authorization, token = await self._authorization()
            response = await self._session.write(
                method,
                path,
                params=self._with_client(None),
                headers={**self._headers(), **authorization, **headers},
                body=body,
                permit=granted,
                references=references,
            )
            if response.status != 401 or not await self._renew(token, response, last=last):
                break
            granted = AgainPermit(permit)
        await self._observe(response)
        return response

    async def probe_soap(self, path: str, envelope: bytes) -> Response:
        """Sends an envelope that holds no message: safe to repeat, it cannot change anything."""
        authorization, _ = await self._authorization()
        headers = {**self._headers(), **authorization, "Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        return await self._session.read(
            "POST", path, params=self._with_client(None), headers=headers, body=envelope, priority="background"
        )

    def _headers(self) -> Mapping[str, str]:
        return {"Accept-Language": "en"}  # messages come in this language, and are recognised in it

    def _with_client(self, params: Params | None) -> Params | None:
        """`sap-client` selects the client of a private system; the public edition has one."""
        if not self.settings.sap_client:
            return params
        pairs = list(params.items() if isinstance(params, Mapping) else params or ())
        return [*pairs, ("sap-client", self.settings.sap_client)]

    async def _observe(self, response: Response) -> None:
        if response.status == 429:
            await self._services.limiter.observe(throttled_for_s=response.retry_after_s())

    # -------------------------------------------------------------- authentication

    async def _authorization(self) -> tuple[Mapping[str, str], Token | None]:
        if self.settings.auth == "oauth":
            token = await self._services.tokens.get(self._token_name, self.fetch_token)
            self._session.hide(token.value)
            return {"Authorization": f"Bearer {token.value}"}, token
        if self._refused_at is not None and time.monotonic() - self._refused_at < PASSWORD_PAUSE_S:
            raise Unauthorized(
                f"the user {self.settings.user} was refused a moment ago; nothing more is sent, or SAP locks the user: "
                "correct the password and check the user in 'Maintain Communication Users'",
                system=SYSTEM,
                status=401,
            )
        if self.settings.auth == "certificate":
            return {}, None
        return {"Authorization": _basic(self.settings.user, self.settings.password)}, None

    async def _renew(self, token: Token | None, response: Response, *, last: bool) -> bool:
        """After a 401: true when it is worth one replay. Raises `Unauthorized` otherwise."""
        if token is not None:
            await self._services.tokens.drop(self._token_name, token)
            if not last:
                return True
        else:
            self._refused_at = time.monotonic()
        words = {
            "oauth": "a fresh token is refused too: check that the communication arrangement allows OAuth 2.0 client "
            "credentials for this user",
            "basic": f"the user {self.settings.user} or its password is refused",
            "certificate": "the client certificate is refused: assign it to the communication user",
        }[self.settings.auth]
        raise Unauthorized(words, system=SYSTEM, status=401, request_id=response.request_id)

    async def fetch_token(self) -> Token:
        """A token by client credentials. Raises `Unauthorized` when they are wrong, `Transient` otherwise."""
        settings = self.settings
        parts = urlsplit(settings.token_url)
        if self._login is None:
            self._login = self._http(f"{parts.scheme}://{parts.netloc}")
        response = await self._login.read(
            "POST",
            f"{parts.path}?{parts.query}" if parts.query else parts.path,
            headers={
                "Authorization": _basic(settings.client_id, settings.client_secret),
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
            body=b"grant_type=client_credentials",
        )
        await self._services.trace("login.a")
        self._raise_for_token(response)
        try:
            value, lifetime_s = _token_of(response)
        except ValueError as error:
            words = f"the token answer cannot be used: {error}"
            raise Transient(words, system=SYSTEM, status=response.status) from error
        self._session.hide(value)
        await self._services.trace("session.store.b")
        return Token(value, datetime.now(UTC) + timedelta(seconds=lifetime_s))

    def _raise_for_token(self, response: Response) -> None:
        if response.status == 200:
            return
        facts: dict[str, Any] = {"system": SYSTEM, "status": response.status, "request_id": response.request_id}
        if response.status == 429:
            raise Throttled("the token service asks to slow down", retry_after_s=response.retry_after_s(), **facts)
        if response.status in (400, 401, 403):
            raise Unauthorized(
                f"no token for the client {self.settings.client_id}: {_token_words(response)}; check client ID, secret "
                "and token URL against the communication arrangement",
                **facts,
            )
        if response.status == 404:
            raise Unauthorized(f"there is no token service at {self.settings.token_url}", **facts)
        raise Transient(f"no token: {error_of(response).words}", **facts)

    def _http(self, base_url: str) -> HttpSession:
        settings = self.settings
        return HttpSession(
            base_url,
            services=self._services,
            timeouts=settings.timeouts,
            tls=settings.tls,
            proxy=settings.proxy,
            sandbox=settings.sandbox,
            system=SYSTEM,
            secrets=settings.secrets,
            allow_private=settings.allow_private,
        )


def _token_of(response: Response) -> tuple[str, float]:
    """The token and for how many seconds it is good: a number, or a number as text. Raises `ValueError`."""
    answer = as_row(response.json())
    value = answer.get("access_token")
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):  # it goes into a header
        raise ValueError("it holds no token")
    lifetime_s = amount_from(str(answer.get("expires_in") or 3600))
    return value, float(min(max(lifetime_s, 0), LONGEST_TOKEN_S))


def _token_words(response: Response) -> str:
    """`{"error": "invalid_client", "error_description": ...}`, or whatever came."""
    try:
        data = as_row(response.json())
    except ValueError:
        return error_of(response).words
    return " ".join(str(data[name]) for name in ("error", "error_description") if data.get(name))


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
