"""The provider of single sign-on: what it offers, the exchange of a code, and whether its token is what it should be.

OpenID Connect Core 1.0, the authorization code flow with PKCE. Addresses are checked as those of a connection are:
after name resolution, never a metadata service, no redirect followed.
"""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
from authlib.common.urls import add_params_to_uri  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
from authlib.oauth2.rfc7636 import (  # pyright: ignore[reportMissingTypeStubs]
    create_s256_code_challenge,  # pyright: ignore[reportUnknownVariableType]
)
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ml_connector.connectors.errors import UnsafeAddress
from ml_connector.connectors.safety import SafeResolver
from ml_connector.web.access.single_settings import SingleSignOn

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signed by the provider's own key: nothing that a shared secret, or nothing at all, would do for."""

LARGEST = 256 * 1024
WITHIN_S = 10.0
FRESH_S = 3600.0
AGAIN_S = 60.0
"""A key that is not known makes us look again, but not more often than this: anybody can name a key."""
PAUSE_S = 5.0
"""After a look-up of the provider that failed: anybody can ask for one."""
LEEWAY_S = 60


class NotProven(Exception):
    """The provider did not prove who it is. The sentence is for the log and the administrator, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One attempt, known to the browser that began it alone."""

    state: str
    nonce: str
    verifier: str
    next: str


@dataclass(slots=True)
class Provider:
    """Of one process; what it has read is kept for `FRESH_S`. `again_s`, `pause_s`: `AGAIN_S`, `PAUSE_S`."""

    settings: SingleSignOn
    again_s: float = AGAIN_S
    pause_s: float = PAUSE_S
    _offered: Mapping[str, Any] = field(default_factory=dict[str, Any])
    _offered_at: float = float("-inf")
    _failed_at: float = float("-inf")
    _keys: KeySet | None = None
    _keys_at: float = float("-inf")

    async def address(self, flow: Flow, back: str) -> str:
        """Where the browser goes to sign in. Raises `NotProven`."""
        offered = await self._discover()
        asked = [
            ("response_type", "code"), ("client_id", self.settings.client_id), ("redirect_uri", back),
            ("scope", "openid profile email"), ("state", flow.state), ("nonce", flow.nonce),
            ("code_challenge", _challenge(flow.verifier)), ("code_challenge_method", "S256"),
        ]  # fmt: skip
        return str(add_params_to_uri(offered["authorization_endpoint"], asked))  # pyright: ignore[reportUnknownArgumentType]

    async def claims(self, code: str, flow: Flow, back: str) -> Mapping[str, Any]:
        """What the provider says of who signed in, verified. Raises `NotProven`."""
        offered = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": flow.verifier,
        }
        basic = "client_secret_basic" in offered.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        headers: dict[str, str] = {}
        if basic:
            headers["Authorization"] = _basic(self.settings.client_id, self.settings.secret)
        else:
            form |= {"client_id": self.settings.client_id, "client_secret": self.settings.secret}
        answer = await self._call(offered["token_endpoint"], form, headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotProven("the provider's answer to the code holds no ID token")
        return await self._verified(token, flow)

    async def _verified(self, token: str, flow: Flow) -> Mapping[str, Any]:
        for last in (False, True):
            try:
                claims = jwt.decode(token, await self._key_set(again=last), algorithms=list(ALGORITHMS)).claims
                break
            except (JoseError, ValueError) as error:
                if last:
                    raise NotProven(f"the signature of the ID token does not hold: {error}") from None
        else:
            raise AssertionError
        wanted = {
            "iss": {"essential": True, "value": self.settings.issuer},
            "aud": {"essential": True, "value": self.settings.client_id},
            "nonce": {"essential": True, "value": flow.nonce},
            "sub": {"essential": True},
            "exp": {"essential": True},
            "iat": {"essential": True},
        }
        try:
            jwt.JWTClaimsRegistry(leeway=LEEWAY_S, **wanted).validate(claims)  # pyright: ignore[reportArgumentType]
        except JoseError as error:
            raise NotProven(f"the ID token is not for this sign-in: {error}") from None
        audiences = claims["aud"]
        alone = isinstance(audiences, str) or len(audiences) == 1
        if claims.get("azp", self.settings.client_id if alone else None) != self.settings.client_id:
            raise NotProven("the ID token was made for another client (azp)")
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255 or not claims["sub"].isprintable():
            raise NotProven("the ID token names nobody (sub)")
        return claims

    # ------------------------------------------------------------------ what the provider offers

    async def _discover(self) -> Mapping[str, Any]:
        now = time.monotonic()
        if now - self._offered_at <= FRESH_S:
            return self._offered
        if now - self._failed_at < self.pause_s:
            raise NotProven("the provider could not be read a moment ago, and is not asked again yet")
        try:
            self._offered = await self._read()
        except NotProven:
            self._failed_at = time.monotonic()
            raise
        self._offered_at = time.monotonic()
        return self._offered

    async def _read(self) -> Mapping[str, Any]:
        offered = await self._call(self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if offered.get("issuer") != self.settings.issuer:
            raise NotProven(f"the provider calls itself {offered.get('issuer')!r}, not {self.settings.issuer!r}")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            self._check(offered.get(name))
        return offered

    async def _key_set(self, *, again: bool) -> KeySet:
        age = time.monotonic() - self._keys_at
        if self._keys is None or age > FRESH_S or (again and age > self.again_s):
            offered = await self._discover()
            found: Any = await self._call(offered["jwks_uri"])
            try:
                self._keys, self._keys_at = KeySet.import_key_set(found), time.monotonic()
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise NotProven(f"the provider's keys cannot be read: {error}") from None
        return self._keys

    def _check(self, url: object) -> str:
        if not isinstance(url, str):
            raise NotProven("the provider does not say where to sign in (its openid-configuration is not whole)")
        try:
            self.settings.policy.check_url(url)
        except UnsafeAddress as error:
            raise NotProven(str(error)) from None
        return url

    async def _call(
        self, url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """The JSON object at `url`. Raises `NotProven`."""
        self._check(url)
        connector = aiohttp.TCPConnector(resolver=SafeResolver(self.settings.policy))
        timeout = aiohttp.ClientTimeout(total=WITHIN_S)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as client,
                client.request(
                    "GET" if form is None else "POST", url, data=form, allow_redirects=False,
                    headers={"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})},
                ) as answer,
            ):  # fmt: skip
                body = await _at_most(answer.content, LARGEST)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, UnsafeAddress) as error:
            raise NotProven(f"{url} does not answer: {str(error) or type(error).__name__}") from None
        try:
            told = json.loads(body)
        except ValueError:
            raise NotProven(f"{url} answered {status} and no JSON") from None
        if status != 200 or not isinstance(told, dict):
            words = str(told.get("error", ""))[:100] if isinstance(told, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            raise NotProven(f"{url} answered {status} {words}".rstrip())
        return told  # pyright: ignore[reportUnknownVariableType]


def _basic(client_id: str, secret: str) -> str:
    """Both are encoded as in a form first (RFC 6749, 2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _challenge(verifier: str) -> str:
    return str(create_s256_code_challenge(verifier))  # pyright: ignore[reportUnknownArgumentType]


async def _at_most(content: aiohttp.StreamReader, size: int) -> bytes:
    body = b""
    while part := await content.readany():
        body += part
        if len(body) > size:
            raise NotProven("the provider's answer is larger than any such answer")
    return body
